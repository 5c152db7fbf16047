"""A full disk is known by what each library says of it, as seen on one."""

import errno
import sqlite3

import pytest

from hf_vft.utils.full_disk import is_full_disk

TORCH = "[enforce fail at inline_container.cc:671] . unexpected pos 576 vs 534"
SAFETENSORS = "Error while serializing: I/O error: No space left on device (os error 28)"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError(TORCH),
        Exception(SAFETENSORS),
        sqlite3.OperationalError("database or disk is full"),
        caused(ValueError("commit failed"), sqlite3.OperationalError("database or disk is full")),
    ],
    ids=repr,
)
def test_a_full_disk_is_known(error):
    assert is_full_disk(error)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied"),
        RuntimeError("CUDA out of memory"),
        RuntimeError("[enforce fail at inline_container.cc:220] . file not found"),
        ValueError("unexpected pos"),
    ],
    ids=repr,
)
def test_another_error_is_not(error):
    assert not is_full_disk(error)


def test_causes_in_a_circle_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert not is_full_disk(first)
