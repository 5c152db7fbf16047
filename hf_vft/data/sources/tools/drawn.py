"""From what annotation tools say of images to a table: boxes, or classes of whole images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hf_vft.data.annotated_boxes import Box, Objects
from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.annotations import AnnotatedImage, Missing, image_named, marked_table
from hf_vft.data.sources.listing import Listing, split_of_path
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.reading import Reading
from hf_vft.data.sources.table import Table, canonical_split
from hf_vft.data.sources.tools.shapes import Shapes
from hf_vft.data.sources.unread_formats import read_json
from hf_vft.errors import DataError
from hf_vft.utils.text import counted


@dataclass(frozen=True)
class Drawn:
    """The annotations of one image by a tool.

    Attributes:
        annotation: The file that says it, from the root.
        image: The image's name, as written there.
        objects: Boxes, each with its class.
        tags: Classes of the image as a whole.
        size: Width and height that the tool gives.
        relative: Whether boxes are in shares of the sides.
        split: As the tool calls it; None where it does not.
        others: Further names that the image may have.
    """

    annotation: str
    image: str
    objects: tuple[tuple[Box, str], ...] = ()
    tags: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    relative: bool = False
    split: str | None = None
    others: tuple[str, ...] = ()


def drawn_table(
    listing: Listing, drawn: Iterable[Drawn], shapes: Shapes, how: ReadOptions, title: str
) -> Table:
    """The table of what was drawn; where nothing was, classes of whole images are its labels.

    Args:
        listing: The folder.
        drawn: What the tool says.
        shapes: Counted while ``drawn`` was made.
        how: The kind of label that is wanted.
        title: Of the format, for people.

    Raises:
        DataError: If nothing is marked, or no image is there.
    """
    images = list(drawn)
    boxes = how.kind == "boxes" or (how.kind is None and any(image.objects for image in images))
    if not boxes and not any(image.tags for image in images):
        counts = ", ".join(f"{kind}: {n:,}" for kind, n in shapes.unused.items())
        why = f"nothing in it has an area and a class ({counts})" if counts else ""
        raise DataError(f"{listing.name}: read as {title}, but {why or 'nothing is marked in it'}.")
    missing, marked = Missing(listing), []
    for image in images:
        file = _found(listing, image)
        if file is None:
            missing.add(image.annotation, image.image)
            continue
        split = canonical_split(image.split or "") or split_of_path(file.split("/")[:-1])
        marked.append(AnnotatedImage(file, _label(image, boxes=boxes), split))
    left_out = missing.left_out(len(marked))
    unused = len(listing.images) - len(marked)
    notes = shapes.notes() if boxes else []
    if unused:
        notes.append(f"Not used, because no annotation names them: {counted(unused, 'image')}.")
    divided = any(image.split for image in marked)
    reading = Reading(
        title,
        "what was drawn" if boxes else "the tags of the images",
        "the folders and names of subsets" if divided else "",
        left_out=tuple(left_out),
    )
    if boxes:
        return marked_table(listing, marked, None, notes, reading)
    several = any(len(image.label or ()) > 1 for image in marked) or how.kind == "classes"
    if not several:
        marked = [AnnotatedImage(m.file, m.label[0] if m.label else None, m.split) for m in marked]
    return marked_table(
        listing, marked, None, notes, reading, KINDS["classes" if several else "class"]
    )


def objects_of(
    file: str,
    annotations: Iterable[Any],
    box: Callable[[Any], Box | None],
    name: str,
    complaint: str,
) -> tuple[tuple[Box, str], ...]:
    """The boxes of shapes, each with its class.

    Args:
        file: Of the annotation, for messages.
        annotations: The shapes, each an object of JSON.
        box: The box of one; None where it has no area.
        name: The key of the class.
        complaint: What to say of a shape that is damaged.

    Raises:
        DataError: If one is.
    """
    objects = []
    for annotation in annotations:
        try:
            outline = box(annotation)
            if outline is not None:
                objects.append((outline, str(annotation[name])))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise DataError(f"{file}: {complaint}.") from None
    return tuple(objects)


def declared_size(width: object, height: object) -> tuple[int, int] | None:
    """The size that a tool gives; None where it gives none."""
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def json_files(listing: Listing, fits: Callable[[object], bool]) -> Iterator[tuple[str, Any]]:
    """The JSON files of some content, with their content."""
    for file in listing.ending(".json"):
        content = read_json(listing.path(file))
        if content is not None and fits(content):
            yield file, content


def _found(listing: Listing, image: Drawn) -> str | None:
    for name in (image.image, *image.others):
        match = image_named(
            listing, name, image.annotation, ("images", "img", "../img", "../images"), image.split
        )
        if match.file is not None:
            return match.file
    return None


def _label(image: Drawn, *, boxes: bool) -> Any:
    if not boxes:
        return tuple(dict.fromkeys(image.tags)) or None
    return Objects(
        tuple(box for box, _ in image.objects),
        tuple(name for _, name in image.objects),
        relative=image.relative,
        declared=image.size,
    )
