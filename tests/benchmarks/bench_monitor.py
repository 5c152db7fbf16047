"""Time and memory of the whole command ``hf-vft monitor``, imports and report included.

    python -m tests.benchmarks.bench_monitor OUT [--rows 10000 100000] [--policy FILE]

Logs of drawn rows (`tests.monitoring.made`) with embeddings of 384 numbers, a fifth of the rows
labelled and two slice columns, are written by `hf_vft.records`; the command is run on them in a
process of its own. The policy takes all rows of a log in three windows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np

from hf_vft.monitoring.embeddings import Reduction
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.profile import Reference
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from tests.monitoring.made import LABELS, START, drawn, reference

HELD_OUT = 2000
SIZE = 384
BLOCK = 10_000
LABELLED = 0.2
WIDE = np.random.default_rng(0).normal(size=(24, SIZE)).astype(np.float32) / 5


def write_run(folder: Path) -> None:
    ours = reference(HELD_OUT)
    values = np.asarray(ours.sample.embeddings, dtype=np.float32) @ WIDE
    sample = Sample(ours.sample.frame, values.astype(np.float16))
    run = RunDirectory(folder)
    run.model.mkdir(parents=True)
    (run.model / "config.json").write_text("{}")
    Reference(ours.profile, sample, Reduction.fit(sample)).save(run)


def write_log(folder: Path, n: int) -> None:
    rng = np.random.default_rng(1)
    with ProductionLog(folder).writer(slices=["part", "camera", "shift"]) as writer:
        for start in range(0, n, BLOCK):
            rows, truth = drawn(min(BLOCK, n - start), rng)
            for number, row in enumerate(rows, start):
                row |= {"request_id": f"r{number}", "part": f"part-{number}"}
                row |= {"camera": f"camera-{number % 3}", "shift": f"shift-{number // 7 % 2}"}
                row["ts_utc"] = START + timedelta(seconds=number)
                row["embedding"] = row["embedding"].astype(np.float32) @ WIDE
            writer.append(rows)
            known = rng.random(len(rows)) < LABELLED
            writer.append_labels(
                {"request_id": row["request_id"], "label": LABELS[k]}
                for row, k, told in zip(rows, truth, known, strict=True)
                if told
            )


def measured(words: list[str]) -> tuple[int, float, float, float]:
    """Exit status, seconds, seconds of CPU and GiB at the peak of a command."""
    started = time.monotonic()
    # With bytecode, as an installation has it.
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=given)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - started
    cpu = usage.ru_utime + usage.ru_stime
    return os.waitstatus_to_exitcode(status), seconds, cpu, usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    given = parser.parse_args()
    run = given.out / "run"
    if not run.is_dir():
        write_run(run)
    for n in given.rows:
        log = given.out / f"log-{n}"
        if not log.is_dir():
            write_log(log, n)
        policy = given.out / f"{n}.yaml"
        policy.write_text(
            f"windows: {{count: 3, needed: 2, rows: {n // 3}, least: 100}}\n"
            "groups: {columns: [camera, shift]}\n"
        )
        status, seconds, cpu, peak = measured(
            [sys.executable, "-m", "hf_vft", "monitor", str(run), str(log),
             "--policy", str(policy), "--out", str(given.out / f"report-{n}")]
        )  # fmt: skip
        print(
            f"{n} rows × {SIZE}: exit {status}, {seconds:.1f} s ({cpu:.1f} s CPU), "
            f"peak {peak:.2f} GiB",
            flush=True,
        )


if __name__ == "__main__":
    main()
