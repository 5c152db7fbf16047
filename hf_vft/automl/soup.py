"""Greedy soup: the average of the weights of several trainings (Wortsman et al. 2022).

Trainings that start from the same weights often end in one basin, where the average of their
weights is better than each of them and costs no more to run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

State = dict[str, torch.Tensor]

MOST = 5
"""Trainings that are tasted; those beyond are worse than these."""


@dataclass(frozen=True)
class Soup:
    """The averaged weights, and how they were found.

    Attributes:
        state: Weights and buffers of the best that was found.
        names: The trainings that are in it, the best first; one where nothing was better.
        before: Score of the best training alone.
        after: Score of ``state``.
        tasted: Trainings that could be tried beside the first.
    """

    state: State
    names: list[str]
    before: float
    after: float
    tasted: int


def greedy_soup(
    first: tuple[str, State],
    others: Sequence[tuple[str, Callable[[], State]]],
    score: Callable[[State], float],
    *,
    highest: bool = True,
    over: Callable[[], bool] = lambda: False,
) -> Soup:
    """Stir in one training after the other, and keep each only if the score is better with it.

    Args:
        first: Name and weights of the best training.
        others: Names, and what reads their weights; the best first.
        score: Of weights, on validation.
        highest: Whether a high score is good.
        over: Whether time is up; nothing more is tasted then.
    """
    name, state = first
    before = after = score(state)
    names, tasted = [name], 0
    for other, read in others[:MOST]:
        if over():
            break
        weights = read()
        if not alike(state, weights):
            continue
        tasted += 1
        tried = stirred(state, weights, len(names))
        value = score(tried)
        if math.isfinite(value) and (value > after if highest else value < after):
            state, after, names = tried, value, [*names, other]
    return Soup(state, names, before, after, tasted)


def stirred(soup: Mapping[str, torch.Tensor], more: Mapping[str, torch.Tensor], n: int) -> State:
    """The average of ``n`` trainings with one more; counters stay those of the first."""
    return {
        name: torch.lerp(value, more[name].to(value), 1 / (n + 1))
        if value.is_floating_point()
        else value
        for name, value in soup.items()
    }


def alike(first: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    """Whether the weights are those of one architecture at one input size."""
    return first.keys() == other.keys() and all(first[k].shape == other[k].shape for k in first)
