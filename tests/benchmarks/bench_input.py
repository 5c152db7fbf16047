"""Images a CPU second on one thread: from a JPEG file to the normalised input of a model.

Every row of the table reads the same files, in batches of 32, and ends with a normalised float32
tensor (but for the row that decodes alone). The rows take turns, and the median over the rounds is
shown, so that a machine that is busy with something else slows all of them alike.

python -m tests.benchmarks.bench_input [--images 64] [--rounds 7] [--only light none]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import timm.data
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import io as torchvision_io
from torchvision import transforms
from torchvision.transforms import v2
from transformers import ViTImageProcessor

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.decoded_cache import DecodedImages
from hf_vft.data.images import Decoder
from hf_vft.data.transforms.images import STRENGTHS, eval_transform, train_transform
from hf_vft.recipe.schema import AugmentConfig
from hf_vft.tasks import ImageClassification

SIZES = ((500, 375), (1600, 1200))
SIDE = 224
BATCH = 32
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
EXAMPLE = "transformers' example"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64, help="files of 500 x 375 in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--only", nargs="*", default=None, help="rows whose name holds one of these"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    columns = []
    for width, height in SIZES:
        count = options.images if width < 1000 else max(8, options.images // 4)
        with tempfile.TemporaryDirectory() as folder:
            split = files(Path(folder), count, width, height)
            rows = readers(split, Path(folder) / "cache")
            kept = {
                name: read
                for name, read in rows.items()
                if not options.only or name == EXAMPLE or any(o in name for o in options.only)
            }
            columns.append(speeds(kept, count, options.rounds))
    show(columns)


def files(folder: Path, count: int, width: int, height: int) -> datasets.Dataset:
    """JPEG files of quality 90 with detail at every scale, as photographs have it."""
    paths = []
    for index in range(count):
        draw = np.random.default_rng(index)
        pixels = np.zeros((height, width, 3))
        for block, share in ((2, 0.1), (8, 0.2), (32, 0.3), (128, 0.4)):
            shape = (max(2, height // block), max(2, width // block), 3)
            coarse = Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8))
            pixels += share * np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
        path = folder / f"{index}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(str(path))
    rows = {"image": [{"bytes": None, "path": path} for path in paths], "label": [0] * count}
    kinds = {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(num_classes=2)}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


class Mapped(Dataset[dict[str, Any]]):
    """Files, each read by a function."""

    def __init__(self, split: datasets.Dataset, read: Callable[[str], torch.Tensor]) -> None:
        self.paths = [row["path"] for row in split["image"]]
        self.read = read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixel_values": self.read(self.paths[index]), "labels": 0}


def opened(path: str) -> Image.Image:
    return Image.open(path).convert("RGB")


def readers(split: datasets.Dataset, cache: Path) -> dict[str, Callable[[], Any]]:
    """What is measured, by name: each call reads every image once."""
    normalise = transforms.Normalize(MEAN, STD)
    pillow = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            normalise,
        ]
    )
    example = split.cast_column("image", datasets.Image())
    example.set_transform(
        lambda batch: {
            "pixel_values": [pillow(image.convert("RGB")) for image in batch["image"]],
            "labels": batch["label"],
        }
    )
    tensors = v2.Compose(
        [
            v2.RandomResizedCrop(SIDE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    with_timm = timm.data.create_transform(SIDE, is_training=True, color_jitter=0.4)

    def torchvision_v2(path: str) -> torch.Tensor:
        data = torchvision_io.read_file(path)
        return tensors(torchvision_io.decode_jpeg(data, mode=torchvision_io.ImageReadMode.RGB))

    paths = [row["path"] for row in split["image"]]
    found: dict[str, Callable[[], Any]] = {
        "decode alone (Pillow)": lambda: [opened(path) for path in paths],
        EXAMPLE: loader(example),
        "timm create_transform": loader(Mapped(split, lambda path: with_timm(opened(path)))),
        "torchvision v2 on uint8": loader(Mapped(split, torchvision_v2)),
    }
    processor = ViTImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_mean=MEAN, image_std=STD
    )
    found["hf-vft as validation sees it"] = loader(VisionDataset(split, eval_transform(processor)))
    for strength, changes in STRENGTHS.items():
        augment = AugmentConfig(**{"strength": strength, **changes})
        dataset = VisionDataset(split, train_transform(processor, augment))
        found[f"hf-vft {strength}"] = loader(dataset)
        if dataset.reader is not None:
            decoded = DecodedImages(f"{split[0]} {len(split)}", dataset.reader, Decoder(), cache)
            kept = VisionDataset(split, dataset.transform, decoded=decoded)
            found[f"hf-vft {strength}, decoded before"] = loader(kept)
    return found


def loader(dataset: Any) -> Callable[[], Any]:
    batches: Any = DataLoader(dataset, BATCH, collate_fn=ImageClassification().collate)

    def read() -> None:
        for batch in batches:
            assert batch["pixel_values"].dtype == torch.float32

    return read


def speeds(rows: dict[str, Callable[[], Any]], count: int, rounds: int) -> dict[str, float]:
    """Images a CPU second; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds + 1):
        for name, read in rows.items():
            start = time.process_time()
            read()
            taken[name].append(time.process_time() - start)
    return {name: count / statistics.median(times[1:]) for name, times in taken.items()}


def show(columns: list[dict[str, float]]) -> None:
    sizes = "".join(f"{f'{w} x {h}':>14}{'ratio':>8}" for w, h in SIZES)
    print(f"{'images a CPU second, one thread':34}{sizes}")
    for name in columns[0]:
        cells = "".join(
            f"{column[name]:14.0f}{column[name] / column[EXAMPLE]:8.2f}" for column in columns
        )
        print(f"{name:34}{cells}")


if __name__ == "__main__":
    main()
