"""Records that are written to JSON: nothing in them changes, and no field is lost unseen."""

import pytest
from pydantic import ValidationError

from hf_vft.utils.frozen import Frozen


class Point(Frozen):
    """A record."""

    x: int


def test_a_field_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Point(x=1).x = 2


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="y"):
        Point.model_validate({"x": 1, "y": 2})
