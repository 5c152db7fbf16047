"""`hf-vft demo`."""

from __future__ import annotations

import csv
import inspect
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hf_vft.cli.commands.demo import FaultChoice, app, images, production
from hf_vft.data.demo.production import FAULTS


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["images", "production"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: hf-vft demo {command}" in result.output


def test_images(tmp_path: Path) -> None:
    result = run("images", tmp_path / "line", "--n", "3", "--size", "32", "--seed", "4")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "line" / "images").iterdir())) == 3
    assert f"hf-vft fit {tmp_path / 'line'}" in result.output.replace("\n", "")


def test_production_starts_the_fault_on_its_day(tmp_path: Path) -> None:
    options = [
        "--fault",
        "new_camera",
        "--day",
        "1",
        "--days",
        "2",
        "--per-day",
        "4",
        "--size",
        "32",
    ]
    result = run("production", tmp_path / "log", *options)
    assert result.exit_code == 0, result.output
    with (tmp_path / "log" / "labels.csv").open(newline="") as file:
        cameras = [row["camera"] for row in csv.DictReader(file)]
    assert cameras == ["top", "side"] * 2 + ["top", "side-2"] * 2


def test_a_fault_after_the_end_is_refused(tmp_path: Path) -> None:
    result = run("production", tmp_path / "log", "--fault", "blur", "--day", "3", "--days", "3")
    assert result.exit_code == 2
    assert not (tmp_path / "log").exists()


def test_every_fault_can_be_chosen() -> None:
    assert [choice.value for choice in FaultChoice] == list(FAULTS)


def test_training_and_production_have_the_same_defaults() -> None:
    """A stream of other contrast than the training images would lose accuracy without a fault."""
    first, second = (inspect.signature(command).parameters for command in (images, production))
    for name in ("size", "seed", "contrast"):
        assert first[name].default == second[name].default
