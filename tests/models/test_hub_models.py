"""What the local cache holds whole, and what the Hub answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hf_vft.errors import HubError, ModelError
from hf_vft.models import hub_models
from hf_vft.models.hub_models import cached_folder, check_files, check_hub

WHOLE = ("config.json", "model.safetensors", "preprocessor_config.json")
SHARDS = ("model-1-of-2.safetensors", "model-2-of-2.safetensors")
INDEX = json.dumps({"weight_map": dict(zip("ab", SHARDS, strict=True))})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot folder of ``me/model`` in a cache of its own."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repo, commit = tmp_path / "models--me--model", "0" * 40
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    monkeypatch.setattr(
        hub_models,
        "try_to_load_from_cache",
        lambda repo_id, name: next((str(p) for p in snapshot.glob(name)), None),
    )
    return snapshot


def fill(folder: Path, *names: str, **contents: str) -> None:
    for name in names:
        (folder / name).write_text("{}")
    for name, content in contents.items():
        (folder / name.replace("__", ".")).write_text(content)


def test_a_whole_model_is_found(cache: Path) -> None:
    fill(cache, *WHOLE)
    assert cached_folder("me/model") == cache


@pytest.mark.parametrize("missing", WHOLE)
def test_a_part_of_a_model_is_none(missing: str, cache: Path) -> None:
    fill(cache, *(name for name in WHOLE if name != missing))
    assert cached_folder("me/model") is None


def test_a_timm_model_needs_no_processor(cache: Path) -> None:
    fill(cache, "model.safetensors", config__json='{"pretrained_cfg": {}}')
    assert cached_folder("me/model") == cache


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_are_read_from_either_format(name: str, cache: Path) -> None:
    fill(cache, "config.json", "preprocessor_config.json", name)
    assert cached_folder("me/model") == cache
    check_files("me/model", ["config.json", name])
    check_files("me/model", ["config.json", f"{name}.index.json"])


def test_every_shard_has_to_be_there(cache: Path) -> None:
    fill(cache, "config.json", "preprocessor_config.json", SHARDS[0])
    (cache / "model.safetensors.index.json").write_text(INDEX)
    assert cached_folder("me/model") is None
    fill(cache, SHARDS[1])
    assert cached_folder("me/model") == cache


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["model.safetensors"], "no config.json"),
        (["adapter_config.json"], "name its base model"),
        (["config.json", "tf_model.h5"], r"weights are for TensorFlow alone \(tf_model.h5\)"),
        (["config.json", "flax_model.msgpack"], "weights are for Flax alone"),
        (["config.json", "last.pt"], "weights are for another program alone"),
        (["config.json", "onnx/model.onnx"], "weights are for ONNX Runtime alone"),
        (["config.json"], "no weights"),
    ],
)
def test_files_that_will_not_do_are_named(files: list[str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_files("me/model", files)


@contextmanager
def hub(status: int, body: object = None, **headers: str) -> Iterator[str]:
    """A Hub on the loopback that gives one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(body or {}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def ask(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = hub_models.HfApi
    monkeypatch.setattr(hub_models, "HfApi", lambda: real(endpoint=url, token=False))
    check_hub("me/model")


def described(*files: str) -> dict[str, object]:
    return {"id": "me/model", "siblings": [{"rfilename": name} for name in files]}


def test_a_model_that_can_be_had_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub(200, described(*WHOLE)) as url:
        ask(url, monkeypatch)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (401, "RepoNotFound", "neither a local folder nor a model on the Hub"),
        (404, "RepoNotFound", "neither a local folder nor a model on the Hub"),
        (403, "GatedRepo", "accept this model's terms"),
    ],
)
def test_what_the_hub_refuses_is_a_line_of_its_own(
    status: int, code: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(status, X_Error_Code=code) as url, pytest.raises(ModelError, match=message):
        ask(url, monkeypatch)


def test_a_hub_that_is_not_there_is_another_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub(200) as url:
        pass
    with pytest.raises(HubError, match="cannot be reached"):
        ask(url, monkeypatch)
