"""Features of a frozen backbone on disk, by content.

A file is named after everything that its numbers depend on: the weights, buffers and
configuration of the model, the images, the transform, the seed, the precision, the kind of
device, the versions of what computes them. Whatever changes, the name changes; nothing stale is
ever read. A damaged file is made again, and those that were not used for longest make room.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL
import torch
import torchvision
import transformers
from accelerate import PartialState
from accelerate.utils import gather, gather_object
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from transformers import BaseImageProcessor

from hf_vft._version import __version__
from hf_vft.data.dataset import VisionDataset
from hf_vft.models.features import head_inputs
from hf_vft.models.structure import head_module
from hf_vft.run import write_file
from hf_vft.utils.cache import default_cache

NAMES = ("_name_or_path", "id2label", "label2id", "label_names", "problem_type")

LIMIT = 20 * 2**30
"""Bytes of features that are kept."""

VERSIONS = tuple(
    f"{package.__name__} {package.__version__}"
    for package in (torch, torchvision, transformers, PIL)
)

Collate = Callable[[Any], dict[str, Any]]


class CachedFeatures(Dataset[dict[str, Any]]):
    """Features in place of images, one augmented view of each image per epoch.

    Args:
        views: ``[V, N, …]``; epoch e shows view e modulo V.
        labels: N class ids, or other labels that the task's collator takes.
    """

    def __init__(self, views: torch.Tensor, labels: list[Any]) -> None:
        self.views = views
        self.labels = labels
        self._view = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the view that this epoch shows."""
        self._view = epoch % len(self.views)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"features": self.views[self._view, index], "labels": self.labels[index]}


def content_of(fingerprint: str, images: str, processor: BaseImageProcessor) -> str:
    """The identity of a data set's images and their transform, for `cached_features`.

    Args:
        fingerprint: Of the data.
        images: Which of them, and how they are changed; the split alone where they are not.
        processor: Makes the model's input of them.
    """
    shown = {
        "data": fingerprint,
        "content": images,
        "processor": json.loads(processor.to_json_string()),
    }
    return json.dumps(shown, sort_keys=True)


def cached_features(
    model: nn.Module,
    dataset: VisionDataset,
    *,
    content: str,
    collate: Collate,
    views: int = 1,
    batch_size: int = 32,
    num_workers: int = 0,
    dtype: torch.dtype | None = None,
    cache_dir: Path | None = None,
    on_view: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """Features of every image, from the cache or computed by all processes together.

    Args:
        model: Its head's input is what is kept.
        dataset: View v is what the dataset shows in epoch v.
        content: From `content_of`; part of the file's name.
        collate: Rows to a batch.
        views: How many epochs' worth.
        batch_size: Images at a time.
        num_workers: Loader processes.
        dtype: For autocast.
        cache_dir: By default the user's cache folder.
        on_view: Told (views done, views) for a progress display.

    Returns:
        ``[V, N, …]`` float32.
    """
    folder = (cache_dir or default_cache()) / "features"
    device = next(model.parameters()).device.type
    made_by = (__version__, *VERSIONS, device, backbone_fingerprint(model))
    done = []
    for view in range(views):
        key = (*made_by, content, len(dataset), dataset.seed, dataset.decoder, view, str(dtype))
        path = folder / f"{_digest(repr(key).encode())}.safetensors"
        features = _read(path)
        # All processes compute together, or none does.
        everywhere = all(gather_object([features is not None]))
        if features is None or not everywhere:
            dataset.set_epoch(view)
            features = _compute(
                model,
                dataset,
                dtype=dtype,
                batch_size=batch_size,
                num_workers=num_workers,
                collate_fn=collate,
            )
            if PartialState().is_local_main_process:
                _write(path, features)
                _make_room(folder, LIMIT)
        done.append(features)
        if on_view is not None:
            on_view(view + 1, views)
    PartialState().wait_for_everyone()
    return torch.stack(done)


def backbone_fingerprint(model: nn.Module) -> str:
    """Hash of the configuration, the weights and the buffers of everything but the head."""
    head = {id(tensor) for tensor in head_module(model).state_dict(keep_vars=True).values()}
    digest = hashlib.sha256(f"{type(model)} {_settings(model)}".encode())
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in head:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _compute(
    model: nn.Module, dataset: VisionDataset, *, dtype: torch.dtype | None, **loader_options: Any
) -> torch.Tensor:
    """Every process takes every N-th image; all end up with all features, in order."""
    state = PartialState()
    world, rank, total = state.num_processes, state.process_index, len(dataset)
    share = -(-total // world)
    # The last shares are padded with the last image: gathering wants equal sizes.
    mine = [min(position * world + rank, total - 1) for position in range(share)]
    loader = DataLoader(Subset(dataset, mine), **loader_options)
    features = head_inputs(model, loader, dtype=dtype)
    if world == 1:
        return features
    gathered = gather(features.to(state.device)).cpu()
    by_rank = gathered.view(world, share, *features.shape[1:])
    in_order: torch.Tensor = (
        by_rank.transpose(0, 1).reshape(world * share, *features.shape[1:])[:total].clone()
    )
    return in_order


def _settings(model: Any) -> str:
    """The configuration, without what it says of names and labels."""
    settings = model.config.to_dict()
    return repr(sorted((k, v) for k, v in settings.items() if k not in NAMES))


def _read(path: Path) -> torch.Tensor | None:
    """What is kept, or None where there is nothing, or nothing usable."""
    try:
        features = load_file(path)["features"]
        path.touch()  # when it was last used
        return features
    except (OSError, SafetensorError, KeyError):
        return None


def _write(path: Path, features: torch.Tensor) -> None:
    write_file(path, lambda temporary: save_file({"features": features.contiguous()}, temporary))


def _make_room(folder: Path, limit: int) -> None:
    """Remove the files that were not used for longest, down to ``limit`` bytes; never the last."""
    used = [(path.stat(), path) for path in folder.glob("*.safetensors")]
    newest_first = sorted(used, key=lambda file: file[0].st_mtime_ns, reverse=True)
    total = 0
    for number, (status, path) in enumerate(newest_first):
        total += status.st_size
        if number and total > limit:
            path.unlink(missing_ok=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:40]
