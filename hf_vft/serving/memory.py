"""How much memory all callers together may take for images that are being decoded."""

from __future__ import annotations

import ctypes
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hf_vft.data.images import image_header
from hf_vft.errors import DataError

BYTES_A_PIXEL = 12
"""At the worst moment: the image as it is stored, as RGBA on white, and as RGB."""

BUSY = "the server is busy with other large images: try again in a moment."
# Parameters of mallopt(3).
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_MAPPED_FROM = 1 << 20
_ARENAS = 2


class DecodingMemory:
    """Admits so many bytes at a time, in the order of arrival.

    Args:
        bytes: All together; a single image that would take more is decoded alone.
        wait: Seconds after which whoever waits is refused.
    """

    def __init__(self, bytes: int, *, wait: float) -> None:
        self.bytes = bytes
        self._wait = wait
        self._used = 0
        self._turn = threading.Lock()  # a large image is not overtaken for ever by small ones
        self._freed = threading.Condition()

    @contextmanager
    def room_for(self, content: bytes) -> Iterator[None]:
        """Within, an image file may be decoded.

        Raises:
            DataError: If there was no room in time.
        """
        wanted = min(decoded_bytes(content), self.bytes)
        deadline = time.monotonic() + self._wait
        if not self._turn.acquire(timeout=self._wait):
            raise DataError(BUSY)
        try:
            with self._freed:
                fits = self._freed.wait_for(
                    lambda: self._used + wanted <= self.bytes, deadline - time.monotonic()
                )
                if not fits:
                    raise DataError(BUSY)
                self._used += wanted
        finally:
            self._turn.release()
        try:
            yield
        finally:
            with self._freed:
                self._used -= wanted
                self._freed.notify_all()


def decoded_bytes(content: bytes) -> int:
    """What an image takes while it is decoded, by the size that its header announces.

    What is no image takes nothing: it is refused before it is decoded.
    """
    try:
        _, (width, height) = image_header(content)
        return width * height * BYTES_A_PIXEL
    except Exception:  # noqa: BLE001  # whatever is wrong with it, the decoder says it in words
        return 0


def return_freed_memory() -> bool:
    """Let what large images took go back to the system as soon as it is freed.

    By default glibc learns from the first large block that is freed to keep those up to 32 MB,
    and keeps a store for each of many threads: a server that once had many large images stays as
    large as it was then.

    Returns:
        Whether the C library understood.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_THRESHOLD, _MAPPED_FROM), (_M_ARENA_MAX, _ARENAS))
    return all(mallopt(name, value) for name, value in settings)


def trim_memory() -> None:
    """Give back what lies free between what is in use."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
