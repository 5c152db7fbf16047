"""Readers and what strangers write: whatever it is, a table comes out of it or one line."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hf_vft.data.load import load_data
from hf_vft.errors import VftError
from hf_vft.recipe.schema import DataConfig
from tests.made_images import encoded, made_image

DEEP = 20_000
HOSTILE = st.sampled_from([
    "1" + "0" * 400, "1" + "0" * 5000, "-1e400", "NaN", "null", '""', "[]", "{}", "[[[]]]", "true",
    '"\\u0000"', '"\\ud800"', '"../../x.png"', '"/etc/passwd"', '"http://127.0.0.1:1/x"', "-7",
    "[" * DEEP + "]" * DEEP, '"' + "x" * 10_000 + '"', '"=1+1"', '"<script>"', "9" * 20, "0.5",
])  # fmt: skip


def images(folder: Path, n: int = 4) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        (folder / f"{i}.png").write_bytes(encoded(made_image(i)))
    return [f"{i}.png" for i in range(n)]


def coco(root: Path, hole: Callable[[str], str]) -> None:
    names = images(root / "images")
    listed = ",".join(
        f'{{"id": {i}, "file_name": {hole(json.dumps(name))}, "width": {hole("32")}, "height": 24}}'
        for i, name in enumerate(names)
    )
    boxes = ",".join(
        f'{{"id": {i}, "image_id": {hole(str(i))}, "category_id": {hole("1")}, '
        f'"bbox": [1, 2, {hole("8")}, 9], "iscrowd": {hole("0")}}}'
        for i in range(len(names))
    )
    category = f'{{"id": {hole("1")}, "name": {hole(json.dumps("pit"))}}}'
    text = f'{{"images": [{listed}], "annotations": [{boxes}], "categories": [{category}]}}'
    (root / "instances.json").write_text(text, encoding="utf-8")


def yolo(root: Path, hole: Callable[[str], str]) -> None:
    names = images(root / "images" / "train")
    labels = root / "labels" / "train"
    labels.mkdir(parents=True)
    for name in names:
        line = f"{hole('0')} {hole('0.5')} 0.5 {hole('0.2')} 0.2\n"
        (labels / name.replace(".png", ".txt")).write_text(line, encoding="utf-8")
    yaml = f"names: [{hole('pit')}, b]\nnc: {hole('2')}\ntrain: images/train\n"
    (root / "data.yaml").write_text(yaml, encoding="utf-8")


def voc(root: Path, hole: Callable[[str], str]) -> None:
    for name in images(root / "JPEGImages"):
        box = f"<xmin>{hole('1')}</xmin><ymin>2</ymin><xmax>{hole('9')}</xmax><ymax>8</ymax>"
        text = (
            f"<annotation><filename>{name}</filename><object><name>{hole('pit')}</name>"
            f"<bndbox>{box}</bndbox></object></annotation>"
        )
        folder = root / "Annotations"
        folder.mkdir(exist_ok=True)
        (folder / name.replace(".png", ".xml")).write_text(text, encoding="utf-8")


def table(root: Path, hole: Callable[[str], str]) -> None:
    rows = [f"{hole(name)},{hole('ab'[i % 2])}" for i, name in enumerate(images(root))]
    (root / "metadata.csv").write_text("\n".join(["file_name,label", *rows]), encoding="utf-8")


def lines(root: Path, hole: Callable[[str], str]) -> None:
    rows = [
        f'{{"file_name": {hole(json.dumps(name))}, "label": {hole(json.dumps("ab"[i % 2]))}}}'
        for i, name in enumerate(images(root))
    ]
    (root / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")


WRITERS = {one.__name__: one for one in (coco, yolo, voc, table, lines)}


def read(source: Path, cache: Path) -> None:
    """Ends in a table, or in a `VftError` of one line."""
    told = ""
    try:
        load_data(source, DataConfig(path=str(source)), seed=0, cache_dir=cache)
    except VftError as error:
        told = str(error)
    assert "\n" not in told
    assert len(told) < 2_000


@pytest.mark.parametrize("name", sorted(WRITERS))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.integers(0, 12), what=HOSTILE)
@example(where=2, what="1" + "0" * 400)
@example(where=1, what="[" * DEEP + "]" * DEEP)
def test_reading_ends_in_a_table_or_in_one_line(name: str, where: int, what: str) -> None:
    count = -1

    def hole(usual: str) -> str:
        nonlocal count
        count += 1
        return what if count == where else usual

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "source"
        root.mkdir()
        WRITERS[name](root, hole)
        read(root, Path(folder) / "cache")


@settings(max_examples=25, deadline=None)
@given(cut=st.floats(0, 1), junk=st.binary(max_size=40), kind=st.sampled_from(["parquet", "zip"]))
def test_files_with_damaged_insides_end_in_one_line_too(cut: float, junk: bytes, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for label in "ab":
                    for i in range(2):
                        archive.writestr(f"{label}/{i}.png", encoded(made_image(i)))
        else:
            content = [encoded(made_image(i)) for i in range(4)]
            rows: dict[str, Any] = {"image": content, "label": [*"abab"]}
            datasets.Dataset.from_dict(rows).to_parquet(path)
        damaged = bytearray(path.read_bytes())
        start = int(cut * len(damaged))
        damaged[start : start + len(junk)] = junk
        path.write_bytes(bytes(damaged))
        read(path, Path(folder) / "cache")


@pytest.mark.parametrize("what", ["1" + "0" * 400, "[" * DEEP + "]" * DEEP])
def test_what_cannot_be_read_is_said_of_its_file(what: str, tmp_path: Path) -> None:
    [name, *_] = images(tmp_path / "images")
    box = f'{{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, {what}, 9]}}'
    (tmp_path / "instances.json").write_text(
        f'{{"images": [{{"id": 1, "file_name": "{name}"}}], '
        f'"categories": [{{"id": 1, "name": "pit"}}], "annotations": [{box}]}}'
    )
    with pytest.raises(VftError, match=r"^instances\.json: "):
        load_data(tmp_path, DataConfig(), seed=0)
