"""A few kills each of what ``tests.benchmarks.kill_commands`` kills twenty times."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from hf_vft.run import RunDirectory
from tests.benchmarks.kill_commands import CompactionKills, PushKills, kill
from tests.hub.loopback import LoopbackHub

TIMES = 3


def test_a_killed_compaction_loses_and_leaves_nothing(tmp_path: Path) -> None:
    assert not kill(CompactionKills(tmp_path), TIMES, random.Random(0))


def test_a_killed_push_is_whole_or_not_there_and_goes_on(fitted: Path, tmp_path: Path) -> None:
    shutil.copytree(fitted, tmp_path / "line")
    with LoopbackHub() as hub:
        pushing = PushKills(RunDirectory.open(tmp_path / "line"), hub)
        assert not kill(pushing, TIMES, random.Random(0))
