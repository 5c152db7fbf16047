"""All the geometry of an image in one resampling, from the file's pixels to the model's input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from hf_vft.data.decoding.reduced import ImageFile
from hf_vft.data.transforms.affine import Affine, moved, scaled, stored_from_upright
from hf_vft.data.transforms.draws import Drawn
from hf_vft.data.transforms.preparation import Framing, Placed, resized


@dataclass(frozen=True)
class Plan:
    """The source positions of the pixels of one input.

    Attributes:
        drawn: The changes; the crop is of whole pixels of what is decoded.
        placed: Where the crop goes.
        reduction: At which the file is decoded.
        source: From a place in the resized crop to one in what is decoded.
        upright: The same, to one in the upright image.
    """

    drawn: Drawn
    placed: Placed
    reduction: int
    source: Affine
    upright: Affine


def planned(file: ImageFile, drawn: Drawn, framing: Framing) -> Plan:
    """The least work that gives every pixel of the input what it needs.

    The file is decoded at the greatest reduction that leaves at least as many pixels as the input
    has, along both sides of the image.
    """
    placed = framing.place(*drawn.kept[2:])
    stored = stored_from_upright(file.orientation, file.width, file.height)
    upright = from_resized(drawn, placed)
    reduction = file.reduction(min(upright.steps))
    if reduction > 1 and upright.is_straight:
        drawn = drawn.snapped(reduction)
        placed = framing.place(*drawn.kept[2:])
        upright = from_resized(drawn, placed)
    source = scaled(1 / reduction, 1 / reduction).after(stored).after(upright)
    return Plan(drawn, placed, reduction, source, upright)


def from_resized(drawn: Drawn, placed: Placed) -> Affine:
    """From a place in the resized crop to one in the upright image."""
    _, _, width, height = drawn.kept
    return drawn.source().after(scaled(width / placed.width, height / placed.height))


def straight(pixels: np.ndarray, plan: Plan, resample: str) -> torch.Tensor:
    """The resized crop of an image that is neither turned nor sheared, as a processor does it.

    Args:
        pixels: Decoded, ``uint8 [H, W, 3]``.
        plan: Of a straight map.
        resample: ``bilinear`` or ``bicubic``.

    Returns:
        ``uint8 [3, h, w]``.
    """
    to, placed = plan.source, plan.placed
    left, top, right, bottom = to.bounds(0, 0, placed.width, placed.height)
    x0, x1 = _whole(left, right, pixels.shape[1])
    y0, y1 = _whole(top, bottom, pixels.shape[0])
    part = torch.from_numpy(pixels[y0:y1, x0:x1]).permute(2, 0, 1)
    swapped = to.a == 0.0
    high, wide = (placed.width, placed.height) if swapped else (placed.height, placed.width)
    resampled = resized(part, high, wide, resample)
    if swapped:
        resampled = resampled.transpose(1, 2)
    # Whether a step to the right, or down, in the result is a step back in the source.
    back = [axis for axis, step in ((2, to.a + to.d), (1, to.b + to.e)) if step < 0]
    return resampled.flip(back) if back else resampled


def _whole(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(0, round(low)), size - 1)
    return first, max(first + 1, min(size, round(high)))


def warped(
    pixels: np.ndarray, plan: Plan, framing: Framing, resample: str
) -> tuple[torch.Tensor, int, int]:
    """The model's input for an image that is turned or sheared, mirrored beyond its edges.

    The part that is needed is first brought, antialiased, to the pitch of the input; then it is
    sampled once.

    Args:
        pixels: Decoded, ``uint8 [H, W, 3]``.
        plan: Of any map.
        framing: Of the input.
        resample: How the part is brought to that pitch, ``bilinear`` or ``bicubic``.

    Returns:
        ``float32 [3, h, w]`` in levels, and the row and column of the input where it begins.
    """
    placed = plan.placed
    first_x, first_y = max(0, -placed.left), max(0, -placed.top)
    wide = min(framing.width, placed.width - placed.left) - first_x
    high = min(framing.height, placed.height - placed.top) - first_y
    to = plan.source.after(moved(placed.left + first_x, placed.top + first_y))
    steps = to.steps
    low_x, low_y, high_x, high_y = to.bounds(0, 0, wide, high)
    x0, x1 = _around(low_x, high_x, steps[0], pixels.shape[1])
    y0, y1 = _around(low_y, high_y, steps[1], pixels.shape[0])
    part = torch.from_numpy(pixels[y0:y1, x0:x1]).permute(2, 0, 1)
    small = resized(part, _pitch(y1 - y0, steps[1]), _pitch(x1 - x0, steps[0]), resample)
    levels = small.to(torch.float32, memory_format=torch.contiguous_format)[None]
    # grid_sample wants places from -1 to 1 over the part.
    place = scaled(2 / (x1 - x0), 2 / (y1 - y0)).after(moved(-x0, -y0)).after(to)
    levels, place, beyond = _mirrored(levels, place, high, wide)
    sampled = functional.grid_sample(
        levels, _grid(place, high, wide), mode="bilinear", padding_mode=beyond, align_corners=False
    )
    return sampled[0], first_y, first_x


def _pitch(length: int, step: float) -> int:
    return max(1, round(length / step)) if step > 1.0 else length


def _around(low: float, high: float, step: float, size: int) -> tuple[int, int]:
    """Whole pixels from ``low`` to ``high``, and those that the filter reads beside them."""
    margin = 2.0 * max(1.0, step)
    first = min(max(0, int(low - margin)), size - 1)
    return first, max(first + 1, min(size, int(high + margin) + 1))


def _mirrored(
    levels: torch.Tensor, place: Affine, high: int, wide: int
) -> tuple[torch.Tensor, Affine, str]:
    """Levels with as much of their mirror image around them as is needed, if that is not much.

    Sampling takes a third less time where no place has to be mirrored.

    Returns:
        The levels, the map into them, and what grid_sample has to do with places beyond.
    """
    low_x, low_y, high_x, high_y = place.bounds(0, 0, wide, high)
    rows, columns = levels.shape[2:]
    x = int(max(-low_x, high_x - 2, 0) * columns / 2) + 1
    y = int(max(-low_y, high_y - 2, 0) * rows / 2) + 1
    if x >= columns / 4 or y >= rows / 4:
        return levels, place, "reflection"
    levels = functional.pad(levels, (x, x, y, y), mode="reflect")
    inner = scaled(columns / (columns + 2 * x), rows / (rows + 2 * y))
    return levels, inner.after(moved(2 * x / columns, 2 * y / rows)).after(place), "zeros"


def _grid(place: Affine, high: int, wide: int) -> torch.Tensor:
    """The places of the middles of pixels, ``[1, high, wide, 2]``."""
    columns, rows = _middles(wide), _middles(high)
    # As complex numbers x and y are added, and written side by side, at once.
    across = torch.complex(columns * place.a + (place.c - 1.0), columns * place.d)
    down = torch.complex(rows * place.b, rows * place.e + (place.f - 1.0))
    return torch.view_as_real(across[None] + down[:, None])[None]


@lru_cache(maxsize=16)
def _middles(count: int) -> torch.Tensor:
    return torch.arange(count, dtype=torch.float32) + 0.5
