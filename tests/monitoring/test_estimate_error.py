"""Stress tests: what they teach of estimates without labels."""

import numpy as np
import pytest

from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.estimate_error import MAX_ERROR, StressTest, Trust
from hf_vft.monitoring.estimated_accuracy import performance_findings
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Profile, Reference
from hf_vft.workflows.monitor import look
from tests.monitoring.made import PRIOR, reference, window
from tests.monitoring.test_estimated_accuracy import stream

SLOPES = {"noise": -1.3, "blur": -1.1, "jpeg": -0.9, "darker": -0.7}
OTHER_MIX = np.array([0.2, 0.45, 0.35])


def stress(slopes: dict[str, float]) -> list[StressTest]:
    """Estimates that are off by a rate of the kind times the shift."""
    return [
        StressTest(
            kind=kind,
            severity=name,
            rows=100,
            shift=shift,
            estimated=-0.01,
            measured=-0.01 + slope * shift,
        )
        for kind, slope in slopes.items()
        for name, shift in (("mild", 0.1), ("clear", 0.3))
    ]


def test_the_slope_corrects_and_the_kinds_say_how_uncertain_that_is() -> None:
    trust = Trust.learned(stress(SLOPES))
    assert trust is not None
    assert trust.slope == pytest.approx(-1.0)
    # Left out, the outermost kinds are 0.4 from the mean of the others, the inner ones 0.13.
    assert trust.deviation == pytest.approx(np.sqrt((0.4**2 + (0.4 / 3) ** 2) / 2), rel=1e-6)
    assert trust.refusal(0.9 * MAX_ERROR / trust.deviation) is None
    assert "off by" in (trust.refusal(1.1 * MAX_ERROR / trust.deviation) or "")
    assert "further" in (trust.refusal(0.31) or "")


def test_estimates_that_hold_wherever_they_were_tried_stay_as_they_are() -> None:
    trust = Trust.learned(stress(dict.fromkeys(SLOPES, 0.0)))
    assert trust == Trust(0.0, 0.0, 0.3)
    assert trust.refusal(0.3) is None
    assert trust.refusal(0.31)


def test_too_few_kinds_teach_nothing() -> None:
    assert Trust.learned(stress({"noise": -1.0, "blur": -1.0})) is None
    assert Trust.learned([]) is None


def test_a_correction_moves_the_estimate_and_its_doubt_widens_the_interval() -> None:
    reference, now = stream(0, 1500), stream(1, 500)
    plain, *each = performance_findings(reference, now)
    told, *same = performance_findings(reference, now, correction=-0.08, doubt=0.04)
    assert told.current == pytest.approx(plain.current - 0.08)
    assert [one.current for one in same] == [one.current for one in each]
    assert np.diff(told.interval) > 1.5 * np.diff(plain.interval)
    assert "-8 by stress tests" in told.note


def test_the_shift_of_content_knows_neither_numbers_of_rows_nor_class_mix() -> None:
    known = reference(600)
    small, large, other = (
        np.mean([checks_of(known).shift(window(n, seed, **change).sample, 0) for seed in range(4)])
        for n, change in (
            (120, {"shift": 1.0}),
            (1000, {"shift": 1.0}),
            (500, {"prior": OTHER_MIX}),
        )
    )
    assert small == pytest.approx(large, rel=0.2)
    assert other < large / 4
    assert PRIOR[0] - OTHER_MIX[0] > 0.3


def test_new_content_is_refused_or_corrected_as_the_stress_tests_say() -> None:
    known, moved = reference(600), window(500, shift=1.0)
    assert checks_of(known).shift(moved.sample, 0) == pytest.approx(0.12, abs=0.03)

    def told(tests: list[StressTest]) -> str:
        profile = known.profile.model_copy(update={"stress": tests})
        ours = Reference(profile, known.sample, known.reduction)
        findings, _ = look(ours, moved, Policy(), 0)
        return next(one.note for one in findings if one.name == "estimated_accuracy")

    assert "by stress tests" in told(stress(SLOPES))
    unlike = dict(zip(SLOPES, (-2.0, -1.0, 0.0, 0.0), strict=True))
    assert "off by" in told(stress(unlike))
    assert "something new" in told([])  # a run of before the stress tests


def test_a_profile_without_stress_tests_is_read() -> None:
    kept = reference(50).profile.model_dump(mode="json")
    del kept["stress"]
    assert Profile.model_validate(kept | {"version": 1}).stress == []
