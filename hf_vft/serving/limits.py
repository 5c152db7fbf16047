"""How much callers may ask of a server, in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hf_vft.errors import VftError

MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The bounds of a server; ``hf-vft serve`` prints them when it starts.

    Attributes:
        file_mb: An image file.
        upload_mb: One upload, and what a zip file may unpack to.
        uploads_mb: All uploads that are kept at a time.
        upload_minutes: So long an upload, and what was made of it, is kept.
        request_mb: A request that is no upload, images of agents as ``data:`` included.
        image_megapixels: Width times height of an image.
        decoding_mb: Memory of all images that are being decoded at a time.
        batch_images: Images of one batch.
        images_at_a_time: Requests that are worked on at a time.
        maps_at_a_time: Heat maps that are computed at a time.
        waiting_requests: Requests that may wait their turn.
        sessions: Pages and programs whose state is remembered, those that asked last.
        wait_seconds: So long an image waits for memory before it is refused.
        idle_seconds: So long a request may stop in the middle before it is dropped.
        per_minute: Images of one caller a minute, and as many uploads; 0 is no limit.
        logins_per_minute: Failed logins of one caller a minute.
        stop_seconds: So long a server that is stopped goes on with what it has begun.
    """

    file_mb: int = 50
    upload_mb: int = 500
    uploads_mb: int = 4096
    upload_minutes: int = 60
    request_mb: int = 16
    image_megapixels: int = 50
    decoding_mb: int = 560
    batch_images: int = 500
    images_at_a_time: int = 16
    maps_at_a_time: int = 2
    waiting_requests: int = 1000
    sessions: int = 500
    wait_seconds: int = 60
    idle_seconds: int = 30
    per_minute: int = 0
    logins_per_minute: int = 10
    stop_seconds: int = 3

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value < (0 if name == "per_minute" else 1):
                raise VftError(f"--limit {name}={value}: has to be a positive number.")

    def __str__(self) -> str:
        pairs = dataclasses.asdict(self).items()
        return ", ".join(f"{name} {value}" for name, value in pairs)

    def changed(self, settings: Sequence[str]) -> Limits:
        """These limits with others of the form ``name=value`` in their places.

        Raises:
            VftError: If there is no such limit, or its value is no positive whole number.
        """
        known = dataclasses.asdict(self)
        wanted: dict[str, Any] = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            if name not in known:
                raise VftError(f"--limit {setting}: there is no such limit; there are {self}.")
            if not (value.isascii() and value.isdigit() and len(value) < 10):
                raise VftError(f"--limit {setting}: write {name}=NUMBER, a whole number.")
            wanted[name] = int(value)
        return dataclasses.replace(self, **wanted)
