"""The audit with a backbone, beside the training that it goes with."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.training import feature_cache
from hf_vft.workflows import audit as auditing
from tests.runs import small_recipe


def test_it_finds_the_features_that_fine_tuning_has_left(
    fitted: Path, images: Path, convnext: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feature_cache, "_compute", lambda *_, **__: pytest.fail("computed again"))
    auditing.audit_data(small_recipe(images, convnext), tmp_path)
