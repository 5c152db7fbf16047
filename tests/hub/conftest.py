from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hf_vft.hub.client import RetryPolicy
from hf_vft.run import RunDirectory
from tests.hub.loopback import WRITE, LoopbackHub

HASTE = RetryPolicy(tries=4, wait=0.01)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def api(hub: LoopbackHub) -> HfApi:
    """Of the maker, who may write."""
    return HfApi(endpoint=hub.url, token=WRITE)


@pytest.fixture
def run(fitted: Path, tmp_path: Path) -> RunDirectory:
    """A finished run of one's own."""
    shutil.copytree(fitted, tmp_path / "line")
    return RunDirectory.open(tmp_path / "line")
