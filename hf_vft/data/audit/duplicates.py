"""Images that are there more than once, and what that does to the scores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hf_vft.data.audit.results import AuditedImage, AuditFinding, DuplicateSet
from hf_vft.utils.text import counted

# Measured on photographs and generated images: copies that were compressed again, resized,
# relit or cropped by a few per cent differ in at most this many of 64 bits of the hash and
# correlate at least so much; different images do both only if they show the same thing.
MOST_BITS = 10
LEAST_CORRELATION = 0.98
# Below this many grey levels a preview is so plain that nothing tells two of them apart.
PLAIN = 1.5
# With more different hashes than this, only equal ones are compared: all pairs take too long.
ALL_PAIRS = 60_000

Kind = Literal["identical", "same_pixels", "near"]
Sets = dict[Kind, list[list[int]]]

_LEAKS = (("test", "train"), ("validation", "train"), ("test", "validation"))
_COMPARED = 4_000_000  # hashes compared at a time
_HOW: dict[Kind, str] = {
    "identical": "byte by byte",
    "same_pixels": "pixel by pixel, as another file",
    "near": "but for size, compression or light",
}
# What copies of a kind differ in; those that do not are of the kind before.
_DIFFER_IN: dict[Kind, str] = {"same_pixels": "file_hash", "near": "pixel_hash"}


def find_duplicates(measures: pd.DataFrame) -> Sets:
    """Rows that show the same, as lists of two or more; a row is in one set of a kind at most.

    Args:
        measures: From :func:`hf_vft.data.audit.measure.measure_images`.
    """
    identical = _equal(measures["file_hash"])
    same = _equal(measures["pixel_hash"])
    files = measures["file_hash"].to_numpy()
    return {
        "identical": identical,
        "same_pixels": [rows for rows in same if len(set(files[rows])) > 1],
        "near": _near(measures),
    }


def units(n: int, sets: Sets, groups: pd.Series | None = None) -> np.ndarray:
    """A number for each row, equal for rows that show the same or share a group, ``int [N]``."""
    links = [pair for kind in sets.values() for rows in kind for pair in pairwise(rows)]
    if groups is not None:
        links += [pair for rows in _equal(groups) for pair in pairwise(rows)]
    return _components(n, np.array(links, dtype=np.int64).reshape(-1, 2))


def duplicate_findings(measures: pd.DataFrame, sets: Sets, groups: bool) -> list[AuditFinding]:
    """The sentences about duplicates.

    Args:
        measures: One row per image.
        sets: From `find_duplicates`.
        groups: Whether the data has a group column.
    """
    findings: list[AuditFinding] = []
    reported: set[tuple[int, str]] = set()
    for kind, duplicates in sets.items():
        for split, other in _LEAKS:
            rows = [
                row
                for row in _in_both(measures, duplicates, split, other)
                if (row, other) not in reported
            ]
            reported |= {(row, other) for row in rows}
            if rows:
                findings.append(_leak(measures, rows, kind, split, other, groups))
        findings += _conflicts(measures, duplicates, kind)
        findings += _repeats(measures, duplicates, kind)
    return findings


def described_sets(measures: pd.DataFrame, sets: Sets, limit: int = 500) -> list[DuplicateSet]:
    """The sets for people: across splits or labels first."""
    described = [
        DuplicateSet(
            kind=kind,
            images=[image_of(measures, row) for row in rows],
            expected=kind == "near" and _expected(measures, rows),
        )
        for kind, groups in sets.items()
        for rows in groups
    ]

    def gravity(duplicates: DuplicateSet) -> tuple[bool, bool, bool]:
        splits = {image.split for image in duplicates.images}
        labels = {image.label for image in duplicates.images}
        return (duplicates.expected, len(splits) == 1, len(labels) == 1)

    return sorted(described, key=gravity)[:limit]


def image_of(measures: pd.DataFrame, row: int) -> AuditedImage:
    """The image of a row."""
    known = measures.iloc[row]
    return AuditedImage(file=known["file"], split=known["split"], label=known["label"])


def _equal(values: pd.Series) -> list[list[int]]:
    """Rows with equal values, two or more each; missing values equal nothing."""
    rows = pd.Series(np.arange(len(values)))
    grouped = rows.groupby(values.to_numpy(), sort=False)
    return [members.tolist() for _, members in grouped if len(members) > 1]


def _near(measures: pd.DataFrame) -> list[list[int]]:
    """Sets of near duplicates, each with all copies of its images."""
    distinct = measures.drop_duplicates("pixel_hash")
    previews = np.stack([np.frombuffer(preview, np.uint8) for preview in distinct["preview"]])
    hashes = distinct["look"].to_numpy(np.uint64)
    pairs = list(_near_pairs(hashes, previews.astype(np.float32)))
    links = np.concatenate([np.empty((0, 2), np.int64), *pairs])
    member = dict(zip(distinct["pixel_hash"], _components(len(distinct), links), strict=True))
    of_row = measures["pixel_hash"].map(member)
    several = of_row.groupby(of_row).transform("size") > 1
    different = measures.groupby(of_row.to_numpy())["pixel_hash"].transform("nunique") > 1
    return _equal(of_row.where(several & different.to_numpy()))


def _near_pairs(hashes: np.ndarray, previews: np.ndarray) -> Iterator[np.ndarray]:
    """Index pairs ``[P, 2]`` that link all near duplicates, block by block.

    Of images with equal hashes only neighbours are compared, and one of them with the rest, so
    that thousands of images of one scene do not make millions of pairs.
    """
    centred = previews - previews.mean(1, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    telling = np.flatnonzero(centred.std(1) >= PLAIN)
    order = telling[np.argsort(hashes[telling], kind="stable")]
    same = hashes[order[:-1]] == hashes[order[1:]]
    yield from _confirmed(order[:-1][same], order[1:][same], unit)
    bits, first = np.unique(hashes[order], return_index=True)
    if len(bits) > ALL_PAIRS:
        return
    rows = max(1, _COMPARED // max(len(bits), 1))
    for start in range(0, len(bits), rows):
        distance = np.bitwise_count(bits[start : start + rows, None] ^ bits[None, start:])
        left, right = np.nonzero(distance <= MOST_BITS)
        left, right = left[left < right] + start, right[left < right] + start
        yield from _confirmed(order[first[left]], order[first[right]], unit)


def _confirmed(left: np.ndarray, right: np.ndarray, unit: np.ndarray) -> Iterator[np.ndarray]:
    """The pairs whose previews correlate; a bounded number at a time."""
    for start in range(0, len(left), 50_000):
        a, b = left[start : start + 50_000], right[start : start + 50_000]
        alike = np.einsum("ij,ij->i", unit[a], unit[b]) >= LEAST_CORRELATION
        yield np.stack([a[alike], b[alike]], axis=1)


def _components(n: int, links: np.ndarray) -> np.ndarray:
    graph = coo_matrix((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(n, n))
    components: np.ndarray = connected_components(graph, directed=False)[1]
    return components


def _in_both(measures: pd.DataFrame, sets: list[list[int]], split: str, other: str) -> list[int]:
    """Rows of ``split`` that show what one of ``other`` shows."""
    splits = measures["split"].to_numpy()
    return [row for rows in sets if other in splits[rows] for row in rows if splits[row] == split]


def _leak(
    measures: pd.DataFrame, rows: list[int], kind: Kind, split: str, other: str, groups: bool
) -> AuditFinding:
    are = "is" if len(rows) == 1 else "are"
    sentence = f"{counted(len(rows), 'image')} of {split} {are} also in {other}, "
    if kind == "near":
        advice = "" if groups else "; say with data.group_column which images belong together"
        sentence += f"the same {_HOW[kind]}, so scores may look too good{advice}"
    else:
        sentence += _HOW[kind]
    return AuditFinding(
        severity="warning" if kind == "near" else "error",
        sentence=sentence + ".",
        kind=f"{kind}_across",
        files=_files(measures, rows),
    )


def _conflicts(measures: pd.DataFrame, sets: list[list[int]], kind: Kind) -> list[AuditFinding]:
    labels = measures["label"].to_numpy()
    torn = [rows for rows in sets if len(set(labels[rows])) > 1]
    if not torn:
        return []
    first, second = next((a, b) for a, b in combinations(torn[0], 2) if labels[a] != labels[b])
    files = measures["file"].to_numpy()
    what = "near duplicates" if kind == "near" else f"equal images ({_HOW[kind]})"
    return [
        AuditFinding(
            severity="warning" if kind == "near" else "error",
            sentence=(
                f"{counted(len(torn), 'set')} of {what} with different labels, e.g. "
                f"{files[first]} ({labels[first]}) and {files[second]} ({labels[second]})."
            ),
            kind=f"{kind}_conflict",
            files=_files(measures, [row for rows in torn for row in rows]),
        )
    ]


def _repeats(measures: pd.DataFrame, sets: list[list[int]], kind: Kind) -> list[AuditFinding]:
    """Copies within a split: they only weigh more, and within a group that is no news."""
    splits = measures["split"].to_numpy()
    surplus: list[int] = []
    expected: list[int] = []
    for rows in sets:
        parts = [[row for row in rows if splits[row] == split] for split in set(splits[rows])]
        for part in parts:
            if kind in _DIFFER_IN:
                part = measures.iloc[part].drop_duplicates(_DIFFER_IN[kind]).index.tolist()
            known = kind == "near" and _expected(measures, part)
            (expected if known else surplus).extend(part[1:])
    findings = []
    if surplus:
        verb = "repeats" if len(surplus) == 1 else "repeat"
        findings.append(
            AuditFinding(
                severity="info" if kind == "near" else "warning",
                sentence=f"{counted(len(surplus), 'image')} {verb} another of the same split, "
                f"{_HOW[kind]}; such images weigh more than others.",
                kind=f"{kind}_within",
                files=_files(measures, surplus),
            )
        )
    if expected:
        verb = "repeats" if len(expected) == 1 else "repeat"
        findings.append(
            AuditFinding(
                severity="info",
                sentence=f"{counted(len(expected), 'image')} {verb} another of the same group, "
                f"{_HOW[kind]}, as is to be expected.",
                kind=f"{kind}_in_group",
                files=_files(measures, expected),
            )
        )
    return findings


def _expected(measures: pd.DataFrame, rows: list[int]) -> bool:
    """Whether the rows are of one group and one split."""
    some = measures.iloc[rows]
    one_group = some["group"].notna().all() and some["group"].nunique() == 1
    return bool(one_group and some["split"].nunique() == 1)


def _files(measures: pd.DataFrame, rows: list[int]) -> list[str]:
    files: list[str] = measures["file"].iloc[rows].tolist()
    return files
