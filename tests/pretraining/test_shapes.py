import numpy as np
import pytest

from hf_vft.pretraining.shapes import FAMILIES, shape_bank

BANK = shape_bank(32, 2048, seed=0)


def of_family(name: str) -> np.ndarray:
    return BANK[FAMILIES.index(name) :: len(FAMILIES)]


def test_the_seed_decides_everything():
    assert np.array_equal(shape_bank(4, 256, seed=0), shape_bank(4, 256, seed=0))
    assert not np.array_equal(shape_bank(4, 256, seed=0), shape_bank(4, 256, seed=1))


def test_a_class_does_not_depend_on_how_many_there_are():
    assert np.array_equal(shape_bank(32, 2048, seed=0)[:5], shape_bank(5, 2048, seed=0))


def test_every_shape_fills_the_square():
    low, high = BANK.min(1), BANK.max(1)
    assert BANK.dtype == np.float32
    assert low.min() >= -1
    assert high.max() <= 1
    assert ((high - low).max(1) > 1.9).all()


def test_no_fractal_collapses_to_a_point_or_a_line():
    spread = [np.linalg.svd(cloud - cloud.mean(0))[1][1] for cloud in of_family("fractal")]
    assert min(spread) / np.sqrt(2048) > 0.05


@pytest.mark.parametrize(("family", "filled"), [("contour", False), ("blob", True)])
def test_blobs_are_filled_and_contours_are_not(family, filled):
    """Among the points in a narrow direction, those of a line lie at one distance."""
    spreads = []
    for cloud in of_family(family):
        x, y = cloud[:, 0], cloud[:, 1]
        distance = np.hypot(x, y)[np.abs(np.arctan2(y, x)) < 0.03]
        spreads.append(distance.std() / distance.mean())
    assert (np.median(spreads) > 0.25) == filled


def test_strokes_are_lines_without_gaps():
    steps = [np.linalg.norm(np.diff(cloud, axis=0), axis=1).max() for cloud in of_family("stroke")]
    assert max(steps) < 0.02


def test_classes_differ():
    grids = [np.histogram2d(*cloud.T, bins=12, range=[[-1, 1]] * 2)[0].ravel() for cloud in BANK]
    similarity = np.corrcoef(grids) - np.eye(len(BANK))
    assert similarity.max() < 0.98
