"""Learning from good parts alone: nothing is trained, patches are remembered.

The images are divided into parts, and each part is stood for by a coreset of its own, twice as
large as its share of the memory. The memory is the coreset of them all (composable coresets, Indyk
et al. 2014), so memory and time stay bounded however many images there are. An image can be scored
by what the *other* parts remember, as if it had not been there: these cross-fitted scores set the
threshold. There each part speaks with its share alone, which covers the good images a little less
well than the memory does: the threshold errs on the side of fewer false alarms.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import PartialState
from torch.utils.data import DataLoader, Subset

from hf_vft.evaluation.false_alarms import threshold_at
from hf_vft.models.anomaly_model import AnomalyModel
from hf_vft.models.coreset import coreset
from hf_vft.models.memory_bank import MemoryBank
from hf_vft.recipe.schema import AnomalyConfig, Choice
from hf_vft.training.model_on_data import ModelOnData

IMAGES_AT_A_TIME = 200
"""Of a part, at most, so that their patches fit in memory."""

BATCH = 16
"""Images of a pass: the early maps of a network are large."""

CANDIDATES = 40_000
"""Patches that the coreset of a part is chosen from, at most; more are thinned out at random."""

SURPLUS = 2
"""How many times its share a part proposes. On magnet surfaces the union of the shares had an AUROC
of 0.81, a coreset of twice as many 0.83, and one of all patches 0.84."""

KEPT_BYTES = 512 * 2**20
"""Patches up to so many bytes are kept for the second look; beyond it images are read again."""


@dataclass(frozen=True)
class FittedMemoryBank:
    """How a memory was filled.

    Attributes:
        choices: Layers and threshold, with their reasons.
        notes: What a person should know.
        seconds: That it took.
    """

    choices: list[Choice]
    notes: list[str]
    seconds: float


def fit_memory_bank(tuning: ModelOnData) -> FittedMemoryBank:
    """Fill the memory of a model from the good images of its training split, in place.

    Args:
        tuning: With an `AnomalyModel`.
    """
    began = time.monotonic()
    model, recipe, data = tuning.model, tuning.recipe, tuning.data
    if not isinstance(model, AnomalyModel):
        raise TypeError(f"{type(model).__name__} has no memory")
    config, display = recipe.anomaly, tuning.context.display
    layers = config.layers or model.settings.layers
    model.describe_by(layers, config.neighbourhood, config.neighbours)
    images = len(data.splits["train"])
    parts = _parts(images, data.groups("train"), config, recipe.seed)
    reader = _Reader(tuning, model)
    display.start("remembering good parts", 2 * images)
    share = config.max_patches / max(len(parts), 1)
    proposed, shares = [], list[int]()
    for number, rows in enumerate(parts):
        patches = reader.patches("train", rows).flatten(0, 1)
        size = _size(len(patches), config.coreset, share)
        proposed.append(_covering(patches, SURPLUS * size, recipe.seed + number))
        shares.append(size)
    scores = []
    for number, rows in enumerate(parts):
        # Each row is the farthest from those before it, so the first ones are a coreset, too.
        others = [
            part[:size]
            for at, (part, size) in enumerate(zip(proposed, shares, strict=True))
            if at != number
        ]
        scores.append(_scored(torch.cat(others), reader.patches("train", rows), config))
    whole = _covering(torch.cat(proposed), sum(shares), recipe.seed)
    held = np.flatnonzero(np.asarray(data.splits["validation"]["label"]) == 0).tolist()
    for start in range(0, len(held), IMAGES_AT_A_TIME):
        rows = held[start : start + IMAGES_AT_A_TIME]
        scores.append(_scored(whole, reader.patches("validation", rows, keep=False), config))
    found = threshold_at(np.concatenate(scores), config.false_alarm_rate, seed=recipe.seed)
    model.bank = MemoryBank(whole, config.neighbours).to(PartialState().device)
    model.settings = model.settings.model_copy(
        update={
            "threshold": found.value,
            "false_alarm_rate": config.false_alarm_rate,
            "low": found.low if math.isfinite(found.low) else None,
            "high": found.high if math.isfinite(found.high) else None,
            "images": images + len(held),
            "method": found.method,
        }
    )
    rate = config.false_alarm_rate
    said = (
        f"Threshold {found.value:.3g} ({found.low:.3g}–{found.high:.3g}): {rate:.1%} of good "
        f"images are expected above it, by {found.method}"
    )
    display.say(f"{said}.")
    remembered = f"{len(whole):,} patches of {images:,} good images are remembered"
    choices = [Choice("anomaly.threshold", None, found.value, said)]
    if config.layers is None:
        choices.append(Choice("anomaly.layers", None, list(model.settings.layers), _WHY))
    return FittedMemoryBank(
        choices,
        [f"{remembered}.", f"{said}; each was scored by a memory that it is no part of."],
        time.monotonic() - began,
    )


_WHY = "of middle depth: local enough to say where, and no longer of mere edges"


class _Reader:
    """Patches of images, kept for a second look as far as there is room."""

    def __init__(self, tuning: ModelOnData, model: AnomalyModel) -> None:
        self._tuning, self._model = tuning, model
        self._kept: dict[int, torch.Tensor] = {}
        self._bytes = self._done = 0

    @torch.inference_mode()
    def patches(self, split: str, rows: Sequence[int], *, keep: bool = True) -> torch.Tensor:
        """``float32 [N, P, D]`` of some images of a split, on the CPU."""
        if keep and rows[0] in self._kept:
            self._tell(len(rows))
            return self._kept.pop(rows[0])
        tuning, device = self._tuning, PartialState().device
        recipe = tuning.recipe
        loader = DataLoader(
            Subset(tuning.dataset(split), rows),
            batch_size=min(int(recipe.training.eval_batch_size), BATCH),
            num_workers=int(recipe.training.num_workers),
            collate_fn=tuning.context.task.collate,
        )
        found = []
        for batch in loader:
            grid = self._model.features(batch["pixel_values"].to(device))
            found.append(grid.flatten(2).transpose(1, 2).cpu())
            self._tell(len(grid) if keep else 0)
        patches = torch.cat(found)
        size = patches.element_size() * patches.numel()
        if keep and self._bytes + size <= KEPT_BYTES:
            self._bytes += size
            self._kept[rows[0]] = patches
        return patches

    def _tell(self, images: int) -> None:
        self._done += images
        self._tuning.context.display.advance(self._done)


def _parts(
    images: int, groups: Sequence[object] | None, config: AnomalyConfig, seed: int
) -> list[list[int]]:
    """Rows of the parts; images of one group share a part."""
    keys = (
        list(range(images))
        if groups is None
        else [row if group is None else f"group {group}" for row, group in enumerate(groups)]
    )
    units = list(dict.fromkeys(keys))
    if len(units) < 2:  # of one group nothing else is left to score it by
        keys = units = list(range(images))
    number = min(max(config.folds, -(-images // IMAGES_AT_A_TIME)), len(units))
    order = np.random.default_rng(seed).permutation(len(units))
    part_of = {units[unit]: place % number for place, unit in enumerate(order.tolist())}
    parts: list[list[int]] = [[] for _ in range(number)]
    for row, key in enumerate(keys):
        parts[part_of[key]].append(row)
    return parts


def _size(patches: int, share: float, most: float) -> int:
    """How many patches of a part are remembered."""
    return max(1, min(round(patches * share), round(most)))


def _covering(patches: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """A coreset of patches, or of as many of them as can be looked at."""
    if len(patches) > max(CANDIDATES, size):
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randperm(len(patches), generator=generator)[: max(CANDIDATES, size)]
        patches = patches[drawn]
    return patches[coreset(patches, size, seed=seed)].clone()


@torch.inference_mode()
def _scored(bank: torch.Tensor, patches: torch.Tensor, config: AnomalyConfig) -> np.ndarray:
    """Scores of images ``[N]`` by a memory."""
    memory = MemoryBank(bank, config.neighbours).to(PartialState().device)
    scores = [
        memory(part.to(PartialState().device))[1].cpu() for part in torch.split(patches, BATCH)
    ]
    return torch.cat(scores).double().numpy()
