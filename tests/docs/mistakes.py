"""Mistakes that are no matter of images: each is made, and its message goes into the docs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hf_vft.monitoring.policy import load_policy
from hf_vft.outputs import claim
from hf_vft.recipe.schema import load_recipe, parse_recipe
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.serving.limits import Limits


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _foreign_report(folder: Path) -> None:
    _file(folder / "report.html", "mine")
    claim(folder, ("report.html",), command="audit")


MISTAKES: dict[str, Callable[[Path], object]] = {
    "a recipe that does not exist": lambda folder: load_recipe("stage"),
    "a misspelt field": lambda folder: load_recipe("staged", ["stages.all.epoch=3"]),
    "a value that is not allowed": lambda folder: load_recipe("staged", ["loss.name=hinge"]),
    "a change that is no A.B=C": lambda folder: load_recipe("staged", ["epochs"]),
    "a stage that is named twice": lambda folder: parse_recipe(
        {"stages": [{"name": "all"}, {"name": "all"}]}
    ),
    "splits that leave nothing to train on": lambda folder: load_recipe(
        "staged", ["data.validation_size=0.5", "data.test_size=0.5"]
    ),
    "a password in a recipe": lambda folder: load_recipe(
        "staged", ["search.storage=postgresql://me:secret@host/studies"]
    ),
    "a recipe that is no YAML": lambda folder: load_recipe(_file(folder / "mine.yaml", "a: [")),
    "a run folder that does not exist": lambda folder: RunDirectory.open(folder / "run"),
    "a folder that is no run": lambda folder: RunDirectory.open(folder),
    "an output folder that holds a file of somebody else": _foreign_report,
    "a log that does not exist": lambda folder: ProductionLog.open(folder / "log"),
    "a row without its required columns": lambda folder: ProductionLog(
        folder / "log"
    ).append_labels([{"label": "scratch"}]),
    "a column that the log does not have": lambda folder: ProductionLog(
        folder / "log"
    ).append_labels(
        [{"request_id": "r1", "ts_utc": datetime(2026, 1, 1, tzinfo=UTC), "colour": "red"}]
    ),
    "a policy that does not exist": lambda folder: load_policy("lenient"),
    "a misspelt field of a policy": lambda folder: load_policy(
        _file(folder / "policy.yaml", "window: {rows: 300}")
    ),
    "a limit of the server that does not exist": lambda folder: Limits().changed(["megabytes=3"]),
}
"""Kind of mistake, and what makes it below a folder."""
