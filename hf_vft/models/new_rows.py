"""Rows of the last layer for classes that a model does not know yet; its own rows stay.

The direction of a new row tells its class from all others (a shrunken discriminant on the features
that the last layer sees). How strongly it speaks, and from where on, is fitted beside the logits of
the old rows, so that a class of a few images competes fairly with classes of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from hf_vft.models.linear_heads import discriminant
from hf_vft.models.logistic import LinearHead, standardisation

SHRINKAGE = 0.3
FOLDS = 5
ALLOWED = 0.02
"""Share of the old held-out images that are answered right which new rows may take over."""


@dataclass(frozen=True)
class Seen:
    """Images as the last layer sees them.

    Attributes:
        features: ``[N, D]``.
        labels: Class ids ``[N]``.
    """

    features: np.ndarray
    labels: np.ndarray


def with_new_rows(
    old: LinearHead, fresh: Sequence[int], train: Seen, held_out: Seen, *, seed: int
) -> LinearHead:
    """A head with rows of its own for the classes in ``fresh``; all other rows are as they were.

    Args:
        old: ``[C, D]`` and ``[C]``; the rows of ``fresh`` count for nothing.
        fresh: Ids of the classes that ``old`` does not know.
        train: Images of all classes, to learn the directions from.
        held_out: Images that ``old`` was not fitted to, and of the new classes, if there are any:
            on them and on the new training images the strength of the rows is fitted.
        seed: Of the folds.

    Returns:
        The head, in the units of the features.
    """
    known = [row for row in range(len(old.bias)) if row not in fresh]
    rows = np.array(
        [_direction(train, label) for label in fresh]
    )  # [K, D + 1]: weight and bias, in the units of the features
    scores, images = _unlearned_scores(rows, fresh, train, held_out, seed)
    logits = old.logits(images.features)[:, known]
    place = {label: number for number, label in enumerate([*known, *fresh])}
    labels = np.array([place[label] for label in images.labels.tolist()])
    scale, shift = _strength(logits, scores, labels)
    shift -= _excess(logits, scores * scale + shift, labels)
    weight, bias = old.weight.copy(), old.bias.copy()
    for number, label in enumerate(fresh):
        weight[label] = scale[number] * rows[number, :-1]
        bias[label] = scale[number] * rows[number, -1] + shift[number]
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32))


def _direction(train: Seen, label: int) -> np.ndarray:
    """What tells a class from all others, ``[D + 1]``: weight, and bias last."""
    mean, scale = standardisation(train.features)
    standard = ((train.features - mean) / scale).astype(np.float64)
    # Spread within each old class counts as such, not spread between them.
    ids = np.unique(train.labels, return_inverse=True)[1]
    place = int(np.flatnonzero(np.unique(train.labels) == label)[0])
    head = discriminant(standard, ids, int(ids.max()) + 1, shrinkage=SHRINKAGE)
    others = np.delete(np.arange(len(head.bias)), place)
    weight = (head.weight[place] - head.weight[others].mean(0)) / scale
    bias = head.bias[place] - head.bias[others].mean() - weight @ mean
    return np.append(weight, bias)


def _unlearned_scores(
    rows: np.ndarray, fresh: Sequence[int], train: Seen, held_out: Seen, seed: int
) -> tuple[np.ndarray, Seen]:
    """Scores ``[M, K]`` of images that the directions were not learned from, and those images.

    They are the held-out ones, and the new classes' training images, each with directions that
    were learned without it.
    """
    scores, features, labels = [_apply(rows, held_out.features)], [held_out.features], []
    labels.append(held_out.labels)
    new = np.flatnonzero(np.isin(train.labels, fresh))
    parts = _parts(train.labels[new], seed)
    for part in np.unique(parts):
        out = new[parts == part]
        rest = np.delete(np.arange(len(train.labels)), out)
        if not np.isin(fresh, train.labels[rest]).all():
            continue  # a single image of a class: nothing is left to learn it from
        without = Seen(train.features[rest], train.labels[rest])
        again = np.array([_direction(without, label) for label in fresh])
        scores.append(_apply(again, train.features[out]))
        features.append(train.features[out])
        labels.append(train.labels[out])
    return np.concatenate(scores), Seen(np.concatenate(features), np.concatenate(labels))


def _parts(labels: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each image, spread evenly over the folds class by class."""
    rng, parts = np.random.default_rng(seed), np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        parts[mine] = np.arange(len(mine)) % FOLDS
    return parts


def _apply(rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    scores: np.ndarray = features @ rows[:, :-1].T + rows[:, -1]
    return scores


def _strength(
    logits: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of each new row, of least log loss; every class weighs the same."""
    old, new = torch.from_numpy(logits).double(), torch.from_numpy(scores).double()
    truth = torch.from_numpy(labels)
    counts = torch.bincount(truth, minlength=old.shape[1] + new.shape[1]).double()
    weights = (1.0 / counts.clamp(min=1.0))[truth]
    spread = new.std(0).clamp(min=1e-12)
    log_scale = (-spread.log()).requires_grad_()
    shift = torch.zeros_like(log_scale, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [log_scale, shift], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-7
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        whole = torch.cat([old, new * log_scale.exp() + shift], dim=1)
        loss = (F.cross_entropy(whole, truth, reduction="none") * weights).sum() / weights.sum()
        # Scores that tell the classes apart without a mistake would grow without bound.
        loss = loss + 1e-3 * ((log_scale + spread.log()) ** 2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return log_scale.detach().exp().numpy(), shift.detach().numpy()


def _excess(logits: np.ndarray, new: np.ndarray, labels: np.ndarray) -> float:
    """By how much new rows have to be lowered so that old classes lose no more than allowed."""
    own = labels < logits.shape[1]
    right = own & (logits.argmax(1) == np.where(own, labels, 0))
    margins = np.sort((new.max(1) - logits.max(1))[right])[::-1]
    allowed = int(np.ceil(ALLOWED * len(margins)))
    return float(max(0.0, margins[allowed] + 1e-6)) if allowed < len(margins) else 0.0
