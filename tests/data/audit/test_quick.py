"""The quick audit finds what is planted, and nothing in clean data."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image, ImageFilter

from hf_vft.data.audit.duplicates import find_duplicates, units
from hf_vft.data.audit.measure import measure, measure_images
from hf_vft.data.audit.quick import quick_audit
from hf_vft.data.audit.results import Audit
from hf_vft.data.demo.images import write_demo_images
from hf_vft.data.images import Decoder
from hf_vft.data.load import load_data
from hf_vft.recipe.schema import DataConfig

CLASSES = ("bolt", "nut")
PER_CLASS = {"train": 24, "validation": 8, "test": 8}


def scene(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A patchwork of its own, with a little grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 220, (6, 7, 3), dtype=np.uint8))
    patches = np.asarray(coarse.resize(size, Image.Resampling.NEAREST), float)
    grainy = np.clip(patches + rng.normal(0, 4, patches.shape), 0, 255)
    return Image.fromarray(grainy.astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders in split folders; every image is another one."""
    seed = 0
    for split, count in PER_CLASS.items():
        for label in CLASSES:
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(count):
                seed += 1
                scene(seed).save(tmp_path / split / label / f"{number:02d}.png")
    return tmp_path


def audit(folder: Path, **config: object) -> Audit:
    return quick_audit(load_data(folder, DataConfig(**config), seed=0))


def kinds(found: Audit) -> set[str]:
    return {finding.kind for finding in found.findings}


def finding(found: Audit, kind: str):
    return next(one for one in found.findings if one.kind == kind)


def test_clean_data_has_no_findings(folder: Path) -> None:
    found = audit(folder)
    assert found.findings == []
    assert (found.duplicates, found.outliers) == ([], [])
    assert found.counts.images == 80
    assert found.counts.splits == {"train": 48, "validation": 16, "test": 16}
    assert found.counts.classes["bolt"] == PER_CLASS
    assert [(s.width, s.height, s.images) for s in found.sizes] == [(96, 80, 80)]
    assert all(sum(spread.counts) == 80 for spread in found.spreads)


def test_generated_images_have_no_false_findings(tmp_path: Path) -> None:
    write_demo_images(tmp_path / "line", n=160, size=64)
    found = audit(tmp_path / "line", group_column="part_id")
    assert kinds(found) <= {"imbalance"}


def test_identical_files_across_splits_are_an_error(folder: Path) -> None:
    for number in range(4):
        shutil.copy(
            folder / "train" / "nut" / f"{number:02d}.png",
            folder / "test" / "nut" / f"copy{number}.png",
        )
    found = audit(folder)
    first = found.findings[0]
    assert first.kind == "identical_across"
    assert first.severity == "error"
    assert first.sentence == "4 images of test are also in train, byte by byte."
    assert first.files == [f"test/nut/copy{number}.png" for number in range(4)]
    # They are near duplicates too, which is not said a second time.
    assert kinds(found) == {"identical_across"}
    assert len(found.duplicates) == 4


def test_equal_pixels_in_another_format_are_an_error(folder: Path) -> None:
    Image.open(folder / "train/nut/03.png").save(folder / "validation/nut/other.bmp")
    found = audit(folder)
    assert finding(found, "same_pixels_across").severity == "error"
    assert finding(found, "same_pixels_across").files == ["validation/nut/other.bmp"]
    assert "near_across" not in kinds(found)


def smaller(image: Image.Image) -> Image.Image:
    return image.resize((80, 66), Image.Resampling.LANCZOS)


def compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=60)
    return Image.open(buffer)


def dimmed(image: Image.Image) -> Image.Image:
    return image.point(lambda value: round(0.8 * value))


@pytest.mark.parametrize("change", [smaller, compressed, dimmed])
def test_near_duplicates_across_splits(folder: Path, change) -> None:
    changed = change(Image.open(folder / "train/bolt/05.png"))
    changed.convert("RGB").save(folder / "test/bolt/again.png")
    leak = finding(audit(folder), "near_across")
    assert leak.severity == "warning"
    assert leak.files == ["test/bolt/again.png"]
    assert "data.group_column" in leak.sentence


def test_an_images_mirror_image_is_another_image(folder: Path) -> None:
    Image.open(folder / "train/bolt/05.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        folder / "test/bolt/again.png"
    )
    assert audit(folder).findings == []


def test_equal_images_with_different_labels(folder: Path) -> None:
    shutil.copy(folder / "train/nut/01.png", folder / "train/bolt/wrong.png")
    found = audit(folder)
    assert finding(found, "identical_conflict").severity == "error"
    assert set(finding(found, "identical_conflict").files) == {
        "train/nut/01.png",
        "train/bolt/wrong.png",
    }
    assert finding(found, "identical_within").severity == "warning"


def test_repeats_within_a_group_are_expected(folder: Path) -> None:
    rows = ["file_name,label,part"]
    for number in range(40):
        name, again = f"{number:02d}.png", f"{number:02d}b.png"
        scene(number).save(folder / name)
        smaller(scene(number)).save(folder / again)
        rows += [f"{file},{CLASSES[number % 2]},part-{number}" for file in (name, again)]
    for split in PER_CLASS:
        shutil.rmtree(folder / split)
    (folder / "metadata.csv").write_text("\n".join(rows))
    found = audit(folder, group_column="part")
    assert kinds(found) == {"near_in_group"}
    assert finding(found, "near_in_group").severity == "info"
    assert all(one.expected for one in found.duplicates)
    without = audit(folder)
    assert "near_across" in kinds(without)
    assert not any(one.expected for one in without.duplicates)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("dark", lambda image: image.point(lambda value: value // 12)),
        ("bright", lambda image: image.point(lambda value: 245 + value // 26)),
        ("blurred", lambda image: image.filter(ImageFilter.GaussianBlur(9))),
        ("empty", lambda image: Image.new("RGB", image.size, (120, 121, 120))),
        ("shape", lambda image: image.resize((320, 40))),
        ("size", lambda image: image.resize((960, 800))),
    ],
)
def test_odd_images(folder: Path, kind: str, change) -> None:
    change(scene(999)).save(folder / "train/nut/00.png")
    found = audit(folder)
    assert finding(found, kind).files == ["train/nut/00.png"]
    assert finding(found, kind).sentence.startswith("1 image ")
    assert [one.image.file for one in found.outliers if one.kind == kind] == ["train/nut/00.png"]


def test_what_explains_another_oddity_is_told_alone(folder: Path) -> None:
    Image.new("RGB", (300, 30), (2, 2, 2)).save(folder / "train/nut/00.png")
    assert kinds(audit(folder)) == {"dark", "shape"}


def test_what_most_images_are_is_no_outlier(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        Image.open(path).point(lambda value: value // 5).save(path)
    found = audit(folder)
    assert found.outliers == []
    assert finding(found, "usually_dark").severity == "info"


def test_imbalance_and_shares(folder: Path) -> None:
    for number in range(4, 24):
        (folder / "train" / "nut" / f"{number:02d}.png").unlink()
    for number in range(2, 8):
        (folder / "validation" / "bolt" / f"{number:02d}.png").unlink()
    found = audit(folder)
    assert "nut has 6 times fewer images" in finding(found, "imbalance").sentence
    shifted = finding(found, "class_shift").sentence
    assert shifted == (
        "The classes are shared out differently in validation: nut is 14% of train and 80% of "
        "validation."
    )


def test_unusable_images_are_told(folder: Path) -> None:
    (folder / "train/nut/00.png").write_bytes(b"no image")
    told = finding(audit(folder), "unusable")
    assert told.files == ["train/nut/00.png"]
    assert told.severity == "warning"


def test_a_second_audit_decodes_nothing(folder: Path, tmp_path: Path, monkeypatch) -> None:
    data = load_data(folder, DataConfig(), seed=0)
    seen: list[int] = []
    first = quick_audit(
        data, cache_dir=tmp_path / "cache", progress=lambda done, total: seen.append(done)
    )
    assert seen[-1] == 80
    monkeypatch.setattr("hf_vft.data.audit.measure.measure", None)
    assert quick_audit(data, cache_dir=tmp_path / "cache") == first


def test_images_in_memory() -> None:
    def table(start: int) -> datasets.Dataset:
        buffers = []
        for seed in range(start, start + 30):
            buffer = io.BytesIO()
            scene(seed).save(buffer, format="PNG")
            buffers.append({"bytes": buffer.getvalue(), "path": None})
        return datasets.Dataset.from_dict(
            {"image": buffers, "label": [i % 2 for i in range(30)]},
            features=datasets.Features(
                {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))}
            ),
        )

    source = datasets.DatasetDict({"train": table(0), "validation": table(100), "test": table(29)})
    found = quick_audit(load_data(source, DataConfig(), seed=0))
    assert finding(found, "identical_across").sentence.startswith("1 image of test is also in")


def test_json_round_trip(folder: Path) -> None:
    shutil.copy(folder / "train/nut/01.png", folder / "test/nut/copy.png")
    found = audit(folder)
    assert Audit.model_validate_json(found.model_dump_json()) == found


def test_units_join_groups_and_copies(folder: Path) -> None:
    shutil.copy(folder / "train/nut/01.png", folder / "test/nut/copy.png")
    measures = measure_images(load_data(folder, DataConfig(), seed=0))
    joined = units(len(measures), find_duplicates(measures))
    files = measures["file"].tolist()
    assert joined[files.index("train/nut/01.png")] == joined[files.index("test/nut/copy.png")]
    assert len(set(joined)) == len(measures) - 1
    measures["group"] = None
    measures.loc[:2, "group"] = "a"
    assert len(set(units(len(measures), {}, measures["group"]))) == len(measures) - 2


def test_large_images_are_measured_like_small_ones() -> None:
    def content(size: tuple[int, int]) -> bytes:
        buffer = io.BytesIO()
        scene(3, (96, 80)).resize(size, Image.Resampling.BICUBIC).save(buffer, format="PNG")
        return buffer.getvalue()

    small, large = (measure(content(size), Decoder()) for size in ((192, 160), (1536, 1280)))
    for name in ("brightness", "contrast", "brightness_perc_99"):
        assert large[name] == pytest.approx(small[name], abs=0.02)
    assert int(np.bitwise_count(small["look"] ^ large["look"])) <= 4
