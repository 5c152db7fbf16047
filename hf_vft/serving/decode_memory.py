"""How much memory all callers together may take for images that are being decoded."""

from __future__ import annotations

import ctypes
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from hf_vft.data.decoding.dicom import is_dicom
from hf_vft.data.decoding.files import open_image
from hf_vft.data.decoding.samples import may_be_deep
from hf_vft.data.images import image_header
from hf_vft.errors import DataError

BYTES_A_PIXEL = 9
"""At the worst moment, measured: the image as stored beside what is upright or on white, or as the
model's processor takes it and torchvision's copy of that."""

WEBP_BYTES_A_PIXEL = 17
"""The decoder of WebP keeps the animation's canvas besides."""

GREY_DEEP_BYTES_A_PIXEL = 20
"""More than 8 bits, one channel: the values as they are, and 8-bit ones made of them."""

DEEP_BYTES_A_PIXEL = 32
"""More than 8 bits, several channels: the high and the low bytes, and numbers made of them."""

BUSY = "the server is busy with other large images: try again in a moment."
_FOR_SMALL = 16
"""Which part of the memory is kept for small images."""

# Parameters of mallopt(3).
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_MAPPED_FROM = 1 << 20
_ARENAS = 2


class DecodingMemory:
    """Admits so many bytes at a time, in the order of arrival.

    A part is kept for small images: they do not wait behind large ones.

    Args:
        bytes: All together.
        wait: Seconds after which whoever waits is refused.
    """

    def __init__(self, bytes: int, *, wait: float) -> None:
        self.bytes = bytes
        for_small = bytes // _FOR_SMALL
        self._small_image = for_small // 4
        self._small = _Room(for_small, wait)
        self._large = _Room(bytes - for_small, wait)

    @contextmanager
    def room_for(self, content: bytes) -> Iterator[None]:
        """Reserve memory in which an image file may be decoded.

        Raises:
            DataError: If there was no room in time, or the image takes more than there is.
        """
        wanted = decoded_bytes(content)
        room = self._small if wanted <= self._small_image else self._large
        if wanted > room.bytes:
            raise DataError(
                f"the image is too large: to decode it takes {wanted >> 20} MB of memory, and the "
                f"limit is {room.bytes >> 20}."
            )
        with room.taken(wanted):
            yield

    def refuse_waiting(self) -> None:
        """Refuse all callers that wait, from now on."""
        self._small.close()
        self._large.close()


class _Room:
    """So many bytes, and who waits for them."""

    def __init__(self, bytes: int, wait: float) -> None:
        self.bytes = bytes
        self._wait = wait
        self._used = 0
        self._turn = threading.Lock()  # who wants much is not overtaken for ever
        self._freed = threading.Condition()
        self._closed = False

    def close(self) -> None:
        """From now on nobody waits."""
        with self._freed:
            self._closed = True
            self._freed.notify_all()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Within, bytes are somebody's.

        Raises:
            DataError: If they were not free in time.
        """
        deadline = time.monotonic() + self._wait
        if not self._turn.acquire(timeout=self._wait):
            raise DataError(BUSY)
        try:
            with self._freed:
                fits = self._freed.wait_for(
                    lambda: self._closed or self._used + wanted <= self.bytes,
                    deadline - time.monotonic(),
                )
                if not fits or self._closed:
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
    """Memory that an image takes while it is decoded, from the figures in its header.

    What is no image takes nothing: it is refused before it is decoded.
    """
    try:
        _, (width, height) = image_header(content)
        return width * height * _bytes_a_pixel(content)
    except Exception:  # noqa: BLE001  # whatever is wrong with it, the decoder says it in words
        return 0


def _bytes_a_pixel(content: bytes) -> int:
    if is_dicom(content):
        return DEEP_BYTES_A_PIXEL
    with open_image(content) as image:
        if image.mode.startswith(("I", "F")):
            return GREY_DEEP_BYTES_A_PIXEL
        if may_be_deep(image):
            return DEEP_BYTES_A_PIXEL
        return WEBP_BYTES_A_PIXEL if image.format == "WEBP" else BYTES_A_PIXEL


def return_freed_memory() -> bool:
    """Let what large images took go back to the system as soon as it is freed.

    By default glibc learns from the first large block that is freed to keep those up to 32 MB,
    and keeps a store for each of many threads, and pyarrow keeps what its tables took: a server
    that once had many large images stays as large as it was then.

    Returns:
        Whether the C library understood.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_THRESHOLD, _MAPPED_FROM), (_M_ARENA_MAX, _ARENAS))
    return all(mallopt(name, value) for name, value in settings)


def trim_memory() -> None:
    """Give back what lies free between what is in use."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
