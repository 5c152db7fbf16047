"""Finds the files that the rows of a table name."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from hf_vft.data.sources.listing import Listing, Match, has_image_suffix
from hf_vft.errors import DataError
from hf_vft.utils.text import counted, few

_HOW = {
    "ending": "names without their ending",
    "below": "names found in the folders below",
    "tail": "paths of another place, found by their end",
}


@dataclass(frozen=True)
class FoundFiles:
    """The files of the rows of a table.

    Attributes:
        paths: Where each image lies; where one is missing, where it should.
        how: How often each way of finding was needed, keys as in `Match`.
        missing: Rows without an image.
    """

    paths: list[str]
    how: Counter[str]
    missing: list[int]

    @property
    def matched(self) -> str:
        """A description of how the names were matched; empty if they are as written."""
        ways = [_HOW[way] for way in _HOW if self.how[way]]
        return f"images matched by {' and '.join(ways)}" if ways else ""


@dataclass
class Finder:
    """Finds images by the names in a table.

    Attributes:
        base: The folder that names are relative to.
        listing: Of the folder in which images are looked for; made from ``base`` when it is
            first needed.
        folder: Of the table, from the root of the listing.
        contained: Whether no name may lead out of the listing.
        hint: A folder that is looked into first, from the root.
    """

    base: Path
    listing: Listing | None = None
    folder: str = ""
    contained: bool = False
    hint: str = ""
    _entries: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    @cached_property
    def tree(self) -> Listing:
        """The folder in which images are looked for."""
        return self.listing if self.listing is not None else Listing.of(self.base)

    def one(self, name: str) -> Match:
        """The image that one name means; ``file`` is a path as `FoundFiles` has it."""
        if "\0" not in name:
            for spelling in _spellings(name):
                path = self._written(spelling)
                if path is not None:
                    return Match(path, "written")
        hints = [self.hint] if self.hint else []
        match = self.tree.find(name, self.folder, hints)
        return match if match.file is None else Match(self._path(match.file), match.how)

    def all(self, names: Sequence[str]) -> FoundFiles:
        """The images of all rows.

        Raises:
            DataError: If a name leads out of an archive, or could mean several images.
        """
        paths: list[str] = []
        how: Counter[str] = Counter()
        missing: list[int] = []
        for row, name in enumerate(names):
            if self.contained and _leads_out(name):
                raise DataError(f"{name!r} leads out of the archive; refused.")
            match = self.one(name)
            if match.how == "several":
                raise self._several(name, match.others)
            how[match.how] += 1
            if match.file is None:
                missing.append(row)
            paths.append(match.file or os.path.join(self.base, name))  # noqa: PTH118
        return FoundFiles(paths, how, missing)

    def _several(self, name: str, number: int) -> DataError:
        held = self.tree.named(name)
        tops = Counter(file.split("/", 1)[0] for file in held if "/" in file).most_common()
        other = (
            f", or leave folders out, as with --set data.leave_out=[{tops[0][0]}]" if tops else ""
        )
        return DataError(
            f"{name!r} could be {number} images below {self.tree.name} ({few(held, 2)}): name the "
            f"folder in the table{other if len(tops) > 1 else ''}."
        )

    def share(self, names: Sequence[str]) -> float:
        """The share of some names that are those of one image or several."""
        safe = [name for name in names if not (self.contained and _leads_out(name))]
        n_matched = sum(self.one(name).how != "none" for name in safe)
        return n_matched / len(names) if names else 0.0

    def refuse_if_none(self, matched: FoundFiles, names: Sequence[str], table: str) -> None:
        """Stop where not one of the named images is there."""
        if len(matched.missing) < len(names) or not names:
            return
        beside = counted(len(self.tree.images), "image")
        raise DataError(
            f"{table}: None of {counted(len(names), 'image')} is there; the first is "
            f"{names[0]!r}, looked for as written and by its end below {self.tree.name} "
            f"({beside})."
        )

    def _path(self, file: str) -> str:
        return os.path.join(self.tree.root, file)  # noqa: PTH118

    def _written(self, name: str) -> str | None:
        """The path of a name from the base, if it is there; each folder is looked into once."""
        if self.contained and _leads_out(name):
            return None
        path = os.path.join(self.base, name)  # noqa: PTH118
        folder, last = os.path.split(path)
        if folder not in self._entries:
            self._entries[folder] = _names_in(folder)
        if last not in self._entries[folder]:
            return None
        plain = has_image_suffix(last) or os.path.isfile(path)  # noqa: PTH113
        return path if plain else None


def short_names(paths: Iterable[str], base: str) -> list[str]:
    """Names that do not say where the data lies: relative to ``base``, or to what they share."""
    prefix = base.rstrip("/") + "/"
    relative = [_relative(path, prefix, base) for path in paths]
    if not all(name.startswith("../") for name in relative):
        return relative
    shared = posixpath.commonpath([posixpath.dirname(name) for name in relative])
    return [posixpath.relpath(name, shared) for name in relative]


def _relative(path: str, prefix: str, base: str) -> str:
    plain = path.startswith(prefix) and "/../" not in path and "/./" not in path
    rest = path[len(prefix) :]
    return rest if plain and "//" not in rest else posixpath.relpath(path, base)


def _spellings(name: str) -> list[str]:
    """A name as written, then without blanks, with other slashes, and with other accents."""
    if name.isascii() and "\\" not in name and name == name.strip():
        return [name]
    others = (
        name,
        name.strip(),
        name.strip().replace("\\", "/"),
        unicodedata.normalize("NFC", name),
        unicodedata.normalize("NFD", name),
    )
    return list(dict.fromkeys(others))


def _names_in(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except (OSError, ValueError):
        return frozenset()


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or "\0" in name
