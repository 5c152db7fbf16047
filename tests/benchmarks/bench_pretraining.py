"""Whether images are made faster than they are learned from.

    python -m tests.benchmarks.bench_pretraining [RECIPE ...]

For every size in a recipe: images a second that the renderer makes, and that a whole step of the
training takes in (forward, backward, optimizer), in turns, by CPU time, or by the wall on a GPU.
The last column is the share of a training that making its images takes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from hf_vft.pretraining.pretrain import make_trainer
from hf_vft.pretraining.recipe import load_pretrain_recipe
from hf_vft.pretraining.render import ImageClasses, ImageRenderer

TURNS, BATCHES = 5, 6


def seconds(work: Callable[[], None]) -> float:
    """Of the processor; of the wall where a GPU works."""
    if not torch.cuda.is_available():
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def measure(name: str) -> None:
    recipe = load_pretrain_recipe(name)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe, Path(folder))
    batch, device = recipe.training.batch_size, trainer.args.device
    classes = ImageClasses(recipe.images.shapes, recipe.images.textures)
    renderer = ImageRenderer(classes, seed=recipe.seed, device=device)
    optimizer = trainer.create_optimizer()
    trainer.model.train()
    for size in sorted({phase.size for phase in recipe.training.sizes}):
        made = renderer.batch(0, batch, size)
        inputs = {"pixel_values": made.images, "labels": made.labels, "mask": made.mask}

        def render(size: int = size) -> None:
            for number in range(BATCHES):
                renderer.batch(number, batch, size)

        def learn(inputs: dict[str, torch.Tensor] = inputs) -> None:
            for _ in range(BATCHES):
                trainer.compute_loss(trainer.model, inputs).backward()
                optimizer.step()
                optimizer.zero_grad()

        render()
        learn()
        turns = np.array([(seconds(render), seconds(learn)) for _ in range(TURNS)])
        making, learning = np.median(turns, axis=0)
        rates = [BATCHES * batch / value for value in (making, learning)]
        share = making / (making + learning)
        print(f"| {name} | {size} | {rates[0]:,.0f} | {rates[1]:,.0f} | {share:.1%} |", flush=True)


def main() -> None:
    print("| recipe | pixels | made a second | learned a second | share of making |")
    print("| --- | --- | --- | --- | --- |")
    for name in sys.argv[1:] or ["convnextv2", "vit"]:
        measure(name)


if __name__ == "__main__":
    main()
