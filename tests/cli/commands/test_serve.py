"""What ``hf-vft serve`` hands on, and what it says when it starts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("gradio", reason="needs hf-vft[serve]")

from hf_vft.cli.main import main
from hf_vft.serving import launch
from hf_vft.serving.limits import Limits


def run(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *words])
    return ended.value.code


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a server was started with; it does not start."""
    given: dict[str, Any] = {}

    def serve(run: Path, **options: Any) -> Any:
        given.update(options)
        return SimpleNamespace(
            app=SimpleNamespace(mcp_server=None),
            service=SimpleNamespace(predictor=SimpleNamespace(note="")),
            url="http://127.0.0.1:7860/",
            wait=lambda leave: None,
        )

    monkeypatch.setattr(launch, "serve", serve)
    return given


def test_all_limits_are_printed_when_it_starts(
    started: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path), "--limit", "file_mb=7", "--rate", "9") == 0
    limits = Limits(file_mb=7, per_minute=9)
    assert started["limits"] == limits
    assert f"Limits: {limits}." in capsys.readouterr().out


def test_a_login_comes_from_a_file(
    started: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    login = tmp_path / "login"
    login.write_text("plant:marker\n", encoding="utf-8")
    assert run(str(tmp_path), "--auth-file", str(login)) == 0
    assert started["auth"] == "plant:marker"
    assert run(str(tmp_path), "--auth-file", str(tmp_path)) == 1
    told = capsys.readouterr()
    assert "cannot be read" in told.err
    assert "marker" not in told.out + told.err
