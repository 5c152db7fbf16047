"""YAML of strangers ends in a value or in one line."""

import pytest

from hf_vft.utils.yaml_text import parse_yaml


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 5000,
        "a: " + "[" * 5000 + "]" * 5000,
        "{a: " * 3000,
        "- " * 5000 + "1",
        "seed: " + "9" * 5000,
        "day: 2001-13-01",
        "a: !!bool maybe",
        "a: !!int ''",
        "a: !!timestamp soon",
        "a: !!python/object/apply:os.getcwd []",
        "a: [1",
        "? [a]\n: 1",
        "x\0y",
    ],
    ids=lambda text: text[:24],
)
def test_what_cannot_be_read_is_one_short_line(text):
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_yaml(text)
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 201


def test_what_can_be_read_is():
    assert parse_yaml("a: [1, .inf, x]") == {"a": [1, float("inf"), "x"]}
