"""Memory: what is freed is kept for the next step, and what lives on is not searched for garbage.

Training on a CPU allocates and frees the same large blocks at every step. By default glibc asks
the kernel for each of them and returns it at once, and the pages are cleared every time. And each
``Trainer.train()`` collects garbage among all objects of all imported modules.
"""

from __future__ import annotations

import ctypes
import gc
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
LARGEST = 2**31 - 1
AHEAD = 2**28
"""Bytes asked for at a time."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; it then peaks as high, but does not shrink.

    Returns:
        Whether the C library understood.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST), (M_TOP_PAD, AHEAD))
    return all(mallopt(name, value) for name, value in settings)


@contextmanager
def only_new_garbage() -> Iterator[None]:
    """Context in which garbage collection leaves alone what existed before.

    Half a second of each short training went into looking through a million imported objects.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
