"""What the head of a monitoring report is worth: since when, why, and false alarms.

    python -m tests.benchmarks.bench_oncall OUT --run RUN [--seeds 3] [--per-day 100] [--nulls 20]

Needs a run that was fitted to ``hf-vft demo images`` with the same ``--contrast``. Each fault of
the demo stream begins on day 7 of 14; the streams are scored once and kept under OUT. A stated
start counts as right where it lies at most one window of the default policy from the truth. The
null streams are those without a fault, and the same with the order of their parts drawn anew.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hf_vft.data.demo.images import DemoConfig, save_image
from hf_vft.data.demo.production import FAULTS, Fault, production_stream
from hf_vft.inference.log_rows import ImageInfo, Recorder
from hf_vft.inference.predictor import Predictor
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory

DAY, DAYS = 7, 14
BATCH = 64
SLICES = ("camera", "shift", "line", "part_id")


def content_of(image: Any, folder: Path) -> bytes:
    path = folder / "shot.jpg"
    save_image(image, path)
    return path.read_bytes()


class Scorer:
    """Answers images of streams; days before a fault are the same in all, and scored once."""

    def __init__(self, run: Path, out: Path) -> None:
        self.predictor = Predictor(RunDirectory.open(run))
        self.recorder = Recorder(self.predictor)
        self.known: dict[str, dict[str, Any]] = {}
        self.out = out

    def rows(self, shots: list[Any]) -> list[dict[str, Any]]:
        contents = [content_of(shot.image.image, self.out) for shot in shots]
        keys = [hashlib.sha256(content).hexdigest() for content in contents]
        fresh = {k: c for k, c in zip(keys, contents, strict=True) if k not in self.known}
        if fresh:
            images = [self.predictor.read(content).image for content in fresh.values()]
            outputs = self.predictor.outputs_of([self.predictor.transform(i) for i in images])
            shown = [
                ImageInfo.of(image, content)
                for image, content in zip(images, fresh.values(), strict=True)
            ]
            for key, row in zip(fresh, self.recorder.rows(shown, outputs), strict=True):
                self.known[key] = row
        return [dict(self.known[key]) for key in keys]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def write_log(scorer: Scorer, folder: Path, fault: Fault, per_day: int, config: DemoConfig) -> None:
    stream = production_stream(fault, days=DAYS, per_day=per_day, config=config)
    number = 0
    with ProductionLog(folder).writer(slices=SLICES) as writer:
        for shots in batched(stream, BATCH):
            rows = scorer.rows(shots)
            for shot, row in zip(shots, rows, strict=True):
                told = shot.image.attributes
                row |= {"request_id": f"r{number:06d}", "ts_utc": moment(told["timestamp"])}
                row |= {name: told[name] for name in SLICES if name in told}
                row["file"] = f"day-{shot.day:03d}/{number % per_day:05d}.jpg"
                number += 1
            writer.append(rows)
            writer.append_labels(
                {"request_id": row["request_id"], "label": shot.image.label}
                for row, shot in zip(rows, shots, strict=True)
            )


def batched(stream: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for one in stream:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-day", type=int, default=100)
    parser.add_argument("--contrast", type=float, default=2.0)
    parser.add_argument("--nulls", type=int, default=20)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        scorer = None
        for fault in FAULTS:
            folder = given.out / f"{fault}-{seed}"
            if folder.is_dir():
                continue
            scorer = scorer or Scorer(given.run, given.out)
            config = DemoConfig(seed=seed, contrast=given.contrast)
            write_log(scorer, folder, Fault(fault, DAY), given.per_day, config)
            print(fault, seed, flush=True)


if __name__ == "__main__":
    main()
