from __future__ import annotations

import pytest

from hf_vft.utils.spreadsheets import as_cell, from_cell


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_become_text_and_come_back(text: str) -> None:
    assert as_cell(text) == f"'{text}"
    assert from_cell(as_cell(text)) == text


@pytest.mark.parametrize("value", ["pit", "'quoted'", "", "a=b", -1.5, None, True])
def test_all_else_stays(value: object) -> None:
    assert as_cell(value) is value
    assert not isinstance(value, str) or from_cell(value) == value
