from __future__ import annotations

import pytest

from hf_vft.evaluation.results import Estimate
from hf_vft.evaluation.search_insights import ClassPair, CurvePoint, DataCurve, Lessons
from hf_vft.reporting.search_insights import lesson_parts, told


def lessons(
    gain: tuple[float, float, float], doubling: tuple[float, float, float], probe_high: float = 0.6
) -> Lessons:
    estimates = [Estimate(value=v, low=a, high=b) for v, a, b in (gain, doubling)]
    points = [CurvePoint(images=n, score=Estimate(value=n / 1000)) for n in (100, 200, 400)]
    probe = Estimate(value=0.5, low=0.4, high=probe_high)
    return Lessons(
        metric="f1_macro",
        split="test",
        gain=estimates[0],
        curve=DataCurve(points=points, doubling=estimates[1]),
        pairs=[ClassPair(classes=("<ash>", "soot"), n=200, probe=probe, model=probe)],
    )


@pytest.mark.parametrize(
    ("gain", "beginning"),
    [
        ((0.05, 0.02, 0.08), "Fine-tuning pays: it gained +0.05 (0.02 to 0.08) macro F1"),
        ((-0.05, -0.08, -0.02), "The linear probe is better"),
        ((0.0, -0.02, 0.01), "The linear probe is as good"),
        ((0.01, -0.04, 0.06), "The linear probe may be as good"),
    ],
)
def test_the_probe_is_judged_by_the_interval(
    gain: tuple[float, float, float], beginning: str
) -> None:
    assert told(lessons(gain, (0.0, -0.1, 0.1)))[0].startswith(beginning)


@pytest.mark.parametrize(
    ("doubling", "ending"),
    [
        ((0.04, 0.02, 0.06), "gave a linear probe +0.04 (0.02 to 0.06) macro F1, more than fine-"),
        ((0.005, 0.002, 0.01), "more images have helped."),
        ((0.0, -0.01, 0.01), "no longer helped it."),
        ((0.04, -0.02, 0.1), "which may be chance."),
    ],
)
def test_the_last_doubling_is_what_was_measured(
    doubling: tuple[float, float, float], ending: str
) -> None:
    sentence = told(lessons((0.01, -0.01, 0.02), doubling))[1]
    assert "(200 to 400)" in sentence
    assert ending in sentence


def test_only_pairs_that_cannot_be_told_apart_are_named() -> None:
    flat = ((0.0, -0.1, 0.1), (0.0, -0.1, 0.1))
    assert "<ash> and soot are not separable" in told(lessons(*flat))[2]
    assert len(told(lessons(*flat, probe_high=0.8))) == 2
    parts = lesson_parts(lessons(*flat))
    assert "400 images" in str(parts["data_curve"])
    assert lesson_parts(None)["lessons"] == []
