"""How strange an image is, where the truth is known."""

import numpy as np
import pytest
from scipy.stats import kstest

from hf_vft.monitoring.embeddings import Reduction
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.outliers import held_out_distances, most_unlike
from tests.monitoring.made import reference, window

WIDE = np.random.default_rng(0).normal(size=(24, 200)) / 5


def widened(sample: Sample, seed: int) -> Sample:
    """In 200 dimensions with noise in all: more than components are kept."""
    values = np.asarray(sample.embeddings, dtype=np.float32) @ WIDE
    values += 0.5 * np.random.default_rng(seed).normal(size=values.shape)
    return Sample(sample.frame, values.astype(np.float16))


@pytest.mark.parametrize("members", [1, 2])
def test_images_like_those_of_training_have_any_rank(members: int) -> None:
    """Two images of each part are close together, and no production image is as close."""
    ours = widened(reference(300, group="part", members=members).sample, 1)
    now = widened(window(400, members=members).sample, 2)
    ranks = most_unlike(ours, now, Reduction.fit(ours), group="part")["rank"]
    assert kstest(ranks, "uniform").statistic < 0.12
    assert (ranks > 0.95).mean() < 0.1


def test_a_known_image_is_no_neighbour_of_itself() -> None:
    ours = widened(reference(100).sample, 1)
    rows = np.array([5, 7])
    rng = np.random.default_rng(0)
    found = held_out_distances(ours, ours.take(rows), rows, group=None, rng=rng)
    own = held_out_distances(ours, ours, np.arange(100), group=None, rng=np.random.default_rng(0))
    np.testing.assert_allclose(found, own[rows])
    assert found.min() > 1.0
