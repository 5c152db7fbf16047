"""Images in: sources, splits, checks, transforms.

``load_data`` reads any source of labelled images into checked, divided ``datasets``;
``decode_image`` is the one decoder of training and serving.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_vft.data.images import decode_image
    from hf_vft.data.load import ImageData, Rejected, load_data

__all__ = ["ImageData", "Rejected", "decode_image", "load_data"]

_HOMES = {
    "ImageData": "hf_vft.data.load",
    "Rejected": "hf_vft.data.load",
    "decode_image": "hf_vft.data.images",
    "load_data": "hf_vft.data.load",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``datasets`` is slow to import."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
