"""Heat maps at the same time against one by one: which fail, which differ.

``python -m tests.benchmarks.concurrent_maps RUN DATA [MAPS] [WIDTH]...``

Every map of a shared model has to be, to the bit, the one that a lone caller gets.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hf_vft.explain.heatmap import heat_map
from hf_vft.inference.predictor import Predictor
from hf_vft.run import RunDirectory

WIDTHS = (2, 4, 8)


def main(run: str, data: str, maps: int = 60, *widths: int) -> int:
    predictor = Predictor(RunDirectory.open(run))
    files = sorted(path for path in Path(data).rglob("*") if path.suffix in (".jpg", ".png"))
    pixels = [predictor.transform(predictor.decode(files[i % len(files)])) for i in range(maps)]
    target = [i % len(predictor.labels) for i in range(maps)]

    def one(i: int) -> np.ndarray | Exception:
        try:
            return heat_map(predictor.model, pixels[i], target[i])
        except Exception as error:  # noqa: BLE001  # counted
            return error

    alone = [one(i) for i in range(maps)]
    wrong = 0
    for width in widths or WIDTHS:
        with ThreadPoolExecutor(width) as pool:
            together = list(pool.map(one, range(maps)))
        failed = sum(isinstance(found, Exception) for found in together)
        pairs = zip(alone, together, strict=True)
        right = sum(isinstance(b, np.ndarray) and np.array_equal(a, b) for a, b in pairs)
        print(f"{maps} maps, {width} at a time: {right} right, {failed} failed, "
              f"{maps - right - failed} different without an error")  # fmt: skip
        wrong += maps - right
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
