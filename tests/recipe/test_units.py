"""Sizes and durations as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from hf_vft.recipe.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("20m", 1200.0), ("1h30m", 5400.0), ("1.5h", 5400.0), (7, 7)],
)
def test_durations(text: Any, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("200MB", 200_000_000), ("1.5GiB", 1610612736), ("1000", 1000), (5, 5)]
)
def test_sizes(text: Any, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["soon", "20 minutes", "m", "-3m"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s, 20m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["big", "200XB", "-1GB"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="such as 200MB or 1GB"):
        parse_size(text)
