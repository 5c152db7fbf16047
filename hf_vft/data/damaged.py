"""What libraries raise for damaged or hostile data, as an error of one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pyarrow as pa
from datasets.exceptions import DatasetsError

from hf_vft.errors import DataError
from hf_vft.utils.full_disk import is_full_disk

_LONGEST = 1_000

P = ParamSpec("P")
R = TypeVar("R")

_RAISED = (
    RecursionError,  # brackets in brackets, thousands deep
    ArithmeticError,  # numbers that no float holds
    ValueError,  # numbers of thousands of digits, text that is no Unicode
    pa.ArrowException,  # damage behind a sound footer
    DatasetsError,
    OSError,
)


def damage_in_a_line(read: Callable[P, R]) -> Callable[P, R]:
    """Let a function that reads a source raise a `DataError` for what is damaged in it.

    Its readers refuse what they know in their own words; this is for the rest. The cause stays
    attached, for ``--debug``.
    """

    # A message that quotes what it found may quote far too much of it.
    @functools.wraps(read)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except DataError as error:
            if len(str(error)) > _LONGEST and type(error) is DataError:
                raise DataError(f"{str(error)[:_LONGEST]}…") from error
            raise
        except _RAISED as error:
            if is_full_disk(error):
                raise  # of unpacking, or of the cache; the data may be sound
            text = " ".join(str(error).split())[:200] or type(error).__name__
            what = args[0] if args and isinstance(args[0], str | Path) else "the data"
            raise DataError(f"{what}: damaged, or not what it seems to be ({text}).") from error

    return told
