"""What pre-trained weights are worth on pictures they never saw.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.transfer CHECKPOINT... [--random CHECKPOINT] \
        [--epochs 0] [--cache DIR]

Macro F1 of a linear probe and of kNN on cached features, and with ``--epochs`` of full
fine-tuning, with 10 and 50 training pictures a class and with all; the mean of three seeds, which
choose the pictures and the head (with all pictures, probe and kNN have nothing to choose).
``--random`` adds the architecture of a checkpoint with transformers' random weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize
from transformers import AutoConfig, AutoModelForImageClassification

from hf_vft.models.features import head_inputs
from hf_vft.models.probe import fit_linear_probe
from hf_vft.training.feature_cache import default_cache
from tests.benchmarks.transfer_data import TransferSet, transfer_sets

SEEDS = (0, 1, 2)
SHOTS = (10, 50, None)
BATCH = 32
RATES = {"pretrained": 5e-4, "random": 1e-3}


def load(name: str, classes: int, seed: int) -> Any:
    """A checkpoint, or with ``random:`` its architecture alone, with a new head."""
    torch.manual_seed(seed)
    if name.startswith("random:"):
        config = AutoConfig.from_pretrained(name.removeprefix("random:"), num_labels=classes)
        return AutoModelForImageClassification.from_config(config)
    options = {"num_labels": classes, "ignore_mismatched_sizes": True, "dtype": torch.float32}
    model = AutoModelForImageClassification.from_pretrained(name, **options)
    for module in model.modules():  # what hampers fine-tuning in MobileNet's configuration
        if isinstance(module, torch.nn.Dropout) and module.p > 0.5:
            module.p = 0.0
    return model


def keep_statistics(model: Any) -> None:
    """Batch normalisation as it was pre-trained: small batches of few pictures estimate it badly."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()


def normalised(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def features(model: Any, pictures: np.ndarray) -> np.ndarray:
    batches = (
        {"pixel_values": normalised(pictures[i : i + BATCH])}
        for i in range(0, len(pictures), BATCH)
    )
    return head_inputs(model, batches).flatten(1).numpy()


def probe_and_neighbours(name: str, data: TransferSet) -> dict[str, dict[int | None, list[float]]]:
    model = load(name, data.classes, 0)
    train, test = features(model, data.train_x), features(model, data.test_x)
    found: dict[str, dict[int | None, list[float]]] = {"probe": {}, "kNN": {}}
    for shots in SHOTS:
        for seed in SEEDS if shots else SEEDS[:1]:
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


def fine_tuned(name: str, data: TransferSet, shots: int | None, seed: int, epochs: int) -> list:
    """Macro F1 on the test pictures after each epoch."""
    pretrained = not name.startswith("random:")
    chosen = data.subset(shots, seed)
    model = load(name, data.classes, seed)
    rate = RATES["pretrained" if pretrained else "random"]
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    steps = epochs * -(-len(chosen) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    rng, scores = np.random.default_rng(seed), []
    for _ in range(epochs):
        model.train()
        if pretrained:
            keep_statistics(model)
        order = rng.permutation(chosen)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            logits = model(pixel_values=normalised(data.train_x[batch])).logits
            labels = torch.from_numpy(data.train_y[batch])
            torch.nn.functional.cross_entropy(logits, labels).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        model.eval()
        with torch.inference_mode():
            answers = [
                model(pixel_values=normalised(data.test_x[i : i + 64])).logits.argmax(1)
                for i in range(0, len(data.test_x), 64)
            ]
        scores.append(float(f1_score(data.test_y, torch.cat(answers), average="macro")))
    return scores


def cell(scores: list[float]) -> str:
    spread = f" ± {np.std(scores):.2f}" if len(scores) > 1 else ""
    return f"{np.mean(scores):.2f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--random", action="append", default=[])
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--shots", type=int, help="Fine-tune with so many a class; default all.")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--sets", nargs="*", help="Default: all that are there.")
    parser.add_argument("--cache", type=Path, default=default_cache() / "transfer")
    options = parser.parse_args()
    names = [*options.checkpoints, *(f"random:{name}" for name in options.random)]
    print("| pictures | weights | how | 10 a class | 50 a class | all |")
    print("| --- | --- | --- | --- | --- | --- |")
    for data in transfer_sets(options.size, options.cache):
        if options.sets and data.name not in options.sets:
            continue
        for name in names:
            if not options.epochs:
                for how, found in probe_and_neighbours(name, data).items():
                    row = " | ".join(cell(scores) for scores in found.values())
                    print(f"| {data.name} | {name} | {how} | {row} |", flush=True)
                continue
            runs = [fine_tuned(name, data, options.shots, s, options.epochs) for s in SEEDS]
            curve = " ".join(f"{value:.2f}" for value in np.mean(runs, 0))
            last = cell([run[-1] for run in runs])
            print(f"| {data.name} | {name} | fine-tuned | {last} | by epoch: {curve} |", flush=True)


if __name__ == "__main__":
    main()
