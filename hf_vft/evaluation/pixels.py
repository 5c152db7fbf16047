"""How well a map of anomalies says where they are, against masks.

Scores are counted in bins of equal content, an image at a time: whatever is asked of all images
together then follows from weighted sums, and resampling images costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from hf_vft.evaluation.intervals import Floats, percentile_interval, resamples, units_of
from hf_vft.evaluation.results import Estimate

BINS = 512
LIMIT = 0.3
"""False-positive rate up to which the overlap of regions is averaged (Bergmann et al. 2021)."""

_SAMPLED = 200_000


def pixel_scores(
    maps: Sequence[npt.NDArray[np.float32]],
    masks: Sequence[npt.NDArray[np.bool_]],
    *,
    n_bootstrap: int,
    seed: int,
    clusters: Sequence[str | None] | None = None,
) -> dict[str, Estimate]:
    """AUROC over pixels, and the per-region overlap (PRO), with intervals over images.

    Args:
        maps: ``[H, W]`` of each image; higher is more anomalous.
        masks: ``[H, W]`` of each image; true where it is anomalous, nowhere for a good image.
        n_bootstrap: Resamples; 0 gives no intervals.
        seed: Of the resamples.
        clusters: Images of one are drawn together.

    Returns:
        ``pixel_auroc`` and ``pro``, in [0, 1]; undefined without a marked and an unmarked pixel.
    """
    edges = _edges(maps, seed)
    bad, good, overlap = (np.zeros((len(maps), BINS)) for _ in range(3))
    regions = np.zeros(len(maps))
    for row, (scores, mask) in enumerate(zip(maps, masks, strict=True)):
        bins = np.searchsorted(edges, scores.ravel(), side="right")
        flat = mask.ravel()
        bad[row] = np.bincount(bins[flat], minlength=BINS)
        good[row] = np.bincount(bins[~flat], minlength=BINS)
        numbered, count = label(mask)
        regions[row] = count
        for region in range(1, count + 1):
            inside = np.bincount(bins[numbered.ravel() == region], minlength=BINS)
            overlap[row] += inside / inside.sum()
    ones = np.ones((len(maps), 1))
    values = [_auroc(bad, good, ones), _pro(overlap, regions, good, ones)]
    draws: list[list[Floats]] = [[], []]
    for weights in resamples(units_of(len(maps), clusters), n_bootstrap, seed):
        draws[0].append(_auroc(bad, good, weights))
        draws[1].append(_pro(overlap, regions, good, weights))
    found = {}
    for name, value, drawn in zip(("pixel_auroc", "pro"), values, draws, strict=True):
        low, high = (None, None)
        if drawn:
            low, high = (float(end[0]) for end in percentile_interval(np.concatenate(drawn)[None]))
        found[name] = Estimate(value=float(value[0]), low=low, high=high)
    return found


def _edges(maps: Sequence[npt.NDArray[np.float32]], seed: int) -> Floats:
    """Of bins of about equal content ``[BINS - 1]``, from a sample of all pixels."""
    each = max(_SAMPLED // max(len(maps), 1), 1)
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([rng.choice(scores.ravel(), min(each, scores.size)) for scores in maps])
    edges: Floats = np.quantile(drawn, np.linspace(0, 1, BINS + 1)[1:-1])
    return edges


def _auroc(bad: Floats, good: Floats, weights: Floats) -> Floats:
    """From counts by image and bin ``[N, K]`` and weights ``[N, B]`` to ``[B]``."""
    positive, negative = bad.T @ weights, good.T @ weights
    below = np.cumsum(negative, axis=0) - negative
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Floats = (positive * (below + 0.5 * negative)).sum(0) / (
            positive.sum(0) * negative.sum(0)
        )
    return area


def _pro(overlap: Floats, regions: Floats, good: Floats, weights: Floats) -> Floats:
    """The mean overlap of regions over false-positive rates up to `LIMIT`, ``[B]``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        covered = np.cumsum((overlap.T @ weights)[::-1], axis=0) / (regions @ weights)
        negative = good.T @ weights
        false = np.cumsum(negative[::-1], axis=0) / negative.sum(0)
    found = np.full(weights.shape[1], np.nan)
    grid = np.linspace(0.0, LIMIT, 301)
    for column in range(weights.shape[1]):
        x = np.concatenate([[0.0], false[:, column]])
        y = np.concatenate([[0.0], covered[:, column]])
        if np.isfinite(x).all() and np.isfinite(y).all():
            found[column] = np.trapezoid(np.interp(grid, x, y), grid) / LIMIT
    return found
