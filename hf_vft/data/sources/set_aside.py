"""Folders and files among images that do not belong to the data: masks, annotations, copies."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hf_vft.data.sources.folder_words import (
    MASKS,
    THUMBNAILS,
    is_container,
    is_mask_name,
    is_unlabelled_beside,
    mask_base,
    split_in_words,
    words_of,
)
from hf_vft.data.sources.listing import Listing, has_image_suffix
from hf_vft.data.sources.reading import LeftOut
from hf_vft.data.sources.table import canonical_split
from hf_vft.data.sources.unread_formats import RAW_PHOTOS
from hf_vft.recipe.schema import DataConfig
from hf_vft.utils.text import counted, few

_NEVER_IMAGES = frozenset({
    ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".md", ".html", ".url", ".lnk",
    ".xmp", ".aae", ".thm", ".mov", ".mp4", ".avi", ".3gp", ".mp3", ".wav", ".m4a",
})  # fmt: skip
"""Endings of files that lie among images without ever being meant for one."""

MASKS_OR_ANNOTATIONS = "masks or annotations"
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"RIFF", b"P5", b"P6")


@dataclass(frozen=True)
class SetAside:
    """The files that remain to be read, and those that were set aside.

    Attributes:
        images: Images in each folder that is read; the root is the empty text.
        skipped: Files in those folders that are not read.
        left_out: What is not read.
        notes: One line per doubtful thing.
    """

    images: dict[str, int]
    skipped: frozenset[str]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    def files_of(self, listing: Listing, folder: str) -> list[str]:
        """The files of a folder that are read as images."""
        files = [file for file in listing.by_folder.get(folder, []) if file not in self.skipped]
        return files if folder else [file for file in files if has_image_suffix(file)]


def set_aside(listing: Listing, config: DataConfig) -> SetAside:
    """Leave out masks, annotations and copies, where ``data.leave_out`` says nothing."""
    if config.leave_out is not None:  # what is asked for is gone from the listing already
        return _counted(listing, frozenset(), set(), [], [])
    left_out: list[LeftOut] = []
    notes: list[str] = []
    tree = _children(listing.by_folder)
    folders = _mask_folders(listing, tree) | _inside_images(listing, tree) | _copies(tree)
    for folder, (reason, number) in sorted(_with_reasons(listing, folders).items()):
        left_out.append(LeftOut(folder, reason, number, "image" if number else "file"))
    masks = _masks_beside(listing)
    if masks:
        example = posixpath.basename(min(masks))
        left_out.append(LeftOut(f"masks such as {example}", "named as another image", len(masks)))
        notes.append(
            f"Not used, because they are masks of other images: {counted(len(masks), 'file')}, "
            f"e.g. {min(masks)}; set data.leave_out=[] to take them for images."
        )
    beside, strays, raw = _sidecars(listing)
    for files, reason in ((strays, "no images"), (raw, "raw photographs, which are not read")):
        if files:
            example = posixpath.basename(min(files))
            left_out.append(LeftOut(f"files such as {example}", reason, len(files), "file"))
    return _counted(listing, masks | beside | strays | raw, set(folders), left_out, notes)


def _children(by_folder: Iterable[str]) -> dict[str, list[str]]:
    """The folders right inside of each folder that has files somewhere below."""
    children: dict[str, set[str]] = defaultdict(set)
    for folder in by_folder:
        while folder:
            outer, name = posixpath.split(folder)
            children[outer].add(name)
            folder = outer
    return {folder: sorted(names) for folder, names in children.items()}


def _mask_folders(listing: Listing, tree: dict[str, list[str]]) -> dict[str, str]:
    """Folders of masks or annotations, known by their names and by those beside them."""
    reasons: dict[str, str] = {}
    for outer, names in tree.items():
        for name in names:
            if is_mask_name(name) and (
                any(_partners(name, other) for other in names)
                or _named_after(name, names, outer, listing)
            ):
                reasons[posixpath.join(outer, name)] = MASKS_OR_ANNOTATIONS
            if any(is_unlabelled_beside(name, other) for other in names):
                reasons[posixpath.join(outer, name)] = "without labels"
    return reasons


def _inside_images(listing: Listing, tree: dict[str, list[str]]) -> dict[str, str]:
    """Folders of masks or thumbnails of the very images that they lie beside."""
    reasons: dict[str, str] = {}
    for outer, names in tree.items():
        suspects = [n for n in names if n.casefold() in THUMBNAILS or is_mask_name(n)]
        if not suspects:
            continue
        stems = _image_stems(listing, outer)
        for name in suspects:
            folder = posixpath.join(outer, name)
            inner = _image_stems(listing, folder)
            same = sum(stem in stems or mask_base(stem) in stems for stem in inner)
            if same * 2 > len(inner):
                small = name.casefold() in THUMBNAILS
                reasons[folder] = "thumbnails" if small else MASKS_OR_ANNOTATIONS
    return reasons


def _image_stems(listing: Listing, folder: str) -> set[str]:
    """The names without their ending of the images that lie right in a folder."""
    files = filter(has_image_suffix, listing.by_folder.get(folder, []))
    return {posixpath.splitext(posixpath.basename(file))[0] for file in files}


def _named_after(name: str, names: Sequence[str], outer: str, listing: Listing) -> bool:
    """Whether most images of a folder are called like those of a sister, with ``_mask`` behind."""
    bases = [mask_base(stem) for stem in _image_stems(listing, posixpath.join(outer, name))]
    if None in bases or not bases:
        return False
    others = [_image_stems(listing, posixpath.join(outer, o)) for o in names if not is_mask_name(o)]
    return any(sum(base in stems for base in bases) * 2 > len(bases) for stems in others)


def _partners(name: str, other: str) -> bool:
    """Whether ``name`` holds what belongs to the images of ``other``."""
    if name == other or is_mask_name(other):
        return False
    of_name, of_other = split_in_words(name), split_in_words(other)
    if of_name is not None and of_other is not None:
        return of_name[0] == of_other[0] and (not of_other[1] or is_container(of_other[1]))
    words = [word for word in words_of(name) if not word.isdigit()]
    if "".join(words) not in MASKS and not all(map(is_mask_name, words)):
        return False
    return is_container(other)


def _copies(tree: dict[str, list[str]]) -> dict[str, str]:
    """Folders that hold the folders beside them once more."""
    reasons: dict[str, str] = {}
    for outer, names in tree.items():
        for name in names:
            sisters = {other.casefold() for other in names if other != name}
            inner = {
                name_inside.casefold() for name_inside in tree.get(posixpath.join(outer, name), [])
            }
            common = len(inner & sisters)
            if canonical_split(name) is None and common >= 2 and common >= len(sisters) / 2:
                reasons[posixpath.join(outer, name)] = "its folders are called as those beside it"
    return reasons


def _with_reasons(listing: Listing, folders: dict[str, str]) -> dict[str, tuple[str, int]]:
    counts = dict.fromkeys(folders, 0)
    if folders:
        for image in listing.images:
            for above in _above(posixpath.dirname(image)):
                if above in counts:
                    counts[above] += 1
    return {folder: (reason, counts[folder]) for folder, reason in folders.items()}


def _above(folder: str) -> Iterator[str]:
    """A folder and those that it lies in, without the root."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def _masks_beside(listing: Listing) -> frozenset[str]:
    """Images called like another one of their folder, with ``_mask`` or the like behind."""
    masks: set[str] = set()
    for files in listing.by_folder.values():
        stems = {posixpath.splitext(posixpath.basename(file))[0]: file for file in files}
        for stem, file in stems.items():
            base = mask_base(stem)
            if base is not None and base in stems and has_image_suffix(file):
                masks.add(file)
    return frozenset(masks)


def _sidecars(listing: Listing) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Files in class folders that are not meant for images.

    Returns:
        Those with the name of an image and another ending, such as captions and annotations;
        other texts and videos, such as those that telephones and Google Takeout leave; and raw
        photographs without such an image.
    """
    beside: set[str] = set()
    strays: set[str] = set()
    raw: set[str] = set()
    for files in listing.by_folder.values():
        images = set(filter(has_image_suffix, files))
        stems = {posixpath.splitext(file)[0] for file in images}
        for file in files if images else ():
            stem, suffix = posixpath.splitext(file)
            if file in images:
                continue
            if stem in stems:
                beside.add(file)
            elif suffix.casefold() in _NEVER_IMAGES and posixpath.dirname(file):
                strays.add(file)
            elif suffix.casefold() in RAW_PHOTOS:
                raw.add(file)
    return frozenset(beside), frozenset(strays), frozenset(raw)


def _counted(
    listing: Listing,
    skipped: frozenset[str],
    folders: set[str],
    left_out: list[LeftOut],
    notes: list[str],
) -> SetAside:
    images: dict[str, int] = {}
    empty: dict[str, int] = {}
    for folder, files in listing.by_folder.items():
        if any(above in folders for above in _above(folder)):
            continue
        remaining = [file for file in files if file not in skipped]
        number = sum(map(has_image_suffix, remaining))
        if (
            not number
            and folder
            and any(_looks_like_image(listing, file) for file in remaining[:3])
        ):
            number = len(remaining)
        if number:
            images[folder] = number
        elif folder and remaining:
            empty[folder] = len(remaining)
    around = {above for folder in images for above in _above(folder)}
    lone = {folder: n for folder, n in empty.items() if folder not in around}
    notes = [*notes, *(f"Folder {folder} is empty." for folder in listing.empty)]
    left_out += [LeftOut(f, "no images", n, "file") for f, n in sorted(lone.items())]
    if lone:
        notes.append(f"Not used, because without an image: folders {few(sorted(lone))}.")
    return SetAside(images, skipped, tuple(left_out), tuple(notes))


def _looks_like_image(listing: Listing, file: str) -> bool:
    try:
        with listing.path(file).open("rb") as opened:
            head = opened.read(8)
    except OSError:
        return False
    return head.startswith(_MAGIC)
