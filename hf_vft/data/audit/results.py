"""What an audit of the data found: the content of ``audit.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hf_vft.utils.frozen import Frozen

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


class AuditFinding(Frozen):
    """One thing that a person should know.

    Attributes:
        severity: ``error`` makes scores or labels wrong, ``warning`` may, ``info`` explains.
        sentence: In plain words.
        kind: For machines, such as ``identical_across``.
        files: Which images, the gravest first.
    """

    severity: Severity
    sentence: str
    kind: str
    files: list[str] = Field(default_factory=list)


class AuditedImage(Frozen):
    """An image by the name shown to people."""

    file: str
    split: str
    label: str


class DuplicateSet(Frozen):
    """Images that show the same.

    Attributes:
        kind: ``identical`` files, the ``same_pixels`` in different files, or ``near``: the same
            but for size, compression or light.
        images: Two or more.
        expected: They are near duplicates of one group and in one split.
    """

    kind: Literal["identical", "same_pixels", "near"]
    images: list[AuditedImage]
    expected: bool = False


class Outlier(Frozen):
    """An image unlike the others.

    Attributes:
        image: Which.
        kind: In what; a key of ``hf_vft.data.audit.outliers.KINDS``.
        words: How much, such as ``brightness 0.04; half of all have 0.38–0.52``.
    """

    image: AuditedImage
    kind: str
    words: str


class Lookalikes(Frozen):
    """Two classes that a linear probe takes for each other.

    Attributes:
        first: A class.
        second: Another.
        n: Images of either that were predicted as the other.
        of: Images of both.
    """

    first: str
    second: str
    n: int
    of: int


class Suspect(Frozen):
    """A label that is probably wrong (confident learning, Northcutt et al. 2021).

    Attributes:
        image: With the label as given.
        suggested: The label it looks like.
        confidence: Probability of the suggestion, in [0, 1].
        quality: Probability that the given label is right, in [0, 1].
        alike: Whether the two classes look alike, so that it may as well be a hard image.
    """

    image: AuditedImage
    suggested: str
    confidence: float
    quality: float
    alike: bool = False


class Size(Frozen):
    """Number of images of one size in pixels."""

    width: int
    height: int
    images: int


class Spread(Frozen):
    """Distribution of a property over the images.

    Attributes:
        name: Of the property.
        edges: Of the bins, one more than ``counts``.
        counts: Images in each bin.
    """

    name: str
    edges: list[float]
    counts: list[int]


class Counts(Frozen):
    """Numbers of images by split, class and slice.

    Attributes:
        images: In all.
        splits: By split.
        classes: By class, then by split; every split is there.
    """

    images: int
    splits: dict[str, int]
    classes: dict[str, dict[str, int]]


class Audit(Frozen):
    """Everything that was found.

    Attributes:
        source: What was looked at.
        fingerprint: Of the data, as in ``ImageData``.
        counts: How many images.
        findings: The gravest first.
        sizes: The most frequent first, a few hundred at most.
        spreads: Of brightness, contrast and sharpness.
        duplicates: Sets, the gravest first.
        outliers: Images unlike the others.
        lookalikes: Classes that look alike; only in the deep audit.
        suspects: Suspected label errors, the worst first; only in the deep audit.
        labels_note: How the labels were checked, or why they were not.
        notes: What reading the data brought up, as in ``ImageData``.
    """

    source: str
    fingerprint: str
    counts: Counts
    findings: list[AuditFinding]
    sizes: list[Size] = Field(default_factory=list)
    spreads: list[Spread] = Field(default_factory=list)
    duplicates: list[DuplicateSet] = Field(default_factory=list)
    outliers: list[Outlier] = Field(default_factory=list)
    lookalikes: list[Lookalikes] = Field(default_factory=list)
    suspects: list[Suspect] = Field(default_factory=list)
    labels_note: str = "Labels were not checked: the quick audit looks at the images alone."
    notes: list[str] = Field(default_factory=list)


def gravest_first(findings: list[AuditFinding]) -> list[AuditFinding]:
    """Errors, then warnings, then the rest; otherwise in the order given."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
