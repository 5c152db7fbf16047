"""A split is predicted and scored in one place, by what the task says."""

from __future__ import annotations

import ast
from pathlib import Path

import datasets
import numpy as np
import pytest

from hf_vft.data.groups import groups_of
from hf_vft.recipe.schema import Recipe
from hf_vft.tasks import Calibration, get_task
from hf_vft.training.predict import score_split

PACKAGE = Path(__file__).parents[2] / "hf_vft"
RECIPE = Recipe.model_validate({"evaluation": {"bootstrap": 40}})


def images(**columns: list[object]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"label": [0, 1] * 10, **columns})


def outputs() -> np.ndarray:
    logits = np.eye(2)[[0, 1] * 10]
    logits[:6] = logits[:6, ::-1]
    return logits


def test_groups_are_drawn_together_and_slices_scored() -> None:
    parts = [row // 10 for row in range(20)]
    task = get_task("image-classification")
    alone, grouped = (
        score_split(
            outputs(), table, ["a", "b"], task, RECIPE, calibration=Calibration(), slices=["part"]
        )
        for table in (images(part=parts), images(part=parts, group=parts))
    )
    assert alone.metrics["accuracy"].value == grouped.metrics["accuracy"].value == 0.7
    assert grouped.metrics["accuracy"].low == pytest.approx(0.4)  # two groups, of 0.4 and 1.0
    assert (alone.metrics["accuracy"].low or 0.0) > 0.4
    assert set(grouped.slices["part"]) == {"0", "1"}


def test_resamples_can_be_left_out() -> None:
    result = score_split(
        outputs(),
        images(),
        ["a", "b"],
        get_task("image-classification"),
        RECIPE,
        calibration=Calibration(),
        n_bootstrap=0,
    )
    assert result.metrics["accuracy"].low is None


def test_several_labels_are_scored_by_their_task() -> None:
    table = datasets.Dataset.from_dict({"label": [[1, 1], [0, 0], [0, 1]] * 4})
    logits = np.array([[9.0, 9.0], [-9.0, -9.0], [-9.0, 9.0]] * 4)
    task = get_task("multi-label-classification")
    result = score_split(
        logits,
        table,
        ["a", "b"],
        task,
        RECIPE,
        calibration=Calibration(thresholds=(0.5, 0.5)),
        n_bootstrap=0,
    )
    assert result.metrics[task.primary_metric].value == 1.0


def test_a_table_without_groups_has_none() -> None:
    assert groups_of(images()) is None
    assert groups_of(images(group=["x", None] * 10)) == ["x", None] * 10


def test_nothing_else_scores_a_split_or_looks_the_groups_up() -> None:
    scoring, looking = set(), set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if ast.unparse(node.func).endswith("task.evaluate"):
                    scoring.add(name)
            elif isinstance(node, ast.Compare) and "'group' in " in (said := ast.unparse(node)):
                looking |= {name} if "column_names" in said else set()
    assert scoring == {"training/predict.py"}
    assert not looking
