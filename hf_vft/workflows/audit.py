"""Joins the parts of the audit: from a source of images to a page about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState

from hf_vft.automl.environment import gather_facts
from hf_vft.automl.framing import FIRST
from hf_vft.automl.resolve import resolve, resolve_for_model
from hf_vft.data.audit.labels import deep_audit
from hf_vft.data.audit.results import Audit
from hf_vft.data.dataset import VisionDataset
from hf_vft.data.load import ImageData
from hf_vft.data.transforms.images import eval_transform
from hf_vft.errors import DataError, ModelError
from hf_vft.models.load import Checkpoint, LoadedModel, choose_checkpoint, load_model
from hf_vft.outputs import claim
from hf_vft.recipe.schema import Recipe
from hf_vft.reporting.audit_page import render_audit
from hf_vft.run import write_json
from hf_vft.tasks import kind_of, task_for
from hf_vft.training.feature_cache import cached_features, content_of
from hf_vft.training.model_on_data import AUTOCAST
from hf_vft.utils.progress import Display, Silent
from hf_vft.workflows.steps.read_images import look_at_images, read_images

PAGE, RESULTS = "audit.html", "audit.json"


@dataclass(frozen=True)
class Audited:
    """An audit, and where it was written."""

    audit: Audit
    page: Path


def audit_data(
    recipe: Recipe, out: str | Path, *, labels: bool = True, display: Display | None = None
) -> Audited:
    """Look for what is wrong with labelled images, and write ``audit.html`` and ``audit.json``.

    Args:
        recipe: ``data`` names the images and their columns; ``model.candidates`` the backbone
            whose features the labels are checked by.
        out: A folder; an older audit in it is replaced.
        labels: Whether the labels are checked, for which a pre-trained backbone is needed.
        display: Where progress is shown.

    Raises:
        VftError: One line on what is wrong with the data, the folder or a named model.
    """
    display = display or Silent()
    folder = Path(out)
    if recipe.data.path is None:
        raise DataError("data.path: no images were named; give a folder, a file or a Hub id.")
    claim(folder, (PAGE, RESULTS), command="audit")
    kind = kind_of(recipe.task)
    data = read_images(recipe.data, seed=recipe.seed, kind=kind, display=display)
    audit = look_at_images(data, display=display)
    if labels:
        audit = _with_labels(audit, data, recipe, display)
    write_json(folder / RESULTS, audit.model_dump(mode="json"))
    page = render_audit(audit, data, folder / PAGE, name=Path(data.source).name)
    return Audited(audit, page)


def _with_labels(audit: Audit, data: ImageData, recipe: Recipe, display: Display) -> Audit:
    """Check the labels, or say why that was not possible."""
    if not data.kind.exclusive:
        return _unchecked(audit, "that needs images of one label each.")
    checkpoint = choose_checkpoint(recipe.model.candidates)
    if not checkpoint.pretrained:
        return _unchecked(
            audit,
            "no pre-trained backbone could be had, and features of random weights mean nothing. "
            "Name one with --model, a folder or a Hub id.",
        )
    display.say(checkpoint.reason)
    features = _features(checkpoint, data, recipe, display)
    if isinstance(features, str):
        return _unchecked(audit, features)
    display.say("Checking the labels.")
    return deep_audit(audit, data, features, backbone=checkpoint.name, seed=recipe.seed)


def _unchecked(audit: Audit, why: str) -> Audit:
    return audit.model_copy(update={"labels_note": f"Labels were not checked: {why}"})


def _features(
    checkpoint: Checkpoint, data: ImageData, recipe: Recipe, display: Display
) -> np.ndarray | str:
    """What the head would see of every image, ``[N, D]``, or why that cannot be had."""
    facts = gather_facts(data)
    recipe, _ = resolve(recipe, facts)
    task = task_for(data.kind.name)
    loaded = load_model(
        checkpoint,
        task.auto_class,
        labels=data.labels,
        image_size=recipe.image.size,
        image_fit=FIRST if recipe.image.fit == "auto" else recipe.image.fit,
        seed=recipe.seed,
    )
    recipe, _ = resolve_for_model(recipe, facts, loaded.model, loaded.checkpoint)
    model = loaded.model.to(PartialState().device)
    parts: list[torch.Tensor] = []
    display.start("features", len(data.splits))
    try:
        for split in data.splits:
            parts.append(
                cached_features(
                    model,
                    _dataset(split, data, loaded, recipe),
                    content=content_of(data.fingerprint, split, loaded.processor),
                    collate=task.collate,
                    batch_size=int(recipe.training.eval_batch_size),
                    num_workers=int(recipe.training.num_workers),
                    dtype=AUTOCAST[recipe.training.precision],
                )[0].flatten(1)
            )
            display.advance(len(parts))
    except ModelError as error:
        return str(error)
    return torch.cat(parts).numpy()


def _dataset(split: str, data: ImageData, loaded: LoadedModel, recipe: Recipe) -> VisionDataset:
    return VisionDataset(
        data.splits[split],
        eval_transform(loaded.processor),
        seed=recipe.seed,
        decoder=data.decoder,
    )
