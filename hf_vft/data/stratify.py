"""Divides rows by label, keeping together what belongs together.

scikit-learn's ``StratifiedGroupKFold`` makes folds of equal size only and may leave a rare
class out of one, and ``train_test_split`` knows no groups, so the division is made here: first
every class gets a unit in every split, then the large units go where they are most missing,
then single images fill up each class. A unit is a group, or one image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_FILL_ORDER = ("train", "test", "validation")  # who comes first where a class has few units
_ATTEMPTS = 20  # other random orders that are tried when a class is missing somewhere


def merge_units(*keys: Sequence[str | None]) -> np.ndarray:
    """Units that must stay together: rows joined by any chain of equal keys.

    Args:
        keys: For each way of belonging together one key per row; None joins nothing.

    Returns:
        ``int [N]``, the number of the unit of each row.
    """
    n = len(keys[0])
    rows, nodes, offset = [], [], n
    for column in keys:
        ids: dict[str, int] = {}
        for row, key in enumerate(column):
            if key is not None:
                rows.append(row)
                nodes.append(offset + ids.setdefault(key, len(ids)))
        offset += len(ids)
    links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, nodes)), shape=(offset, offset))
    return np.asarray(connected_components(links, directed=False)[1][:n])


def divide(
    labels: np.ndarray, units: np.ndarray, shares: Mapping[str, float], seed: int
) -> np.ndarray:
    """Divide rows, stratified by label, with no unit on two sides.

    Rows of several classes are divided like units that hold several (iterative stratification,
    Sechidis et al. 2011); rows of none are a class of their own.

    Every class is in every split where its units allow it: with one unit it is in train, with
    two in train and the first other split; with three or more in all (unless units that hold
    several classes make that impossible).

    Args:
        labels: ``int [N]``, 0..C-1, or how often a row is of each class, ``int [N, C]``.
        units: ``int [N]``, rows of one unit stay together.
        shares: Size of each split beside train, as a share of the rows.
        seed: The same seed and rows give the same division.

    Returns:
        ``str [N]``, the name of the split.
    """
    names = [name for name in _FILL_ORDER if name == "train" or name in shares]
    sizes = np.array([shares.get(name, 1.0 - sum(shares.values())) for name in names])
    unit_of_row = np.unique(units, return_inverse=True)[1].reshape(-1)
    members = _members(labels)
    counts = np.zeros((unit_of_row.max() + 1, members.shape[1]), dtype=np.int64)
    np.add.at(counts, unit_of_row, members)
    best, fewest = None, None
    for attempt in range(_ATTEMPTS):
        assigned = _assign(counts, sizes, np.random.default_rng([seed, attempt]))
        missing = _missing(counts, assigned, len(names))
        if fewest is None or missing < fewest:
            best, fewest = assigned, missing
        if missing == _unavoidable(counts, len(names)):
            break
    return np.asarray(np.array(names)[best][unit_of_row])


def _members(labels: np.ndarray) -> np.ndarray:
    """``int [N, C]``, no row without a one."""
    if labels.ndim == 1:
        return np.asarray(np.eye(int(labels.max()) + 1, dtype=np.int64)[labels])
    members = (labels > 0).astype(np.int64)
    without = members.sum(axis=1) == 0
    return np.column_stack([members, without]) if without.any() else np.asarray(members)


def _assign(counts: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Split number of each unit.

    Args:
        counts: ``int [U, C]``, rows of each class in each unit.
        sizes: ``float [S]``, share of each split.
        rng: Decides between equals.
    """
    order = rng.permutation(len(counts))
    shuffled = counts[order]
    targets = sizes[:, None] * counts.sum(axis=0)
    weights = 1.0 / np.maximum(counts.sum(axis=0), 1) ** 2  # every class matters equally
    have = np.zeros_like(targets)
    assigned = np.full(len(counts), -1)

    def put(unit: int, split: int) -> None:
        assigned[unit] = split
        have[split] += shuffled[unit]

    def cost(units: np.ndarray, split: int | slice) -> np.ndarray:
        """Change in squared distance from the targets."""
        change = units * (2 * (have[split] - targets[split]) + units) * weights
        return np.asarray(change.sum(axis=-1))

    for label in np.argsort((shuffled > 0).sum(axis=0), kind="stable"):
        for split in range(len(sizes)):
            free = np.flatnonzero((assigned < 0) & (shuffled[:, label] > 0))
            if have[split, label] == 0 and len(free):
                put(free[np.argmin(cost(shuffled[free], split))], split)

    unit_sizes = shuffled.sum(axis=1)
    large = np.flatnonzero((assigned < 0) & (unit_sizes > 1))
    for unit in large[np.argsort(-unit_sizes[large], kind="stable")]:
        put(unit, int(np.argmin(cost(shuffled[unit], slice(None)))))

    for label in range(counts.shape[1]):
        single = np.flatnonzero((assigned < 0) & (shuffled[:, label] == 1))
        parts = _apportion(targets[:, label] - have[:, label], len(single))
        assigned[single] = np.repeat(np.arange(len(sizes)), parts)

    result = np.empty_like(assigned)
    result[order] = assigned
    return result


def _apportion(wanted: np.ndarray, n: int) -> np.ndarray:
    """Whole numbers that sum to ``n``, near ``wanted``, none negative (largest remainders)."""
    wanted = np.maximum(wanted, 0.0)
    total = wanted.sum()
    exact = wanted * n / total if total > 0 else np.eye(len(wanted))[0] * n
    parts: np.ndarray = np.floor(exact).astype(int)
    for split in np.argsort(parts - exact, kind="stable")[: n - parts.sum()]:
        parts[split] += 1
    return parts


def _missing(counts: np.ndarray, assigned: np.ndarray, n_splits: int) -> int:
    """In how many splits a class is missing, summed over the classes."""
    held = [counts[assigned == split].sum(axis=0) for split in range(n_splits)]
    return int((np.array(held) == 0).sum())


def _unavoidable(counts: np.ndarray, n_splits: int) -> int:
    """The same, where classes have fewer units than there are splits."""
    return int(np.maximum(n_splits - (counts > 0).sum(axis=0), 0).sum())
