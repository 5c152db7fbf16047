from __future__ import annotations

import numpy as np

from hf_vft.evaluation.search_insights import auroc
from hf_vft.models.learning_curve import answers_by_images, pair_scores, part

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 2], 100)
# Classes 0 and 1 are drawn alike; class 2 lies elsewhere.
FEATURES = RNG.normal(size=(300, 8)) + 0.8 * (LABELS == 2)[:, None]


def test_planted_pairs_are_found_inseparable_and_separable() -> None:
    alike, apart = (
        auroc(scores, LABELS[rows] == pair[1])
        for pair in ((0, 1), (0, 2))
        for rows, scores in [pair_scores(FEATURES, LABELS, pair, penalty=0.01)]
    )
    assert alike.high is not None
    assert alike.high < 0.65
    assert apart.low is not None
    assert apart.low > 0.8


def test_parts_grow_and_more_images_answer_better() -> None:
    noisy = RNG.normal(size=(600, 100)) + 0.25 * np.eye(3, 100)[np.repeat([0, 1, 2], 200)] * 8
    labels = np.repeat([0, 1, 2], 200)
    train, held = np.arange(0, 600, 2), np.arange(1, 600, 2)
    found = answers_by_images(noisy[train], labels[train], noisy[held], penalty=0.01)
    assert list(found) == [75, 150, 300]
    assert [len(answers) for answers in found.values()] == [3, 3, 1]
    scores = [np.mean([(a == labels[held]).mean() for a in answers]) for answers in found.values()]
    assert scores[0] < scores[-1]


def test_a_part_has_every_class_or_whole_groups() -> None:
    rare = np.array([0] * 40 + [1] * 2)
    assert set(rare[part(rare, 0.25, np.random.default_rng(0))]) == {0, 1}
    groups = (np.arange(300) // 10).tolist()
    rows = part(LABELS, 0.5, np.random.default_rng(0), groups=groups)
    assert len(rows) == 150
    assert all(np.isin(np.flatnonzero(np.array(groups) == groups[row]), rows).all() for row in rows)
