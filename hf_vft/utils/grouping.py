"""Which images belong together: shots of one part, slides of one patient."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt


def number_groups(values: Sequence[Hashable | None]) -> npt.NDArray[np.int64]:
    """The group of each image, numbered from 0 in order of appearance.

    Args:
        values: One an image; those that share a value belong together, and each without a
            value (None) is a group of its own.
    """
    number: dict[Hashable, int] = {}
    keys = [("alone", i) if value is None else ("in", value) for i, value in enumerate(values)]
    return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)
