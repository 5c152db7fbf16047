"""What a source would be read as, without decoding an image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hf_vft.data.labels import class_order
from hf_vft.data.sources.read_source import Source, describe_source, read_source
from hf_vft.data.sources.reading import Reading
from hf_vft.data.sources.table import SPLIT_NAMES
from hf_vft.recipe.schema import DataConfig

ROWS = 5


@dataclass(frozen=True)
class PreviewRow:
    """One of the first images.

    Attributes:
        file: The name shown to people.
        label: What it is, for people; None where it has no label.
        split: Train, validation or test; None where the source is not divided.
    """

    file: str
    label: str | None
    split: str | None


@dataclass(frozen=True)
class Preview:
    """The reading of a source.

    Attributes:
        source: What was read.
        reading: Its interpretation.
        notes: One line per doubtful thing.
        rows: The first images of each split.
    """

    source: str
    reading: Reading
    notes: list[str]
    rows: list[PreviewRow]

    @property
    def lines(self) -> list[str]:
        """The statement, what was concluded, and the notes."""
        return [self.reading.statement, *self.reading.guessed(self.notes), *self.notes]

    def to_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "source": self.source,
            "statement": self.reading.statement,
            **asdict(self.reading),
            "notes": self.notes,
            "rows": [asdict(row) for row in self.rows],
        }


def preview(
    source: Source, config: DataConfig, *, kind: str | None = None, cache_dir: Path | None = None
) -> Preview:
    """Read a source without decoding an image.

    Args:
        source: See :func:`hf_vft.data.load.load_data`.
        config: Which columns, levels and formats.
        kind: What the labels have to be, a key of :data:`hf_vft.data.label_types.KINDS`; None takes
            what is there.
        cache_dir: Where archives are unpacked.

    Raises:
        DataError: As for reading: what is wrong with the source and what to do.
    """
    table = read_source(source, config, cache_dir, kind=kind)
    if table.reading is not None:
        class_order(table.reading.classes, fewest=table.kind.fewest_classes)
    rows: list[PreviewRow] = []
    shown: dict[str | None, int] = {}
    for at, (file, label) in enumerate(zip(table.files, table.labels, strict=True)):
        split = table.splits[at] if table.splits is not None else None
        shown[split] = shown.get(split, 0) + 1
        if shown[split] <= ROWS:
            text = None if label is None else table.kind.text(table.kind.names(label))
            rows.append(PreviewRow(file, text, split))
    order = [None, *SPLIT_NAMES]
    rows.sort(key=lambda row: order.index(row.split))
    reading = table.reading or Reading("a dataset")
    return Preview(describe_source(source), reading, list(table.notes), rows)
