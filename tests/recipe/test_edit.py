"""Changes of single fields, as ``--set`` takes them."""

from __future__ import annotations

import pytest

from hf_vft.errors import RecipeError
from hf_vft.recipe.edit import parse_change
from hf_vft.recipe.schema import load_recipe


@pytest.mark.parametrize("sign", list("|;,>-&*!%@"))
def test_a_sign_is_itself_and_not_yaml(sign: str) -> None:
    assert parse_change(f"data.label_separator={sign}") == ("data.label_separator", sign)
    assert load_recipe("staged", [f"data.label_separator={sign}"]).data.label_separator == sign


@pytest.mark.parametrize(
    ("text", "value"), [("a=5", 5), ("a=x", "x"), ("a=~", None), ("a=[1, b]", [1, "b"])]
)
def test_all_else_is_yaml(text: str, value: object) -> None:
    assert parse_change(text) == ("a", value)


def test_a_separator_of_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="label_separator"):
        load_recipe("staged", ["data.label_separator=''"])
