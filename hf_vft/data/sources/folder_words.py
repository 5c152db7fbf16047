"""What the names of folders and files mean by themselves: splits, masks, parts, containers."""

from __future__ import annotations

import re
from functools import cache

from hf_vft.data.sources.table import canonical_split

_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")

CONTAINERS = frozenset({
    "image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "jpegimages",
    "jpeg", "jpegs", "jpg", "jpgs", "png", "pngs", "data", "dataset", "datasets", "obj", "rgb",
    "original", "originals", "raw", "resized", "cropped", "crops", "processed", "preprocessed",
    "augmented", "input", "inputs", "frames", "upload", "uploads", "media", "files", "all",
    "leftimgbit",
})  # fmt: skip
"""Words for folders that only hold images, and say nothing about them."""

MASKS = frozenset({
    "mask", "masks", "label", "labels", "annotation", "annotations", "annot", "annots", "ann",
    "anns", "gt", "gts", "groundtruth", "truth", "seg", "segs", "segmentation", "segmentations",
    "segmented", "segmentationclass", "segmentationobject", "trimap", "trimaps", "matte", "mattes",
    "panoptic", "semantic", "target", "targets", "output", "outputs", "labeltxt", "gtfine",
    "labelled", "labeled", "contour", "contours", "saliency",
})  # fmt: skip
"""Words for folders and files that tell what is in an image of the same name."""

_MASK_ENDINGS = (
    "mask", "masks", "seg", "segmentation", "gt", "groundtruth", "label", "labels", "labelids",
    "annotation", "matte", "trimap", "l",
)  # fmt: skip

THUMBNAILS = frozenset({"thumb", "thumbs", "thumbnail", "thumbnails", "preview", "previews"})
"""Words for folders of small copies."""

_UNLABELLED = frozenset({"unlabeled", "unlabelled", "unannotated", "unsupervised"})
_LABELLED = frozenset({"labeled", "labelled", "annotated", "supervised"})
_VARIANTS = frozenset({
    "color", "colour", "grayscale", "greyscale", "gray", "grey", "rgb", "segmented", "original",
    "originals", "augmented", "enhanced", "normalized", "normalised", "cropped", "resized", "raw",
    "processed", "preprocessed", "edges", "clahe", "blurred", "denoised", "background_removed",
})  # fmt: skip
_ONLY_IMAGES = frozenset({"image", "images", "img", "imgs", "data", "dataset", "photos"})
_UNIT = re.compile(
    r"(?:clip|cam|camera|patient|pat|subject|subj|sub|case|sample|seq|sequence|scene|session|scan|"
    r"slide|specimen|video|vid|view|frame|frames|roi|tile|plot|series|study|shot|person|instance)"
    r"[ _.-]?\d+",
    re.IGNORECASE,
)

_PART = re.compile(
    r"(?:.*[ _.-])?(?:part|fold|batch|chunk|shard|vol|volume|disc|disk|cd|piece|archive)"
    r"[ _.-]?\d+|\d+[ _.-]?(?:x|mm|um|px)|\d+x\d+",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:19|20)\d\d[-_. ]?(?:0[1-9]|1[0-2])(?:[-_. ]?(?:0[1-9]|[12]\d|3[01]))?(?:[-_ T]\d{2,6})?"
    r"|(?:0?[1-9]|[12]\d|3[01])[-_.](?:0?[1-9]|1[0-2])[-_.](?:19|20)?\d\d"
)
_COPY = re.compile(
    r"(?:copy of|kopie von|copie de|copia de|copia di) (?P<of>.+)"
    r"|(?P<base>.+?)(?: \(\d+\)|[ _-]+(?:copy|kopie|copie|copia|backup|副本)(?: ?\(?\d+\)?)?)",
    re.IGNORECASE,
)
_SHORT_SPLITS = {"tr": "train", "trn": "train", "ts": "test", "tst": "test", "trainval": "train"}


@cache
def words_of(name: str) -> tuple[str, ...]:
    """The words in a name, in lower case: ``obj_Train_data``, ``imagesTr``, ``train2017``."""
    return tuple(part for word in _TOKEN.findall(name) for part in _unglued(word.casefold()))


def _unglued(word: str) -> tuple[str, ...]:
    """``train`` and ``annot`` for ``trainannot``."""
    for cut in range(3, len(word) - 1):
        first, second = word[:cut], word[cut:]
        if canonical_split(first) is not None and second in CONTAINERS | MASKS:
            return first, second
    return (word,)


@cache
def split_in_words(name: str) -> tuple[str, str] | None:
    """The split that one word of a name tells of, and what is left of the name without it.

    Returns:
        ``("train", "images")`` for ``train_images`` and ``imagesTr``; None where no word or
        several different ones do. Numbers are not part of the rest: ``train2017`` leaves nothing.
    """
    splits: set[str] = set()
    rest: list[str] = []
    words = words_of(name)
    for word in words:
        split = canonical_split(word)
        if split is None and word in _SHORT_SPLITS and _may_be_short(word, words):
            split = _SHORT_SPLITS[word]
        if split is not None:
            splits.add(split)
        elif not word.isdigit():
            rest.append(word)
    return (splits.pop(), " ".join(rest)) if len(splits) == 1 else None


def _may_be_short(word: str, words: tuple[str, ...]) -> bool:
    """Two letters mean a split only beside a word such as ``images``."""
    return word == "trainval" or any(other in CONTAINERS | MASKS for other in words)


def is_part(name: str) -> bool:
    """Whether a folder is a part, fold, magnification or day of something, and no kind of it."""
    return bool(_PART.fullmatch(name) or _DATE.fullmatch(name))


def is_unit(name: str) -> bool:
    """Whether a folder is a numbered patient, camera, clip or the like, and no kind of image."""
    return bool(_UNIT.fullmatch(name))


def is_variant(name: str) -> bool:
    """Whether a folder is called as copies of the same images in another form are."""
    words = [word for word in words_of(name) if word not in _ONLY_IMAGES]
    return name.casefold() in _VARIANTS or (bool(words) and set(words) <= _VARIANTS)


def copied_from(name: str) -> str | None:
    """``cat`` for ``cat - Copy``, ``cat (2)`` or ``Kopie von cat``; None where no copy is meant."""
    match = _COPY.fullmatch(name)
    return (match["of"] or match["base"]) if match else None


def is_unlabelled_beside(name: str, other: str) -> bool:
    """Whether ``name`` holds the images without a label beside those of ``other``."""
    return name.casefold() in _UNLABELLED and other.casefold() in _LABELLED


def is_container(name: str) -> bool:
    """Whether a name says no more than that there are images: ``JPEGImages``, ``image_2``."""
    words = [word for word in words_of(name) if not word.isdigit()]
    joined = "".join(words)
    return bool(words) and (joined in CONTAINERS or all(word in CONTAINERS for word in words))


def is_mask_name(name: str) -> bool:
    """Whether a folder is called as those are that hold masks or annotations."""
    words = [word for word in words_of(name) if not word.isdigit()]
    joined = "".join(words)
    return joined in MASKS or any(word in MASKS for word in words)


def mask_base(stem: str) -> str | None:
    """``benign_1`` for ``benign_1_mask`` and ``benign_1_mask_2``; None where none is meant."""
    match = re.fullmatch(r"(.+?)[ _.-]+([A-Za-z]+?)(?:[ _.-]*\d{1,3})?", stem)
    if match is None:
        return None
    ending = match[2].casefold()
    if ending in _MASK_ENDINGS:
        return match[1]
    return None
