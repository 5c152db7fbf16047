"""What the head of a monitoring report is worth: since when, why, and false alarms.

    python -m tests.benchmarks.bench_oncall OUT --run RUN [--seeds 3] [--per-day 100] [--nulls 60]

Needs a run that was fitted to ``hf-vft demo images`` with the same ``--contrast`` and
``data.slice_columns=[camera,shift]``. Each fault of the demo stream begins on day 7 of 14; the
streams are scored once and kept under OUT. The stated start is right where it lies at most one
window of the report from the truth. Where nothing changed, the whole report is asked on the streams
without a fault, and the scan alone on these with the order of their days' parts drawn anew.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from hf_vft.data.demo.images import DemoConfig, save_image
from hf_vft.data.demo.production import FAULTS, Fault, production_stream
from hf_vft.inference.log_rows import ImageInfo, Recorder
from hf_vft.inference.predictor import Predictor
from hf_vft.monitoring.change_point import find_change
from hf_vft.monitoring.decision import decide
from hf_vft.monitoring.drift import read_window
from hf_vft.monitoring.policy import load_policy
from hf_vft.monitoring.profile import Reference
from hf_vft.records import ProductionLog
from hf_vft.records.future import latest_credible
from hf_vft.run import RunDirectory
from hf_vft.workflows.monitor import look
from hf_vft.workflows.steps.explain_decision import explain
from hf_vft.workflows.steps.log_window import newest_windows, of_the_vocabulary, with_labels

DAY, DAYS = 7, 14
BATCH = 64
OWN = {
    "lighting": "lamp",
    "new_camera": "camera",
    "blur": "lens",
    "class_prior": "class_mix",
    "new_defect": "new_class",
    "label_rule": "label_rule",
}
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


@dataclass
class Told:
    """What a report said of one stream."""

    fault: str
    seed: int
    kinds: list[str]
    off: float | None
    holds: bool
    windows: float


def told(reference: Reference, folder: Path, fault: str, seed: int, labelled: bool) -> Told:
    log, policy = ProductionLog.open(folder), load_policy("default")
    whole = with_labels(read_window(log, reference), log, latest_credible())
    whole, vocabulary = of_the_vocabulary(whole, reference)
    frame = whole.sample.frame
    new = vocabulary.new
    if not labelled:
        frame, new = frame.assign(label=None), {}
        whole = replace(whole, sample=type(whole.sample)(frame, whole.sample.embeddings))
    windows = list(newest_windows(whole, policy))
    decision = decide([look(reference, one, policy, seed)[0] for one in windows], policy)
    decision = explain(
        decision, reference, frame, windows[-1].sample.frame, policy,
        slices=reference.profile.slice_columns, new_classes=new, to_label=0, seed=seed,
    )  # fmt: skip
    since, rows = decision.since, len(windows[-1].sample)
    kinds = [cause.kind for cause in decision.causes] if decision.alert else []
    if since is None or since.at is None:
        return Told(fault, seed, kinds, None, False, 0.0)
    begin = frame["ts_utc"].iloc[0] + timedelta(days=DAY)
    off = (since.at - begin).total_seconds() / 86400
    between = frame["ts_utc"].between(min(since.at, begin), max(since.at, begin)).sum()
    holds = bool((since.earliest or since.at) <= begin <= (since.latest or since.at))
    return Told(fault, seed, kinds, off, holds, float(between / rows))


def invented(reference: Reference, folder: Path, tries: int) -> tuple[int, int]:
    """Changes stated by scans of streams without one, their parts in another order."""
    log = ProductionLog.open(folder)
    frame = with_labels(read_window(log, reference), log, latest_credible()).sample.frame
    frame = frame.assign(wrong=(frame["predicted"] != frame["label"]).astype(float))
    columns = ["brightness", "sharpness", "confidence", "wrong"]
    stated = 0
    for seed in range(tries):
        rng = np.random.default_rng(seed)
        parts = frame["part_id"].astype("category").cat.codes.to_numpy()
        order = np.argsort(rng.permutation(parts.max() + 1)[parts], kind="stable")
        for name in columns:
            values = frame[name].to_numpy(dtype=float)[order]
            stated += find_change(values, seed=seed) is not None
    return stated, tries * len(columns)


def show(found: list[Told], title: str) -> None:
    faults = [one for one in found if one.fault != "none"]
    quiet = [one for one in found if one.fault == "none"]
    print(title)
    for one in found:
        off = "not stated" if one.off is None else f"off by {one.off:+.2f} days"
        print(f"  {one.fault} {one.seed}: {', '.join(one.kinds) or 'no alert'}; {off}")
    since = [one for one in faults if one.off is not None]
    near = sum(one.windows <= 1.0 for one in since)
    first = sum(one.kinds[:1] == [OWN[one.fault]] for one in faults)
    print(
        f"start within one window of the truth: {near} of {len(faults)}; median distance "
        f"{np.median([abs(one.off or 0.0) for one in since]):.2f} days, largest "
        f"{max(abs(one.off or 0.0) for one in since):.2f}; 95 % interval holds the truth: "
        f"{sum(one.holds for one in since)} of {len(since)}; first cause is the fault's own: "
        f"{first} of {len(faults)}; stated where nothing changed: "
        f"{sum(one.off is not None for one in quiet)} of {len(quiet)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-day", type=int, default=100)
    parser.add_argument("--contrast", type=float, default=2.0)
    parser.add_argument("--nulls", type=int, default=60)
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
    reference = Reference.load(RunDirectory.open(given.run))
    for labelled in (True, False):
        found = [
            told(reference, given.out / f"{fault}-{seed}", fault, seed, labelled)
            for seed in range(given.seeds)
            for fault in FAULTS
        ]
        show(found, "all images labelled" if labelled else "no image labelled")
    stated = [
        invented(reference, given.out / f"none-{seed}", given.nulls) for seed in range(given.seeds)
    ]
    print(f"scans of streams without a change that state one: {sum(n for n, _ in stated)} of "
          f"{sum(of for _, of in stated)}")  # fmt: skip


if __name__ == "__main__":
    main()
