"""Which backbone a run starts from, and why, with and without the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hf_vft.errors import HubError, ModelError
from hf_vft.models import backbones
from hf_vft.models.backbones import HUB_DEFAULTS, SCRATCH, choose_checkpoint


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A local cache and a Hub, empty and out of reach until a test says otherwise."""
    state: dict[str, Any] = {"cached": {}, "refusal": HubError("the Hub cannot be reached")}

    def check(name: str) -> None:
        if state["refusal"] is not None:
            raise state["refusal"]

    monkeypatch.setattr(backbones, "cached_folder", lambda name: state["cached"].get(name))
    monkeypatch.setattr(backbones, "cached_image_models", lambda: list(state["cached"]))
    monkeypatch.setattr(backbones, "check_hub", check)
    monkeypatch.setattr(backbones, "embedded", lambda: state.get("embedded", {}))
    monkeypatch.setattr(backbones, "installed", lambda: state.get("installed", {}))
    monkeypatch.setattr(backbones, "packaged_folder", lambda name: Path("/weights") / name)
    return state


def test_the_first_well_established_one_of_the_cache_is_the_default(world: dict[str, Any]) -> None:
    world["cached"] = {HUB_DEFAULTS[2]: Path("/c2"), HUB_DEFAULTS[1]: Path("/c1")}
    chosen = choose_checkpoint("auto", offline=True)
    assert (chosen.name, chosen.path, chosen.pretrained) == (HUB_DEFAULTS[1], "/c1", True)
    assert "local cache" in chosen.reason


def test_without_one_it_comes_from_the_hub(world: dict[str, Any]) -> None:
    world["refusal"] = None
    chosen = choose_checkpoint("auto", offline=False)
    assert (chosen.name, chosen.path) == (HUB_DEFAULTS[0], HUB_DEFAULTS[0])
    assert "from the Hub" in chosen.reason


@pytest.mark.parametrize("offline", [True, False])
def test_without_the_hub_an_embedded_one_is_taken(world: dict[str, Any], offline: bool) -> None:
    world["embedded"] = {"small": Path("/embedded/small")}
    chosen = choose_checkpoint("auto", offline=offline)
    assert (chosen.name, chosen.pretrained) == ("small", True)
    assert ("switched off" if offline else "cannot be reached") in chosen.reason


def test_weights_from_photographs_that_a_package_holds_come_before_the_embedded_ones(
    world: dict[str, Any],
) -> None:
    world["installed"] = {"efficientnet-lite0": Path("/package/file.pth")}
    world["embedded"] = {"small": Path("/embedded/small")}
    chosen = choose_checkpoint("auto", offline=True)
    assert (chosen.name, chosen.pretrained) == ("efficientnet-lite0", True)
    assert "from the extra imagenet" in chosen.reason
    # peft writes an address that plain transformers finds.
    assert chosen.address == chosen.path == "/weights/efficientnet-lite0"
    assert choose_checkpoint(["efficientnet-lite0"], offline=True).path == chosen.path


def test_the_last_resort_is_from_scratch_and_says_so(world: dict[str, Any]) -> None:
    chosen = choose_checkpoint("auto", offline=True)
    assert (chosen.name, chosen.pretrained) == (next(iter(SCRATCH)), False)
    assert "FROM SCRATCH" in chosen.reason


def test_a_named_one_is_taken_from_the_cache_before_the_hub(world: dict[str, Any]) -> None:
    world["cached"] = {"me/model": Path("/c")}
    assert choose_checkpoint(["me/model"], offline=False).path == "/c"
    world.update(cached={}, refusal=None)
    assert choose_checkpoint(["me/model"], offline=False).path == "me/model"


@pytest.mark.parametrize(
    ("name", "offline", "message"),
    [
        ("me/model", True, r"the Hub is switched off.* Can be had: .*scratch:"),
        ("me/model", False, r"the Hub cannot be reached.* Can be had"),
        ("not/a/name", True, "no such folder"),
    ],
)
def test_a_named_one_that_cannot_be_had_is_a_line_with_what_can(
    world: dict[str, Any], name: str, offline: bool, message: str
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        choose_checkpoint([name], offline=offline)
    assert "\n" not in str(caught.value)


def test_a_named_folder_is_looked_into(world: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tf_model.h5").write_text("")
    with pytest.raises(ModelError, match="for TensorFlow alone"):
        choose_checkpoint([str(tmp_path)], offline=True)
    (tmp_path / "pytorch_model.bin").write_text("")
    assert choose_checkpoint([str(tmp_path)], offline=True).path == str(tmp_path)


@pytest.mark.parametrize("name", SCRATCH)
def test_a_backbone_from_scratch_can_be_named(name: str, world: dict[str, Any]) -> None:
    assert not choose_checkpoint([name], offline=True).pretrained
    config, processor = SCRATCH[name]()
    assert processor.size["height"] == 96
    kinds = {"resnet", "convnextv2", "yolos", "detr", "d_fine"}
    assert config.model_type in kinds
