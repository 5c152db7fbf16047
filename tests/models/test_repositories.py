"""Repositories as people have them, on the loopback: what is fetched, and how it is read."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageClassification

from hf_vft.errors import HubError, ModelError
from hf_vft.models.backbones import choose_checkpoint, fetched
from hf_vft.models.hub_models import read_processor
from hf_vft.models.load import LoadedModel, load_model
from tests.hub.loopback import LoopbackHub, asked
from tests.made_images import processor
from tests.models.tiny import tiny_vit

REPO = "somebody/vit"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    with LoopbackHub() as running, asked(running, tmp_path / "cache"):
        yield running


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small ViT, with its weights in every form."""
    folder = tmp_path_factory.mktemp("parts")
    model: Any = tiny_vit()
    for part in (model, processor()):
        part.save_pretrained(folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    model.save_pretrained(folder / "shards", max_shard_size="10KB")
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.name: path.read_bytes() for path in files}


def chosen(parts: dict[str, bytes], *endings: str) -> dict[str, bytes]:
    """The configurations, and the weights whose names end so."""
    small = ("config.json", "preprocessor_config.json")
    return {name: parts[name] for name in parts if name in small or name.endswith(endings)}


def load(name: str = REPO) -> LoadedModel:
    checkpoint = choose_checkpoint([name], offline=False)
    return load_model(checkpoint, AutoModelForImageClassification, labels=["a", "b"], seed=0)


@torch.no_grad()
def backbone(model: Any) -> torch.Tensor:
    return torch.cat([weights.flatten() for weights in model.base_model.parameters()])


def test_a_pickle_alone_is_read_and_nobody_is_asked_to_convert_it(
    hub: LoopbackHub, parts: dict[str, bytes]
) -> None:
    proposed = {"model.safetensors": parts["model.safetensors"]}
    hub.host(REPO, chosen(parts, "pytorch_model.bin"), proposed=proposed)
    torch.testing.assert_close(backbone(load().model), backbone(tiny_vit()))
    assert not hub.count("discussions|commits|POST|refs/pr")


@pytest.mark.parametrize("endings", [("model.safetensors",), (".index.json", "5.safetensors")])
def test_of_several_formats_one_is_fetched(
    hub: LoopbackHub, parts: dict[str, bytes], endings: tuple[str, ...]
) -> None:
    others = dict.fromkeys(("tf_model.h5", "onnx/model.onnx", "vit.fp16.safetensors"), b"large")
    files = chosen(parts, *endings, "pytorch_model.bin")
    hub.host(REPO, others | {"README.md": b"---\nlicense: mit\n---\n"} | files)
    torch.testing.assert_close(backbone(load().model), backbone(tiny_vit()))
    assert not hub.count(r"\.h5|\.onnx|fp16|README|\.bin")


def test_what_was_fetched_is_not_asked_for_again(hub: LoopbackHub, parts: dict[str, bytes]) -> None:
    hub.host(REPO, chosen(parts, "model.safetensors"))
    checkpoint = choose_checkpoint([REPO], offline=False)
    folder = fetched(checkpoint).path
    asked_before = len(hub.requests)
    assert fetched(checkpoint).path == folder
    assert len(hub.requests) == asked_before
    assert fetched(checkpoint).address == REPO


class _Command:
    """What a pickle may hold: a call, made when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_that_would_run_code_is_refused_in_a_line(
    hub: LoopbackHub, parts: dict[str, bytes], tmp_path: Path
) -> None:
    marker, file = tmp_path / "ran", tmp_path / "pytorch_model.bin"
    torch.save({"vit.layernorm.bias": torch.zeros(16), "extra": _Command(marker)}, file)
    hub.host(REPO, chosen(parts) | {file.name: file.read_bytes()})
    with pytest.raises(ModelError, match=r"calls posix\.mkdir, which could run code") as caught:
        load()
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"<html>", pickle.dumps({"a": 1})], ids=len)
def test_a_broken_pickle_is_refused_in_a_line(
    hub: LoopbackHub, parts: dict[str, bytes], content: bytes
) -> None:
    hub.host(REPO, chosen(parts) | {"pytorch_model.bin": content})
    with pytest.raises(ModelError) as caught:
        load()
    assert "\n" not in str(caught.value)


def test_a_transfer_that_breaks_is_a_line(hub: LoopbackHub, parts: dict[str, bytes]) -> None:
    hub.host(REPO, chosen(parts, "model.safetensors"))
    hub.fail("resolve/.*/config.json", 403, "no more", times=9)
    with pytest.raises(HubError, match="could not be fetched"):
        load()


@pytest.mark.parametrize(
    "kind", ["ViTFeatureExtractor", "ViTImageProcessor", "ViTImageProcessorFast"]
)
def test_a_processor_is_found_by_every_name_it_has_had(
    kind: str, parts: dict[str, bytes], tmp_path: Path
) -> None:
    settings = json.loads(parts["preprocessor_config.json"])
    (tmp_path / "config.json").write_bytes(parts["config.json"])
    for field in ("image_processor_type", "feature_extractor_type"):
        written = settings | {"image_processor_type": None, field: kind}
        written = {name: value for name, value in written.items() if value is not None}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(written))
        assert type(read_processor(tmp_path)) is type(processor())
