"""The Python examples of the documentation run, in a folder that holds what they name."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hf_vft
from tests.docs import workspace
from tests.docs.commands import ROOT, Example, programs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="needs a checkout"),
]
ALL = programs()
CLIENT = "gradio_client"
CHECKPOINT = "facebook/dinov2-small"


def ids(example: Example) -> str:
    lines = [line for line in example.text.splitlines() if "import" not in line and line.strip()]
    return f"{Path(example.page).stem}: {lines[0][:40]}"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, images: Path, fitted: Path) -> Path:
    return workspace.make(tmp_path_factory.mktemp("programs") / "work", images, fitted)


@pytest.fixture
def here(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; what trains or needs a Hub only checks its arguments."""
    import hf_vft.workflows.fit

    folder = shutil.copytree(furnished, tmp_path / "work")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(hf_vft.workflows.fit, "fit", workspace.stand_in_for_training(Path("run")))
    answers = {
        "push": SimpleNamespace(url="address", difference=0.0),
        "retrain": SimpleNamespace(headline="The champion stays."),
    }
    # The images are few, but a threshold is chosen and kept all the same.
    monkeypatch.setattr("hf_vft.workflows.choose_threshold.LEAST", 1)
    for name, answer in answers.items():
        real = inspect.signature(getattr(hf_vft, name))

        def stand_in(*given: Any, _real: Any = real, _answer: Any = answer, **named: Any) -> Any:
            _real.bind(*given, **named)
            return _answer

        monkeypatch.setitem(vars(hf_vft), name, stand_in)
    return folder


@pytest.mark.parametrize("example", [one for one in ALL if CLIENT not in one.text], ids=ids)
def test_a_program_runs(example: Example, here: Path, convnext: Path) -> None:
    text = example.text.replace(CHECKPOINT, str(convnext)).replace("blocks:4", "blocks:1")
    text = text.replace('eval_strategy="epoch"', 'max_steps=1, report_to="none", use_cpu=True')
    exec(compile(text, example.page, "exec"), {"__name__": "__main__"})


def test_the_client_of_the_server_is_answered(here: Path, capsys) -> None:
    (example,) = [one for one in ALL if CLIENT in one.text]
    with hf_vft.serve("run", log="log") as server:
        text = example.text.replace("http://127.0.0.1:7860", server.url)
        exec(compile(text, example.page, "exec"), {})
    label, confidence = capsys.readouterr().out.split()[-2:]
    assert label in {"crack", "inclusion", "ok", "pit", "scratch", "stain"}
    assert 0 <= float(confidence) <= 1
