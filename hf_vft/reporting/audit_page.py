"""``audit.html``: what was found in the data, with the images to judge it by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_vft._version import __version__
from hf_vft.data.audit.results import Audit, DuplicateSet, Outlier, Suspect
from hf_vft.data.load import ImageData
from hf_vft.errors import DataError
from hf_vft.reporting.audit_plots import count_bar, histogram, size_plot
from hf_vft.reporting.pages import image_uri, render_page
from hf_vft.run import write_text
from hf_vft.utils.text import counted

_SUSPECTS = 24
_SETS = 12
_PER_SET = 4
_OUTLIERS = 6  # of each kind
_CLASSES = 40
_HOW = {
    "identical": "the same file",
    "same_pixels": "the same pixels",
    "near": "nearly the same",
}
_ODD = {
    "dark": "Very dark",
    "bright": "Very bright",
    "blurred": "Blurred",
    "empty": "Next to nothing to see",
    "noisy": "Noisier or sharper than the rest",
    "shape": "Odd shape",
    "size": "Odd size",
}


def render_audit(
    audit: Audit,
    data: ImageData,
    page: Path,
    *,
    name: str,
) -> Path:
    """Write the page of an audit.

    Args:
        audit: What was found.
        data: The images that it was found in.
        page: The file to write; it fetches nothing.
        name: Of the data, for people.
    """
    album = _Album(data)
    unexpected = [duplicates for duplicates in audit.duplicates if not duplicates.expected]
    most = max((sum(by_split.values()) for by_split in audit.counts.classes.values()), default=0)
    classes = [
        (label, by_split, sum(by_split.values()), count_bar(list(by_split.items()), most))
        for label, by_split in sorted(
            audit.counts.classes.items(), key=lambda c: -sum(c[1].values())
        )
    ]
    write_text(
        page,
        render_page(
            "audit.html",
            name=name,
            version=__version__,
            audit=audit,
            tone=tone(audit),
            headline=headline(audit),
            suspects=_suspects(audit, album),
            wrong=sum(not duplicates.alike for duplicates in audit.suspects),
            sets=[_set(duplicates, album) for duplicates in unexpected[:_SETS]],
            more_sets=len(unexpected) - _SETS,
            expected=len(audit.duplicates) - len(unexpected),
            odd=list(_odd(audit.outliers, album)),
            classes=classes[:_CLASSES],
            more_classes=classes[_CLASSES:],
            median_size=_median_size(audit),
            sizes=size_plot(audit.sizes) if audit.sizes else None,
            spreads=[(spread.name, histogram(spread)) for spread in audit.spreads],
        ),
    )
    return page


def tone(audit: Audit) -> str:
    """``bad`` with an error, ``warn`` with a warning, else ``good``."""
    severities = {finding.severity for finding in audit.findings}
    if "error" in severities:
        return "bad"
    return "warn" if "warning" in severities else "good"


def headline(audit: Audit) -> str:
    """The recommended next step, in a sentence."""
    count = Counter(finding.severity for finding in audit.findings)
    if not count["error"] and not count["warning"]:
        return "Nothing in these images stands in the way of training."
    parts = [
        counted(count[severity], severity) for severity in ("error", "warning") if count[severity]
    ]
    return f"{' and '.join(parts)}: {audit.findings[0].sentence}"


class _Album:
    """Thumbnails by the name of the image."""

    def __init__(self, data: ImageData) -> None:
        self.data = data
        self.place = {
            file: (split, row)
            for split, table in data.splits.items()
            for row, file in enumerate(table["file"])
        }
        self.known: dict[str, str | None] = {}

    def uri(self, file: str) -> str | None:
        """The thumbnail; None if the image is no longer there."""
        if file not in self.known:
            self.known[file] = self._uri(file)
        return self.known[file]

    def _uri(self, file: str) -> str | None:
        if file not in self.place:
            return None
        split, row = self.place[file]
        stored = self.data.splits[split][row]["image"]
        try:
            return image_uri(self.data.decoder(stored["bytes"] or stored["path"]))
        except DataError:
            return None


@dataclass(frozen=True)
class _ShownSuspects:
    """Suspected labels of one sort as the page shows them."""

    place: str
    title: str
    lead: str
    images: list[tuple[str | None, Suspect]]
    more: int


_SORTS = (
    (False, "labels", "Labels that may be wrong", "some are hard images with a right label."),
    (
        True,
        "unclear-labels",
        "Labels between classes that look alike",
        "the features can hardly tell these classes apart, so most labels may be right.",
    ),
)


def _suspects(audit: Audit, album: _Album) -> list[_ShownSuspects]:
    """Those that may be wrong apart from those that lie between classes that look alike."""
    shown = []
    for alike, place, title, caution in _SORTS:
        suspects = [suspect for suspect in audit.suspects if suspect.alike == alike]
        if suspects:
            images = [(album.uri(suspect.image.file), suspect) for suspect in suspects[:_SUSPECTS]]
            lead = f"The least likely first. Look at each: {caution}"
            shown.append(_ShownSuspects(place, title, lead, images, len(suspects) - len(images)))
    return shown


@dataclass(frozen=True)
class _ShownSet:
    """A set of duplicates as the page shows it."""

    how: str
    across: bool
    torn: bool
    images: list[tuple[str | None, Any]]
    more: int


def _set(duplicates: DuplicateSet, album: _Album) -> _ShownSet:
    """A few of a set, of every split and label one if there is room."""
    first: dict[tuple[str, str], int] = {}
    for index, image in enumerate(duplicates.images):
        first.setdefault((image.split, image.label), index)
    order = [
        *first.values(),
        *(i for i in range(len(duplicates.images)) if i not in first.values()),
    ]
    shown = [duplicates.images[index] for index in order[:_PER_SET]]
    return _ShownSet(
        how=_HOW[duplicates.kind],
        across=len({image.split for image in duplicates.images}) > 1,
        torn=len({image.label for image in duplicates.images}) > 1,
        images=[(album.uri(image.file), image) for image in shown],
        more=len(duplicates.images) - len(shown),
    )


def _odd(outliers: list[Outlier], album: _Album) -> Iterator[tuple[str, int, list[Any]]]:
    """Kind of oddity, how many images, and the farthest of them."""
    for kind, words in _ODD.items():
        of_kind = [outlier for outlier in outliers if outlier.kind == kind]
        if of_kind:
            yield (
                words,
                len(of_kind),
                [(album.uri(outlier.image.file), outlier) for outlier in of_kind[:_OUTLIERS]],
            )


def _median_size(audit: Audit) -> str:
    """Median width × median height of the counted sizes."""

    def median(side: str) -> int:
        half, seen = sum(size.images for size in audit.sizes) / 2, 0
        for size in sorted(audit.sizes, key=lambda measured: getattr(measured, side)):
            seen += size.images
            if seen >= half:
                return int(getattr(size, side))
        return 0

    return f"{median('width')} × {median('height')}"
