from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.errors import HubError, ModelError
from hf_vft.models import candidates
from hf_vft.models.candidates import find_candidates
from hf_vft.models.catalogue import CATALOGUE


def test_offline_everything_that_could_not_be_considered_is_named() -> None:
    found, left_out = find_candidates("auto", offline=True)
    assert found
    names = {item.name for item in left_out}
    assert names | {c.name for c in found} >= set(CATALOGUE)
    for item in left_out:
        why = "not installed" if CATALOGUE[item.name].packaged else "the Hub is switched off"
        assert why in item.reason


def test_large_ones_are_not_even_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(candidates, "check_hub", asked.append)
    found, left_out = find_candidates("auto", max_params=10_000_000, offline=False)
    allowed = {b.name for b in CATALOGUE.values() if b.shortlisted and b.millions <= 10}
    assert set(asked) == allowed
    assert allowed <= {c.name for c in found}
    reasons = {item.name: item.reason for item in left_out}
    assert "over search.max_params" in reasons["facebook/dinov2-base"]
    assert "name it in model.candidates" in reasons["google/mobilenet_v2_1.0_224"]


def test_a_silent_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def silent(name: str) -> None:
        asked.append(name)
        raise HubError("the Hub cannot be reached (timeout)")

    monkeypatch.setattr(candidates, "check_hub", silent)
    _, left_out = find_candidates("auto", offline=False)
    assert len(asked) == 1
    assert any("cannot be reached" in item.reason for item in left_out)


def test_what_is_named_has_to_be_there(convnext: Path) -> None:
    found, left_out = find_candidates([str(convnext), "scratch:resnet-mini"])
    assert [c.name for c in found] == [str(convnext), "scratch:resnet-mini"]
    assert left_out == []
    with pytest.raises(ModelError, match="twice"):
        find_candidates([str(convnext), str(convnext)])
    with pytest.raises(ModelError, match="no such folder"):
        find_candidates([str(convnext), "/no/where"])
