"""What lies in a folder, listed once, and which file a name in a table or annotation means."""

from __future__ import annotations

import os
import posixpath
import unicodedata
import urllib.parse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path, PurePosixPath

from hf_vft.data.images import IMAGE_SUFFIXES
from hf_vft.data.sources.folder_words import is_container, is_mask_name, split_in_words
from hf_vft.data.sources.folders import visible_walk
from hf_vft.data.sources.table import canonical_split


@dataclass(frozen=True)
class Match:
    """The file that a name was matched with.

    Attributes:
        file: From the root of the listing; None where there is no such image.
        how: ``written``, ``ending`` (without one), ``below`` (folders in between), ``tail`` (only
            the end of the path agrees) or, without a file, ``none`` or ``several``.
        others: How many images could be meant where that is more than one.
    """

    file: str | None
    how: str
    others: int = 0


@dataclass(frozen=True)
class Listing:
    """The visible files below a folder.

    Attributes:
        root: The folder.
        files: Paths from the root with forward slashes, sorted.
        empty: Folders without anything visible in them.
        shown: What the folder is called in messages; an archive has its own name.
    """

    root: Path
    files: tuple[str, ...]
    empty: tuple[str, ...] = ()
    shown: str = ""
    _below: dict[str, Listing] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, root: Path, shown: str = "") -> Listing:
        """List a folder; links are followed, and no folder is entered twice."""
        files: list[str] = []
        empty: list[str] = []
        for here, folders, names in visible_walk(root):
            inside = os.path.relpath(here, root).replace(os.sep, "/")
            prefix = "" if inside == "." else f"{inside}/"
            files += [prefix + name for name in names]
            if not names and not folders and prefix:
                empty.append(inside)
        return cls(root, tuple(sorted(files)), tuple(sorted(empty)), shown)

    @property
    def name(self) -> str:
        """The folder, for messages."""
        return self.shown or str(self.root)

    def path(self, file: str) -> Path:
        """The path of a listed file."""
        return self.root / file

    def ending(self, *suffixes: str) -> list[str]:
        """The files whose names end so; suffixes in lower case."""
        return [file for file in self.files if file.casefold().endswith(suffixes)]

    def below(self, folder: str) -> Listing:
        """The part below a folder, with paths from there."""
        if not folder:
            return self
        if folder not in self._below:
            prefix = f"{folder}/"
            files = tuple(f.removeprefix(prefix) for f in self.files if f.startswith(prefix))
            self._below[folder] = Listing(self.root / folder, files, (), self.shown)
        return self._below[folder]

    def without(self, patterns: Sequence[str]) -> tuple[Listing, int]:
        """The files that no pattern matches, by name, folder or path; and the number of others."""
        files = tuple(file for file in self.files if not _fits(file, patterns))
        return replace(self, files=files, _below={}), len(self.files) - len(files)

    @cached_property
    def images(self) -> list[str]:
        """The files whose names end like those of images."""
        return [file for file in self.files if has_image_suffix(file)]

    @cached_property
    def by_folder(self) -> dict[str, list[str]]:
        """The files that lie in each folder; the root is the empty text."""
        by_folder: dict[str, list[str]] = defaultdict(list)
        for file in self.files:
            by_folder[posixpath.dirname(file)].append(file)
        return dict(by_folder)

    @cached_property
    def image_set(self) -> frozenset[str]:
        """The same as a set."""
        return frozenset(self.images)

    @cached_property
    def _tails(self) -> dict[str, list[str]]:
        """Images by file name and by file name without its ending, in one spelling of accents."""
        by_tail: dict[str, list[str]] = defaultdict(list)
        for file in self.images:
            name = unicodedata.normalize("NFC", posixpath.basename(file))
            by_tail[name].append(file)
            stem = posixpath.splitext(name)[0]
            by_tail["/" + stem].append(file)
        return dict(by_tail)

    def find(self, name: str, folder: str = "", hints: Sequence[str] = ()) -> Match:
        """The image that a name means.

        Tried in this order: as written from ``folder`` and from the root; the whole file name, at
        the end of the longest part of the path that fits; the same without the ending.

        Args:
            name: As written in a table or annotation; slashes of any kind, other accents, URL
                escapes and paths of another machine are allowed.
            folder: Where the file that names it lies, from the root.
            hints: Folders that are tried first, from ``folder`` or the root.
        """
        plain = _plain(name)
        for spelling in dict.fromkeys((plain, unicodedata.normalize("NFC", plain),
                                       unicodedata.normalize("NFD", plain))):  # fmt: skip
            for start in (folder, ""):
                for hint in (*hints, ""):
                    joined = posixpath.normpath(posixpath.join(start, hint, spelling))
                    if joined in self.image_set:
                        return Match(joined, "written")
        match = self._by_tail(plain)
        if match.how == "several":
            match = self._below_hint(plain, folder, hints) or match
        if match.how == "none" and "%" in plain:
            match = self._by_tail(_plain(urllib.parse.unquote(plain)))
        return self._in_any_case(plain) if match.how == "none" else match

    def _below_hint(self, plain: str, folder: str, hints: Sequence[str]) -> Match | None:
        """The only image of a name below one of the folders tried first, or that of the table."""
        tried = [posixpath.normpath(posixpath.join(s, h)) for s in (folder, "") for h in hints]
        for inside in [*tried, *([folder] if folder else [])]:
            match = self.below(inside)._by_tail(plain)
            if match.file is not None:
                return Match(f"{inside}/{match.file}", match.how)
        return None

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        by_name: dict[str, list[str]] = defaultdict(list)
        for file in self.images:
            by_name[posixpath.basename(file).casefold()].append(file)
        return dict(by_name)

    def _in_any_case(self, plain: str) -> Match:
        """Names that differ in capitals alone, as Windows takes them for the same."""
        parts = PurePosixPath(unicodedata.normalize("NFC", plain)).parts
        return _best(parts, self._folded.get(parts[-1].casefold(), []) if parts else [], "below")

    def named(self, name: str) -> list[str]:
        """The images whose file name is that of ``name``, with its ending or without."""
        last = unicodedata.normalize("NFC", posixpath.basename(_plain(name)))
        return self._tails.get(last) or self._tails.get("/" + last, [])

    def _by_tail(self, plain: str) -> Match:
        parts = PurePosixPath(unicodedata.normalize("NFC", plain)).parts
        if not parts:
            return Match(None, "none")
        whole, bare = self._tails.get(parts[-1], []), self._tails.get("/" + parts[-1], [])
        for how, candidates in (("below", whole), ("ending", bare)):
            match = _best(parts, candidates, how)
            if match.how != "none":
                return match
        if has_image_suffix(parts[-1]):  # converted to another format since
            stem = posixpath.splitext(parts[-1])[0]
            return _best((*parts[:-1], stem), self._tails.get("/" + stem, []), "ending")
        return Match(None, "none")


def has_image_suffix(name: str) -> bool:
    """Whether a name ends like that of an image."""
    return posixpath.splitext(name)[1].casefold() in IMAGE_SUFFIXES


def _fits(file: str, patterns: Sequence[str]) -> bool:
    parts = file.split("/")
    paths = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return any(fnmatch(text, pattern.rstrip("/")) for pattern in patterns for text in parts + paths)


def _plain(name: str) -> str:
    plain = name.strip().replace("\\", "/").removeprefix("file://")
    if plain[1:3] == ":/":
        plain = plain[2:]
    return posixpath.normpath(plain) if plain else ""


def _best(parts: Sequence[str], candidates: list[str], how: str) -> Match:
    """The candidate with the longest end in common; those that contradict the name are none."""
    scored = [(_agreement(parts, file), file) for file in candidates]
    fitting = [(score, file) for score, file in scored if score > 0]
    if not fitting:
        return Match(None, "none")
    top = max(score for score, _ in fitting)
    best = [file for score, file in fitting if score == top]
    if len(best) > 1:
        plain = [file for file in best if not any(map(is_mask_name, file.split("/")[:-1]))]
        best = plain if len(plain) == 1 else best
    if len(best) > 1:
        return Match(None, "several", len(best))
    depth = len(PurePosixPath(best[0]).parts)
    tail = top < len(parts) if how == "below" else False
    return Match(best[0], "tail" if tail and depth <= len(parts) else how)


def _agreement(parts: Sequence[str], file: str) -> int:
    """How many parts at the end of both agree; 0 where their folders contradict each other.

    A name agrees with a file where one of them is the end of the other; folders that only say
    "images here" do not count. So ``camC/1.jpg`` is not ``camA/1.jpg``, and
    ``/home/me/images/1.jpg`` may be ``photos/1.jpg``.
    """
    actual = PurePosixPath(unicodedata.normalize("NFC", file)).parts
    named, lying = parts[:-1][::-1], actual[:-1][::-1]
    agreed = 1
    for expected, other in zip(named, lying, strict=False):
        if expected.casefold() != other.casefold():
            break
        agreed += 1
    rest_named = [part for part in named[agreed - 1 :] if not _says_nothing(part)]
    rest_lying = [part for part in lying[agreed - 1 :] if not _says_nothing(part)]
    return 0 if rest_named and rest_lying else agreed


def _says_nothing(folder: str) -> bool:
    return folder in ("/", "..", ".") or folder.isdigit() or is_container(folder)


def split_of_path(parts: Sequence[str]) -> str | None:
    """The split that the folders of a file tell of, the outermost first."""
    for part in parts:
        words = split_in_words(part)
        if words is not None:
            return words[0]
    return None


def unwrapped(listing: Listing) -> Listing:
    """The only folder inside of a folder, and so on, whatever is said about the data beside it."""
    tops = {file.split("/", 1)[0] for file in listing.files if "/" in file}
    beside = [file for file in listing.files if "/" not in file]
    if len(tops) != 1 or not all(map(_is_about, beside)):
        return listing
    [only] = tops
    inside = listing.below(only)
    holds_folders = any("/" in file for file in inside.files)
    if canonical_split(only) is not None or not holds_folders or only == "images":
        return listing
    return unwrapped(inside)


def _is_about(file: str) -> bool:
    """Whether a file is a text about the data."""
    stem, suffix = posixpath.splitext(file.casefold())
    about = ("readme", "license", "licence", "citation", "changelog", "copyright", "about")
    return stem.startswith(about) or suffix in (".md", ".pdf", ".rst", ".html", ".docx")
