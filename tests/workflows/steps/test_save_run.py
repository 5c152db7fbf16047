"""What a run says of itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hf_vft.recipe.schema import Recipe
from hf_vft.reporting.run_files import FINE_TUNED
from hf_vft.training.finetune import FineTuned
from hf_vft.workflows.steps.save_run import delivered

KEPT, UNDONE = SimpleNamespace(best={"epoch": 1.0}), SimpleNamespace(best=None)


@pytest.mark.parametrize(
    ("stages", "probe", "averaged", "place", "words"),
    [
        ([KEPT], True, False, 1.0, FINE_TUNED),
        ([KEPT, UNDONE], True, False, 1.0, FINE_TUNED),
        ([KEPT], True, False, 0.0, "the linear probe"),
        (
            [KEPT],
            True,
            False,
            0.5,
            "0.5 of the way from the linear probe to the fine-tuned weights",
        ),
        ([KEPT], False, False, 0.5, FINE_TUNED),
        ([UNDONE], True, False, 1.0, "the linear probe"),
        ([], True, False, 1.0, "the linear probe"),
        ([], False, False, 1.0, "what training began with"),
        ([UNDONE], True, True, 1.0, "the average of several fine-tuned models"),
    ],
)
def test_it_says_what_its_weights_are(
    stages: list[Any], probe: bool, averaged: bool, place: float, words: str
) -> None:
    nothing: Any = None
    tuned = FineTuned(nothing, stages, begins_with_probe=probe, averaged=averaged)
    recipe = Recipe().replaced({"training.deliver": place})
    assert delivered(recipe, tuned) == words
