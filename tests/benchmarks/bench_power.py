"""What a whole report makes of known faults, and how well accuracy is estimated without labels.

    python -m tests.benchmarks.bench_power stream OUT --run RUN      the demo line's faults
    python -m tests.benchmarks.bench_power photos OUT --coco FOLDER --checkpoint WEIGHTS

``stream`` needs a run that was fitted to ``hf-vft demo images`` with the same ``--contrast``.
``photos`` cuts the boxes of a COCO folder out as images of one class each, fits a head on those
of its training photographs, and disturbs those of its test photographs by
`hf_vft.data.transforms.disturbances`. Each fault is scored once into a log; windows are drawn from
it and lose their labels, but for the share that ``--labelled`` leaves. A fault that costs 5 points
of accuracy should alert; one that costs less than 1 should never ask for a retraining.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from hf_vft.data.demo.production import FAULTS, Fault, write_production
from hf_vft.data.images import decode_image
from hf_vft.data.load import load_data
from hf_vft.data.transforms.disturbances import DISTURBANCES, SEVERITIES
from hf_vft.monitoring.decision import decide
from hf_vft.monitoring.drift import Window, read_window
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference
from hf_vft.recipe.schema import DataConfig, load_recipe
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.workflows.fit import fit
from hf_vft.workflows.monitor import look
from hf_vft.workflows.score_images import observe

WINDOWS = 3
SIDE = 96
NAME = "performance.estimated_accuracy"


@dataclass
class Outcome:
    """Of one fault: what reports said of it."""

    fault: str
    accuracy: float
    change: float
    actions: Counter[str]
    refused: int
    errors: list[float]
    naive: list[float]


def pool(run: Path, images: Path, log: Path) -> Window:
    """All images of a fault, scored, with the truth in the column ``truth``."""
    if not log.is_dir():
        observe(run, images, log)
    kept = ProductionLog.open(log)
    window = read_window(kept, Reference.load(RunDirectory.open(run)))
    truth = kept.read_labels().set_index("request_id")["label"]
    frame = window.sample.frame
    frame = frame.assign(truth=frame["request_id"].map(truth), label=None)
    return Window(type(window.sample)(frame, window.sample.embeddings), window.excluded)


def accuracy(window: Window) -> float:
    frame = window.sample.frame
    return float((frame["predicted"] == frame["truth"]).mean())


def windows(whole: Window, n: int, rng: np.random.Generator) -> Iterator[Window]:
    """No image twice in one; where there are too few for all, they share some."""
    rows = len(whole.sample)
    order = rng.permutation(rows)
    for number in range(WINDOWS):
        fresh = order[number * n : (number + 1) * n]
        chosen = fresh if len(fresh) == n else rng.choice(rows, n, replace=False)
        yield Window(whole.sample.take(np.sort(chosen)), 0)


def with_labels(window: Window, share: float, rng: np.random.Generator) -> Window:
    """With the truth of a random part, as if these had been labelled."""
    frame = window.sample.frame
    known = frame["truth"].where(rng.random(len(frame)) < share, None)
    sample = type(window.sample)(frame.assign(label=known), window.sample.embeddings)
    return Window(sample, window.excluded)


def outcome(
    run: Path, name: str, whole: Window, clean: float, n: int, tries: int, labelled: float
) -> Outcome:
    reference = Reference.load(RunDirectory.open(run))
    policy = Policy.model_validate({"windows": {"rows": n}})
    held_out = reference.sample.frame.dropna(subset=["label"])
    before = float((held_out["predicted"] == held_out["label"]).mean())
    found = Outcome(name, accuracy(whole), accuracy(whole) - clean, Counter(), 0, [], [])
    for seed in range(tries):
        rng = np.random.default_rng(seed)
        drawn = [with_labels(one, labelled, rng) for one in windows(whole, n, rng)]
        decision = decide([look(reference, one, policy, seed)[0] for one in drawn], policy)
        found.actions[decision.action] += 1
        told = next(one.finding for one in decision.judged if one.finding.key == NAME)
        if isinstance(told.current, float):
            truth = accuracy(drawn[-1])
            found.errors.append(abs(told.current - truth))
            found.naive.append(abs(before - truth))
        else:
            found.refused += 1
    return found


def show(outcomes: list[Outcome], tries: int, n: int, labelled: float) -> None:
    known = f"{labelled:.0%} labelled" if labelled else "without labels"
    table = Table(title=f"{tries} reports on {WINDOWS} windows of {n} rows, {known}")
    for column in ("fault", "accuracy", "change", "alert", "label", "retrain", "estimates",
                   "refused", "off by", "no change off by"):  # fmt: skip
        table.add_column(column)
    for one in outcomes:
        label, retrain = (one.actions[key] / tries for key in ("label", "retrain"))
        table.add_row(
            one.fault,
            f"{one.accuracy:.3f}",
            f"{one.change:+.3f}",
            *(f"{share:.0%}" for share in (label + retrain, label, retrain)),
            str(len(one.errors)),
            str(one.refused),
            f"{np.mean(one.errors):.3f}" if one.errors else "–",
            f"{np.mean(one.naive):.3f}" if one.naive else "–",
        )
    Console(width=140).print(table)
    costly = [one for one in outcomes if one.change <= -0.05]
    harmless = [one for one in outcomes if abs(one.change) < 0.01]
    caught = sum(tries - one.actions["none"] for one in costly)
    wrong = sum(one.actions["retrain"] for one in harmless)
    print(
        f"{caught} of {tries * len(costly)} reports on {len(costly)} faults that cost 5 points or "
        f"more alert; {wrong} of {tries * len(harmless)} on {len(harmless)} harmless ones ask for "
        "retraining."
    )
    errors = [error for one in outcomes for error in one.errors]
    naive = [error for one in outcomes for error in one.naive]
    if errors:
        print(
            f"Estimated accuracy is off by {np.mean(errors):.3f}, 'no change' by "
            f"{np.mean(naive):.3f}, over {len(errors)} estimates; "
            f"{sum(one.refused for one in outcomes)} were refused."
        )


def stream(out: Path, run: Path, contrast: float, per_fault: int) -> Iterator[tuple[str, Window]]:
    for fault in FAULTS:
        folder = out / "images" / fault
        if not folder.is_dir():
            write_production(
                folder, Fault(fault, 0), days=4, per_day=per_fault // 4, contrast=contrast
            )
        yield fault, pool(run, folder, out / "logs" / fault)


def crops(coco: Path, out: Path) -> None:
    """Each box as an image, with the photograph as its group: ``fit`` and ``pool``."""
    data = load_data(coco, DataConfig(), seed=0, kind="boxes")
    for split, table in data.splits.items():
        folder = out / ("pool" if split == "test" else f"fit/{split}")
        folder.mkdir(parents=True)
        rows = []
        for number, row in enumerate(table):
            photograph = decode_image(row["image"]["bytes"] or row["image"]["path"])
            boxes = zip(row["label"]["bbox"], row["label"]["category"], strict=True)
            for place, ((x, y, w, h), category) in enumerate(boxes):
                name = f"{number:04d}-{place:02d}.png"
                photograph.crop((x, y, x + w, y + h)).save(folder / name)
                rows.append((name, data.labels[category], f"{split}-{number}"))
        listed(folder, rows)


def listed(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    with (folder / "metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file_name", "label", "photograph"), *rows])


def disturb(source: Path, out: Path, name: str, severity: int) -> None:
    """The pool as it would look; every image draws noise of its own."""
    with (source / "metadata.csv").open(newline="") as stream:
        rows = [tuple(row) for row in csv.reader(stream)][1:]
    out.mkdir(parents=True)
    for number, (file, *_) in enumerate(rows):
        with Image.open(source / file) as image:
            torch.manual_seed(number)
            DISTURBANCES[name].applied(image, severity, side=SIDE).save(out / file)
    listed(out, rows)


def photos(
    out: Path, coco: Path, checkpoint: Path, places: list[int]
) -> Iterator[tuple[str, Window]]:
    if not (out / "fit").is_dir():
        crops(coco, out)
    run = out / "run"
    if not run.is_dir():
        changes = {
            "data.path": str(out / "fit"),
            "data.group_column": "photograph",
            "model.candidates": [str(checkpoint)],
            "image.size": SIDE,
            "stages": [{"name": "head", "train": "head", "epochs": 1}],
        }
        fit(load_recipe("staged").replaced(changes), run)
    yield "none", pool(run, out / "pool", out / "logs" / "none")
    for name in DISTURBANCES:
        for place in places:
            severity = SEVERITIES[place]
            folder = out / "images" / f"{name}-{severity}"
            if not folder.is_dir():
                disturb(out / "pool", folder, name, place)
            yield f"{name}, {severity}", pool(run, folder, out / "logs" / folder.name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["stream", "photos"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--contrast", type=float, default=2.0)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--severities", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--labelled", type=float, default=0.0, help="share of the rows")
    given = parser.parse_args()
    if given.part == "stream":
        run, pools = given.run, stream(given.out, given.run, given.contrast, 2000)
    else:
        run, pools = (
            given.out / "run",
            photos(given.out, given.coco, given.checkpoint, [n - 1 for n in given.severities]),
        )
    outcomes: list[Outcome] = []
    clean = None
    for name, whole in pools:
        clean = accuracy(whole) if clean is None else clean
        outcomes.append(outcome(run, name, whole, clean, given.rows, given.tries, given.labelled))
        print(outcomes[-1], flush=True)
    show(outcomes, given.tries, given.rows, given.labelled)


if __name__ == "__main__":
    main()
