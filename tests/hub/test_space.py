from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import CommitScheduler, HfApi

import hf_vft
from hf_vft.errors import RunError
from hf_vft.hub.push import push_folder
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.serving.space import write_space
from tests.hub.conftest import HASTE
from tests.hub.loopback import LoopbackHub
from tests.serving import made


def test_a_space_is_complete_and_lands_on_the_hub(
    hub: LoopbackHub, api: HfApi, run: RunDirectory, tmp_path: Path
) -> None:
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


def test_a_detector_has_a_space_of_its_own(tmp_path: Path) -> None:
    run = made.detector(tmp_path / "run")
    (run.export / "model.onnx").parent.mkdir()
    run.onnx_file.write_bytes(b"graph")
    folder = write_space(run, tmp_path / "space")
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert "object-detection" in front["tags"]
    assert (folder / "run" / "export" / "model.onnx").is_file()
    required = (folder / "requirements.txt").read_text().strip()
    assert required == f"hf-vft[serve,onnx]=={hf_vft.__version__}"


def test_a_folder_of_something_else_is_not_replaced(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunError, match="no Space"):
        write_space(run, tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_log_is_committed_to_a_dataset(hub: LoopbackHub, api: HfApi, tmp_path: Path) -> None:
    log = ProductionLog(tmp_path / "log")
    log.append_labels([{"request_id": "r1", "label": "ok", "source": "feedback"}])
    with CommitScheduler(
        repo_id="maker/log", repo_type="dataset", folder_path=log.folder, hf_api=api, private=True
    ):
        pass
    repo = hub.repo("maker/log", "dataset")
    assert "production-log.json" in repo.files
    copy = tmp_path / "copy"
    for name, blob in repo.files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(blob.content)
    assert list(ProductionLog(copy).read_labels()["label"]) == ["ok"]
