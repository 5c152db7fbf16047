"""What the head for a handful of images brings over the linear probe, on features of one backbone.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_few_labels ROWS.jsonl [--sets demo digits] \
        [--models convnextv2-formula mobilenet] [--shots 1 5 10 20] [--draws 5] [--views 5]

Each draw takes so many training images a class; the test images are always the same. A line a draw
goes to ``ROWS.jsonl``, and what is there already is not run again. At the end a table: test macro
F1 of the probe, and the mean gain over it with its 95 % interval over the draws.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import t
from sklearn.metrics import f1_score
from transformers import AutoModelForImageClassification

from hf_vft.data.transforms.images import STRENGTHS, eval_transform, train_transform
from hf_vft.models.features import head_inputs
from hf_vft.models.few_shot import PROTOTYPES, few_shot_head
from hf_vft.models.linear_heads import prototypes
from hf_vft.models.load import choose_checkpoint, load_model
from hf_vft.models.logistic import standardisation
from hf_vft.models.probe import fit_linear_probe
from hf_vft.pretraining.transfer import TransferSet
from hf_vft.recipe.schema import AugmentConfig
from tests.benchmarks.delivered import MODELS, known
from tests.benchmarks.transfer_data import transfer_sets

MOST, TESTED, SIDE = 25, 300, 128
"""Training images a class to draw from; test images; side of the images, and of the input."""

BATCH = 32
ARMS = ("few_shot", PROTOTYPES)


def features(data: TransferSet, name: str, views: int) -> tuple[np.ndarray, np.ndarray]:
    """Of some training images ``[V, N, D]``, the first view as they are, and of the test images."""
    labels = [str(number) for number in range(data.classes)]
    loaded = load_model(
        choose_checkpoint([MODELS.get(name, name)]),
        AutoModelForImageClassification,
        labels=labels,
        image_size=SIDE if name == "mobilenet" else "auto",
        image_fit="squash",
        seed=0,
    )
    flip = 0.0 if data.name == "digits" else 0.5
    light = STRENGTHS["light"] | {"horizontal_flip": flip}
    changed = train_transform(
        loaded.processor, AugmentConfig.model_validate({"strength": "light", **light})
    )
    plain = eval_transform(loaded.processor)

    def seen(images: np.ndarray, transform: Any) -> np.ndarray:
        batches = (
            {"pixel_values": torch.stack([transform(Image.fromarray(one)) for one in part])}
            for part in np.array_split(images, -(-len(images) // BATCH))
        )
        return head_inputs(loaded.model, batches).flatten(1).numpy()

    torch.manual_seed(0)
    train = data.train_x[data.subset(MOST, 0)]
    shown = [seen(train, plain), *(seen(train, changed) for _ in range(views - 1))]
    return np.stack(shown), seen(data.test_x[_tested(data)], plain)


def _tested(data: TransferSet) -> np.ndarray:
    order = np.random.default_rng(0).permutation(len(data.test_y))
    return np.sort(order[:TESTED])


def measure(options: argparse.Namespace, cache: Path) -> None:
    """Every draw that the file of rows lacks."""
    for data in transfer_sets(SIDE, cache):
        for name in options.models:
            if data.name not in options.sets:
                continue
            seen: tuple[np.ndarray, np.ndarray] | None = None
            for shots in options.shots:
                for draw in range(options.draws):
                    key = {"set": data.name, "model": name, "shots": shots, "draw": draw}
                    key["views"] = options.views
                    if any(key.items() <= row.items() for row in known(options.rows)):
                        continue
                    seen = seen or features(data, name, options.views)
                    line = {**key, **_scores(data, *seen, shots, draw)}
                    with options.rows.open("a") as out:
                        out.write(json.dumps(line) + "\n")


def _scores(
    data: TransferSet, views: np.ndarray, test: np.ndarray, shots: int, draw: int
) -> dict[str, Any]:
    pool = data.train_y[data.subset(MOST, 0)]
    rng = np.random.default_rng(1000 * draw + shots)
    parts = [rng.permutation(np.flatnonzero(pool == c))[:shots] for c in range(data.classes)]
    rows = np.concatenate(parts)
    labels, shown, truth = pool[rows], views[:, rows], data.test_y[_tested(data)]
    probe = fit_linear_probe(shown[0], labels, num_classes=data.classes)
    chosen = few_shot_head(shown, labels, num_classes=data.classes, probe=probe)
    mean, scale = standardisation(shown[0])
    plain = prototypes((shown[0] - mean) / scale, labels, data.classes)
    answers = {
        "probe": probe.logits(test),
        "few_shot": chosen.head.logits(test),
        PROTOTYPES: plain.logits((test - mean) / scale),
    }
    scores = {k: float(f1_score(truth, v.argmax(1), average="macro")) for k, v in answers.items()}
    return {**scores, "head": chosen.name}


def table(rows: list[dict[str, Any]]) -> str:
    """The probe, and what the others gain on it in the same draws, in Markdown."""
    lines = [
        "| images | backbone | a class | draws | probe | few_shot | prototypes alone |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in sorted({(r["set"], r["model"], r["shots"]) for r in rows}):
        mine = [r for r in rows if (r["set"], r["model"], r["shots"]) == cell]
        probe = float(np.mean([r["probe"] for r in mine]))
        gains = [_gain([r[arm] - r["probe"] for r in mine]) for arm in ARMS]
        facts = [*map(str, cell), str(len(mine)), f"{probe:.3f}", *gains]
        lines.append(f"| {' | '.join(facts)} |")
    return "\n".join(lines)


def _gain(gaps: list[float]) -> str:
    mean = float(np.mean(gaps))
    if len(gaps) < 2:
        return f"{mean:+.3f}"
    half = t.ppf(0.975, len(gaps) - 1) * np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    return f"{mean:+.3f} ± {half:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path, metavar="ROWS.jsonl")
    parser.add_argument("--sets", nargs="+", default=["magnetic_tile", "demo", "digits"])
    parser.add_argument("--models", nargs="+", default=["convnextv2-formula", "mobilenet"])
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 5, 10, 20])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--views", type=int, default=5)
    options = parser.parse_args()
    measure(options, options.rows.absolute().parent / "images")
    print(table(known(options.rows)))


if __name__ == "__main__":
    main()
