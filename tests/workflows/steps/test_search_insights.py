from __future__ import annotations

import numpy as np

from hf_vft.workflows.steps.search_insights import FEWEST, known_classes


def test_classes_of_too_few_images_or_groups_are_not_compared() -> None:
    labels = np.repeat([0, 1, 2], [FEWEST, FEWEST - 1, 2 * FEWEST])
    assert known_classes(labels) == {0, 2}
    pairs_of_images = (np.arange(len(labels)) // 2).tolist()
    assert known_classes(labels, pairs_of_images) == {2}
    assert known_classes(labels, [None] * len(labels)) == {0, 2}
