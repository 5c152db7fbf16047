"""``hf-vft init``: five answers become a recipe that loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.cli.commands import init as command
from hf_vft.cli.main import main
from hf_vft.errors import RecipeError
from hf_vft.recipe.schema import Recipe, load_recipe
from hf_vft.recipe.starter import Answers, starter_recipe


def run(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["init", *words])
    return ended.value.code


def test_options_become_a_recipe_with_comments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.yaml"
    words = ["photos/", "--label", "a: b", "--group", "part", "--model", "my/vit"]
    assert run(*words, "--time-budget", "20m", "--out", str(out)) == 0
    assert f"Next:   hf-vft fit --recipe {out}" in capsys.readouterr().out
    expected = Recipe().replaced(
        {
            "data.path": "photos/",
            "data.label_column": "a: b",
            "data.group_column": "part",
            "model.candidates": ["my/vit"],
            "search.time_budget": "20m",
        }
    )
    assert load_recipe(str(out)) == expected
    assert "  # What images share" in out.read_text()
    assert run("photos/", "--out", str(out)) == 1
    assert "already exists" in capsys.readouterr().err


def test_what_is_left_open_stays_a_comment(tmp_path: Path) -> None:
    assert run("photos", "--out", str(tmp_path / "r.yaml")) == 0
    assert load_recipe(str(tmp_path / "r.yaml")) == Recipe().replaced({"data.path": "photos"})
    text = (tmp_path / "r.yaml").read_text()
    assert '  # group_column: "part_id"' in text
    loose = "\n".join(line.removeprefix("# ") for line in text.splitlines() if "model:" in line)
    assert loose == "model:"


def test_without_a_terminal_nothing_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--out", str(tmp_path / "r.yaml")) == 1
    assert "there is no terminal to ask at" in capsys.readouterr().err


def test_at_a_terminal_five_questions_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter(
        ["", "photos", "", "part", "", ""]
    )  # the images are asked for until there are some

    def prompt(question: str, **options: object) -> str:
        asked.append(question)
        return next(answers)

    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    monkeypatch.setattr(command.typer, "prompt", prompt)
    assert run("--out", str(tmp_path / "r.yaml")) == 0
    assert len(set(asked)) == 5
    assert load_recipe(str(tmp_path / "r.yaml")).data.group_column == "part"


def test_an_answer_that_is_no_value_is_refused() -> None:
    with pytest.raises(RecipeError, match="time_budget"):
        starter_recipe(Answers("photos", time_budget="soon"), file="r.yaml")
