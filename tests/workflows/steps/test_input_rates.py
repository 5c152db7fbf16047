"""What reads images, what learns from them, and which of the two waits."""

from __future__ import annotations

import pytest

from hf_vft.models.backbones import embedded
from hf_vft.workflows.doctor import diagnose
from hf_vft.workflows.steps import input_rates as module
from hf_vft.workflows.steps.input_rates import InputRates, measure_input_rates


def test_it_says_which_waits() -> None:
    slow = InputRates(core=50, cores=4, model=800, backbone="vit", device="cuda")
    assert not slow.keeps_up
    assert str(slow) == (
        "a core reads 50 JPEG images of 1600 × 1200 a second, 4 cores 200; vit learns from 800 a "
        "second on cuda: the device will wait; store images smaller (about twice image.size)"
    )
    fast = InputRates(core=50, cores=16, model=800, backbone="vit", device="cuda")
    assert fast.keeps_up
    assert str(fast).endswith("the loaders keep up")
    alone = InputRates(core=50, cores=2, model=25, backbone="vit", device="cpu")
    assert str(alone).endswith("reading takes 20% of the time")


def test_it_is_measured_with_a_backbone_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_SECONDS", 0.01)
    monkeypatch.setattr("hf_vft.models.backbones.cached_folder", lambda name: None)
    rates = measure_input_rates()
    assert rates.core > 0
    assert rates.model > 0
    assert rates.backbone in embedded() or rates.backbone.startswith("efficientnet-lite")


def test_the_doctor_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = InputRates(core=50, cores=4, model=800, backbone="vit", device="cuda")
    monkeypatch.setattr("hf_vft.workflows.doctor.measure_input_rates", lambda: rates)
    checks = {check.name: check for check in diagnose()}
    assert checks["speed"].state == "note"
    assert "will wait" in checks["speed"].text
    assert "core" in checks["cores"].text
