"""mAP of 5,000 images with 100 found boxes each: pycocotools against what hf-vft uses.

python -m tests.benchmarks.bench_box_metric [IMAGES]
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from threadpoolctl import threadpool_limits

from hf_vft.evaluation.box_matching import Boxes
from hf_vft.evaluation.coco import as_coco, coco_results, coco_scores
from hf_vft.evaluation.detection import evaluate_detections

CLASSES, TRUE, FOUND = 10, 12, 100


def made(images: int, seed: int = 0) -> tuple[list[Boxes], list[Boxes]]:
    """Half of the found boxes near a true one, half anywhere."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(images):
        corner = rng.uniform(0, 500, (TRUE, 2))
        truth = np.concatenate([corner, corner + rng.uniform(10, 120, (TRUE, 2))], axis=1)
        classes = rng.integers(0, CLASSES, TRUE)
        near = rng.integers(0, TRUE, FOUND // 2)
        anywhere = rng.uniform(0, 500, (FOUND - len(near), 2))
        far = np.concatenate([anywhere, anywhere + rng.uniform(10, 120, anywhere.shape)], axis=1)
        boxes = np.concatenate([truth[near] + rng.normal(0, 4, (len(near), 4)), far])
        ids = np.concatenate([classes[near], rng.integers(0, CLASSES, len(far))])
        truths.append(Boxes(truth, classes, np.ones(TRUE)))
        found.append(Boxes(boxes, ids, rng.random(FOUND)))
    return truths, found


def by_pycocotools(truths: list[Boxes], found: list[Boxes]) -> float:
    """mAP as the original counts it."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = as_coco(truths, CLASSES)
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(coco_results(found)), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return float(evaluator.stats[0])


def with_intervals(truths: list[Boxes], found: list[Boxes]) -> float:
    """mAP, everything at a threshold and by class, with intervals of 100 resamples."""
    names = [str(c) for c in range(CLASSES)]
    thresholds = [0.5] * CLASSES
    result = evaluate_detections(truths, found, names, thresholds=thresholds, n_bootstrap=100)
    return float(result.metrics["map"].value or 0.0)


def timed(name: str, work: Callable[[], float]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    value = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:<34} mAP {value:.6f}   {wall:7.1f} s   {cpu:7.1f} s of CPU")


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    truths, found = made(images)
    print(f"{images} images, {FOUND} found boxes each, {CLASSES} classes, one thread")
    with threadpool_limits(1):
        timed("pycocotools", lambda: by_pycocotools(truths, found))
        timed("faster-coco-eval", lambda: coco_scores(truths, found, CLASSES)[0]["map"])
        timed("with thresholds and intervals", lambda: with_intervals(truths, found))


if __name__ == "__main__":
    main()
