"""Whole ``hf-vft fit`` with threads as the command sets them, as set by hand, and as torch does.

Run it where you want to know: in a container with a quota, beside other work, on a quiet machine.
``python -m tests.benchmarks.bench_threads [ROUNDS]``. The ways alternate; figures are medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hf_vft.data.demo.images import write_demo_images
from hf_vft.utils.cores import THREADS, WAITING, cores

WAYS: dict[str, dict[str, str]] = {
    "hf-vft": {},
    "one thread, by hand": {THREADS: "1", WAITING: "PASSIVE"},
    "all cores, by hand": {THREADS: str(os.cpu_count()), WAITING: "PASSIVE"},
    "torch's own": {THREADS: str(os.cpu_count()), WAITING: "ACTIVE"},
}


def seconds(images: Path, out: Path, settings: dict[str, str]) -> float:
    """Seconds on the clock that a short fit takes, imports included."""
    environment = {k: v for k, v in os.environ.items() if k not in (THREADS, WAITING)}
    command = [sys.executable, "-m", "hf_vft", "fit", images, "--recipe", "quickstart"]
    command += ["--set", "stages.all.epochs=2", "--out", out]
    start = time.perf_counter()
    subprocess.run(command, env=environment | settings, check=True, capture_output=True)
    return time.perf_counter() - start


def main(rounds: int = 3) -> None:
    """Print a line for each way."""
    print(cores())
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    with TemporaryDirectory() as folder:
        images = write_demo_images(Path(folder) / "images", n=300)
        for number in range(rounds):
            for way, settings in WAYS.items():
                out = Path(folder) / f"{number} {way}"
                taken[way].append(seconds(images, out, settings))
    medians = {way: statistics.median(values) for way, values in taken.items()}
    best = min(value for way, value in medians.items() if way.endswith("by hand"))
    for way, median in medians.items():
        print(f"{way:<20} {median:6.1f} s  {median / best:5.2f} of the best by hand")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
