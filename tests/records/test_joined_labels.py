from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_vft.records import join_names, split_names


@given(st.lists(st.text(min_size=1), unique=True))
def test_whatever_they_are_called_names_come_back(names: list[str]) -> None:
    assert split_names(join_names(names)) == names


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["scratch"], "scratch"),
        (["scratch", "stain", "scratch"], "scratch|stain"),
        (["on|off", "a\\b"], r"on\|off|a\\b"),
    ],
)
def test_ordinary_names_are_joined_plainly(names: list[str], text: str) -> None:
    assert join_names(names) == text


def test_what_people_write_by_hand_is_split() -> None:
    assert split_names(r"a|b||C:\x\y|") == ["a", "b", r"C:\x\y"]
