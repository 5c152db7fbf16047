"""Stress tests of a run: the model answers disturbed images anew, and the truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hf_vft.data.transforms.disturbances import DISTURBANCES
from hf_vft.inference.predictor import Predictor
from hf_vft.monitoring.profile import Reference
from hf_vft.run import RunDirectory
from hf_vft.utils.progress import Silent
from hf_vft.workflows.steps import stress_tests as stress


def test_each_kind_and_strength_is_measured_and_the_same_again(
    fitted: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.open(fitted)
    predictor, reference = Predictor(run), Reference.load(run)
    files = [images / name for name in reference.sample.frame["file"]]

    def image(row: int) -> dict[str, object]:
        return {"bytes": files[row].read_bytes(), "path": None}

    assert stress.stress_tests(predictor, reference, image, Silent()) == []  # too few
    monkeypatch.setattr(stress, "LEAST_ROWS", 10)
    monkeypatch.setattr("hf_vft.monitoring.answer_checks.LEAST_ROWS", 10)
    few = ("noise", "darker")
    monkeypatch.setattr(stress, "DISTURBANCES", {name: DISTURBANCES[name] for name in few})
    found = stress.stress_tests(predictor, reference, image, Silent())
    assert [(one.kind, one.severity) for one in found] == [
        (kind, severity) for kind in few for severity in ("mild", "clear")
    ]
    assert all(one.rows == len(files) // 2 for one in found)
    assert all(0 <= one.shift < 1.5 and abs(one.measured) <= 1 for one in found)
    assert found == stress.stress_tests(predictor, reference, image, Silent())


def test_what_is_disturbed_is_no_part_of_what_it_is_compared_with(fitted: Path) -> None:
    reference = Reference.load(RunDirectory.open(fitted))
    chosen, others = stress._divided(reference, np.random.default_rng(0))
    assert not set(chosen) & set(others)
    assert sorted([*chosen, *others]) == list(range(len(reference.sample)))
