"""What pre-trained weights are worth on images they never saw.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.transfer CHECKPOINT... [--random CHECKPOINT] \
        [--fine-tune ROWS.jsonl] [--size 96] [--sets demo ...] [--shots 10 50 all] [--draws 3] \
        [--cache DIR]

Macro F1 of a linear probe and of kNN on cached features, or with ``--fine-tune`` of training
everything, with ``--shots`` training images a class; the mean of ``--draws`` seeds, which choose
the images and the head (with all images, probe and kNN have nothing to choose).
``--random`` adds the architecture of a checkpoint with random weights, as transformers draws them.
Fine-tuning writes a line a run to ``ROWS.jsonl``, and goes on from what is there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize
from transformers import AutoConfig, AutoModelForImageClassification

from hf_vft.models.probe import fit_linear_probe
from hf_vft.pretraining.transfer import TransferSet, features, normalised
from hf_vft.utils.cache import default_cache
from tests.benchmarks.transfer_data import transfer_sets

BATCH = 32
RANDOM = "random:"
STEPS, EPOCHS = 200, 8
"""Fine-tuning takes at least so many of either: few images need more epochs."""
RATES = {"pretrained": 5e-4, "random": 1e-3}


def load(name: str, classes: int, seed: int) -> Any:
    """A checkpoint, or with ``random:`` its architecture alone, with a new head."""
    torch.manual_seed(seed)
    if name.startswith(RANDOM):
        config = AutoConfig.from_pretrained(name.removeprefix(RANDOM), num_labels=classes)
        return AutoModelForImageClassification.from_config(config, attn_implementation="eager")
    options = {
        "num_labels": classes,
        "ignore_mismatched_sizes": True,
        "dtype": torch.float32,
        "attn_implementation": "eager",  # short rows, in bfloat16
    }
    model = AutoModelForImageClassification.from_pretrained(name, **options)
    for module in model.modules():  # what hampers fine-tuning in MobileNet's configuration
        if isinstance(module, torch.nn.Dropout) and module.p > 0.5:
            module.p = 0.0
    return model


def keep_statistics(model: Any) -> None:
    """BatchNorm as it was pre-trained: small batches of few images estimate it badly."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()


def probe_and_neighbours(
    name: str, data: TransferSet, shot_counts: Sequence[int | None], draws: int
) -> dict[str, dict[int | None, list[float]]]:
    model = load(name, data.classes, 0)
    train, test = features(model, data.train_x), features(model, data.test_x)
    found: dict[str, dict[int | None, list[float]]] = {"probe": {}, "kNN": {}}
    for shots in shot_counts:
        for seed in range(draws if shots else 1):
            chosen = data.subset(shots, seed)
            x, y = train[chosen], data.train_y[chosen]
            probe = fit_linear_probe(x, y, num_classes=data.classes)
            near = KNeighborsClassifier(5, weights="distance").fit(normalize(x), y)
            answers = {
                "probe": probe.logits(test).argmax(1),
                "kNN": near.predict(normalize(test)),
            }
            for method, answer in answers.items():
                score = f1_score(data.test_y, answer, average="macro")
                found[method].setdefault(shots, []).append(float(score))
    return found


def fine_tuned(name: str, data: TransferSet, shots: int | None, seed: int) -> list[float]:
    """Macro F1 on the test images after each epoch; with few images, after the last alone."""
    pretrained = not name.startswith(RANDOM)
    chosen = data.subset(shots, seed)
    model = load(name, data.classes, seed)
    rate = RATES["pretrained" if pretrained else "random"]
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    epochs = epochs_of(len(chosen))
    steps = epochs * -(-len(chosen) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    # As the probe does: each class weighs the same, however few its images.
    weights = 1 / np.bincount(data.train_y[chosen], minlength=data.classes)
    balance = torch.from_numpy(weights / weights.mean()).float()
    rng, scores = np.random.default_rng(seed), []
    for epoch in range(epochs):
        model.train()
        if pretrained:
            keep_statistics(model)
        order = rng.permutation(chosen)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            labels = torch.from_numpy(data.train_y[batch])
            answers = logits(model, data.train_x[batch])
            torch.nn.functional.cross_entropy(answers, labels, balance).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        if shots is None or epoch + 1 == epochs:
            scores.append(tested(model, data))
    return scores


def epochs_of(images: int) -> int:
    """Of fine-tuning on so many."""
    return max(EPOCHS, -(-STEPS // -(-images // BATCH)))


def logits(model: Any, images: np.ndarray) -> torch.Tensor:
    """In bfloat16 where that is faster on a CPU: in transformers on patches."""
    patches = hasattr(model.config, "patch_size") and "conv" not in model.config.model_type
    with torch.autocast("cpu", torch.bfloat16, enabled=patches):
        return model(pixel_values=normalised(images)).logits.float()


@torch.no_grad()
def tested(model: Any, data: TransferSet) -> float:
    model.eval()
    parts = [
        logits(model, data.test_x[i : i + 64]).argmax(1) for i in range(0, len(data.test_x), 64)
    ]
    return float(f1_score(data.test_y, torch.cat(parts), average="macro"))


def fine_tune_all(
    names: list[str], data: TransferSet, shot_counts: Sequence[int | None], draws: int, file: Path
) -> None:
    """Every run that ``file`` lacks, the shortest first."""
    for shots in shot_counts:
        for seed in range(draws):
            for name in names:
                key = {"data": data.name, "weights": name, "shots": shots, "seed": seed}
                if any(key.items() <= row.items() for row in rows(file)):
                    continue
                row = {**key, "f1_macro": fine_tuned(name, data, shots, seed)}
                with file.open("a") as out:
                    out.write(json.dumps(row) + "\n")


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def print_fine_tuned(
    name: str, data: TransferSet, shot_counts: Sequence[int | None], draws: int, file: Path
) -> None:
    """A line of the table; last, the epochs until random weights' final score is reached."""

    def runs(weights: str, shots: int | None) -> list[list[float]]:
        wanted = {"data": data.name, "weights": weights, "shots": shots}
        return [
            row["f1_macro"]
            for row in rows(file)
            if wanted.items() <= row.items() and row["seed"] < draws
        ]

    cells = [cell([run[-1] for run in runs(name, shots)]) for shots in shot_counts]
    scratch = runs(RANDOM + name, None) if None in shot_counts else []
    curve = np.mean(runs(name, None), 0) if scratch else []
    reached = np.flatnonzero(curve >= np.mean([run[-1] for run in scratch])) if scratch else []
    after = f"{reached[0] + 1} of {len(curve)} epochs" if len(reached) else ""
    print(f"| {data.name} | {name} | fine-tuned | {' | '.join([*cells, after])} |", flush=True)


def cell(scores: list[float]) -> str:
    spread = f" ± {np.std(scores):.2f}" if len(scores) > 1 else ""
    return f"{np.mean(scores):.2f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--random", action="append", default=[])
    parser.add_argument("--fine-tune", type=Path, metavar="ROWS.jsonl")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--sets", nargs="*", help="Default: all that are there.")
    parser.add_argument("--shots", nargs="+", default=["10", "50", "all"], help="A number or all.")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=default_cache() / "transfer")
    options = parser.parse_args()
    names = [*options.checkpoints, *(RANDOM + name for name in options.random)]
    shot_counts = [None if shots == "all" else int(shots) for shots in options.shots]
    columns = [f"{shots} a class" if shots else "all" for shots in shot_counts]
    if options.fine_tune:
        columns.append("as good as random weights at their end after")
    print(f"| images | weights | how | {' | '.join(columns)} |")
    print("| --- " * (3 + len(columns)) + "|")
    for data in transfer_sets(options.size, options.cache):
        if options.sets and data.name not in options.sets:
            continue
        if options.fine_tune:
            fine_tune_all(names, data, shot_counts, options.draws, options.fine_tune)
        for name in names:
            if options.fine_tune:
                print_fine_tuned(name, data, shot_counts, options.draws, options.fine_tune)
                continue
            answers = probe_and_neighbours(name, data, shot_counts, options.draws)
            for how, found in answers.items():
                row = " | ".join(cell(scores) for scores in found.values())
                print(f"| {data.name} | {name} | {how} | {row} |", flush=True)


if __name__ == "__main__":
    main()
