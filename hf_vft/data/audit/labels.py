"""The deep audit: labels that are probably wrong, and classes that look alike.

Confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068) through cleanlab, on
the answers of a linear probe to images that it was not fitted on. Groups and copies of one
image are never on both sides, or else a wrong label would confirm itself.

Whether the features can tell a wrong label from a hard image is tried out: some labels are
swapped on purpose, and where too few of those are found, no suspicion is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from hf_vft.data.audit.duplicates import units
from hf_vft.data.audit.results import (
    Audit,
    AuditedImage,
    AuditFinding,
    Lookalikes,
    Severity,
    Suspect,
    gravest_first,
)
from hf_vft.data.load import ImageData
from hf_vft.errors import DataError
from hf_vft.utils.text import counted

FOLDS = 5
# More components cost time and change the answers little.
COMPONENTS = 128
PENALTIES = (1e-3, 1e-2, 1e-1)
# A label is told only if the probe gives it less than this, and its suggestion more.
DOUBTED = 0.2
SUGGESTED = 0.6
# Classes look alike if so large a share of both is taken for the other, and so many images.
ALIKE = 0.15
ALIKE_IMAGES = 5
_TOLD_PAIRS = 5

Fold = tuple[np.ndarray, np.ndarray]
_NO_FOLDS = (
    "Labels were not checked: some class has too few images, or groups of them, to be both "
    "learned and checked."
)
# Labels swapped on purpose: their share, the most of them, and the share that has to be found.
SWAPPED = 0.05
MOST_SWAPPED = 200
RELIABLE = 0.5


def deep_audit(
    audit: Audit,
    data: ImageData,
    features: np.ndarray,
    *,
    backbone: str = "a pre-trained backbone",
    seed: int = 0,
) -> Audit:
    """Add suspected label errors and classes that look alike to a quick audit.

    Args:
        audit: Of the same data.
        data: Divided images.
        features: ``[N, D]`` of a pre-trained backbone, in the order train, validation, test.
        backbone: Its name, for people.
        seed: Of the folds.

    Returns:
        The audit with more findings.

    Raises:
        DataError: If there are not as many features as images.
    """
    known = pd.concat([_known(split, data) for split in data.splits], ignore_index=True)
    if len(features) != len(known):
        raise DataError(f"{len(features)} features for {len(known)} images.")
    labels = known["label"].to_numpy()
    points = _condensed(features, seed)
    folds = _folds(labels, _units(known, audit), seed)
    if folds is None:
        return audit.model_copy(update={"labels_note": _NO_FOLDS})
    # The fits are many and small: threads that wait for each other made them 40 times slower.
    with threadpool_limits(1):
        answers = out_of_fold_answers(points, labels, folds)
        trial = _trial(points, labels, folds, seed)
    alike = find_lookalikes(labels, answers.argmax(1), data.labels)
    suspects = find_suspects(known, data.labels, answers, alike) if trial.reliable else []
    agrees = float((answers.argmax(1) == labels).mean())
    findings = [*_suspect_findings(suspects, agrees), *_alike_findings(alike)]
    return audit.model_copy(
        update={
            "findings": gravest_first([*audit.findings, *findings]),
            "suspects": suspects,
            "lookalikes": alike,
            "labels_note": _note(backbone, agrees, trial),
        }
    )


@dataclass(frozen=True)
class Trial:
    """Number of labels that were swapped on purpose, and of those that were detected."""

    swapped: int
    found: int

    @property
    def reliable(self) -> bool:
        """Whether enough were found."""
        return self.found >= RELIABLE * self.swapped


def out_of_fold_answers(points: np.ndarray, labels: np.ndarray, folds: list[Fold]) -> np.ndarray:
    """Probabilities ``[N, C]`` of a linear probe that was fitted on other images.

    Args:
        points: ``[N, D]``, standardised.
        labels: Class ids ``[N]``, each of 0 to C - 1 at least once.
        folds: Rows to fit on, rows to answer; together these are all.
    """
    classes = int(labels.max()) + 1
    tried = [_answers(points, labels, folds, penalty, classes) for penalty in PENALTIES]
    return min(tried, key=lambda answers: log_loss(labels, answers, labels=range(classes)))


def find_suspects(
    known: pd.DataFrame,
    names: Sequence[str],
    answers: np.ndarray,
    alike: Sequence[Lookalikes] = (),
) -> list[Suspect]:
    """Labels that confident learning doubts, and the probe contradicts clearly.

    Args:
        known: ``file``, ``split`` and ``label`` (id) of each image.
        names: Of the classes.
        answers: ``[N, C]``, out of fold.
        alike: Classes that the probe can hardly distinguish; a label that it contradicts with the
            other class of such a pair is marked.
    """
    labels = known["label"].to_numpy()
    pairs = {frozenset((pair.first, pair.second)) for pair in alike}
    doubted, quality = _doubted(labels, answers)
    rows = np.flatnonzero(doubted)
    return [
        Suspect(
            image=AuditedImage(
                file=known["file"][row], split=known["split"][row], label=names[labels[row]]
            ),
            suggested=names[int(answers[row].argmax())],
            confidence=float(answers[row].max()),
            quality=float(quality[row]),
            alike=frozenset((names[labels[row]], names[int(answers[row].argmax())])) in pairs,
        )
        for row in rows[np.argsort(quality[rows], kind="stable")].tolist()
    ]


def find_lookalikes(
    labels: np.ndarray, answered: np.ndarray, names: Sequence[str]
) -> list[Lookalikes]:
    """Pairs of classes that are often confused, the worst first."""
    sizes = np.bincount(labels, minlength=len(names))
    pairs = []
    for a, b in combinations(range(len(names)), 2):
        n = int(((labels == a) & (answered == b)).sum() + ((labels == b) & (answered == a)).sum())
        of = int(sizes[a] + sizes[b])
        if n >= ALIKE_IMAGES and n >= ALIKE * of:
            pairs.append(Lookalikes(first=names[a], second=names[b], n=n, of=of))
    return sorted(pairs, key=lambda pair: -pair.n / pair.of)


def _known(split: str, data: ImageData) -> pd.DataFrame:
    table = data.splits[split]
    groups = data.groups(split)
    return pd.DataFrame(
        {"file": table["file"], "split": split, "label": table["label"], "group": groups}
    )


def _units(known: pd.DataFrame, audit: Audit) -> np.ndarray:
    """A number for each image, equal within a group and for copies of an image."""
    row_of = {file: row for row, file in enumerate(known["file"])}
    copies = [
        [row_of[image.file] for image in duplicates.images] for duplicates in audit.duplicates
    ]
    return units(len(known), {"near": copies}, known["group"])


def _condensed(features: np.ndarray, seed: int) -> np.ndarray:
    """Standardised principal components; labels play no part, so no fold learns of another."""
    standard = StandardScaler().fit_transform(features.astype(np.float64))
    components = min(COMPONENTS, *standard.shape)
    condensed: np.ndarray = PCA(
        components, svd_solver="randomized", random_state=seed
    ).fit_transform(standard)
    return condensed


def _folds(labels: np.ndarray, units: np.ndarray, seed: int) -> list[Fold] | None:
    """None where a class cannot be on both sides of every fold."""
    fewest = min(len(np.unique(units[labels == label])) for label in np.unique(labels))
    if fewest < 2:
        return None
    splitter = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    folds = list(splitter.split(units, labels, units))
    every_class = all(len(np.unique(labels[fitted])) == labels.max() + 1 for fitted, _ in folds)
    return folds if every_class else None


def _answers(
    points: np.ndarray, labels: np.ndarray, folds: list[Fold], penalty: float, classes: int
) -> np.ndarray:
    answers = np.zeros((len(labels), classes))
    for fitted, held_out in folds:
        model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=1000)
        model.fit(points[fitted], labels[fitted])
        answers[np.ix_(held_out, model.classes_)] = model.predict_proba(points[held_out])
    return answers


def _doubted(labels: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which labels are doubted, ``bool [N]``, and how good each is, in [0, 1]."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    doubted = find_label_issues(labels, answers, filter_by="both", n_jobs=1)
    quality = get_label_quality_scores(labels, answers, method="self_confidence")
    return doubted & (quality < DOUBTED) & (answers.max(1) > SUGGESTED), quality


def _trial(points: np.ndarray, labels: np.ndarray, folds: list[Fold], seed: int) -> Trial:
    """Swap some labels for others, drawn evenly, and look for them."""
    rng = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    count = min(MOST_SWAPPED, max(5, round(SWAPPED * len(labels))))
    # Never the last images of a class: every fold has to know all classes.
    frequent = np.flatnonzero(np.bincount(labels)[labels] > 2 * FOLDS)
    rows = rng.permutation(frequent)[:count]
    swapped = labels.copy()
    swapped[rows] = (labels[rows] + rng.integers(1, classes, len(rows))) % classes
    doubted, _ = _doubted(swapped, out_of_fold_answers(points, swapped, folds))
    return Trial(swapped=len(rows), found=int(doubted[rows].sum()))


def _suspect_findings(suspects: list[Suspect], agrees: float) -> list[AuditFinding]:
    """What contradicts the labels is a probe that errs itself, so how much it errs is said."""
    wrong = [suspect for suspect in suspects if not suspect.alike]
    unclear = [suspect for suspect in suspects if suspect.alike]
    findings = []
    if wrong:
        them = "it" if len(wrong) == 1 else "them"
        sentence = (
            f"{counted(len(wrong), 'label')} may be wrong: a probe that agrees with {agrees:.0%} "
            f"of all labels contradicts {them}, {_example(wrong[0])}."
        )
        findings.append(_suspected("warning", sentence, "label_error", wrong))
    if unclear:
        lies = "lies" if len(unclear) == 1 else "lie"
        sentence = (
            f"{counted(len(unclear), 'label')} {lies} between classes that look alike and may well "
            f"be right, {_example(unclear[0])}."
        )
        findings.append(_suspected("info", sentence, "label_unclear", unclear))
    return findings


def _example(suspect: Suspect) -> str:
    return (
        f"e.g. {suspect.image.file}: labelled {suspect.image.label}, looks like {suspect.suggested}"
    )


def _suspected(
    severity: Severity, sentence: str, kind: str, suspects: list[Suspect]
) -> AuditFinding:
    files = [suspect.image.file for suspect in suspects]
    return AuditFinding(severity=severity, sentence=sentence, kind=kind, files=files)


def _alike_findings(alike: list[Lookalikes]) -> list[AuditFinding]:
    return [
        AuditFinding(
            severity="info",
            sentence=f"{pair.first} and {pair.second} look alike: a linear probe takes "
            f"{pair.n / pair.of:.0%} of their images for the other.",
            kind="lookalikes",
        )
        for pair in alike[:_TOLD_PAIRS]
    ]


def _note(backbone: str, accuracy: float, trial: Trial) -> str:
    checked = (
        f"Labels were checked by a linear probe on features of {backbone}, cross-validated "
        f"(it agrees with {accuracy:.0%} of the labels). Of {trial.swapped} labels swapped "
        f"on purpose it found {trial.found}"
    )
    if trial.reliable:
        return f"{checked}."
    return f"{checked}: too few to tell a wrong label from a hard image, so none is reported."
