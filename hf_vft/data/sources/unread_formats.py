"""Formats that are known but not read, so that who has one is told which export to take."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_vft.data.sources.listing import Listing

_BOX_EXPORTS = "export COCO, Pascal VOC or YOLO from the tool"
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class UnreadFormat:
    """A format that is not read.

    Attributes:
        title: For people.
        recognise: The first file of it in a folder, from its root; None where there is none.
        advice: What to do.
    """

    title: str
    recognise: Callable[[Listing], str | None]
    advice: str = _BOX_EXPORTS


def first_json(suffix: str, fits: Callable[[Any], bool]) -> Callable[[Listing], str | None]:
    """Looks for a JSON file of some content among the first few in every folder."""

    def recognise(listing: Listing) -> str | None:
        for file in _some(listing.ending(suffix)):
            content = read_json(listing.path(file))
            if content is not None and fits(content):
                return file
        return None

    return recognise


def read_json(file: Path) -> Any | None:
    """The content of a JSON file; None where it is none or a very large one."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        return json.loads(file.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError):
        return None


def first_text(fits: Callable[[list[str]], bool]) -> Callable[[Listing], str | None]:
    """Looks for a text file whose first line fits, among the first few."""

    def recognise(listing: Listing) -> str | None:
        for file in _some(listing.ending(".txt")):
            try:
                with listing.path(file).open(encoding="utf-8", errors="replace") as opened:
                    words = opened.readline(2000).split()
            except OSError:
                continue
            if words and fits(words):
                return file
        return None

    return recognise


def first_csv(fits: Callable[[str], bool]) -> Callable[[Listing], str | None]:
    """Looks for a CSV whose header fits, among the first few."""

    def recognise(listing: Listing) -> str | None:
        for file in _some(listing.ending(".csv")):
            try:
                with listing.path(file).open(encoding="utf-8", errors="replace") as opened:
                    header = opened.readline(2000).casefold()
            except OSError:
                continue
            if fits(header):
                return file
        return None

    return recognise


def first_named(*suffixes: str) -> Callable[[Listing], str | None]:
    """Looks for a file whose name ends so."""
    return lambda listing: next(iter(listing.ending(*suffixes)), None)


def _some(files: list[str]) -> list[str]:
    return files[:3] + files[len(files) // 2 :][:2]


def _keys(content: Any) -> set[str]:
    if isinstance(content, list):
        content = next((one for one in content if isinstance(one, dict)), {})
    return set(content) if isinstance(content, dict) else set()


def is_number(word: str) -> bool:
    """Whether a word is a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_vott(content: Any) -> bool:
    keys = _keys(content)
    return {"asset", "regions"} <= keys or {"assets", "tags"} <= keys


UNREAD: tuple[UnreadFormat, ...] = (
    UnreadFormat(
        "VoTT's own JSON", first_json(".json", _is_vott), "export Pascal VOC, CSV or TFRecord"
    ),
    UnreadFormat(
        "V7 Darwin's own JSON",
        first_json(".json", lambda content: {"item", "annotations"} <= _keys(content)),
        "export COCO, Pascal VOC, CVAT or YOLO",
    ),
    UnreadFormat(
        "SuperAnnotate's own JSON",
        first_json(".json", lambda content: {"metadata", "instances"} <= _keys(content)),
        "export COCO, Pascal VOC or YOLO",
    ),
    UnreadFormat(
        "a description of segmentation (nnU-Net, MONAI)",
        first_json("dataset.json", lambda content: "training" in _keys(content)),
        "classes or boxes are learned, no masks",
    ),
    UnreadFormat(
        "a list of mask values (semantic segmentation)",
        first_csv(lambda header: header.startswith("pixel value")),
        "classes or boxes are learned, no masks",
    ),
    UnreadFormat("a spreadsheet", first_named(".xlsx", ".xls", ".ods"), "save it as CSV"),
)
"""The formats, the most specific first."""
