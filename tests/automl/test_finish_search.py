from types import SimpleNamespace
from typing import Any

import pytest

from hf_vft.automl.finish_search import _epochs_left
from hf_vft.training.finetune import FineTuned


def trained(*epochs: float, seconds: float) -> FineTuned:
    """A stage of so many epochs."""
    stage: Any = SimpleNamespace(history=[{"epoch": epoch} for epoch in epochs], seconds=seconds)
    nothing: Any = None
    return FineTuned(nothing, [stage])


def clock(left: float) -> Any:
    return SimpleNamespace(left=left, over=lambda: left <= 0)


def test_epochs_are_counted_as_they_are() -> None:
    assert trained(1.0, 2.0, 2.5, seconds=1.0).epochs == 2.5


@pytest.mark.parametrize(
    ("left", "epochs"), [(-1.0, 0.0), (9.0, 0.75), (25.0, 2.5), (29.0, 2.75), (9e9, 30.0)]
)
def test_the_winner_goes_on_for_what_is_left(left: float, epochs: float) -> None:
    assert _epochs_left(trained(1.0, 2.0, 2.5, seconds=25.0), clock(left)) == epochs


def test_a_winner_that_was_never_trained_does_not_go_on() -> None:
    assert _epochs_left(trained(seconds=0.0), clock(100.0)) == 0.0
