"""Reads what may have been written by a stranger, or half: the files of a run folder.

Whatever a file holds, reading it ends in what it should hold or in one line that names it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from hf_vft.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

Kind = TypeVar("Kind")
DIGITS = 20
"""Of a whole number, at most."""


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        RunError: If it is missing or broken, nested without end, or holds a number that is not
            finite or has more than `DIGITS` digits.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_short)
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, error) from None


def read_as(kind: type[Kind], path: Path) -> Kind:
    """Read a JSON file as what it has to hold.

    Args:
        kind: A model, or any other type that pydantic checks.
        path: Of the file.

    Raises:
        RunError: If it is missing or broken, or holds something else.
    """
    tree, adapter = read_json(path), TypeAdapter(kind)
    try:
        return adapter.validate_python(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"][:6]) or "as a whole"
        raise RunError(
            f"{path}: cannot be read ({error.error_count()} fields are wrong; {place}: "
            f"{' '.join(first['msg'].split())[:100]}); write it again with the command that made "
            "it."
        ) from None


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file.

    Args:
        path: Of the file.
        columns: Those that it has to have, in this order; None takes what is there.

    Raises:
        RunError: If it is missing or broken, or lacks a column.
    """
    import pandas as pd
    import pyarrow as pa

    wanted = None if columns is None else list(columns)
    try:
        return pd.read_parquet(path, columns=wanted)
    except (OSError, LookupError, ValueError, TypeError, ArithmeticError, pa.ArrowException) as e:
        raise unreadable(path, e) from None


def unreadable(path: Path, error: BaseException) -> RunError:
    """A library's message about a file, as an error of ours."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return RunError(f"{path}: cannot be read ({reason}).")


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:DIGITS]} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _short(text: str) -> int:
    return int(text) if len(text) <= DIGITS else _refuse(text)
