"""Reads the annotations of YOLO: a text file for each image, and a file with the names."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from hf_vft.data.annotated_boxes import Box, Objects
from hf_vft.data.sources.annotations import AnnotatedImage, marked_table, without_unmarked_splits
from hf_vft.data.sources.listing import Listing, split_of_path
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import LeftOut, Reading
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.yolo_config import YoloConfig, name_files
from hf_vft.errors import DataError

_LARGEST_SHARE = 1.5
"""Labels over this are pixels; boxes that reach over the edge of their image are below it."""


def yolo_labels(listing: Listing, how: ReadOptions) -> dict[str, str]:
    """Text file of each image that has one, where the first of them hold labels of YOLO.

    It lies beside the image, or in a folder ``labels`` where the image lies in ``images``.
    """
    texts = set(listing.ending(".txt"))
    texts -= name_files(texts)
    if not texts:
        return {}
    labels = {}
    for image in listing.images:
        label = next((place for place in _places(image) if place in texts), None)
        if label is not None:
            labels[image] = label
    labels = labels or _by_name(listing, texts)
    config = YoloConfig(listing, how.config.encoding)
    return labels if config.known or _look_like_labels(listing, list(labels.values())) else {}


def _by_name(listing: Listing, texts: set[str]) -> dict[str, str]:
    """Texts in a folder of another name, such as ``annotations``, by the names of the images.

    Nothing where a name stands twice, or where most images have no text.
    """
    by_stem: dict[str, str] = {}
    for text in texts:
        stem = posixpath.splitext(posixpath.basename(text))[0]
        if by_stem.setdefault(stem, text) != text:
            return {}
    stems = {posixpath.splitext(posixpath.basename(image))[0]: image for image in listing.images}
    common = stems.keys() & by_stem.keys()
    if len(stems) < len(listing.images) or len(common) * 2 < len(stems):
        return {}
    return {stems[stem]: by_stem[stem] for stem in common}


def read_yolo(listing: Listing, labels: Mapping[str, str], how: ReadOptions) -> Table:
    """Read every image; one without a text file shows nothing, as YOLO has it.

    ``data.yaml`` is obeyed: class names, splits, key points. Without it the names are those of the
    nearest list. Outlines of segmentation become the boxes around them.

    Raises:
        DataError: If there are no class names, a line does not fit, or the numbers are pixels.
    """
    config = YoloConfig(listing, how.config.encoding)
    splits, source = config.splits()
    names: dict[str, None] = {}
    read: list[AnnotatedImage] = []
    pixels: list[str] = []
    boxes = 0
    for image in listing.images:
        objects = Objects((), ())
        if image in labels:
            known = config.names_for(labels[image])
            names |= dict.fromkeys(known.values())
            objects = _objects(config, labels[image], known, pixels)
            boxes += len(objects.boxes)
        split = splits.get(image) if splits else split_of_path(image.split("/")[:-1])
        read.append(AnnotatedImage(image, objects, split))
    if len(pixels) * 2 > boxes:
        raise DataError(
            f"{pixels[0]}: {len(pixels):,} of {boxes:,} boxes hold numbers over 1, which are "
            "pixels; YOLO has shares of width and height: divide by the size of the image."
        )
    config.note_differing_lists()
    marked, left_out = _divided(read, labels)
    marked, unmarked = without_unmarked_splits(marked, set(labels))
    if not source and any(image.split for image in marked):
        source = "the folders"
    reading = Reading(
        "YOLO",
        config.names_file,
        source if any(image.split for image in marked) else "",
        left_out=(*left_out, *unmarked),
    )
    return marked_table(listing, marked, list(names), list(config.notes), reading)


def _divided(
    marked: list[AnnotatedImage], labels: Mapping[str, str]
) -> tuple[list[AnnotatedImage], list[LeftOut]]:
    """Without stray images that have neither a split nor a label where others have a split."""
    if all(image.split is None for image in marked):
        return marked, []
    strays = [image for image in marked if image.split is None and image.file not in labels]
    if not strays:
        return marked, []
    divided = [image for image in marked if image.split is not None or image.file in labels]
    return divided, [
        LeftOut(f"{strays[0].file} and the like", "neither split nor label", len(strays))
    ]


def _places(image: str) -> list[str]:
    """Where the labels of an image may lie, the likeliest first."""
    stem = posixpath.splitext(image)[0]
    folders, name = stem.split("/")[:-1], stem.rpartition("/")[2]
    places = []
    for at in range(len(folders) - 1, -1, -1):
        swapped = _labels_for(folders[at])
        if swapped is not None:
            places.append("/".join([*folders[:at], swapped, *folders[at + 1 :], name]))
    places += [stem, "/".join([*folders, "labels", name])]
    return [f"{place}.txt" for place in places]


def _labels_for(folder: str) -> str | None:
    """``labels`` for ``images``, ``train_labels`` for ``train_images``."""
    for images, labels in (("images", "labels"), ("Images", "Labels"), ("image", "label"),
                           ("IMAGES", "LABELS"), ("imgs", "labels"), ("img", "labels"),
                           ("JPEGImages", "labels")):  # fmt: skip
        if folder == images or folder.startswith(f"{images}_") or folder.endswith(f"_{images}"):
            return folder.replace(images, labels)
    return None


def _look_like_labels(listing: Listing, files: list[str]) -> bool:
    for file in files[:5]:
        with listing.path(file).open(encoding="utf-8", errors="replace") as opened:
            words = opened.readline(2000).split()
        if not words:
            continue
        try:
            return len(words) >= 5 and all(float(word) >= 0 for word in words)
        except ValueError:
            return False
    return False


def _objects(config: YoloConfig, file: str, names: dict[int, str], pixels: list[str]) -> Objects:
    boxes: list[Box] = []
    categories: list[str] = []
    for number, line in enumerate(config.text(file).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{posixpath.basename(file)}, line {number}"
        try:
            first, *values = map(float, line.split())
        except ValueError:
            raise DataError(f"{where}: not numbers ({line.strip()[:40]!r}).") from None
        if first not in names:
            raise DataError(f"{where}: class {first:g} has no name; there are {len(names)}.")
        if config.key_points and len(values) >= 4 + config.key_points:
            values = values[:4]
        if max(values, default=0) > _LARGEST_SHARE:
            pixels.append(where)
        boxes.append(_box(values, where))
        categories.append(names[int(first)])
    return Objects(tuple(boxes), tuple(categories), relative=True)


def _box(values: list[float], where: str) -> Box:
    """From centre and size, or from an outline, in shares of the image."""
    if len(values) == 4:
        x, y, w, h = values
        return (x - w / 2, y - h / 2, w, h)
    if len(values) >= 6 and len(values) % 2 == 0:
        xs, ys = values[0::2], values[1::2]
        return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    raise DataError(
        f"{where}: {len(values)} numbers after the class; a box has four. Remove a fifth one that "
        "is a confidence; for key points data.yaml has to give kpt_shape."
    )
