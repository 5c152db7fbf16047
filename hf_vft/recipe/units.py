"""Numbers with units, as people write them in a recipe: ``20m``, ``1h30m``, ``200MB``."""

from __future__ import annotations

import math
import re
from typing import Any

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_duration(value: object) -> Any:
    """Seconds of ``90``, ``90s``, ``20m`` or ``1h30m``; what is no text is given back.

    Raises:
        ValueError: If the text is no duration.
    """
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd]\s*)+", text):
        raise ValueError("has to be seconds, or a duration such as 90s, 20m or 1h30m")
    return sum(float(n) * _SECONDS[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(\w)", text))


def parse_size(value: object) -> Any:
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
    size = float(match[1]) * _BYTES[unit]
    if math.isinf(size):
        raise ValueError("has to be a finite size")
    return round(size)
