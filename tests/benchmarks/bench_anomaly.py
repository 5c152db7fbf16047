"""Good parts alone: how well anomalies are found, and beside anomalib's PatchCore.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_anomaly OUT DATA --good ok \\
        --set data.group_column=part_id --backbone FOLDER [--peer SITE]

DATA is what `hf-vft fit` takes. With --peer, the folder that anomalib was installed to (pip install
--target SITE anomalib), anomalib's memory, coreset and scores are run on the same images, the same
backbone and the same blocks, each in a process of its own. Seconds are CPU time, so that other work
on the machine does not count; memory is what the process grew by.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.utils.data import DataLoader

from hf_vft.automl.environment import gather_facts
from hf_vft.automl.prepare import Prepared, RunContext, prepare
from hf_vft.automl.resolve import resolve
from hf_vft.data.load import ImageData, load_data
from hf_vft.evaluation.intervals import resamples, units_of
from hf_vft.recipe.edit import parse_change
from hf_vft.recipe.schema import Recipe, load_recipe
from hf_vft.tasks import get_task
from hf_vft.training.predict import predict_split
from hf_vft.utils.progress import Silent

TASK = get_task("anomaly-detection")
RESAMPLES = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--good", required=True)
    parser.add_argument("--backbone", default="auto")
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    args = parser.parse_args()
    recipe = load_recipe("staged").replaced(
        {
            "task": TASK.name,
            "data.path": str(args.data),
            "data.good_class": args.good,
            "image.fit": "squash",
            "training.precision": "fp32",
            **({} if args.backbone == "auto" else {"model.candidates": [args.backbone]}),
            **dict(map(parse_change, args.changes)),
        }
    )
    recipe, _ = TASK.settled(recipe)
    args.out.mkdir(parents=True, exist_ok=True)
    ways: dict[str, Callable[..., Any]] = {"hf-vft": ours}
    if args.peer is not None:
        ways["anomalib"] = theirs
    rows = {}
    for name, work in ways.items():
        file = args.out / f"{name}.json"
        if not file.is_file():  # what was measured before is kept
            file.write_text(json.dumps(measured(work, recipe, args)))
        rows[name] = json.loads(file.read_text())
    report(rows)


def measured(work: Callable[..., Any], recipe: Recipe, args: argparse.Namespace) -> dict[str, Any]:
    """What one way finds, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, recipe, args, sender))
    process.start()
    sender.close()
    found: dict[str, Any] = receiver.recv()
    process.join()
    return found


def _child(work: Callable[..., Any], recipe: Recipe, args: argparse.Namespace, sender: Any) -> None:
    torch.set_num_threads(1)
    if args.peer is not None:
        sys.path.append(str(args.peer))
    data, prepared = prepared_for(recipe, args.out)
    before, began = _peak(), time.process_time()
    scores, more = work(prepared, began)
    labels = np.asarray(data.splits["test"]["label"])
    sender.send(
        {
            **more,
            "megabytes": round((_peak() - before) / 1e6),
            "train": len(data.splits["train"]),
            "labels": labels.tolist(),
            "groups": data.groups("test"),
            "scores": scores.tolist(),
        }
    )


def prepared_for(recipe: Recipe, out: Path) -> tuple[ImageData, Prepared]:
    """The images, divided, and the backbone."""
    data = load_data(str(recipe.data.path), recipe.data, seed=recipe.seed, kind=TASK.kind)
    facts = gather_facts(data)
    recipe, _ = resolve(recipe, facts)
    place = RunContext(TASK, data, facts, out, out, Silent())
    return data, prepare(recipe, place)


def ours(prepared: Prepared, began: float) -> tuple[np.ndarray, dict[str, Any]]:
    """`fit_memory_bank`, then the test split."""
    tuning = prepared.tuning
    tuned = tuning.run()
    learned = time.process_time()
    outputs: Any = predict_split(tuned.model, tuning.dataset("test"), TASK, prepared.recipe)
    model: Any = tuned.model
    more = {
        "learning_s": round(learned - began, 1),
        "scoring_s": round(time.process_time() - learned, 1),
        "remembered": len(model.bank.patches),
        "layers": list(model.settings.layers),
        "hits": _hits(prepared, outputs),
    }
    return outputs.scores, more


def _hits(prepared: Prepared, outputs: Any) -> list[bool]:
    """Of anomalies with boxes, whether the peak of the map is in one of them."""
    from hf_vft.tasks.anomaly_maps import smooth_map

    table = prepared.tuning.data.splits["test"]
    metadata = Path(str(prepared.recipe.data.path)) / "metadata.jsonl"
    lines = metadata.read_text(encoding="utf-8").splitlines() if metadata.is_file() else []
    marked = {row["file_name"]: row["objects"]["bbox"] for row in map(json.loads, lines)}
    found = []
    for row, file in enumerate(table["file"]):
        boxes = marked.get(file)
        if not boxes:
            continue
        image = prepared.tuning.data.decoder(
            table[row]["image"]["bytes"] or table[row]["image"]["path"]
        )
        heat = smooth_map(outputs.maps[row], image.size)
        y, x = np.unravel_index(int(heat.argmax()), heat.shape)
        found.append(any(a <= x <= a + w and b <= y <= b + h for a, b, w, h in boxes))
    return found


def theirs(prepared: Prepared, began: float) -> tuple[np.ndarray, dict[str, Any]]:
    """anomalib's memory, coreset and scores on what the same blocks give."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    from hf_vft.models.patch_features import block_outputs

    began = time.process_time()
    tuning = prepared.tuning
    ours: Any = tuning.model
    layers, network = ours.settings.layers, ours.features.network
    model = PatchcoreModel(layers=["layer2", "layer3"], backbone="resnet18", pre_trained=False)
    model.layers = layers

    class Blocks(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            return dict(zip(layers, block_outputs(network, layers, pixels), strict=True))

    model.feature_extractor = Blocks()
    model.train()
    for batch in _loader(prepared, "train"):
        model(batch["pixel_values"])
    model.subsample_embedding(sampling_ratio=prepared.recipe.anomaly.coreset)
    learned = time.process_time()
    model.eval()
    with torch.inference_mode():
        found = [model(batch["pixel_values"]).pred_score for batch in _loader(prepared, "test")]
    return torch.cat(found).flatten().double().numpy(), {
        "learning_s": round(learned - began, 1),
        "scoring_s": round(time.process_time() - learned, 1),
        "remembered": len(model.memory_bank),
    }


def _loader(prepared: Prepared, split: str) -> DataLoader[Any]:
    tuning = prepared.tuning
    return DataLoader(tuning.dataset(split), batch_size=16, collate_fn=TASK.collate)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def report(rows: dict[str, dict[str, Any]]) -> None:
    """A line for each way, and the difference."""
    first = next(iter(rows.values()))
    labels = np.asarray(first["labels"])
    units = units_of(len(labels), first["groups"])
    weights = np.concatenate(list(resamples(units, RESAMPLES, 0)), axis=1)

    def auroc(scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        kept = slice(None) if weight is None else weight > 0
        if len(set(labels[kept])) < 2:
            return float("nan")
        return float(
            roc_auc_score(
                labels[kept], scores[kept], sample_weight=None if weight is None else weight[kept]
            )
        )

    draws = {}
    for name, row in rows.items():
        scores = np.asarray(row["scores"])
        draws[name] = np.array([auroc(scores, weight) for weight in weights.T])
        low, high = np.nanquantile(draws[name], [0.025, 0.975])
        said = f"{name}: image AUROC {auroc(scores):.3f} ({low:.3f} to {high:.3f})"
        said += f", learning {row['learning_s']} s, scoring {row['scoring_s']} s of {len(labels)}"
        sys.stdout.write(f"{said}, {row['megabytes']} MB, {row['remembered']} patches of ")
        sys.stdout.write(f"{row['train']} images\n")
        if name == "hf-vft":
            good, bad = scores[labels == 0], scores[labels == 1]
            sys.stdout.write(
                f"  over the threshold: {np.mean(good > 1):.3f} of {len(good)} good, "
                f"{np.mean(bad > 1):.3f} of {len(bad)} anomalies; blocks {row['layers']}\n"
            )
        if row.get("hits"):
            sys.stdout.write(f"  peak in a box: {np.mean(row['hits']):.3f} of {len(row['hits'])}\n")
    if "anomalib" in draws:
        low, high = np.nanquantile(draws["hf-vft"] - draws["anomalib"], [0.025, 0.975])
        sys.stdout.write(f"difference {low:+.3f} to {high:+.3f}\n")


if __name__ == "__main__":
    main()
