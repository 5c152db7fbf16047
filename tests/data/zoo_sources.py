"""Odd and broken sources, each with what its owner must be told."""

from __future__ import annotations

import json
import stat
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image

from hf_vft.recipe.schema import DataConfig


@dataclass(frozen=True)
class Case:
    """A source of the zoo.

    Attributes:
        kind: What is odd about it.
        make: Writes it into a folder; returns what is given to ``load_data``.
        error: Part of the one line that stops it, if it is stopped.
        note: Part of a note that it is loaded with, if it is.
        rejected: File to part of the reason why it is left out.
        config: Settings of the recipe.
    """

    kind: str
    make: Callable[[Path], Any]
    error: str | None = None
    note: str | None = None
    rejected: dict[str, str] = field(default_factory=dict)
    config: DataConfig = field(default_factory=DataConfig)


def image(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def folders(root: Path, **counts: int) -> Path:
    """Class folders below ``root``, each with so many different images."""
    for name, count in counts.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed = hash_of(f"{root.name}/{name}/{number}")
            image(seed).save(folder / f"{number:03d}.png")
    return root


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[-8:].rjust(8, b"\0"), "big")


def table(root: Path, rows: list[dict[str, Any]], name: str = "metadata.csv") -> Path:
    """Writes the rows as CSV or JSON Lines; returns the file."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".jsonl"):
        lines = [json.dumps(row) for row in rows]
    else:
        lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def named(root: Path, labels: str = "ab", count: int = 6, **columns: Any) -> list[dict[str, Any]]:
    """Rows for images that are written into ``root/img``."""
    folders(root / "img", **dict.fromkeys(labels, count))
    return [
        {"file_name": f"img/{label}/{n:03d}.png", "label": label, **columns}
        for label in labels
        for n in range(count)
    ]


def zipped(root: Path, extra: dict[str, bytes] | None = None) -> Path:
    """A zip of two class folders, and of what else it is given."""
    source = folders(root / "photos", a=4, b=4)
    with zipfile.ZipFile(root / "a.zip", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two files of one name are what is wanted
        for file in sorted(source.rglob("*.png")):
            archive.write(file, file.relative_to(root))
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return root / "a.zip"


def zip_with_link(root: Path) -> Path:
    path = zipped(root)
    link = zipfile.ZipInfo("photos/a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/hostname")
    return path


def zip_bomb(root: Path) -> Path:
    path = zipped(root)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("photos/a/big.bmp", "w") as sink,
    ):
        for _ in range(110):
            sink.write(bytes(1 << 20))
    return path


def zip_that_lies(root: Path) -> Path:
    """Its directory announces one byte less than the file holds."""
    path = zipped(root, {"photos/a/lie.png": b"0123456789"})
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"photos/a/lie.png") - 46
    data[entry + 24] -= 1
    path.write_bytes(bytes(data))
    return path


def zip_with_password(root: Path) -> Path:
    path = zipped(root)
    data = bytearray(path.read_bytes())
    entry = data.find(b"PK\x01\x02")
    data[entry + 8] |= 1
    path.write_bytes(bytes(data))
    return path


def written(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def beside(root: Path, name: str, data: bytes = b"") -> Path:
    """Two class folders with six images each, and one more file."""
    folders(root, a=6, b=6)
    written(root / name, data)
    return root


def in_memory(**columns: list[Any]) -> datasets.Dataset:
    count = len(next(iter(columns.values()))) if columns else 12
    images = [image(number) for number in range(count)]
    features = datasets.Dataset.from_dict(columns).features if columns else datasets.Features()
    features["image"] = datasets.Image()
    return datasets.Dataset.from_dict({"image": images, **columns}, features=features)


def split_folders(root: Path, **splits: dict[str, int]) -> Path:
    for name, counts in splits.items():
        folders(root / name, **counts)
    return root


def same_image_in(root: Path, *names: str) -> Path:
    for name in names:
        written(root / name)
        image(77).save(root / name)
    return root


def folder_named_like_an_image(root: Path) -> Path:
    folders(root, a=6, b=6)
    (root / "a" / "inner.jpg").mkdir()
    return root


def with_loop(root: Path) -> Path:
    folders(root, a=6, b=6)
    (root / "a" / "again").symlink_to(root / "a", target_is_directory=True)
    return root


def csv_of_other_names(root: Path) -> Path:
    rows = [{"scan": row["file_name"], "finding": row["label"]} for row in named(root)]
    return table(root, rows, "scans.csv")


def missing_files(root: Path) -> Path:
    rows = named(root)
    (root / "img" / "a" / "003.png").unlink()
    return table(root, rows, "list.csv")


def latin_1(root: Path) -> Path:
    named(root)
    return written(root / "list.csv", "file_name,label\nimg/a/000.png,größe\n".encode("latin-1"))


def escaping_metadata(root: Path) -> Path:
    return zipped(root, {"photos/metadata.csv": b"file_name,label\n../../secret.png,a\nx.png,b\n"})


def groups(root: Path, **per_class: int) -> Path:
    rows = [
        {**row, "patient": f"{row['label']}{number % per_class[row['label']]}"}
        for number, row in enumerate(named(root))
    ]
    return table(root, rows).parent


def leaking_groups(root: Path) -> Path:
    rows = [
        {**row, "split": ("train", "train", "val", "test")[number % 4], "patient": number // 3}
        for number, row in enumerate(named(root, count=12))
    ]
    return table(root, rows).parent


BY_PATIENT = DataConfig(group_column="patient")
AB = {"a": 4, "b": 4}

CASES = [
    Case("empty folder", lambda d: d, "is empty."),
    Case("empty class folder", lambda d: (written(folders(d, a=6, b=6) / "c/.keep"), d)[1],
         note="Folder c is empty."),
    Case("images without class folders", lambda d: folders(d / "x", a=3) / "a",
         "no images in class folders"),
    Case(
        "one class only",
        lambda d: folders(d, a=6),
        "Only one class, 'a', to learn from: a classifier needs images of at least two",
    ),
    Case("class of one image", lambda d: folders(d, a=6, b=6, one=1), "Only one image of"),
    Case("class of two images", lambda d: folders(d, a=6, b=6, few=2),
         note="Not scored in validation, because it has no images of them: 'few'"),
    Case("class of copies of one image",
         lambda d: same_image_in(folders(d, a=6), "c/1.png", "c/2.png", "c/3.png"),
         "All 3 images of class 'c' are copies of one image"),
    Case("labels that differ in case", lambda d: folders(d, cat=4, Cat=4, dog=4), "'Cat', 'cat'"),
    Case("labels that differ in space", lambda d: folders(d, **{"big cat": 4, "bigcat ": 4}),
         "differ only in case or space"),
    Case("text among the images", lambda d: beside(d, "a/notes.txt", b"hello"),
         rejected={"a/notes.txt": "not an image that Pillow can read"}),
    Case("broken image and data.strict", lambda d: beside(d, "a/x.jpg", b"hello"),
         "a/x.jpg: not an image that Pillow can read", config=DataConfig(strict=True)),
    Case("class of broken images only", lambda d: beside(d, "c/x.jpg", b"hello"),
         "No usable image is left of class 'c', e.g. c/x.jpg"),
    Case("broken images only", lambda d: written(written(d / "a/x.jpg").parent.parent / "b/y.jpg")
         .parent.parent, "None of 2 images is usable; the first, a/x.jpg: the file is empty"),
    Case(".DS_Store, Thumbs.db and the like",
         lambda d: (written(d / "a/.DS_Store", b"x"), beside(d, "a/Thumbs.db", b"x"))[1]),
    Case("folder named x.jpg", folder_named_like_an_image),
    Case("folder that links to itself", with_loop),
    Case("image beside the class folders",
         lambda d: (image(1).save(beside(d, "x.png")  / "x.png"), d)[1],
         note="Not used, because in no class folder: 1 image, e.g. x.png."),
    Case("no such file", lambda d: d / "nothing", "There is no"),
    Case("text that is no name of anything", lambda d: "my nice images", "There is no 'my nice"),
    Case("an image as the source", lambda d: folders(d, a=1) / "a/000.png", "is not a source of"),
    Case("test without train", lambda d: split_folders(d, test=AB), "There is test but no train"),
    Case("train and test", lambda d: split_folders(d, train=AB, test=AB),
         note="Cut from the training images: validation (20%), stratified by label"),
    Case("train and val", lambda d: split_folders(d, Training=AB, val=AB),
         note="Cut from the training images: test (20%), stratified by label"),
    Case("val and valid", lambda d: split_folders(d, train=AB, val=AB, valid=AB),
         "Folders 'val' and 'valid' both mean validation"),
    Case("another folder beside train", lambda d: split_folders(d, train=AB, test=AB, masks=AB),
         note="Not used, because they are not splits: folders masks."),
    Case("class that train lacks", lambda d: split_folders(d, train=AB, val=AB, test={"c": 3}),
         "No image of 'c' is in train"),
    Case("class that test lacks", lambda d: split_folders(d, train=AB, val=AB, test={"a": 3}),
         note="Not scored in test, because it has no images of them: 'b' (8 images in all)"),
    Case("same file in train and test",
         lambda d: same_image_in(split_folders(d, train=AB, val=AB, test=AB),
                                   "train/a/x.png", "test/a/y.png"),
         note="Leak: 1 image in more than one split"),
    Case("same file under two labels",
         lambda d: same_image_in(folders(d, a=6, b=6), "a/x.png", "b/y.png"),
         note="identical files under different labels, e.g. 'a', 'b'"),
    Case("group of class folders", lambda d: folders(d, a=6, b=6), "has no column 'patient'",
         config=BY_PATIENT),
    Case("class in one group only", lambda d: groups(d, a=1, b=3), "in one group of 'patient'",
         config=BY_PATIENT),
    Case("class in two groups only", lambda d: groups(d, a=2, b=3), config=BY_PATIENT,
         note="Not scored in validation, because it has no images of them: 'a' (2 groups in"),
    Case("every class in two groups only", lambda d: groups(d, a=2, b=2),
         "Too few groups of 'patient' to cut validation from", config=BY_PATIENT),
    Case("two images of each class", lambda d: folders(d, a=2, b=2), "Too few images to cut"),
    Case("groups on both sides", leaking_groups, config=BY_PATIENT,
         note="Leak: of 8 groups of 'patient', 8 in more than one split"),
    Case("missing column", lambda d: table(d, named(d)).parent,
         "data.label_column: no column 'kind'; there are 'file_name', 'label'",
         config=DataConfig(label_column="kind")),
    Case("columns of other names", csv_of_other_names,
         "No column names the images: set data.image_column to one of 'scan', 'finding'"),
    Case("columns of other names, mapped", csv_of_other_names,
         config=DataConfig(image_column="scan", label_column="finding")),
    Case("two label columns", lambda d: table(d, named(d, target="x")).parent,
         "several columns could hold the labels. Choose with --set data.label_column=label"),
    Case("several labels per image",
         lambda d: table(d, [{**row, "label": ["a", "b"]} for row in named(d)], "m.jsonl")),
    Case("labels of labels",
         lambda d: table(d, [{**row, "label": [["a"], ["b"]]} for row in named(d)], "m.jsonl"),
         "holds lists of lists, which are not labels"),
    Case("row without a label",
         lambda d: table(d, [*named(d), {"file_name": "img/a/000.png", "label": ""}][1:]),
         rejected={"img/a/000.png": "no label"}),
    Case("split column of folds", lambda d: table(d, named(d, split=3)).parent,
         "Column 'split' holds '3', which is none of train, validation, test"),
    Case("CSV that names missing files", missing_files, rejected={"img/a/003.png": "no such file"}),
    Case("file named twice", lambda d: table(d, [*named(d), *named(d)[:2]]),
         note="Not used, because they name a file once more: 2 rows."),
    Case("file named twice, labels differ",
         lambda d: table(d, [*named(d), {"file_name": "img/a/000.png", "label": "b"}]),
         "img/a/000.png is named twice, once with 'a' and once with 'b'"),
    Case("image that the metadata does not name", lambda d: table(d, named(d)[1:]).parent,
         note="the metadata does not name them: 1 image, e.g. img/a/000.png."),
    Case("CSV with a comma too many", lambda d: table(d, [*named(d), {"f": "x.png", "l": "a,b"}]),
         "list.csv, line 14".replace("list", "metadata")),
    Case("CSV without rows", lambda d: written(d / "x.csv", b"file_name,label\n"), "has no rows"),
    Case("CSV that is not UTF-8", latin_1, "is not UTF-8 text: save it as UTF-8"),
    Case("JSON Lines that is not JSON", lambda d: written(d / "x.jsonl", b'{"a": 1}\n{"a": \n'),
         "x.jsonl, line 2: not JSON"),
    Case("Parquet that is not Parquet", lambda d: written(d / "x.parquet", b"hello"),
         "cannot be read as Parquet"),
    Case("dataset without rows", lambda d: datasets.Dataset.from_dict({"image": [], "label": []}),
         "The dataset has no rows."),
    Case("dataset without labels", lambda d: in_memory(), "No column holds the labels"),
    Case("dataset of numbers for images",
         lambda d: datasets.Dataset.from_dict({"image": [1, 2], "label": [0, 1]}),
         "Column 'image' holds no images"),
    Case("zip with ../", lambda d: zipped(d, {"../x.png": b"x"}), "'../x.png' leads out of the"),
    Case("zip with an absolute path", lambda d: zipped(d, {"/x.png": b"x"}), "leads out of the"),
    Case("zip with C:\\", lambda d: zipped(d, {"C:\\x.png": b"x"}), "leads out of the archive"),
    Case("zip with a link", zip_with_link, "'photos/a/link.png' is a link or device"),
    Case("zip in a zip", lambda d: zipped(d, {"photos/b.zip": b"x"}), "an archive in the archive"),
    Case("zip with a name twice", lambda d: zipped(d, {"photos/a/000.png": b"x"}), "two files are"),
    Case("zip bomb", zip_bomb, "refused as a zip bomb"),
    Case("zip with a false size", zip_that_lies, "cannot be unpacked"),
    Case("zip with a password", zip_with_password, "is protected by a password"),
    Case("zip whose metadata leads out", escaping_metadata, "'../../secret.png' leads out of"),
    Case("zip without files", lambda d: written(d / "x.zip", b"PK\5\6" + bytes(18)), "is empty."),
    Case("zip that is not a zip", lambda d: written(d / "x.zip", b"hello"), "is not a zip file"),
    Case("zip cut short", lambda d: written(d / "x.zip", zipped(d).read_bytes()[:-90]),
         "is not a zip file, or is cut short"),
]  # fmt: skip
