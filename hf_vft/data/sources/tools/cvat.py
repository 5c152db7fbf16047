"""CVAT's own XML, "CVAT for images": one file with every image of a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from hf_vft.data.annotated_boxes import Box, from_corners
from hf_vft.data.sources.folder_words import split_in_words
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.drawn import Drawn, drawn_table
from hf_vft.data.sources.tools.shapes import Shapes, round_box
from hf_vft.errors import DataError


def cvat_files(listing: Listing, how: ReadOptions) -> list[str]:
    """The XML files whose root is that of CVAT."""
    del how
    return [file for file in listing.ending(".xml")[:50] if _is_cvat(listing, file)]


def read_cvat(listing: Listing, files: Sequence[str], how: ReadOptions) -> Table:
    """Read every image that the files name.

    Raises:
        DataError: If a file is one of a video, whose frames have no names, or a number is none.
    """
    shapes = Shapes()
    drawn = [image for file in files for image in cvat_images(listing, file, shapes)]
    return drawn_table(listing, drawn, shapes, how, "CVAT's XML")


def _is_cvat(listing: Listing, file: str) -> bool:
    try:  # the root's tag alone: there may be thousands of files of Pascal VOC
        for _, root in ElementTree.iterparse(listing.path(file), events=("start",)):  # noqa: S314
            return bool(root.tag == "annotations")
    except (OSError, ElementTree.ParseError):
        pass
    return False


def cvat_images(listing: Listing, file: str, shapes: Shapes) -> Iterator[Drawn]:
    """The annotations of each image in a file."""
    try:
        root = ElementTree.parse(listing.path(file)).getroot()  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{file}: not readable as XML ({error}).") from None
    if root.find("track") is not None and root.find("image") is None:
        raise DataError(
            f"{file}: CVAT for video, whose frames have no names; export it as CVAT for images, "
            "COCO or YOLO, with the images."
        )
    words = split_in_words(file.rpartition("/")[2].removesuffix(".xml"))
    named = words[0] if words is not None else None  # Datumaro writes a file for each subset
    for image in root.iter("image"):
        name = image.get("name", "")
        try:
            boxes = [(_box(shape, shapes), shape.get("label", "")) for shape in image]
            size = (int(float(image.get("width", 0))), int(float(image.get("height", 0))))
        except (ValueError, IndexError):
            raise DataError(
                f"{file}: a shape of {name!r} has a coordinate that is not a number."
            ) from None
        yield Drawn(
            file,
            name,
            tuple((box, label) for box, label in boxes if box is not None),
            tuple(shape.get("label", "") for shape in image if shape.tag == "tag"),
            size if all(size) else None,
            split=image.get("subset") or named,
        )


def _box(shape: ElementTree.Element, shapes: Shapes) -> Box | None:
    def number(name: str) -> float:
        return float(shape.get(name, "nan"))

    turned = float(shape.get("rotation", 0))
    if shape.tag == "box":
        box = from_corners(*(number(side) for side in ("xtl", "ytl", "xbr", "ybr")))
        return shapes.turned(box, turned)
    if shape.tag == "ellipse":
        box = round_box(number("cx"), number("cy"), number("rx"), number("ry"))
        shapes.boxed["ellipse"] += 1
        return shapes.turned(box, turned)
    if shape.tag == "mask":
        shapes.boxed["mask"] += 1
        return (number("left"), number("top"), number("width"), number("height"))
    if shape.tag == "polygon":
        points = [pair.split(",") for pair in shape.get("points", "").split(";") if pair]
        return shapes.around([(float(x), float(y)) for x, y in points], "polygon")
    if shape.tag != "tag":
        shapes.unused[shape.tag] += 1
    return None
