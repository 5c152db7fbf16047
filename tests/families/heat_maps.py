"""Whether the heat map of a network of random weights lies where the object is."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from hf_vft.explain.heatmap import heat_map
from hf_vft.models.structure import last_linear
from tests.families.subject import Subject, Unclear, removed

SQUARES, CERTAIN = 32, 3.0
"""Images of which a heat map is asked for, and the t statistic from which on it is taken to lie on
the square: a map that knows nothing of it reaches that in one of 700 trials for one class."""

LESSONS, IN_A_ROW = 120, 4
"""Steps for which a network is taught at most whose random weights show nothing, and the batches
without a mistake after which it is taught no more."""

MOST = 3_000_000
"""Parameters of the largest network that is taught."""

WIDE = (
    "with random weights, its heat map does not lie on the planted square; a network of more than "
    f"{MOST:,} parameters is not taught to tell the square, since that would take too long"
)

LEARNT = 0.9
"""Share of squares from which on a network counts as taught."""

UNTAUGHT = f"in {LESSONS} steps, the replica does not learn to tell the planted square"

SPREAD = (
    "taught, the replica tells the planted square, and its heat map does not lie there: whether "
    "the network decides by other places or the map is wrong, this trial cannot tell"
)


def heat(subject: Subject) -> str:
    """Of images with one bright square, the map of a class lies on the square.

    The head is set to what the network gives for a square more than without one. Which class the
    map is of is left open there: a network of random weights may hold the square for a reason, or
    all that is not square. Where random features do not show it, the network is taught to tell
    the square, and the map is that of the square's class. Each map is compared with itself where
    the squares of other images are, so that one that always points to the same place shows
    nothing.
    """
    if subject.boxes:
        return "boxes are drawn"
    model = subject.load().model
    _head_for_brightness(subject, model)
    gains = max((_gains(subject, model, target) for target in (1, 0)), key=_certainty)
    if _certainty(gains) >= CERTAIN:
        return _told(gains)
    if sum(parameter.numel() for parameter in model.parameters()) > MOST:
        raise Unclear(WIDE)
    model = subject.load().model
    right = _taught(subject, model)
    gains = _gains(subject, model, 1)
    if not _certainty(gains) >= CERTAIN:
        raise Unclear(SPREAD if right >= LEARNT else UNTAUGHT)
    return f"{_told(gains)}, taught"


def _told(gains: np.ndarray) -> str:
    return f"{np.mean(gains):+.0%} of the map on the square, at t = {_certainty(gains):.1f}"


def _certainty(gains: np.ndarray) -> float:
    """The t statistic of a mean above zero; 0 where there is no spread to judge it by."""
    spread = float(gains.std(ddof=1))
    return float(gains.mean()) / (spread / np.sqrt(len(gains))) if spread > 0 else 0.0


def _gains(subject: Subject, model: nn.Module, target: int) -> np.ndarray:
    """Share of each map on its own square, less that on the others' squares: ``[SQUARES]``."""
    side = subject.side
    pixels, _, corners = _planted(side, 2 * SQUARES, seed=7)
    marked = list(zip(pixels, corners, strict=True))[1::2]
    maps = []
    for image, _ in marked:
        found = heat_map(model, image, target)
        assert found.shape == (side, side), f"a map of {found.shape}"
        maps.append(found / max(float(found.sum()), 1e-9))
    places = sorted({tuple(corner) for _, corner in marked})
    gains = []
    for found, (_, corner) in zip(maps, marked, strict=True):
        here = {place: _share_around(found, place, side) for place in places}
        own = here.pop(tuple(corner))
        gains.append(own - float(np.mean(list(here.values()))))
    return np.array(gains)


def _share_around(found: np.ndarray, corner: tuple[int, ...], side: int) -> float:
    """Of a map, on a square and a margin of half its side around it."""
    rows, columns = (slice(max(0, at - side // 8), at + side // 4 + side // 8) for at in corner)
    return float(found[rows, columns].sum())


def _planted(side: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, list[Any]]:
    """Noise, and in every second image a square: ``[count, 3, side, side]``, class, where."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0.0, 0.3, (count, 3, side, side)).astype(np.float32)
    corners = rng.choice((0, side // 4, side // 2, 3 * side // 4), (count, 2)).tolist()
    for image, (row, column) in list(zip(pixels, corners, strict=True))[1::2]:
        image[:, row : row + side // 4, column : column + side // 4] += 2.0
    return torch.from_numpy(pixels), torch.arange(count) % 2, corners


def _head_for_brightness(subject: Subject, model: nn.Module) -> None:
    """Let the head answer with how much the features are those of an image with a square."""
    last, caught = last_linear(model), []
    hook = last.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    pixels, classes, _ = _planted(subject.side, 16, seed=3)
    with torch.no_grad(), removed([hook]):
        model(pixel_values=pixels)
        features = torch.cat(caught)
        features = features.reshape(len(pixels), -1, features.shape[-1]).mean(1)
        difference = features[classes == 1].mean(0) - features[classes == 0].mean(0)
        direction = difference / difference.norm().clamp(min=1e-12)
        last.weight[0], last.weight[1] = -direction, direction


def _taught(subject: Subject, model: Any) -> float:
    """Teach a network to tell whether there is a square; the share of new images it tells right."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    model.train()
    for module in model.modules():
        if "Drop" in type(module).__name__ and not list(module.children()):
            module.eval()  # in so few steps, it only delays them
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    faultless = 0
    for step in range(LESSONS):
        pixels, classes, _ = _planted(subject.side, 16, seed=1000 + step)
        logits = model(pixel_values=pixels).logits
        loss = nn.functional.cross_entropy(logits, classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        faultless = faultless + 1 if bool((logits.argmax(1) == classes).all()) else 0
        if faultless == IN_A_ROW:
            break
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average of what follows: of the weights as they are now
    pixels, classes, _ = _planted(subject.side, 2 * SQUARES, seed=7)
    with torch.no_grad():
        if norms:
            for batch in _planted(subject.side, 2 * SQUARES, seed=1000)[0].split(16):
                model(pixel_values=batch)
        right = model.eval()(pixel_values=pixels).logits.argmax(1) == classes
    return float(right.float().mean())
