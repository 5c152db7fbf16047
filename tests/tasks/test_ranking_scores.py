"""What backbones are ranked by, task by task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hf_vft.errors import RecipeError
from hf_vft.tasks import ImageClassification, MultiLabelClassification, ObjectDetection

OPTIONS: dict[str, Any] = {"n_bootstrap": 200, "seed": 0}
FOLDS: dict[str, Any] = {"folds": 4, "groups": None, "balanced": True, "seed": 0}


def test_of_classes_with_an_interval() -> None:
    labels = np.repeat([0, 1], 30)
    predicted = labels.copy()
    predicted[:6] = 1
    task, logits = ImageClassification(), np.eye(2)[predicted]
    found = task.ranking_score(logits, labels, metric="accuracy", **OPTIONS)
    assert found.value == pytest.approx(0.9)
    assert found.low is not None
    assert found.low < 0.9 < (found.high or 0)
    by_loss = task.ranking_score(logits, labels, metric="loss", **OPTIONS)
    assert by_loss == task.ranking_score(logits, labels, metric="f1_macro", **OPTIONS)


def test_of_several_labels_on_images_that_were_held_out() -> None:
    rng, task = np.random.default_rng(0), MultiLabelClassification()
    known = rng.normal(size=(120, 6))
    marks = (known[:, :2] + 0.5 * rng.normal(size=(120, 2)) > 0).astype(int)
    scores = []
    for features in (known, rng.normal(size=(120, 6))):
        rows, logits = task.held_out_probe(features, marks, num_classes=2, **FOLDS)
        assert sorted(rows) == list(range(120))
        scores.append(task.ranking_score(logits, marks[rows], metric="map", **OPTIONS))
    good, blind = scores
    assert (good.low or 0) > (blind.high or 1)
    # A probe of noise that had seen its images would seem to know them.
    assert (blind.low or 1) < marks.mean() + 0.1
    rows, logits = task.held_out_probe(known, marks, num_classes=2, **FOLDS)
    f1 = task.ranking_score(logits, marks[rows], metric="f1_micro", **OPTIONS)
    assert f1.value != good.value
    assert task.ranking_score(logits, marks[rows], metric="loss", **OPTIONS) == good


def test_boxes_have_no_linear_probe() -> None:
    with pytest.raises(RecipeError, match="no linear probe"):
        ObjectDetection().ranking_score(np.zeros((1, 1)), [0], metric="map50", **OPTIONS)
