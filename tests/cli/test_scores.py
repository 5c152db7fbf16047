"""What ``fit`` says at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.cli.scores import next_command, print_scores
from hf_vft.recipe.schema import Recipe
from hf_vft.reporting.verdict import headline
from hf_vft.run import RunDirectory, write_json, write_text
from tests.reporting.made import made_report


@pytest.mark.parametrize(("skill", "said"), [(5.0, "hf-vft serve"), (0.0, "hf-vft audit")])
def test_it_ends_with_the_verdict_and_the_next_command(
    skill: float, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(tmp_path / "a run")
    report = made_report(skill=skill, n_bootstrap=50)
    write_text(run.metrics_file, report.model_dump_json())
    write_text(run.recipe_file, Recipe().replaced({"data.path": "my photos"}).to_yaml())
    write_json(run.summary_file, {"pretrained": True})
    print_scores(run)
    shown = capsys.readouterr().out
    assert headline(report) in shown
    assert f"Next:   {said} '" in shown
    assert next_command(run, report) in shown


def test_the_table_names_what_was_delivered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(tmp_path / "run")
    write_text(run.metrics_file, made_report(n_bootstrap=50).model_dump_json())
    write_text(run.recipe_file, Recipe().replaced({"data.path": "photos"}).to_yaml())
    write_json(run.summary_file, {"delivered": "the linear probe"})
    print_scores(run)
    shown = capsys.readouterr().out
    assert "The delivered model is the linear probe." in shown
    assert "delivered model" in shown
    assert "fine-tuned" not in shown
