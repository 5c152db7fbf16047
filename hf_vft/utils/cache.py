"""Where results that can be made again are kept."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache() -> Path:
    """``$HF_VFT_CACHE``, or ``hf_vft`` in the user's cache folder."""
    root = os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache"
    return Path(os.environ.get("HF_VFT_CACHE", "") or Path(root) / "hf_vft")
