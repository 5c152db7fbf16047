"""The ways to answer on a CPU, in turns in one run: torch, bfloat16, ONNX Runtime, 8-bit weights.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_onnx [RUN DATA] [--rounds 9]

Without a run: three architectures as they come, for speed and for how far the logits move. With a
run and the folder of its images: its model, and how often each way is right on its held-out
images. Times are CPU time of one thread, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import transformers

from hf_vft.data.images import decode_image
from hf_vft.inference.forward import Answering, load_answering
from hf_vft.inference.onnx import open_session, translate
from hf_vft.models.backbones import embedded
from hf_vft.run import RunDirectory
from hf_vft.tasks import get_task

TASK = get_task("image-classification")
BATCHES = (1, 8)
MOST = 304

Way = Callable[[torch.Tensor], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?")
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.run:
        run = RunDirectory.open(options.run)
        answering, processor = load_answering(run.model, TASK, attn_implementation="eager")
        pixels, labels = held_out(run, processor, options.data)
        compare(run.path.name, answering, pixels, labels, options.rounds)
        return
    for name, model, side in models():
        compare(name, Answering(model.eval(), TASK).eval(), noise(side), None, options.rounds)


def models() -> Iterator[tuple[str, Any, int]]:
    eager = {"attn_implementation": "eager"}
    transformers.set_seed(0)
    auto = transformers.AutoModelForImageClassification
    formula = embedded()["convnextv2-formula"]
    whole = {"dtype": torch.float32, **eager}
    yield "convnextv2-formula", auto.from_pretrained(formula, **whole), 96
    yield "mobilenet_v2", auto.from_config(transformers.MobileNetV2Config()), 224
    small = {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536}
    yield "vit-small", auto.from_config(transformers.ViTConfig(**small), **eager), 224


def noise(side: int) -> torch.Tensor:
    coarse = torch.randn(16, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")


def held_out(run: RunDirectory, processor: Any, data: Path) -> tuple[torch.Tensor, np.ndarray]:
    """Test images as the model sees them, and the numbers of their classes."""
    table = pd.read_parquet(run.predictions_file)
    table = table[table["split"] == "test"].iloc[:MOST]
    transform, labels = TASK.plain(processor), run.read_json(run.metrics_file)["labels"]
    pixels = torch.stack([transform(decode_image(data / name)) for name in table["file"]])
    return pixels, np.array([labels.index(name) for name in table["label"]])


def ways(answering: Answering, pixels: torch.Tensor, folder: Path) -> dict[str, Way]:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def run_torch(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return answering(batch)["logits"].numpy()

    def run_bf16(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return answering(batch)["logits"].float().numpy()

    whole, small = folder / "whole.onnx", folder / "int8.onnx"
    translate(answering, pixels[:2], whole)
    quantize_dynamic(
        whole, small, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True,
        weight_type=QuantType.QInt8,
    )  # fmt: skip

    def onnx(path: Path) -> Way:
        session = open_session(path)
        return lambda batch: session(batch)["logits"]

    print(f"{whole.stat().st_size / 1e6:.1f} MB as ONNX, {small.stat().st_size / 1e6:.1f} in int8")
    return {
        "torch": run_torch,
        "torch bf16": run_bf16,
        "onnx": onnx(whole),
        "onnx int8": onnx(small),
    }


def compare(
    name: str, answering: Answering, pixels: torch.Tensor, labels: np.ndarray | None, rounds: int
) -> None:
    print(f"\n{name}, {tuple(pixels.shape[1:])}")
    with tempfile.TemporaryDirectory() as folder:
        found = ways(answering, pixels, Path(folder))
        logits = {
            way: np.concatenate([run(part) for part in pixels.split(16)])
            for way, run in found.items()
        }
        times = [timed(found, pixels[:size], rounds) for size in BATCHES]
    heads = [f"batch {size}, ms an image" for size in BATCHES]
    print(f"{'':12}{heads[0]:>26}{heads[1]:>26}{'logits move':>13}{'same answer':>13}{'right':>8}")
    for way, one in logits.items():
        speeds = "".join(
            f"{t[way] / size:>16.2f} ({t['torch'] / t[way]:.2f} ×)"
            for t, size in zip(times, BATCHES, strict=True)
        )
        moved = np.abs(one - logits["torch"]).max() / max(1.0, np.abs(logits["torch"]).max())
        same = (one.argmax(1) == logits["torch"].argmax(1)).mean()
        right = "" if labels is None else f"{(one.argmax(1) == labels).mean():.4f}"
        print(f"{way:12}{speeds}{moved:>13.1e}{same:>13.3f}{right:>8}", flush=True)


def timed(found: dict[str, Way], batch: torch.Tensor, rounds: int) -> dict[str, float]:
    """Milliseconds of each way, the median of rounds in which each has its turn."""
    times: dict[str, list[float]] = {way: [] for way in found}
    for turn in range(rounds + 1):
        for way, run in found.items():
            began = time.process_time()
            run(batch)
            if turn:  # the first pass of a model takes far longer
                times[way].append(1000 * (time.process_time() - began))
    return {way: statistics.median(values) for way, values in times.items()}


if __name__ == "__main__":
    main()
