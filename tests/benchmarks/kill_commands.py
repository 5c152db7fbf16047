"""``kill -9`` of a compaction, an export and a push, at moments spread over what they take.

``python -m tests.benchmarks.kill_commands [compaction] [export] [push] [--times 20]``

After each kill: no row is lost or counted twice, the run answers, the Hub holds all of a push or
nothing of it, and the same command again ends well. In the end nothing of the killed is left.
Those of ``fit`` and ``serve`` are in ``bench_kill_and_resume`` and ``kill_server``. Exit status: 0
if all of that holds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from huggingface_hub import HfApi, constants

from hf_vft.hub.push import push_run
from hf_vft.inference.onnx import export_onnx, open_session
from hf_vft.inference.predictor import Predictor
from hf_vft.records import ProductionLog, compaction
from hf_vft.records.journal import journals
from hf_vft.run import RunDirectory
from tests.hub.loopback import WRITE, LoopbackHub
from tests.made_images import encoded, made_image
from tests.records.rows import row

ROWS = 40
"""Of each of the writers whose journals and parts are compacted."""

PATIENCE = 600.0
"""Seconds that the work may take."""

TRIES = 5
"""Times that a kill may come too late, before its moment is given up."""

REPO = "maker/line"


def killed_after(work: Callable[[], object], seconds: float) -> bool:
    """Work in a fork of this process, and kill it; False if it had ended by then."""
    child = multiprocessing.get_context("fork").Process(target=_quietly, args=(work,))
    child.start()
    child.join(seconds)
    if child.pid is not None and child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode == -signal.SIGKILL


def _quietly(work: Callable[[], object]) -> None:
    torch.set_num_threads(1)
    with Path(os.devnull).open("w") as nothing:
        sys.stdout = sys.stderr = nothing
        work()


class CompactionKills:
    """Parts of writers that closed their journals, and journals of writers that were killed."""

    def __init__(self, folder: Path) -> None:
        self._log = ProductionLog(folder / "log")
        self._written = 0

    def prepare(self) -> None:
        """More small parts and another abandoned journal."""
        for closed in (True, True, False):

            def write(closed: bool = closed) -> None:
                writer = self._log.writer()
                for number in range(self._written, self._written + ROWS):
                    writer.append([row(number * 37, request_id=f"r{number}", embedding=[1.0])])
                if closed:
                    writer.close()
                os._exit(0)  # what is not closed is abandoned

            killed_after(write, 60)
            self._written += ROWS

    def work(self) -> None:
        self._log.compact()

    def wrong(self) -> str:
        """What is lost or doubled, in words; empty if nothing is."""
        found = Counter(self._log.read(columns=["request_id"])["request_id"])
        embedded = Counter(self._log.read_embeddings().request_ids)
        expected = Counter(f"r{number}" for number in range(self._written))
        return "" if found == embedded == expected else f"{len(expected - found)} rows are lost"

    def finish(self) -> str:
        """Compact to the end, an hour later; what is left then that should not be."""
        past = time.time() - 2 * compaction._STALE
        for path in self._log.folder.rglob(".*.tmp"):
            os.utime(path, (past, past))
        self._log.compact()
        left = [*self._log.folder.rglob(".*.tmp"), *journals(self._log.folder)]
        left += [p for p in self._log.folder.rglob("*.lock") if p.name != "compaction.lock"]
        parts = Counter(path.parent for path in self._log.folder.rglob("part-*.parquet"))
        return f"{left} are left" if left or set(parts.values()) != {1} else ""


class ExportKills:
    """A run without an export, or with the one before."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run

    def prepare(self) -> None:
        """Nothing: an export replaces the one before."""

    def work(self) -> None:
        export_onnx(self._run)

    def wrong(self) -> str:
        """Nothing: the run answers, and so does the graph that is there, or this would raise."""
        predictor = Predictor(self._run)
        predictor.predictions([made_image(0)])
        if self._run.onnx_file.is_file():
            pixels = predictor.transform(predictor.decoder.read(encoded(made_image(0))).image)
            open_session(self._run.onnx_file)(pixels[None])
        return ""

    def finish(self) -> str:
        self.work()
        left = [path.name for path in self._run.path.glob(".export*.tmp")]
        left += [path.name for path in self._run.path.glob(".export*.old")]
        return f"{left} are left" if left or not self._run.onnx_file.is_file() else ""


class PushKills:
    """A repository that is made anew each time."""

    def __init__(self, run: RunDirectory, hub: LoopbackHub) -> None:
        self._run = run
        self._hub = hub
        self._api = HfApi(endpoint=hub.url, token=WRITE)
        self.work()
        self._whole = self._files()
        self._before = {path.name for path in run.path.rglob("*")}

    def _files(self) -> set[str]:
        repo = self._hub.repos.get(("model", REPO))
        return set(repo.files) if repo else set()

    def prepare(self) -> None:
        self._hub.repos.clear()
        self._hub.stored.clear()

    def work(self) -> None:
        push_run(self._run, REPO, api=self._api, verify=False)

    def wrong(self) -> str:
        """Whether a part of a push is to be seen; then the same push again ends well."""
        files = self._files()
        half = f"{len(files)} of {len(self._whole)} files are there"
        if files - {".gitattributes"} and files != self._whole:
            return half
        self.work()
        again = "" if self._files() == self._whole else "the push that followed is not whole"
        return again or ("" if len(self._hub.repos["model", REPO].commits) == 2 else "two commits")

    def finish(self) -> str:
        left = {path.name for path in self._run.path.rglob("*")} - self._before
        return f"{sorted(left)} are left" if left else ""


Killing = CompactionKills | ExportKills | PushKills


def kill(one: Killing, times: int, draw: random.Random) -> list[str]:
    """Kill so often in the middle of the work.

    The moments are spread over what the work takes in a fork, as the killed work is done in one;
    one that comes too late is drawn again.

    Returns:
        What was wrong after a kill, and in the end; a line of numbers is printed.
    """
    one.prepare()
    one.work()  # what is loaded once is loaded before the clock runs
    one.prepare()
    began = time.monotonic()
    killed_after(one.work, PATIENCE)
    takes, late, wrong = time.monotonic() - began, 0, []
    for number in range(times):
        for _ in range(TRIES):
            one.prepare()
            hit = killed_after(one.work, takes * (number + draw.random()) / times)
            wrong += [found] if (found := one.wrong()) else []
            if hit:
                break
            late += 1
        else:
            wrong.append(f"kill {number + 1} came too late each time")
    wrong += [found] if (found := one.finish()) else []
    print(f"{type(one).__name__}: {times} kills before the end of {takes:.2f} s, {late} more came "
          f"too late; wrong: {wrong or 'nothing'}", flush=True)  # fmt: skip
    return wrong


def main() -> int:
    from tests.serving import made

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["compaction", "export", "push"])
    parser.add_argument("--run", type=Path, help="A finished run to push; needed for that.")
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    constants.HF_HUB_DISABLE_XET = True  # the loopback Hub stores files as LFS alone
    wrong: list[str] = []
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder, LoopbackHub() as hub:
        root = Path(folder)
        if "compaction" in options.what:
            wrong += kill(CompactionKills(root), options.times, draw)
        if "export" in options.what:
            wrong += kill(ExportKills(made.several(root / "tiny")), options.times, draw)
        if "push" in options.what:
            wrong += kill(PushKills(RunDirectory.open(options.run), hub), options.times, draw)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
