"""Scores of maps agree with their definitions, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hf_vft.evaluation.pixels import LIMIT, pixel_scores


def images(signal: float, n: int = 12) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    maps, masks = [], []
    for number in range(n):
        scores, mask = rng.random((40, 40)).astype(np.float32), np.zeros((40, 40), dtype=bool)
        if number % 2:
            mask[5:12, 20:33] = True
            mask[30:34, 3:7] = True
        maps.append(scores + signal * mask.astype(np.float32))
        masks.append(mask)
    return maps, masks


@pytest.mark.parametrize("signal", [0.0, 0.3, 2.0])
def test_auroc_is_that_of_all_pixels(signal: float):
    maps, masks = images(signal)
    found = pixel_scores(maps, masks, n_bootstrap=50, seed=0)["pixel_auroc"]

    expected = roc_auc_score(np.concatenate(masks).ravel(), np.concatenate(maps).ravel())
    assert found.value == pytest.approx(expected, abs=2e-3)
    if signal == 0.3:
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high


def test_overlap_weighs_every_region_alike_whatever_its_size():
    maps, masks = images(0.0)
    for scores, mask in zip(maps, masks, strict=True):
        scores[5:12, 20:33][mask[5:12, 20:33]] += 5.0  # the large one is found, the small one not

    found = pixel_scores(maps, masks, n_bootstrap=0, seed=0)
    assert found["pro"].value == pytest.approx((1.0 + LIMIT / 2) / 2, abs=0.03)
    assert found["pixel_auroc"].value is not None
    assert found["pixel_auroc"].value > 0.9
    assert found["pro"].low is None


def test_nothing_marked_leaves_it_undefined():
    maps, _ = images(0.0)
    found = pixel_scores(maps, [np.zeros((40, 40), dtype=bool)] * 12, n_bootstrap=5, seed=0)
    assert found["pro"].value is None
    assert found["pixel_auroc"].value is None
