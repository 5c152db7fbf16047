"""Open Images: tables of boxes or labels that name classes by identifiers such as ``/m/0bt9lr``.

The format is described at https://storage.googleapis.com/openimages/web/download_v7.html.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import compress

from hf_vft.data.sources.column_names import plain_name
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.textfiles import FileTable, read_csv_records
from hf_vft.utils.text import counted

_CLASS_ID = re.compile(r"/[a-z]/\w+")
_DESCRIPTIONS = re.compile(r".*class[-_]?descriptions.*\.csv|classes\.csv", re.IGNORECASE)
_LEAST_CONFIDENCE = 0.5
_ADVICE = "put class-descriptions-boxable.csv or oidv7-class-descriptions.csv beside it for names"


@dataclass(frozen=True)
class _Columns:
    """The columns of such a table that are looked at; None where it has none."""

    image: str
    label: str
    confidence: str | None
    group: str | None


def with_class_names(table: FileTable, file: str, listing: Callable[[], Listing]) -> FileTable:
    """A table of Open Images with names of classes, and the rows that say that something is there.

    Left out and counted are rows whose confidence is below one half (0 says that a person looked
    and the class is *not* there), boxes around a whole group, and rows of images that are not
    there, because nearly everybody has a part of this data set.

    Args:
        table: Any table; one of another make comes back as it is.
        file: What it is called in messages.
        listing: The folder in which images and descriptions of classes lie; called where needed.

    Raises:
        DataError: If a file of descriptions cannot be read.
    """
    columns = _columns_of(table)
    if columns is None:
        return table
    here = listing()
    table, notes = _kept(table, columns, here)
    names = _descriptions(here)
    labels = table.columns[columns.label]
    classes = set(labels) - {None}
    unknown = classes - set(names)
    if not names:
        notes.append(f"{file} names classes by identifiers of Open Images: {_ADVICE}.")
    elif unknown:
        number = counted(len(unknown), "class") if len(unknown) == 1 else f"{len(unknown)} classes"
        notes.append(f"No description names {number} of {file}, e.g. {min(unknown)}.")
    named = {**table.columns, columns.label: [names.get(label, label) for label in labels]}
    return FileTable(named, (*table.notes, *(f"Open Images: {note}" for note in notes)))


def _columns_of(table: FileTable) -> _Columns | None:
    by_name = {plain_name(name): name for name in table.columns}
    image, label = by_name.get("imageid"), by_name.get("labelname")
    if image is None or label is None:
        return None
    sample = [value for value in table.columns[label][:1000] if value is not None]
    if not sample or not all(_CLASS_ID.fullmatch(str(value)) for value in sample):
        return None
    return _Columns(image, label, by_name.get("confidence"), by_name.get("isgroupof"))


def _kept(table: FileTable, columns: _Columns, listing: Listing) -> tuple[FileTable, list[str]]:
    """The rows that count, and a note for each kind of those that do not."""
    stems = {posixpath.splitext(posixpath.basename(image))[0] for image in listing.images}
    images = table.columns[columns.image]
    nothing = [None] * table.rows
    sure = table.columns[columns.confidence] if columns.confidence is not None else nothing
    groups = table.columns[columns.group] if columns.group is not None else nothing
    reasons = [
        "of images that are not there" if posixpath.splitext(str(image))[0] not in stems
        else "whose class is not, or hardly, in the image (Confidence below 0.5)" if _unsure(trust)
        else "around a group of objects (IsGroupOf)" if group == "1"
        else ""
        for image, trust, group in zip(images, sure, groups, strict=True)
    ]  # fmt: skip
    if all(reasons):  # that no image is there is told by who looks for them
        return table, []
    keep = [not reason for reason in reasons]
    rows = {name: list(compress(values, keep)) for name, values in table.columns.items()}
    counts = Counter(filter(None, reasons))
    notes = [f"not used are {counted(n, 'row')} {reason}." for reason, n in counts.items()]
    return replace(table, columns=rows), notes


def _unsure(trust: float | str | None) -> bool:
    try:
        return trust is not None and float(trust) < _LEAST_CONFIDENCE
    except ValueError:
        return False


def _descriptions(listing: Listing) -> dict[str, str]:
    """Names by identifier; those of several identifiers keep it, so that they stay apart."""
    names: dict[str, str] = {}
    for file in listing.ending(".csv"):
        if not _DESCRIPTIONS.fullmatch(posixpath.basename(file)):
            continue
        for record in read_csv_records(listing.path(file), shown=file):
            if len(record) >= 2 and _CLASS_ID.fullmatch(record[0].strip()) and record[1].strip():
                names.setdefault(record[0].strip(), record[1].strip())
    shared = {name for name, number in Counter(names.values()).items() if number > 1}
    return {key: f"{name} ({key})" if name in shared else name for key, name in names.items()}
