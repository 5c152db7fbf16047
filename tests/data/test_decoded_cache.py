"""Images that are decoded once: the same levels from the cache, beside it, and after a kill."""

from __future__ import annotations

import io
import os
from collections import namedtuple
from pathlib import Path
from random import Random

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from hf_vft.data import decoded_cache
from hf_vft.data.dataset import DetectionDataset, VisionDataset
from hf_vft.data.decoded_cache import DecodedImages, expected_bytes, reduced
from hf_vft.data.decoding.reduced import ImageFile
from hf_vft.data.images import Decoder
from hf_vft.data.transforms.boxes import train_box_transform
from hf_vft.data.transforms.images import STRENGTHS, TrainTransform, train_transform
from hf_vft.recipe.schema import AugmentConfig
from hf_vft.tasks import ImageClassification
from tests.made_images import processor


def augment(strength: str) -> AugmentConfig:
    return AugmentConfig.model_validate({"strength": strength, **STRENGTHS[strength]})


def photo(kind: str, size: tuple[int, int] = (328, 248), turn: int = 1, seed: int = 0) -> bytes:
    """A smooth image, larger than the input."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turn
    stream = io.BytesIO()
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    image.save(stream, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))
    return stream.getvalue()


def split(folder: Path, kind: str = "JPEG", count: int = 5) -> datasets.Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index in range(count):
        path = folder / f"{index}.{kind.lower()}"
        path.write_bytes(photo(kind, seed=index))
        rows.append({"bytes": None, "path": str(path)})
    kinds = {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(num_classes=2)}
    return datasets.Dataset.from_dict(
        {"image": rows, "label": [0] * count}, features=datasets.Features(kinds)
    )


def cached(folder: Path, strength: str = "medium", kind: str = "JPEG") -> VisionDataset:
    transform = train_transform(processor(), augment(strength))
    decoded = DecodedImages("line", transform, Decoder(), folder / "cache")
    return VisionDataset(split(folder / "images", kind), transform, decoded=decoded)


def read(data: VisionDataset, **options: object) -> torch.Tensor:
    loader = DataLoader(data, 2, collate_fn=ImageClassification().collate, **options)
    return torch.cat([batch["pixel_values"] for batch in loader])


def levels_apart(first: VisionDataset, second: VisionDataset) -> float:
    gaps = [
        (first._row(i, row)["pixel_values"].values.int()
         - second._row(i, row)["pixel_values"].values.int()).abs().float().mean()
        for i, row in enumerate(first.split)
    ]  # fmt: skip
    return float(max(gaps))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("strength", ["none", "light", "strong"])
def test_what_is_learned_from_is_what_the_file_shows(
    tmp_path: Path, kind: str, strength: str
) -> None:
    data = cached(tmp_path, strength, kind)
    for epoch in (0, 1):
        data.set_epoch(epoch)
        plain = VisionDataset(data.split, data.transform)
        plain.set_epoch(epoch)
        assert levels_apart(data, plain) < 1.5


def test_whoever_reads_first_sees_what_all_see(tmp_path: Path) -> None:
    first = read(cached(tmp_path))
    assert torch.equal(read(cached(tmp_path)), first)
    options = {"num_workers": 2, "multiprocessing_context": "fork"}
    assert torch.equal(read(cached(tmp_path / "other"), **options), first)


def test_files_are_not_opened_again(tmp_path: Path) -> None:
    first = read(cached(tmp_path))
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"")
    rows = cached(tmp_path).split  # written anew by the helper
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"")
    data = cached_of(tmp_path, rows)
    assert torch.equal(read(data), first)


def cached_of(folder: Path, rows: datasets.Dataset) -> VisionDataset:
    transform = train_transform(processor(), augment("medium"))
    return VisionDataset(
        rows, transform, decoded=DecodedImages("line", transform, Decoder(), folder / "cache")
    )


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "zeroed"])
def test_what_is_damaged_is_made_again(tmp_path: Path, damage: str) -> None:
    data = cached(tmp_path)
    first = read(data)
    path = sorted(data.decoded.folder.rglob("*.levels"))[2]
    content = bytearray(path.read_bytes())
    if damage == "changed":
        content[-7] ^= 1
    kept = {"cut": content[:-9], "changed": content, "emptied": b"", "zeroed": bytes(len(content))}
    path.write_bytes(kept[damage])
    assert torch.equal(read(cached(tmp_path)), first)
    assert path.read_bytes() not in (b"", bytes(kept[damage]))


def test_what_a_killed_process_was_writing_is_not_read(tmp_path: Path) -> None:
    data = cached(tmp_path)
    first = read(data)
    path = next(data.decoded.folder.rglob("*.levels"))
    path.rename(path.with_name(".0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.tmp"))
    assert torch.equal(read(cached(tmp_path)), first)


def test_other_pixels_have_another_place(tmp_path: Path) -> None:
    one, other = train_transform(processor(), augment("medium")), augment("strong")
    folders = {
        DecodedImages(content, transform, decoder, tmp_path).folder
        for content, transform, decoder in (
            ("line", one, Decoder()),
            ("line 2", one, Decoder()),
            ("line", train_transform(processor(), other), Decoder()),
            ("line", one, Decoder(bit_depth=12)),
        )
    }
    assert len(folders) == 4


@pytest.mark.parametrize("turn", range(1, 9))
def test_turned_images_stay_turned(turn: int) -> None:
    transform = train_transform(processor(), augment("none"))
    content = photo("JPEG", turn=turn)
    small = reduced(ImageFile.open(content, Decoder()), transform)
    assert small.reduced > 1
    seen = [transform.read(source, Decoder(), Random(0)) for source in (content, small)]
    gap = (seen[0].values.int() - seen[1].values.int()).abs().float().mean()
    assert gap < 1.5


@pytest.mark.parametrize("strength", ["none", "medium", "strong"])
def test_the_smallest_crop_fills_the_input(strength: str) -> None:
    transform: TrainTransform = train_transform(processor(), augment(strength))
    file = ImageFile.open(photo("PNG", (900, 700)), Decoder())
    small = reduced(file, transform)
    for seed in range(50):
        plan = transform.changed(small, Random(seed))[1]
        assert min(plan.upright.steps) >= small.reduced * 0.99


def test_boxes_go_with_their_image(tmp_path: Path) -> None:
    transform = train_box_transform(processor(), augment("medium"))
    rows = split(tmp_path / "images").remove_columns("label")
    label = {"bbox": [[30.0, 40.0, 120.0, 90.0]], "category": [1]}
    rows = rows.add_column("label", [label] * len(rows))
    plain = DetectionDataset(rows, transform)
    decoded = DecodedImages("boxes", plain.reader, Decoder(), tmp_path / "cache")
    data = DetectionDataset(rows, transform, decoded=decoded)
    for index in range(len(rows)):
        torch.testing.assert_close(data[index]["labels"], plain[index]["labels"], atol=2e-2, rtol=0)
    assert list(decoded.folder.rglob("*.levels"))


def test_a_full_disk_costs_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(cached(tmp_path / "a"))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(decoded_cache.shutil, "disk_usage", lambda path: usage(9, 9, 0))
    data = cached(tmp_path / "b")
    assert torch.equal(read(data), first)
    assert not list(data.decoded.folder.rglob("*.levels"))


def test_the_oldest_split_makes_room(tmp_path: Path) -> None:
    transform = train_transform(processor(), augment("none"))
    made = [DecodedImages(str(number), transform, Decoder(), tmp_path) for number in range(3)]
    for age, decoded in zip((300, 100, 200), made, strict=True):
        decoded.open(0, photo("PNG"))
        stamp = decoded.folder.stat().st_mtime - age
        os.utime(decoded.folder, (stamp, stamp))
    each = sum(path.stat().st_size for path in made[0].folder.rglob("*.levels"))
    made[2].make_room(limit=2 * each)
    assert [decoded.folder.exists() for decoded in made] == [False, True, True]


def test_what_it_takes_is_known_before() -> None:
    assert expected_bytes(10, 1200, 4 / 3, 250) == pytest.approx(10 * 3 * 300 * 400)
    assert expected_bytes(1, 100, 1.0, 224) == 30_000
