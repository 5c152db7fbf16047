"""Splits as torch datasets, with randomness that does not depend on who reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch.utils.data import Dataset, Sampler

from hf_vft.data.decoded_cache import DecodedImages
from hf_vft.data.decoding.reduced import ImageFile
from hf_vft.data.images import Decoder
from hf_vft.data.transforms.boxes import TrainBoxTransform
from hf_vft.data.transforms.images import ImageTransform, Levels, TrainTransform
from hf_vft.errors import DataError

if TYPE_CHECKING:
    import datasets

LABEL_KEYS = ("labels", "label")


class VisionDataset(Dataset[dict[str, Any]]):
    """One split, decoded and transformed on the fly.

    Each image's random changes are seeded by (seed, epoch, index), so an epoch looks the
    same with any number of workers or processes, and after a resume.

    Args:
        split: With a column ``image`` of ``datasets.Image(decode=False)`` and ``label``.
        transform: From an RGB image to ``[C, H, W]``.
        seed: Start of all random changes.
        decoder: From a file to an RGB image; what it refuses raises a DataError.
        disturb: What happens to an image before ``transform`` sees it.
        decoded: Where images are kept that were decoded for ``transform``.
    """

    def __init__(
        self,
        split: datasets.Dataset,
        transform: ImageTransform,
        *,
        seed: int = 0,
        decoder: Decoder = Decoder(),  # noqa: B008 - it is frozen
        disturb: Callable[[Image.Image], Image.Image] | None = None,
        decoded: DecodedImages | None = None,
    ) -> None:
        self.split = split.select_columns(["image", "label"])
        self.transform = transform
        self.disturb = disturb
        self.decoded = decoded
        self.seed = seed
        self.decoder = decoder
        # In shared memory, so that workers that stay alive over epochs see it change.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Choose the random changes of this epoch."""
        self._epoch[0] = epoch

    @property
    def labels(self) -> list[int]:
        """The class id of each image."""
        return list(self.split["label"])

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._row(index, self.split[index])
        if isinstance(row["pixel_values"], Levels):
            row["pixel_values"] = row["pixel_values"].finished()
        return row

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        """The rows for the task's collator, which normalises a whole batch at once."""
        examples = self.split[indices]
        rows = [
            {"image": image, "label": label}
            for image, label in zip(examples["image"], examples["label"], strict=True)
        ]
        return [self._row(index, row) for index, row in zip(indices, rows, strict=True)]

    def _row(self, index: int, row: dict[str, Any]) -> dict[str, Any]:
        source = row["image"]["bytes"] or row["image"]["path"]
        seed = _seed(self.seed, int(self._epoch), index)
        if self.disturb is None and self.reader is not None:
            rng = Random(seed)  # noqa: S311 - no secret
            file = source if self.decoded is None else self.decoded.open(index, source)
            return self.row_of_file(file, row["label"], rng)
        image = self.decoder(source)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.disturb is not None:
                image = self.disturb(image)
            return self.row(image, row["label"])

    @property
    def reader(self) -> TrainTransform | None:
        """What decodes no more of a file than it needs, if the transform does so."""
        return self.transform if isinstance(self.transform, TrainTransform) else None

    def row(self, image: Image.Image, label: object) -> dict[str, Any]:
        """The model's input for an image and its label."""
        return {"pixel_values": self.transform(image), "labels": label}

    def row_of_file(
        self, source: bytes | str | ImageFile, label: object, rng: Random
    ) -> dict[str, Any]:
        """The same of a file, with changes that are drawn from ``rng``."""
        transform: Any = self.transform
        return {"pixel_values": transform.read(source, self.decoder, rng), "labels": label}


class DetectionDataset(VisionDataset):
    """One split of images with boxes; the transform is a `BoxTransform`."""

    @property
    def reader(self) -> TrainTransform | None:
        """What decodes no more of a file than it needs, if the transform does so."""
        transform: Any = self.transform
        return transform.change if isinstance(transform, TrainBoxTransform) else None

    def row(self, image: Image.Image, label: object) -> dict[str, Any]:
        """Pixels and boxes."""
        transform: Any = self.transform
        row: dict[str, Any] = transform.with_boxes(image, label)
        return row

    def row_of_file(
        self, source: bytes | str | ImageFile, label: object, rng: Random
    ) -> dict[str, Any]:
        """The same of a file, with changes that are drawn from ``rng``."""
        transform: Any = self.transform
        row: dict[str, Any] = transform.read(source, self.decoder, rng, label)
        return row


class BalancedSampler(Sampler[int]):
    """Draws every class equally often, with replacement; as many as there are images.

    Deterministic by (seed, epoch), so a resumed epoch sees the same images.

    Args:
        labels: Class id of each image.
        seed: Start of the draws.
    """

    def __init__(self, labels: list[int], *, seed: int = 0) -> None:
        counts = torch.bincount(torch.tensor(labels))
        self.weights = 1.0 / counts[torch.tensor(labels)].double()
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the draws of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.weights)

    def __iter__(self) -> Any:
        generator = torch.Generator().manual_seed(_seed(self.seed, self.epoch, 0))
        draws = torch.multinomial(self.weights, len(self), replacement=True, generator=generator)
        return iter(draws.tolist())


def labels_of(dataset: object) -> list[int]:
    """The class id of each image, without decoding one.

    Args:
        dataset: With ``labels``, or a ``datasets.Dataset`` with such a column, or ``label``.

    Raises:
        DataError: If it has neither.
    """
    import datasets

    if isinstance(dataset, datasets.Dataset):
        for name in LABEL_KEYS:
            if name in dataset.column_names:
                return list(dataset.with_format(None)[name])
    labels = getattr(dataset, "labels", None)
    if labels is None:
        raise DataError("The labels cannot be told: give the dataset `labels`, one id an image.")
    return list(labels)


def _seed(*parts: int) -> int:
    """63 bits that differ wherever the parts do."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
