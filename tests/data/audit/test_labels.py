"""The deep audit: swapped labels in separable features are found, and nothing is made up."""

from __future__ import annotations

import datasets
import numpy as np
import pandas as pd
import pytest

from hf_vft.data.audit.labels import _suspect_findings, deep_audit, find_suspects
from hf_vft.data.audit.results import Audit, AuditedImage, Counts, DuplicateSet, Lookalikes
from hf_vft.data.load import ImageData
from hf_vft.errors import DataError

NAMES = ["bolt", "nut", "screw"]
QUICK = Audit(
    source="", fingerprint="", counts=Counts(images=0, splits={}, classes={}), findings=[]
)


def made(n: int = 240, *, apart: float = 4.0, swapped: int = 0, seed: int = 0):
    """Data without images, features of it, and the names of those with a wrong label."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % len(NAMES)
    features = apart * np.eye(len(NAMES), 24)[truth] + rng.normal(size=(n, 24))
    labels = truth.copy()
    wrong = rng.choice(n, swapped, replace=False)
    labels[wrong] = (labels[wrong] + 1) % len(NAMES)
    return data(labels), features.astype(np.float32), {f"{row:03d}.png" for row in wrong}


def data(labels: np.ndarray, groups: list[str] | None = None) -> ImageData:
    cuts = np.split(np.arange(len(labels)), [len(labels) // 2, 3 * len(labels) // 4])
    splits = {}
    for split, rows in zip(("train", "validation", "test"), cuts, strict=True):
        columns = {"label": labels[rows].tolist(), "file": [f"{row:03d}.png" for row in rows]}
        if groups is not None:
            columns["group"] = [groups[row] for row in rows]
        splits[split] = datasets.Dataset.from_dict(columns)
    return ImageData(splits=splits, labels=NAMES)


def kinds(audit: Audit) -> set[str]:
    return {finding.kind for finding in audit.findings}


def test_swapped_labels_are_found() -> None:
    images, features, wrong = made(swapped=10)
    found = deep_audit(QUICK, images, features)
    told = {suspect.image.file for suspect in found.suspects}
    assert len(told & wrong) >= 8
    assert told <= wrong
    worst = found.suspects[0]
    assert NAMES.index(worst.image.label) == (NAMES.index(worst.suggested) + 1) % 3
    assert worst.quality < 0.2 < 0.6 < worst.confidence
    assert found.findings[0].kind == "label_error"
    assert found.findings[0].files[0] == worst.image.file


def test_clean_labels_are_left_alone() -> None:
    images, features, _ = made()
    found = deep_audit(QUICK, images, features)
    assert (found.findings, found.suspects, found.lookalikes) == ([], [], [])
    assert "Of 12 labels swapped on purpose it found 10." in found.labels_note


def test_features_that_tell_nothing_accuse_nobody() -> None:
    images, features, _ = made(apart=0.0)
    found = deep_audit(QUICK, images, features)
    assert found.suspects == []
    assert "label_error" not in kinds(found)
    assert "too few to tell" in found.labels_note


def test_classes_that_look_alike() -> None:
    images, features, _ = made(n=360)
    features[1::3], features[2::3] = features[2::3], features[1::3].copy()
    features[1::3, :3] = features[2::3, :3] = [0.0, 3.0, 3.0]
    found = deep_audit(QUICK, images, features)
    assert [(pair.first, pair.second) for pair in found.lookalikes] == [("nut", "screw")]
    assert found.lookalikes[0].of == 240
    assert "lookalikes" in kinds(found)


def test_a_group_does_not_vouch_for_its_own_wrong_label() -> None:
    rng = np.random.default_rng(0)
    parts = np.repeat(np.arange(80), 3)
    truth = parts % len(NAMES)
    # Each part has a look of its own that the probe could learn by heart.
    own = 6.0 * rng.normal(size=(80, 24))[parts] * (np.arange(24) >= 3)
    features = 5.0 * np.eye(3, 24)[truth] + own + 0.1 * rng.normal(size=(240, 24))
    labels = truth.copy()
    labels[parts == 7] = (labels[parts == 7] + 1) % 3
    groups = [f"part-{part}" for part in parts]
    found = deep_audit(QUICK, data(labels, groups), features)
    wrong = {f"{row:03d}.png" for row in np.flatnonzero(parts == 7)}
    assert wrong <= {suspect.image.file for suspect in found.suspects}
    alone = deep_audit(QUICK, data(labels), features)
    assert not wrong & {suspect.image.file for suspect in alone.suspects}


def test_copies_do_not_vouch_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    images, features, _ = made()
    copies = [
        AuditedImage(file=name, split="train", label="bolt") for name in ("000.png", "003.png")
    ]
    quick = QUICK.model_copy(update={"duplicates": [DuplicateSet(kind="near", images=copies)]})
    seen: list[int] = []
    from hf_vft.data.audit import labels as audit_labels

    folds = audit_labels._folds

    def watched(labels, units, seed):
        seen.append(int(units[0] == units[3]))
        return folds(labels, units, seed)

    monkeypatch.setattr(audit_labels, "_folds", watched)
    deep_audit(quick, images, features)
    assert seen == [1]


def test_a_class_with_one_group_is_said_to_be_unchecked() -> None:
    labels = np.arange(60) % 3
    groups = ["same" if label == 0 else f"{row}" for row, label in enumerate(labels)]
    features = np.random.default_rng(0).normal(size=(60, 8))
    found = deep_audit(QUICK, data(labels, groups), features)
    assert found.findings == []
    assert found.labels_note.startswith("Labels were not checked: some class has too few")


def test_features_have_to_be_as_many_as_images() -> None:
    images, features, _ = made()
    with pytest.raises(DataError, match="239 features for 240 images"):
        deep_audit(QUICK, images, features[1:])


def test_labels_between_classes_that_look_alike_are_not_called_wrong() -> None:
    known = pd.DataFrame({"file": list("abcdefgh"), "split": "train", "label": [0, 0, 0, 1] * 2})
    answers = np.tile([0.9, 0.05, 0.05], (8, 1))
    answers[known["label"] == 1] = [0.05, 0.9, 0.05]
    answers[0] = [0.02, 0.97, 0.01]
    pairs = [Lookalikes(first=NAMES[0], second=NAMES[1], n=5, of=8)]
    [found] = find_suspects(known, NAMES, answers, pairs)
    assert found.alike
    [told] = _suspect_findings([found], 0.9)
    assert (told.kind, told.severity) == ("label_unclear", "info")
    assert "may well be right" in told.sentence
    [plain] = _suspect_findings(find_suspects(known, NAMES, answers), 0.9)
    assert (plain.kind, plain.severity) == ("label_error", "warning")
    assert "may be wrong: a probe that agrees with 90% of all labels contradicts it" in (
        plain.sentence
    )
