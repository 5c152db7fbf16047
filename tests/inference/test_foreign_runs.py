"""A run folder of a stranger: what its weights and graphs may claim, and what they may not."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hf_vft.errors import ModelError
from hf_vft.inference.forward import load_answering
from hf_vft.inference.onnx import open_session
from hf_vft.run import RunDirectory
from hf_vft.tasks import get_task
from tests.serving import made

TASK = get_task("multi-label-classification")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return made.several(tmp_path / "run")


def refused(run: RunDirectory) -> str:
    with pytest.raises(ModelError) as caught:
        load_answering(run.model, TASK)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def header(tree: Any, length: int | None = None) -> bytes:
    text = json.dumps(tree).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


def one(shape: list[int], ends: list[int]) -> dict[str, Any]:
    return {"classifier.bias": {"dtype": "F32", "shape": shape, "data_offsets": ends}}


WEIGHTS = {
    "a header longer than the file": header({}, 1 << 20),
    "a header without end": header({}, (1 << 64) - 1),
    "more numbers than there are": header(one([10**9], [0, 4 * 10**9])),
    "a shape that is not its bytes": header(one([10**12], [0, 4])) + bytes(4),
    "numbers of 400 digits": header(one([int("9" * 400)], [0, 4])) + bytes(4),
    "places before the file": header(one([1], [-4, 0])) + bytes(4),
    "nested without end": struct.pack("<Q", 200_000) + b"[" * 200_000,
}


@pytest.mark.parametrize("kind", sorted(WEIGHTS))
def test_weights_are_no_more_than_their_file_holds(run: RunDirectory, kind: str) -> None:
    (run.model / "model.safetensors").write_bytes(WEIGHTS[kind])
    refused(run)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/hostname", "a/b", 7])
def test_an_index_of_weights_does_not_lead_out(run: RunDirectory, name: Any) -> None:
    (run.model / "model.safetensors").rename(run.path / "elsewhere.safetensors")
    index = {"metadata": {}, "weight_map": {"classifier.bias": name}}
    (run.model / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "no file beside it" in refused(run)


def test_weights_that_are_missing_are_not_made_up(run: RunDirectory) -> None:
    from safetensors.torch import load_file, save_file

    file = run.model / "model.safetensors"
    tensors = load_file(file)
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier")}
    save_file(kept, file, metadata={"format": "pt"})
    assert "2 weights are not in" in refused(run)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_no_code_of_the_folder_is_run_and_nobody_is_asked(run: RunDirectory, file: str) -> None:
    marker = run.path / "ran"
    (run.model / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    path = run.model / file
    tree = json.loads(path.read_text())
    names = dict.fromkeys(("AutoConfig", "AutoImageProcessor"), "evil.Evil")
    tree |= {"auto_map": names | {TASK.auto_class.__name__: "evil.Evil"}}
    path.write_text(json.dumps(tree))
    load_answering(run.model, TASK)  # by the class that transformers has for it
    tree |= {"model_type": "evil", "image_processor_type": "Evil", "architectures": ["Evil"]}
    path.write_text(json.dumps(tree))
    with suppress(ModelError):  # it may know what the model needs from the other file
        load_answering(run.model, TASK)
    assert not marker.exists()


def graph(folder: Path, **external: Any) -> Path:
    """A graph whose only weight is said to lie elsewhere, or to be larger than it is."""
    onnx: Any = pytest.importorskip("onnx", reason="needs hf-vft[onnx]")
    helper, kinds = onnx.helper, onnx.TensorProto
    size = external.pop("size", 4)
    weight = onnx.TensorProto(name="w", data_type=kinds.FLOAT, dims=[size])
    if external:
        weight.data_location = kinds.EXTERNAL
        for key, value in external.items():
            entry = weight.external_data.add()
            entry.key, entry.value = key, str(value)
    else:
        weight.raw_data = bytes(16)
    ends = [helper.make_tensor_value_info(name, kinds.FLOAT, [size]) for name in ("x", "y")]
    node = helper.make_node("Add", ["x", "w"], ["y"])
    whole = helper.make_graph([node], "g", ends[:1], ends[1:], [weight])
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


EXTERNAL = {
    "outside": {"location": "../outside.bin", "length": 16},
    "a link": {"location": "link.bin", "length": 16},
    "a device": {"location": "/dev/zero", "length": 16},
    "a folder": {"location": ".", "length": 16},
    "shorter than said": {"location": "weights.bin", "size": 10**12, "length": 4 * 10**12},
    "behind its end": {"location": "weights.bin", "offset": 1 << 20, "length": 16},
    "before its beginning": {"location": "weights.bin", "offset": -8, "length": 16},
    "400 digits": {"location": "weights.bin", "offset": "9" * 400, "length": 16},
    "larger than the graph": {"size": 10**11},
}


@pytest.mark.parametrize("kind", sorted(EXTERNAL))
def test_a_graph_is_no_more_than_its_folder_holds(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("onnxruntime", reason="needs hf-vft[onnx]")
    folder = tmp_path / "export"
    folder.mkdir()
    for file in (tmp_path / "outside.bin", folder / "weights.bin"):
        file.write_bytes(bytes(16))
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    open_session(graph(folder, location="weights.bin", length=16))
    with pytest.raises(ModelError) as caught:
        open_session(graph(folder, **EXTERNAL[kind]))
    assert "\n" not in str(caught.value)
