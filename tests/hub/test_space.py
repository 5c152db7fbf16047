from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from huggingface_hub import HfApi

import hf_vft
from hf_vft.errors import HubError, OutputError
from hf_vft.hub.push import push_folder
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.serving import space_folder
from hf_vft.serving.launch import LOG_REPO, serve
from hf_vft.serving.space_folder import write_space
from tests.hub.conftest import HASTE
from tests.hub.loopback import WRITE, LoopbackHub
from tests.runs import free_port
from tests.serving import made


def test_a_space_is_complete_and_lands_on_the_hub(
    hub: LoopbackHub,
    api: HfApi,
    run: RunDirectory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(space_folder, "is_available", lambda package: False)
    folder = write_space(run, tmp_path / "space", title="Find defects")
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert front["title"] == "Find defects"
    assert front["sdk"] == "gradio"
    assert front["app_file"] == "app.py"
    assert front["sdk_version"][0].isdigit()
    required = (folder / "requirements.txt").read_text().strip()
    assert required == f"hf-vft[serve]=={hf_vft.__version__}"
    assert len((folder / "app.py").read_text().splitlines()) < 12
    RunDirectory.open(folder / "run")
    assert not (folder / "run" / "state").exists()
    push_folder(folder, "maker/finder", "space", api=api, patience=HASTE)
    repo = hub.repo("maker/finder", "space")
    assert repo.created_with["sdk"] == "gradio"
    assert {"app.py", "README.md", "requirements.txt", "run/model/model.safetensors"} <= set(
        repo.files
    )
    write_space(run, folder)
    push_folder(folder, "maker/finder", "space", api=api, patience=HASTE)


def test_a_detector_has_a_space_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_folder, "is_available", lambda package: package != "pillow_heif")
    run = made.detector(tmp_path / "run")
    (run.export / "model.onnx").parent.mkdir()
    run.onnx_file.write_bytes(b"graph")
    folder = write_space(run, tmp_path / "space")
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert "object-detection" in front["tags"]
    assert (folder / "run" / "export" / "model.onnx").is_file()
    required = (folder / "requirements.txt").read_text().strip()
    assert required == f"hf-vft[serve,onnx,dicom]=={hf_vft.__version__}"


def test_a_folder_of_something_else_is_not_replaced(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("of another Space")
    with pytest.raises(OutputError, match="was not made by `hf-vft space`"):
        write_space(run, tmp_path)
    assert (tmp_path / "app.py").read_text() == "of another Space"


@pytest.mark.slow
def test_a_space_answers_and_its_log_lands_in_a_dataset_when_it_is_stopped(
    hub: LoopbackHub, run: RunDirectory, images: Path, tmp_path: Path
) -> None:
    """``app.py`` as the Hub starts it, and stops it."""
    gradio_client = pytest.importorskip("gradio_client", reason="needs hf-vft[serve]")
    folder, port = write_space(run, tmp_path / "space"), free_port()
    settings = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": WRITE,
        LOG_REPO: "maker/log",
        "GRADIO_SERVER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    space = subprocess.Popen(
        [sys.executable, "app.py"], cwd=folder, env=os.environ | settings,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        client = connected(gradio_client, f"http://127.0.0.1:{port}", space)
        image = gradio_client.handle_file(str(next(images.rglob("*.jpg"))))
        answer = client.predict(image, api_name="/predict")
    finally:
        space.terminate()
        said, _ = space.communicate(timeout=120)
    assert "Traceback" not in said, said[-2000:]
    repo = hub.repo("maker/log", "dataset")
    assert repo.private
    assert WRITE not in said
    copy = tmp_path / "copy"
    for name, blob in repo.files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(blob.content)
    assert answer["request_id"] in set(ProductionLog(copy).read()["request_id"])
    assert not list(copy.rglob("*.lock"))


def test_a_log_that_the_hub_does_not_take_is_told_in_a_line(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOG_REPO, "no name/for it")
    with pytest.raises(HubError, match="HF_VFT_LOG_REPO=no name/for it: the log cannot be sent"):
        serve(run.path, log=tmp_path / "log")


def connected(gradio_client: Any, url: str, space: subprocess.Popen[str]) -> Any:
    """A client of a Space that is about to start."""
    for _ in range(600):
        assert space.poll() is None, space.communicate()[0][-2000:]
        try:
            return gradio_client.Client(url, verbose=False)
        except (httpx.HTTPError, ValueError):
            time.sleep(0.2)
    raise TimeoutError(url)
