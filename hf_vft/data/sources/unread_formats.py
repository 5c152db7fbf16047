"""Formats that are known but not read, so that who has one is told which export to take."""

from __future__ import annotations

import contextlib
import json
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_vft.data.sources.listing import Listing

_BOX_EXPORTS = "export COCO, Pascal VOC or YOLO from the tool"
_NO_MASKS = "classes or boxes are learned, no masks"
_AS_IMAGES = "write the images into one folder for each class, or list them in a table"
_NO_MOT = "export COCO, Pascal VOC or YOLO from the tool; tracks are not learned"
VOLUMES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")
SLIDES = (".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".bif")
MICROSCOPES = (".czi", ".lif", ".nd2", ".oib", ".oif", ".lsm", ".vsi")
RAW_PHOTOS = (".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw")
_MOST_BYTES = 64 << 20
_HEAD = 2000
_LONGEST_LABEL = 200

Recognise = Callable[[Listing], str | None]


@dataclass(frozen=True)
class UnreadFormat:
    """A format that is not read.

    Attributes:
        title: For people.
        recognise: The first file of it in a folder, from its root; None where there is none.
        advice: What to do.
    """

    title: str
    recognise: Recognise
    advice: str = _BOX_EXPORTS


def first_file(suffix: str, fits: Callable[[Path], bool]) -> Recognise:
    """Looks for a file that fits among the first few with an ending."""

    def recognise(listing: Listing) -> str | None:
        files = listing.ending(suffix)
        some = files[:3] + files[len(files) // 2 :][:2]
        return next((file for file in some if fits(listing.path(file))), None)

    return recognise


def first_json(suffix: str, fits: Callable[[Any], bool]) -> Recognise:
    """Looks for a JSON file of some content among the first few."""

    def is_such(file: Path) -> bool:
        content = read_json(file)
        return content is not None and fits(content)

    return first_file(suffix, is_such)


def read_json(file: Path) -> Any | None:
    """The content of a JSON file; None where it is none or a very large one."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        return json.loads(file.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None


def first_text(fits: Callable[[list[str]], bool]) -> Recognise:
    """Looks for a text file whose first line fits, among the first few."""

    def is_such(file: Path) -> bool:
        words = _first_line(file).split()
        return bool(words) and fits(words)

    return first_file(".txt", is_such)


def first_csv(fits: Callable[[str], bool]) -> Recognise:
    """Looks for a CSV whose header, in lower case, fits, among the first few."""
    return first_file(".csv", lambda file: fits(_first_line(file).casefold()))


def first_record(suffix: str, keys: set[str]) -> Recognise:
    """Looks for JSON Lines whose first object has some keys, among the first few."""

    def is_such(file: Path) -> bool:
        try:
            return keys <= set(json.loads(_first_line(file, 1 << 20)))
        except (ValueError, TypeError, RecursionError):
            return False

    return first_file(suffix, is_such)


def first_named(*suffixes: str) -> Recognise:
    """Looks for a file whose name ends so."""
    return lambda listing: next(iter(listing.ending(*suffixes)), None)


def first_called(*starts: str) -> Recognise:
    """Looks for a file whose name begins so."""
    return lambda listing: next(
        (file for file in listing.files if file.rpartition("/")[2].startswith(starts)), None
    )


def _first_line(file: Path, most: int = _HEAD) -> str:
    """The first line, or its beginning; empty where it cannot be read."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as opened:
            return opened.readline(most)
    except OSError:
        return ""


def _has_keys(*keys: str) -> Callable[[Any], bool]:
    """Whether an object, or the first one of a list, has some keys."""

    def fits(content: object) -> bool:
        if isinstance(content, list):
            content = next((item for item in content if isinstance(item, dict)), {})
        return isinstance(content, dict) and set(keys) <= set(content)

    return fits


def _is_captions(content: object) -> bool:
    annotations = content.get("annotations") if isinstance(content, dict) else None
    return isinstance(annotations, list) and _has_keys("caption", "image_id")(annotations)


def _is_vott(content: object) -> bool:
    return _has_keys("asset", "regions")(content) or _has_keys("assets", "tags")(content)


def _is_labelme_xml(file: Path) -> bool:
    try:
        return "<polygon>" in file.read_text(encoding="utf-8", errors="replace")[:_MOST_BYTES]
    except OSError:
        return False


def _is_imglab(file: Path) -> bool:
    head = ""
    with contextlib.suppress(OSError), file.open(encoding="utf-8", errors="replace") as opened:
        head = opened.read(_HEAD)
    return "<dataset" in head and re.search(r"<image\s+file=", head) is not None


def _text_for_each(listing: Listing) -> str | None:
    """The first of the texts that are called as the images are, and hold a line each."""
    texts = listing.ending(".txt", ".cls", ".label", ".tag")
    stems = {posixpath.splitext(posixpath.basename(image))[0] for image in listing.images}
    named = [t for t in texts if posixpath.splitext(posixpath.basename(t))[0] in stems]
    if len(named) < 2 or len(named) * 2 < len(stems):
        return None
    short = (_first_line(listing.path(text)).strip() for text in named[:3])
    return named[0] if all(0 < len(line) < _LONGEST_LABEL for line in short) else None


def is_number(word: str) -> bool:
    """Whether a word is a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _holds_pixels(header: str) -> bool:
    names = {name.strip().strip('"') for name in header.split(",")}
    return "pixels" in names or {"pixel0", "pixel1"} <= names or {"1x1", "1x2"} <= names


def _is_visdrone(words: list[str]) -> bool:
    values = "".join(words).rstrip(",").split(",")
    return len(values) == 8 and all(map(is_number, values))


UNREAD: tuple[UnreadFormat, ...] = (
    UnreadFormat(
        "VoTT's own JSON", first_json(".json", _is_vott), "export Pascal VOC, CSV or TFRecord"
    ),
    UnreadFormat(
        "V7 Darwin's own JSON",
        first_json(".json", _has_keys("item", "annotations")),
        "export COCO, Pascal VOC, CVAT or YOLO",
    ),
    UnreadFormat(
        "SuperAnnotate's own JSON", first_json(".json", _has_keys("metadata", "instances"))
    ),
    UnreadFormat(
        "a list of captions",
        first_json(".json", _is_captions),
        "take the file instances_*.json of the same images, or write a table of labels",
    ),
    UnreadFormat(
        "a description of segmentation (nnU-Net, MONAI)",
        first_json("dataset.json", _has_keys("training")),
        _NO_MASKS,
    ),
    UnreadFormat(
        "Labelbox's own NDJSON",
        first_record("json", {"data_row", "projects"}),
        "convert it to COCO with Labelbox's own tools, or write a table of boxes",
    ),
    UnreadFormat(
        "a manifest of Amazon SageMaker Ground Truth",
        first_record(".manifest", {"source-ref"}),
        "convert it to COCO, or write a table with the name and the label of each image",
    ),
    UnreadFormat(
        "the XML of the older LabelMe", first_file(".xml", _is_labelme_xml), "export COCO or YOLO"
    ),
    UnreadFormat(
        "the XML of dlib's imglab",
        first_file(".xml", _is_imglab),
        "convert it to COCO, Pascal VOC or YOLO, or write a table with a row for each box",
    ),
    UnreadFormat(
        "Kili's own JSON",
        first_json(".json", _has_keys("externalId", "labels")),
        "export COCO, Pascal VOC or YOLO, or write a table with the label of each image",
    ),
    UnreadFormat(
        "a list of mask values (semantic segmentation)",
        first_csv(lambda header: header.startswith("pixel value")),
        _NO_MASKS,
    ),
    UnreadFormat(
        "a table of masks (run-length encoded)",
        first_csv(lambda header: "encodedpixels" in header or "rle" in header.split(",")),
        f"{_NO_MASKS}; for a column of classes set data.label_column",
    ),
    UnreadFormat("a table of pixel values", first_csv(_holds_pixels), _AS_IMAGES),
    UnreadFormat("MOTChallenge's list of boxes", first_named("gt/gt.txt"), _NO_MOT),
    UnreadFormat("an annotation of VisDrone", first_text(_is_visdrone)),
    UnreadFormat(
        "CrowdHuman's list of boxes", first_named(".odgt"), "convert it to COCO, Pascal VOC or YOLO"
    ),
    UnreadFormat(
        "a list of instructions for a vision language model",
        lambda listing: (
            first_record(".jsonl", {"prefix", "suffix"})(listing)
            or first_record(".jsonl", {"messages"})(listing)
            or first_json(".json", _has_keys("conversations"))(listing)
        ),
        "write a table with the name and the label of each image, or export COCO or YOLO",
    ),
    UnreadFormat("a spreadsheet", first_named(".xlsx", ".xls", ".ods"), "save it as CSV"),
    UnreadFormat(
        "an archive",
        first_named(".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar"),
        "unpack it here first",
    ),
    UnreadFormat(
        "a video", first_named(".mp4", ".avi", ".mov", ".mkv"), "extract its frames first"
    ),
    UnreadFormat("a volume", first_named(*VOLUMES), f"write its slices as images; {_AS_IMAGES}"),
    UnreadFormat(
        "a slide scan", first_named(*SLIDES), "cut it into tiles of PNG or JPEG, one folder a class"
    ),
    UnreadFormat(
        "a microscope's own file", first_named(*MICROSCOPES), f"export TIFF or PNG; {_AS_IMAGES}"
    ),
    UnreadFormat(
        "a raw photograph", first_named(*RAW_PHOTOS), "develop it into TIFF, PNG or JPEG first"
    ),
    UnreadFormat(
        "a map of shapes",
        first_named(".geojson", ".shp", ".kml"),
        "cut the images into tiles, and write COCO, or one folder for each class",
    ),
    UnreadFormat("a file of NumPy arrays", first_named(".npy", ".npz"), _AS_IMAGES),
    UnreadFormat("a file of arrays (HDF5)", first_named(".h5", ".hdf5"), _AS_IMAGES),
    UnreadFormat("a file of MATLAB", first_named(".mat"), _AS_IMAGES),
    UnreadFormat("a database (LMDB)", first_named("data.mdb"), _AS_IMAGES),
    UnreadFormat("a file of IDX arrays (MNIST)", first_named("-ubyte", "-ubyte.gz"), _AS_IMAGES),
    UnreadFormat(
        "a pickle file",
        lambda listing: (
            first_named(".pkl", ".pickle")(listing) or first_called("data_batch_")(listing)
        ),
        f"opening one can run code; {_AS_IMAGES}",
    ),
    UnreadFormat(
        "a text with the label of one image",
        _text_for_each,
        "write a labels.csv with the columns file_name and label",
    ),
)
"""The formats, the most specific first."""
