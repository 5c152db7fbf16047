"""Kills a run at random moments with ``kill -9``, resumes it, and compares it with a whole one.

    python -m tests.benchmarks.bench_kill_and_resume [--moments 10] [--processes 1] [--seed 0]

The moments are spread over the duration of an uninterrupted run. Each killed run is resumed with
``hf-vft fit --resume`` and has to end with the same bytes in metrics.json and model.safetensors.
Exit status: 0 if all of them do.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import datasets
import transformers

from hf_vft.data.demo.images import write_demo_images
from hf_vft.recipe.schema import Recipe
from tests.runs import (
    IMAGE_SIZE,
    fit_in_processes,
    save_checkpoint,
    small_recipe,
    start_processes,
)

FILES = ("metrics.json", "model/model.safetensors")
CHANGES: dict[str, Any] = {
    "training__ema_decay": 0.9,
    "augment__mixup_alpha": 0.2,
    "stages__head__epochs": 4,
    "stages__all__epochs": 6,
    "stages__all__patience": 4,
    "stages__all__scheduler": "plateau",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images = write_demo_images(root / "line", n=115, size=IMAGE_SIZE)
        recipe = small_recipe(images, save_checkpoint("resnet", root / "resnet"), **CHANGES)
        os.environ["HF_VFT_CACHE"] = str(root / "cache")
        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        datasets.disable_progress_bars()
        warm_up = fit_in_processes(recipe, root / "warm-up", options.processes)
        began = time.monotonic()
        whole = fit_in_processes(recipe, root / "whole", options.processes)
        duration = time.monotonic() - began
        if any(warm_up + whole):
            print("the uninterrupted run failed", file=sys.stderr)
            return 1
        print(f"an uninterrupted run takes {duration:.1f} s\n")
        print(f"{'killed after':>12}  {'had reached':<34} {'metrics':<9} model")
        rng = random.Random(options.seed)
        moments = [(i + rng.random()) / options.moments * duration for i in range(options.moments)]
        ended = [one(recipe, root, moment, options.processes) for moment in moments]
    same, hit = [sum(column) for column in zip(*ended, strict=True)]
    print(f"\n{hit} of {len(ended)} were killed before their end; {same} ended as the "
          "uninterrupted run did")  # fmt: skip
    return 0 if same == len(ended) else 1


def one(recipe: Recipe, root: Path, moment: float, processes: int) -> tuple[bool, bool]:
    """Kill, resume, compare, and print a line.

    Returns:
        Whether it ended as the uninterrupted run did, and whether the kill came before its end.
    """
    out = root / "killed"
    shutil.rmtree(out, ignore_errors=True)
    # A cache of its own, so that features are computed, and killed while they are.
    os.environ["HF_VFT_CACHE"] = str(root / f"cache-{moment}")
    children = start_processes(recipe, out, processes)
    time.sleep(moment)
    for child in children:
        child.kill()
    for child in children:
        child.join()
    hit = any(child.exitcode == -signal.SIGKILL for child in children)
    reached = furthest(out)
    known = (out / "state" / "recipe.yaml").is_file()
    ended = fit_in_processes(recipe, out, processes, resume=known)
    same = [
        not any(ended) and (out / name).read_bytes() == (root / "whole" / name).read_bytes()
        for name in FILES
    ]
    words = ["same" if found else "DIFFERENT" for found in same]
    print(f"{moment:>10.2f} s  {reached:<34} {words[0]:<9} {words[1]}", flush=True)
    return all(same), hit


def furthest(out: Path) -> str:
    """The last thing that the run had written when it was killed."""
    files = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
    files = [path for path in files if "logs" not in path.parts]
    if not files:
        return "nothing"
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    return "/".join(newest.relative_to(out).parts[-2:])[-34:]


if __name__ == "__main__":
    sys.exit(main())
