"""Decides which column of a table names the image, which holds the label, which the split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import datasets

from hf_vft.data.sources.box_columns import BoxColumns, box_columns_of, box_struct
from hf_vft.data.sources.column_facts import TRUE, ColumnFacts
from hf_vft.data.sources.column_names import (
    FLAG_SPLITS,
    ID_NAMES,
    IMAGE_NAMES,
    LABEL_NAMES,
    SHORT_SPLITS,
    SPLIT_NAMES,
    SURE_SPLIT_NAMES,
    plain_name,
)
from hf_vft.data.sources.folder_words import split_in_words
from hf_vft.data.sources.label_evidence import FOLDER, from_evidence, text_option
from hf_vft.data.sources.reading import Guess, ask
from hf_vft.data.sources.table import canonical_split
from hf_vft.errors import DataError, MissingColumnError
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import quoted

NONE = "none"
"""As ``data.split_column``: whatever splits there are, divide all images anew."""
FROM_SOURCE = "source"
"""What ``auto`` becomes where the source says it in another way than by a column."""
_ARE_FILES = 0.5
"""From this share of values that are names of files on, a column names the images."""

Share = Callable[[str], float]
"""Which share of a column's values are names of files that are there."""


@dataclass(frozen=True)
class Columns:
    """The parts that the columns of one table play; None where no column does.

    Attributes:
        image: Names or holds the image.
        label: A class, a list of classes, or boxes.
        split: Train, validation or test.
        group: What must not be torn apart.
        flags: One column of 0 and 1 for each class, in place of ``label``.
        boxes: Columns with the corners of a box a row.
        guesses: What was concluded from evidence.
    """

    image: str
    label: str | None
    split: str | None
    group: str | None
    flags: tuple[str, ...] = ()
    boxes: BoxColumns | None = None
    guesses: tuple[Guess, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether any column holds labels."""
        return self.label is not None or bool(self.flags) or self.boxes is not None


@dataclass(frozen=True)
class ImageColumn:
    """The column of images.

    Attributes:
        name: Its name.
        sure: Whether the recipe, its type or its name says so.
        guesses: What was concluded from evidence.
    """

    name: str
    sure: bool = True
    guesses: tuple[Guess, ...] = ()


def decide_columns(
    facts: Mapping[str, ColumnFacts],
    config: DataConfig,
    image: ImageColumn,
    *,
    kind: str | None,
    where: str,
    folders: Sequence[str] = (),
) -> Columns:
    """Decide by what the recipe names, by type, by usual names, then by what the columns hold.

    One conclusion from evidence alone is drawn and said; where two readings are as plausible, or
    neither image nor label has a usual name, a person is asked.

    Args:
        facts: Of each column.
        config: What the recipe names.
        image: See `image_column`.
        kind: What the labels have to be; None takes what is there, a class before boxes.
        where: The source, for messages.
        folders: The class folders that the images may lie in, where those could be the labels.

    Raises:
        AmbiguousSourceError: If several columns, or columns and folders, could be the labels.
        DataError: If a named column is missing, none fits or several do; names the columns.
    """
    names = list(facts)
    for name in config.slice_columns:
        _require(name, names, "data.slice_columns")
    if config.group_column is not None:
        _require(config.group_column, names, "data.group_column")
    guesses = image.guesses
    split = _split(facts, config, {image.name})
    played = {image.name, split, config.group_column, *config.slice_columns} - {None}
    flags = () if config.label_columns == "auto" else tuple(config.label_columns)
    for name in flags:
        _require(name, names, "data.label_columns")
    label, boxes = None, None
    if not flags:
        label, boxes = _named_label(facts, config, kind, played - {*config.slice_columns}, where)
    open_ = not flags and label is None and boxes is None and _is_open(config)
    if open_ and not image.sure:
        raise _no_image(names, image.name)
    if open_ and kind != "boxes":
        rest = {name: fact for name, fact in facts.items() if name not in played}
        label, flags, more = from_evidence(rest, kind, where, folders)
        guesses = (*guesses, *more)
    return Columns(image.name, label, split, config.group_column, flags, boxes, guesses)


def _is_open(config: DataConfig) -> bool:
    return config.label_columns == "auto" and config.label_column in ("auto", FROM_SOURCE)


def image_column(
    facts: Mapping[str, ColumnFacts], config: DataConfig, share: Share | None = None
) -> ImageColumn:
    """The column of images: by the recipe, its type, its name, or because it names files.

    Args:
        facts: Of each column.
        config: What the recipe names.
        share: Which share of the values of a column are files; None where none are named.

    Raises:
        DataError: If none fits, or several do; names the columns.
    """
    names = list(facts)
    if config.image_column not in ("auto", FROM_SOURCE):
        return ImageColumn(_require(config.image_column, names, "data.image_column"))
    typed = [name for name in names if isinstance(facts[name].feature, datasets.Image)]
    if len(typed) == 1:
        return ImageColumn(typed[0])
    usual = [name for name in names if facts[name].plain in IMAGE_NAMES]
    if len(usual) == 1:
        return ImageColumn(usual[0])
    texts = [name for name in names if _may_name_files(facts[name])]
    shares = {name: share(name) for name in usual or texts} if share is not None else {}
    files = [name for name, share in shares.items() if share >= _ARE_FILES]
    if usual:
        if len(files) >= 1:
            reason = f"Columns {quoted(usual)} could name the images, and {files[0]!r} names files"
            return ImageColumn(files[0], True, (Guess("data.image_column", files[0], reason),))
        raise DataError(
            f"Several columns could be the image: {quoted(usual)}; choose one with "
            "data.image_column."
        )
    known = [name for name in files if facts[name].plain in ID_NAMES]
    best = max(known or files, key=lambda name: shares[name], default=None)
    if best is None:
        raise _no_image(names, None)
    reason = f"The values of column {best!r} are names of images"
    return ImageColumn(best, bool(known), (Guess("data.image_column", best, reason),))


def _may_name_files(fact: ColumnFacts) -> bool:
    """Whether the values may be names; numbers are only where the column is called so."""
    called_so = fact.plain in ID_NAMES or (
        fact.plain.endswith("id") and fact.distinct * 2 > fact.rows
    )
    return (fact.is_text and not fact.is_number) or (fact.is_scalar and called_so)


def _no_image(names: Sequence[str], files: str | None) -> DataError:
    hint = f" ({files!r} holds names of images)" if files is not None else ""
    return DataError(
        f"No column names the images: set data.image_column to one of {quoted(names)}{hint}."
    )


def _split(facts: Mapping[str, ColumnFacts], config: DataConfig, played: set[str]) -> str | None:
    names = list(facts)
    if config.split_column == NONE:
        return None
    if config.split_column not in ("auto", FROM_SOURCE):
        return _require(config.split_column, names, "data.split_column")
    sure = [n for n in names if facts[n].plain in SURE_SPLIT_NAMES and n not in played]
    if len(sure) > 1:
        raise DataError(
            f"Several columns could be the split: {quoted(sure)}; choose one with "
            "data.split_column."
        )
    if sure:
        return sure[0]
    for name in names:
        fact = facts[name]
        usual = fact.plain in SPLIT_NAMES and name not in played
        if usual and fact.counts and all(split_value(name, value) for value in fact.counts):
            return name
        if name not in played and fact.is_flag and _divides(fact):
            return name
    return None


def split_value(column: str, value: str | None) -> str | None:
    """The split that a value of a column means: ``PublicTest``, or 1 in ``is_train``."""
    if plain_name(column) in FLAG_SPLITS:
        yes, no = FLAG_SPLITS[plain_name(column)]
        return yes if str(value).casefold().removesuffix(".0") in TRUE else no
    words = None if value is None else split_in_words(value)
    short = None if value is None else SHORT_SPLITS.get(value.strip().casefold())
    return canonical_split(value) or (words[0] if words is not None else short)


def _divides(fact: ColumnFacts) -> bool:
    """Whether a column of 0 and 1 says which images are held out.

    ``is_valid`` may also mean that an image is a good one: then most of them are.
    """
    if fact.plain not in FLAG_SPLITS:
        return False
    raised = sum(n for value, n in fact.counts.items() if value.casefold() in TRUE)
    return FLAG_SPLITS[fact.plain][0] == "train" or raised * 2 < fact.rows


def _named_label(
    facts: Mapping[str, ColumnFacts],
    config: DataConfig,
    kind: str | None,
    played: set[Any],
    where: str,
) -> tuple[str | None, BoxColumns | None]:
    """What the recipe names, or a type or usual name says."""
    names = list(facts)
    structs = _box_structs(facts)
    if config.label_column not in ("auto", FROM_SOURCE):
        if config.label_column == FOLDER and FOLDER not in names:
            return None, None
        label = _require(config.label_column, names, "data.label_column")
        boxes = None if kind in ("class", "classes") else box_columns_of(facts, label)
        return label, boxes
    if kind in (None, "boxes"):
        boxes = box_columns_of(facts, None)
        if boxes is not None:
            return boxes.label, boxes
    if kind == "boxes":
        return (structs[0] if structs else None), None
    typed = [name for name in names if isinstance(facts[name].feature, datasets.ClassLabel)]
    if len(typed) == 1:
        return typed[0], None
    usual = [n for n in names if facts[n].plain in LABEL_NAMES and n not in played]
    if len(usual) > 1:
        options = [text_option(facts[name]) for name in usual]
        raise ask(where, "several columns could hold the labels.", options)
    if usual:
        return usual[0], None
    return (structs[0] if structs and kind != "class" and kind != "classes" else None), None


def _box_structs(facts: Mapping[str, ColumnFacts]) -> list[str]:
    return box_struct({name: fact.feature for name, fact in facts.items()})


def refuse_columns(config: DataConfig, source: str) -> None:
    """Stop where the recipe names a column of a source that has none."""
    flags = [] if config.label_columns == "auto" else config.label_columns
    named = [config.image_column, config.label_column, config.group_column, *config.slice_columns]
    named += flags
    for name in (*named, config.split_column):
        if name not in (None, "auto", NONE, FROM_SOURCE, FOLDER):
            message = f"{source} has no column {name!r}: describe it in a metadata.csv."
            raise MissingColumnError(message, str(name))


def require_label(names: Sequence[str]) -> NoReturn:
    """Stop because no column holds the labels."""
    choice = f"set data.label_column to one of {quoted(names)}" if names else "add one"
    raise DataError(f"No column holds the labels: {choice}.")


def _require(name: str, names: Sequence[str], setting: str) -> str:
    if name not in names:
        message = f"{setting}: no column {name!r}; there are {quoted(names)}."
        raise MissingColumnError(message, name)
    return name
