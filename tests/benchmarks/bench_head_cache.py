"""A head stage with and without cached features, side by side.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_head_cache [--trials 20] [--model FOLDER]

Both train the same head of the same frozen backbone on the same images, in turns. The time with
the cache includes computing it. With --trials 20 the head is trained with twenty rates, as a
search does it, and the features are computed once.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from torch import nn

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.demo.images import write_demo_images
from hf_vft.data.load import ImageData, load_data
from hf_vft.data.transforms.images import STRENGTHS, eval_transform, train_transform
from hf_vft.models.features import HeadOnFeatures
from hf_vft.models.load import choose_checkpoint, load_model
from hf_vft.models.structure import head_module
from hf_vft.recipe.schema import AugmentConfig, DataConfig, StageConfig, parse_recipe
from hf_vft.tasks import ImageClassification
from hf_vft.training.feature_cache import CachedFeatures, cached_features
from hf_vft.training.processes import join_processes
from hf_vft.training.stages import StageContext, run_stage

TASK = ImageClassification()
LIGHT = AugmentConfig(**{"strength": "light", **STRENGTHS["light"]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="scratch:convnextv2-mini")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--views", type=int, default=1, help="augmented copies; 1 changes nothing")
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    join_processes()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = write_demo_images(root / "line", n=options.images)
        data = load_data(source, DataConfig(), seed=0, cache_dir=root / "checked")
        loaded = load_model(
            choose_checkpoint([options.model]), TASK.auto_class, labels=data.labels, seed=0
        )
        bench = Bench(root, data, loaded.model, loaded.processor, options)
        print(f"{len(data.splits['train'])} images to train on, {options}\n")
        print(f"{'round':>5} {'images':>12} {'cached':>12} {'ratio':>8}")
        ratios = []
        for number in range(options.rounds):
            without, cached = bench.without(number), bench.cached(number)
            ratios.append(without / cached)
            print(f"{number:>5} {without:>10.2f} s {cached:>10.2f} s {ratios[-1]:>7.1f}×")
        print(f"\nmedian ratio {statistics.median(ratios):.1f}")


class Bench:
    """The two ways, timed."""

    def __init__(
        self, root: Path, data: ImageData, model: nn.Module, processor: Any, options: Any
    ) -> None:
        self.root, self.model, self.options = root, model, options
        plain = eval_transform(processor)
        self.augments = options.views > 1
        shown = train_transform(processor, LIGHT) if self.augments else plain
        self.train = VisionDataset(data.splits["train"], shown)
        self.validation = VisionDataset(data.splits["validation"], plain)

    def without(self, number: int) -> float:
        """Seconds on images."""
        model, started = copy.deepcopy(self.model), time.perf_counter()
        for trial in range(self.options.trials):
            run_stage(
                self._context(f"images-{number}-{trial}"),
                self._stage(trial),
                copy.deepcopy(model),
                self.train,
                self.validation,
            )
        return time.perf_counter() - started

    def cached(self, number: int) -> float:
        """Seconds on features, with computing them."""
        model, started = copy.deepcopy(self.model), time.perf_counter()
        cache = self.root / f"cache-{number}"
        train = self._features(model, self.train, "train", cache, self.options.views)
        validation = self._features(model, self.validation, "validation", cache, 1)
        for trial in range(self.options.trials):
            run_stage(
                self._context(f"cached-{number}-{trial}"),
                self._stage(trial),
                HeadOnFeatures(copy.deepcopy(head_module(model))),
                train,
                validation,
            )
        return time.perf_counter() - started

    def _features(
        self, model: nn.Module, data: VisionDataset, content: str, cache: Path, views: int
    ) -> CachedFeatures:
        found = cached_features(
            model,
            data,
            content=content,
            collate=TASK.collate,
            views=views,
            batch_size=64,
            cache_dir=cache,
        )
        return CachedFeatures(found, data.labels)

    def _stage(self, trial: int) -> StageConfig:
        rate = 1e-3 * 1.3**trial
        return StageConfig(
            name="head", train="head", epochs=self.options.epochs, learning_rate=rate
        )

    def _context(self, name: str) -> StageContext:
        training = {
            "metric": "f1_macro",
            "batch_size": 32,
            "eval_batch_size": 64,
            "num_workers": 0,
            "precision": "fp32",
        }
        still = {"strength": "none", **STRENGTHS["none"]}
        recipe = parse_recipe({"training": training, "augment": still})
        return StageContext(TASK, recipe, self.root / name, self.root / f"logs-{name}")


if __name__ == "__main__":
    main()
