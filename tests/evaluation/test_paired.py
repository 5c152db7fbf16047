"""Two models on the same images, for any task."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hf_vft.evaluation.comparison import compare
from hf_vft.evaluation.paired import label_measure, marks_measure, paired_scores

RNG = np.random.default_rng(0)
NAMES = ["a", "b", "c"]


def test_it_agrees_with_the_comparison_of_a_retraining() -> None:
    truth = RNG.choice(NAMES, 80).tolist()
    old, new = ([t if RNG.random() < p else "a" for t in truth] for p in (0.5, 0.8))
    right = tuple(
        np.array([t == s for t, s in zip(truth, said, strict=True)]) for said in (old, new)
    )
    found = paired_scores(
        label_measure(truth, old, NAMES), label_measure(truth, new, NAMES), right, n_bootstrap=200
    )
    known = compare(truth, old, new, n_bootstrap=200)
    for name in ("accuracy", "f1_macro"):
        assert found.scores[name].difference == getattr(known, name).difference
    assert (found.only_first, found.only_second) == (known.only_champion, known.only_challenger)
    assert found.p_value == known.p_value


def test_parts_are_compared_among_their_own_images() -> None:
    first, second = np.array([1, 1, 0, 0], bool), np.array([1, 1, 1, 1], bool)
    nothing = lambda weights: {"accuracy": weights.sum(0)}  # noqa: E731
    part = np.array([0, 0, 1, 1], bool)
    found = paired_scores(nothing, nothing, (first, second), parts={("camera", "top"): part})
    assert (found.parts[0].n, found.parts[0].first, found.parts[0].second) == (2, 0.0, 1.0)
    assert found.both == 2


def test_several_labels_are_scored_as_scikit_learn_does() -> None:
    truth, said = RNG.random((50, 3)) < 0.4, RNG.random((50, 3)) < 0.4
    found = marks_measure(truth, said)(np.ones((50, 1)))
    assert found["f1_macro"][0] == pytest.approx(f1_score(truth, said, average="macro"))
    assert found["f1_micro"][0] == pytest.approx(f1_score(truth, said, average="micro"))
    assert found["exact_match"][0] == pytest.approx((truth == said).all(1).mean())
