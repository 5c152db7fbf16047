"""Weights of strangers are read in one place, as tensors alone."""

import ast
import pickle
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, ResNetConfig, ResNetModel

import hf_vft
from hf_vft.models.foreign_weights import read_weights

OF_NO_WEIGHTS = {"AutoConfig", "AutoImageProcessor"}
"""Whose ``from_pretrained`` reads JSON alone."""


def calls_that_read_weights() -> list[tuple[str, set[str]]]:
    """Where in the package, and with which keywords, a ``from_pretrained`` may read weights."""
    root = Path(hf_vft.__file__).parent
    found = []
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value).rpartition(".")[2]
                if node.func.attr == "from_pretrained" and owner not in OF_NO_WEIGHTS:
                    keywords = {keyword.arg or "" for keyword in node.keywords}
                    found.append((file.relative_to(root).as_posix(), keywords))
    return found


def test_no_other_place_reads_weights_without_saying_how():
    calls = calls_that_read_weights()
    open_ = {where for where, keywords in calls if "use_safetensors" not in keywords}
    assert open_ == {"models/hub_models.py"}  # a processor, by the name of its class
    assert "models/foreign_weights.py" in {where for where, _ in calls}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1], layer_type="basic")
    ResNetModel(config).save_pretrained(tmp_path)
    return tmp_path


class Harmful:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


def test_safetensors_are_read_and_the_pickle_beside_them_is_not(tiny: Path):
    expected = read_weights(AutoModel, tiny).state_dict()
    (tiny / "pytorch_model.bin").write_bytes(pickle.dumps(Harmful()))
    found = read_weights(AutoModel, str(tiny)).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_pickle_alone_is_read_as_tensors(tiny: Path):
    expected = read_weights(AutoModel, tiny).state_dict()
    torch.save(expected, tiny / "pytorch_model.bin")
    (tiny / "model.safetensors").unlink()
    found = read_weights(AutoModel, tiny).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_pickle_that_would_run_code_is_refused(tiny: Path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tiny / "model.safetensors").unlink()
    torch.save({"weight": Harmful()}, tiny / "pytorch_model.bin")
    with pytest.raises(pickle.UnpicklingError):
        read_weights(AutoModel, tiny)
    assert not Path("ran").exists()
