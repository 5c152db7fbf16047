"""TFRecord files of boxes and of classes, framed by TensorBoard's writer."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_vft.data.load import load_data
from hf_vft.data.sources.read_source import read_source
from hf_vft.data.sources.tools.tf_example import masked_checksum
from hf_vft.errors import DataError
from hf_vft.recipe.schema import DataConfig
from tests.data.sources.test_tools import SIZE, TRUTH, boxes_of
from tests.data.sources.tf_records import Features, as_records, encoded
from tests.data.sources.tool_writers import corners


def write_records(file: Path, records: list[Features]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(as_records(records))


def of_boxes(name: str, *, text: bool = True) -> Features:
    boxes = [(corners(box), label) for box, label in TRUTH[name]]
    sides = {
        f"image/object/bbox/{side}": [box[at] / SIZE[at % 2] for box, _ in boxes]
        for at, side in enumerate(("xmin", "ymin", "xmax", "ymax"))
    }
    names = [label.encode() for _, label in boxes] if text else []
    return {
        "image/encoded": [encoded(ord(name[0]))],
        "image/filename": [name.encode()],
        "image/width": [SIZE[0]],
        "image/height": [SIZE[1]],
        "image/object/class/text": names,
        "image/object/class/label": [1 + (label == "dog") for _, label in boxes],
        **sides,
    }


def of_class(number: int, label: bytes | int) -> Features:
    key = "image/class/text" if isinstance(label, bytes) else "image/class/label"
    name = f"{number}.png".encode()
    return {"image/encoded": [encoded(number)], "image/filename": [name], key: [label]}


def near(found: dict[str, Any]) -> dict[str, Any]:
    """With corners as whole numbers: shares are kept in 32 bits."""
    return {f: [(tuple(map(round, box)), name) for box, name in b] for f, b in found.items()}


def test_boxes_come_back_whatever_opens_them(tmp_path: Path) -> None:
    root = tmp_path / "data"
    file = root / "train" / "Animals.tfrecord"
    write_records(file, [of_boxes(name) for name in TRUTH])
    before = sorted(root.rglob("*"))
    with zipfile.ZipFile(tmp_path / "animals.zip", "w") as packed:
        packed.write(file, "train/Animals.tfrecord")
    wanted = near({name: sorted(boxes) for name, boxes in TRUTH.items()})
    for source in (root, file, tmp_path / "animals.zip"):
        table = read_source(source, DataConfig(), tmp_path / "cache")
        assert near(boxes_of(table)) == wanted
        assert [one["bytes"] for one in table.images["image"]] == [
            encoded(ord(file[-5])) for file in table.files
        ]
    assert read_source(root, DataConfig(), tmp_path / "cache").splits == ["train"] * 3
    assert sorted(root.rglob("*")) == before


def test_numbers_of_classes_are_looked_up_in_the_map_of_labels(tmp_path: Path) -> None:
    file = tmp_path / "x.record-00000-of-00001"
    write_records(file, [of_boxes(name, text=False) for name in TRUTH])
    label_map = (
        'item { id: 1\n name: "cat" }\nitem {\n  name: "n02"\n id: 2 display_name: \'dog\' }'
    )
    (tmp_path / "label_map.pbtxt").write_text(label_map)
    for source in (tmp_path, file):
        table = read_source(source, DataConfig(), tmp_path / "cache")
        assert table.reading.classes == ("cat", "dog")


def test_classes_and_splits_come_from_shards(tmp_path: Path) -> None:
    for split, numbers in (("train", range(6)), ("validation", range(6, 10))):
        records = [of_class(n, b"cat" if n % 2 else b"dog") for n in numbers]
        write_records(tmp_path / "data" / f"{split}-00000-of-00001", records)
    data = load_data(tmp_path / "data", DataConfig(), seed=0, cache_dir=tmp_path / "cache")
    assert data.labels == ["cat", "dog"]
    assert set(data.splits["validation"]["file"]) == {f"validation/{n}.png" for n in range(6, 10)}
    assert not data.rejected


def test_files_packed_by_gzip_are_read_and_a_cut_is_found(tmp_path: Path) -> None:
    plain = tmp_path / "plain" / "x.tfrecord"
    plain.parent.mkdir()
    write_records(plain, [of_class(n, b"cat" if n % 2 else b"dog") for n in range(6)])
    packed = gzip.compress(plain.read_bytes())
    file = tmp_path / "packed" / "train.tfrecord.gz"
    file.parent.mkdir()
    for cut in (len(packed), len(packed) // 2, 40):
        file.write_bytes(packed[:cut])
        for source in (file, file.parent):
            if cut == len(packed):
                table = read_source(source, DataConfig(), tmp_path / "cache")
                assert sorted(table.labels) == ["cat"] * 3 + ["dog"] * 3
                continue
            with pytest.raises(DataError, match="cut off"):
                read_source(source, DataConfig(), tmp_path / "cache")


def test_numbers_without_names_stay_numbers_and_equal_names_stay_apart(tmp_path: Path) -> None:
    records = [of_class(n % 2, n % 2) for n in range(4)]
    write_records(tmp_path / "x.tfrec", records)
    table = read_source(tmp_path, DataConfig(), tmp_path / "cache")
    assert table.files == ["0.png", "0.png (2)", "1.png", "1.png (2)"]
    assert table.labels == ["0", "0", "1", "1"]


def test_corners_in_pixels_are_taken_as_such_and_regions_of_crowds_are_not(tmp_path: Path) -> None:
    record = of_boxes("a.jpg")
    for side, length in (("xmin", 40), ("xmax", 40), ("ymin", 30), ("ymax", 30)):
        key = f"image/object/bbox/{side}"
        record[key] = [length * value for value in record[key]]
    record["image/object/is_crowd"] = [0, 1]
    write_records(tmp_path / "x.tfrecord", [record])
    table = read_source(tmp_path, DataConfig(), tmp_path / "cache")
    assert near(boxes_of(table)) == {"a.jpg": [((4, 6, 20, 10), "cat")]}
    assert any("1 region of a crowd" in note for note in table.notes)
    assert any("pixels" in note for note in table.notes)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[:-30], "record 2: the file is cut off"),
        (lambda data: data[: len(data) // 2 + 5], "the file is cut off"),
        (lambda data: b"\xff" + data[1:], "record 1: damaged, or not of a TFRecord"),
        (lambda data: data[:12] + b"\xff" * 40 + data[52:], "record 1: damaged, or no tf.train"),
        (lambda data: b"", "hold no record"),
        (lambda data: data[:7], "record 1: the file is cut off"),
    ],
)
def test_a_damaged_file_is_refused_in_a_line(
    damage: Callable[[bytes], bytes], says: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.tfrecord"
    write_records(file, [of_class(n, b"a") for n in range(2)])
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=says) as caught:
        read_source(tmp_path, DataConfig(), tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.arrow"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"image/encoded": []}, r"record 1: no image \(image/encoded\)"),
        ({"image/object/bbox/xmax": [0.5]}, "record 1: 2 boxes, but"),
        ({"image/object/class/text": [b"cat"]}, "2 boxes, but 1 classes"),
    ],
)
def test_a_record_that_lacks_something_is_refused(
    change: Features, says: str, tmp_path: Path
) -> None:
    write_records(tmp_path / "x.tfrecord", [of_boxes("a.jpg") | change])
    with pytest.raises(DataError, match=says):
        read_source(tmp_path, DataConfig(), tmp_path / "cache")


def test_the_checksum_is_that_of_crc_32c() -> None:
    crc = 0x8A9136AA  # of 32 zeros: RFC 3720, B.4
    turned = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    assert masked_checksum(bytes(32)) == (turned + 0xA282EAD8) & 0xFFFFFFFF
