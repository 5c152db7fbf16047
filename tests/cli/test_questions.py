"""A person at a terminal is asked; nobody else is."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from hf_vft.cli import questions
from hf_vft.errors import AmbiguousSourceError

ERROR = AmbiguousSourceError(
    "x.csv: which? Choose with …",
    [("2 classes", "data.label_column=soil"), ("folders", "data.label_column=folder")],
)


def work(answers: dict[str, Any]) -> str:
    if not answers:
        raise ERROR
    return str(answers["data.label_column"])


def test_without_a_terminal_the_error_stands() -> None:
    with pytest.raises(AmbiguousSourceError):
        questions.asking(work)


def test_at_a_terminal_the_answer_is_set_and_the_work_done_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["7", "2"])
    monkeypatch.setattr(typer, "prompt", lambda *args, **kwargs: next(answers))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert questions.asking(work) == "folder"
    told = capsys.readouterr().err
    assert "[1] 2 classes (data.label_column=soil)" in told
    assert "--set data.label_column=folder" in told
