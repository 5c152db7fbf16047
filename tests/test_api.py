"""The public functions do what the commands of their names do, with paths alone."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hf_vft
from hf_vft.errors import RecipeError, RunError
from hf_vft.recipe.schema import Recipe
from tests.runs import small_recipe
from tests.test_package import loaded_after

FUNCTIONS = (
    "add_class", "audit", "evaluate", "fit", "monitor", "observe", "predict", "push", "retrain",
    "serve",
)  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_imported_by_name_and_no_package_hides_it(name: str) -> None:
    function = getattr(hf_vft, name)
    assert inspect.isfunction(function)
    assert "Args:" in (function.__doc__ or "")
    assert not (Path(hf_vft.__file__).parent / name).exists()
    assert not (Path(hf_vft.__file__).parent / f"{name}.py").exists()


def test_the_functions_of_the_api_load_nothing_heavy_until_they_are_called() -> None:
    names = "audit, evaluate, fit, monitor, predict, push"
    assert loaded_after(f"from hf_vft import {names}") == set()


def test_packages_of_similar_names_do_not_hide_a_function() -> None:
    code = (
        "import hf_vft.evaluation, hf_vft.monitoring, hf_vft.serving, hf_vft.hub\n"
        "from hf_vft import evaluate, monitor\n"
        "assert callable(evaluate) and callable(monitor)"
    )
    loaded_after(code)


def test_fit_takes_paths_and_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "hf_vft.workflows.fit.fit", lambda recipe, out, **rest: asked.append((recipe, out, rest))
    )
    changes = {"stages.all.epochs": 3}
    hf_vft.fit(tmp_path, "out", changes=changes, time_budget="2m")
    recipe, out, rest = asked[0]
    assert (recipe.data.path, out, rest["resume"]) == (str(tmp_path), "out", False)
    assert recipe.stages[0].epochs == 3
    assert recipe.search.time_budget == 120
    hf_vft.fit(recipe=recipe, out="again")
    assert asked[1][0] == recipe
    hf_vft.fit(out="out", resume=True)
    assert (asked[2][0], asked[2][2]["resume"]) == (None, True)
    with pytest.raises(RecipeError, match="no such field"):
        hf_vft.fit(tmp_path, changes={"epochs": 3})


def test_predict_answers_one_image_a_folder_or_several(fitted: Path, images: Path) -> None:
    files = sorted((images / "images").iterdir())[:3]
    assert [one.file for one in hf_vft.predict(fitted, files)] == [str(file) for file in files]
    (alone,) = hf_vft.predict(str(fitted), str(files[0]), top=2)
    assert alone.prediction is not None
    assert alone.error is None
    with pytest.raises(RunError, match="no such run folder"):
        hf_vft.predict("nowhere", files)


def test_evaluate_scores_the_split_of_the_run(fitted: Path, images: Path) -> None:
    scores = hf_vft.evaluate(fitted, images, split="test").result
    written = json.loads((fitted / "metrics.json").read_text())["splits"]["test"]
    assert scores.n == written["n"]
    assert scores.metrics["accuracy"].value == pytest.approx(
        written["metrics"]["accuracy"]["value"], abs=1e-6
    )


def test_audit_writes_its_page(images: Path, tmp_path: Path) -> None:
    done = hf_vft.audit(images, tmp_path / "audit", labels=False)
    assert done.page == tmp_path / "audit" / "audit.html"
    assert done.page.is_file()
    assert (tmp_path / "audit" / "audit.json").is_file()


def test_monitor_scores_images_writes_the_report_and_notifies(
    fitted: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        "hf_vft.workflows.steps.notify.act", lambda decision, policy, name: told.append(name)
    )
    result = hf_vft.monitor(fitted, images, tmp_path / "report", policy="strict")
    verdict = json.loads((tmp_path / "report" / "verdict.json").read_text())
    assert verdict["headline"] == result.decision.headline
    assert told == [fitted.name]
    hf_vft.monitor(fitted, images, tmp_path / "report", notify=False)
    assert told == [fitted.name]


def test_push_hands_the_run_and_its_options_over(
    fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def push_run(run: Any, repo_id: str, **options: Any) -> Any:
        asked.update(run=run.path, repo_id=repo_id, **options)
        return SimpleNamespace(url="address")

    monkeypatch.setattr("hf_vft.hub.push.push_run", push_run)
    assert hf_vft.push(fitted, "me/defects", private=True, license="mit").url == "address"
    assert (asked["run"], asked["repo_id"], asked["license"]) == (fitted, "me/defects", "mit")
    assert asked["private"]
    assert not asked["with_images"]


def test_a_recipe_as_an_object_is_taken_as_it_is(images: Path, convnext: Path) -> None:
    from hf_vft.api import _recipe

    recipe = small_recipe(images, convnext)
    assert _recipe(recipe, {}) == recipe
    assert isinstance(_recipe("lora", {"seed": 7}), Recipe)
