"""Several processes for one command: they all end together, and one of them says why."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from hf_vft.cli import launch as module
from hf_vft.errors import RunError

SCRIPT = """
import os, pathlib, sys, time
sys.path.insert(0, {root!r})
from hf_vft.cli.launch import end, let_others_speak
from hf_vft.errors import RunError
rank, kind = int(os.environ["RANK"]), {kind!r}
if kind == "fine":
    pathlib.Path({out!r}, str(rank)).write_text(os.environ["MASTER_PORT"])
elif kind == "all" or rank == 1:
    let_others_speak(own_mistake=True)
    print(f"a mistake, says {{rank}}", file=sys.stderr, flush=True)
    end(7)
else:
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Launches two processes of a script in place of the command line."""
    monkeypatch.setattr(module, "GRACE", 1.0)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    def launched(kind: str) -> int:
        text = SCRIPT.format(root=str(Path(__file__).parents[2]), kind=kind, out=str(tmp_path))
        real = module.subprocess.Popen

        def popen(command: list[str], **options):
            assert command[:3] == [sys.executable, "-m", "hf_vft"]
            return real([sys.executable, "-c", text], **options)

        monkeypatch.setattr(module.subprocess, "Popen", popen)
        return module.launch(2, ["fit"])

    return launched


def test_all_processes_run_and_share_a_port(run, tmp_path: Path):
    assert run("fine") == 0
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()


def test_the_mistake_of_all_is_told_once(run, capfd: pytest.CaptureFixture[str]):
    assert run("all") == 7
    assert capfd.readouterr().err.splitlines() == ["a mistake, says 0"]


def test_the_mistake_of_one_is_told_and_ends_the_others(run, capfd: pytest.CaptureFixture[str]):
    started = time.monotonic()
    assert run("one") == 7
    assert capfd.readouterr().err.splitlines() == ["a mistake, says 1"]
    assert time.monotonic() - started < 30


def test_too_few_gpus_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(RunError, match="this machine has 2 GPUs"):
        module.launch(3, ["fit"])


def test_alone_nobody_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(module.time, "sleep", lambda _: pytest.fail("waited"))
    module.let_others_speak(own_mistake=True)
    module.let_others_speak(own_mistake=False)
    with pytest.raises(SystemExit):
        module.end(1)
