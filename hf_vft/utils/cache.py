"""Where results that can be made again are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def default_cache() -> Path:
    """``$HF_VFT_CACHE``, or ``hf_vft`` in the user's cache folder."""
    root = os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache"
    return Path(os.environ.get("HF_VFT_CACHE", "") or Path(root) / "hf_vft")


def free_bytes(folder: Path) -> int:
    """What is free on the disk that ``folder`` is on, or will be."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free
