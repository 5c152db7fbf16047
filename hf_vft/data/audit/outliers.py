"""Images unlike the others in light, sharpness, shape or size.

An image stands out if it is far from the middle of these images, or less far and beyond
cleanvision's fixed limits. What holds for many of them is how they are taken, and no outlier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hf_vft.data.audit.duplicates import image_of
from hf_vft.data.audit.results import AuditFinding, Outlier, Severity, Spread
from hf_vft.utils.text import counted

# In robust standard deviations from the median.
FAR = 6.0
# Fewer images have no usual.
FEWEST = 20
# Where cleanvision marks a larger share than the first, or a larger share than the second is
# far from the middle, the images are simply of that kind.
MANY_MARKED = 0.1
MANY_FAR = 0.03


@dataclass(frozen=True)
class Kind:
    """One way to stand out.

    Attributes:
        severity: Of its finding.
        one: What is said of one image.
        many: What is said of several.
        marked_by: cleanvision's issue type.
        trait: The column of `traits` that is compared with the others.
        side: Below (-1) or above (1) the others; 0 is either.
        agreed: How far from the median an image has to be for cleanvision's mark to count.
        common: Whether it is worth saying that many are so.
        unless: Kinds before it that explain it.
    """

    severity: Severity
    one: str
    many: str
    marked_by: str | None
    trait: str
    side: int
    agreed: float = 1.0
    common: bool = True
    unless: tuple[str, ...] = ()


KINDS = {
    "dark": Kind("warning", "is very dark", "are very dark", "dark", "brightness", -1),
    "bright": Kind("warning", "is very bright", "are very bright", "light", "brightness", 1),
    "blurred": Kind("warning", "is blurred", "are blurred", "blurry", "sharpness", -1,
                    agreed=3.0, common=False, unless=("dark", "bright")),
    "empty": Kind("warning", "shows next to nothing", "show next to nothing",
                  "low_information", "contrast", -1,
                  unless=("dark", "bright", "blurred")),
    "noisy": Kind("info", "is far noisier or sharper than the rest",
                  "are far noisier or sharper than the rest", None, "sharpness", 1, common=False),
    "shape": Kind("info", "is of an odd shape", "are of an odd shape",
                  "odd_aspect_ratio", "shape", 0, common=False),
    "size": Kind("info", "is of an odd size", "are of an odd size", "odd_size", "size", 0,
                 common=False, unless=("shape",)),
}  # fmt: skip
"""By kind, in the order of the findings."""

# What a difference has to exceed to be one, in the units of `traits`.
_FLOORS = {"brightness": 0.03, "contrast": 0.1, "sharpness": 0.1, "shape": 0.05, "size": 0.05}


def find_outliers(measures: pd.DataFrame) -> tuple[list[Outlier], list[AuditFinding]]:
    """The images that stand out, and the sentences about them.

    Args:
        measures: From :func:`hf_vft.data.audit.measure.measure_images`.
    """
    marks, values = _marked(measures), traits(measures)
    outliers: list[Outlier] = []
    findings: list[AuditFinding] = []
    flags: dict[str, np.ndarray] = {}
    for name, kind in KINDS.items():
        distance = deviations(values[kind.trait], _FLOORS[kind.trait])
        marked = marks[kind.marked_by] if kind.marked_by else np.zeros(len(measures), bool)
        if kind.common and marked.mean() > MANY_MARKED:
            findings.append(_usual(name, kind, marked))
        odd = _few(marked & _beyond(distance, kind.side, kind.agreed), MANY_MARKED)
        odd |= _few(_beyond(distance, kind.side, FAR), MANY_FAR)
        for other in kind.unless:
            odd &= ~flags[other]
        flags[name] = odd
        rows = sorted(np.flatnonzero(odd).tolist(), key=(-np.abs(distance)).__getitem__)
        if not rows:
            continue
        outliers += [
            Outlier(image=image_of(measures, row), kind=name, words=_words(measures, kind, row))
            for row in rows
        ]
        findings.append(
            AuditFinding(
                severity=kind.severity,
                sentence=_sentence(kind, len(rows), _words(measures, kind, rows[0])),
                kind=name,
                files=measures["file"].iloc[rows].tolist(),
            )
        )
    return outliers, findings


def traits(measures: pd.DataFrame) -> pd.DataFrame:
    """The measures in which images are compared; ratios as logarithms: half is as far as double."""
    return pd.DataFrame(
        {
            "brightness": measures["brightness"],
            "contrast": np.log(measures["contrast"].clip(lower=1e-3)),
            "sharpness": np.log(measures["sharpness"].clip(lower=1e-3)),
            "shape": np.log(measures["width"] / measures["height"]),
            "size": np.log(measures["size"]),
        }
    )


def deviations(values: pd.Series, floor: float) -> np.ndarray:
    """Robust standard deviations from the median, ``[N]``; 0 for NaN, and where values are few.

    The scale is the largest of those of the median deviation, the quartiles and the floor.
    """
    if values.count() < FEWEST:
        return np.zeros(len(values))
    low, middle, high = np.nanpercentile(values, [25, 50, 75])
    spread = 1.4826 * float(np.nanmedian(np.abs(values - middle)))
    scale = max(spread, (high - low) / 1.349, floor)
    distances: np.ndarray = np.nan_to_num((values.to_numpy() - middle) / scale, nan=0.0)
    return distances


def spreads(measures: pd.DataFrame, bins: int = 24) -> list[Spread]:
    """Histograms of brightness, contrast and sharpness."""
    rows = []
    for name in ("brightness", "contrast", "sharpness"):
        counts, edges = np.histogram(measures[name].dropna(), bins=bins)
        rows.append(Spread(name=name, edges=edges.tolist(), counts=counts.tolist()))
    return rows


def _marked(measures: pd.DataFrame) -> dict[str, np.ndarray]:
    """What cleanvision's own limits say, by its issue type."""
    from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager

    manager = ImagePropertyIssueManager()
    manager.issues = pd.DataFrame(index=measures.index)
    wanted = [kind.marked_by for kind in KINDS.values() if kind.marked_by]
    manager.update_issues(measures, wanted)
    return {name: manager.issues[f"is_{name}_issue"].to_numpy(bool) for name in wanted}


def _beyond(distance: np.ndarray, side: int, limit: float) -> np.ndarray:
    """Which are farther than ``limit`` on the side that counts."""
    signed = np.abs(distance) if side == 0 else side * distance
    beyond: np.ndarray = signed > limit
    return beyond


def _few(odd: np.ndarray, most: float) -> np.ndarray:
    """The same, or none where it is more than a share of ``most``."""
    return odd if odd.mean() <= most else np.zeros_like(odd)


def _usual(name: str, kind: Kind, marked: np.ndarray) -> AuditFinding:
    """Says of many images what would be an outlier of one."""
    return AuditFinding(
        severity="info",
        sentence=f"{counted(int(marked.sum()), 'image')} ({marked.mean():.0%}) {kind.many}: so "
        "many that it seems to be how they are taken.",
        kind=f"usually_{name}",
    )


def _sentence(kind: Kind, n: int, example: str) -> str:
    return f"{counted(n, 'image')} {kind.one if n == 1 else kind.many} ({example})."


def _words(measures: pd.DataFrame, kind: Kind, row: int) -> str:
    """The value, beside that of the middle half of all images."""
    image = measures.iloc[row]
    if kind.trait in ("shape", "size"):
        usual = f"{measures['width'].median():.0f} × {measures['height'].median():.0f}"
        return f"{image['width']} × {image['height']}, the median is {usual}"
    low, high = measures[kind.trait].quantile([0.25, 0.75])
    return f"{kind.trait} {image[kind.trait]:.2g}, half of all have {low:.2g} to {high:.2g}"
