"""Sizes with units, as people write them in a recipe: ``200MB``, ``1.5GiB``."""

from __future__ import annotations

import re
from typing import Any

_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_size(value: Any) -> Any:
    """Bytes of ``1000``, ``200MB`` or ``1.5GiB``; what is no text is given back.

    Raises:
        ValueError: If the text is no size.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    unit = (match[2] or "b").upper() if match else ""
    if match is None or unit not in _BYTES:
        raise ValueError("has to be bytes, or a size such as 200MB or 1GB")
    return round(float(match[1]) * _BYTES[unit])
