"""Whole searches on tiny models: what they leave, and what survives a kill."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from hf_vft.automl.choose import choose_and_train
from hf_vft.automl.halving import CONTINUES
from hf_vft.automl.search import epochs_within
from hf_vft.data.demo.images import write_demo_images
from hf_vft.errors import RecipeError
from hf_vft.evaluation.leaderboard import Leaderboard, LeaderboardRow
from hf_vft.recipe.schema import Recipe, load_recipe
from tests.runs import KillAt, fit_in_processes, small_recipe, start_processes, weights

SHORT = [{"name": "all", "train": "all", "epochs": 2, "learning_rate": 1e-3}]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_images(tmp_path_factory.mktemp("few") / "line", n=48, size=32)


def recipe_of(few: Path, checkpoint: Path, **changes: Any) -> Recipe:
    options: dict[str, Any] = {"stages": SHORT, "evaluation__bootstrap": 10, "search__trials": 3}
    options["search__soup"] = False  # recipe.yaml repeats a training, not an average
    return small_recipe(few, checkpoint, **(options | changes))


def board(run: Path) -> Leaderboard:
    return Leaderboard.model_validate(json.loads((run / "leaderboard.json").read_text()))


def trials_of(run: Path) -> list[LeaderboardRow]:
    return [row for row in board(run).rows if row.kind == "trial"]


def study_of(run: Path) -> optuna.Study:
    storage = f"sqlite:///{run / 'state' / 'search' / 'study.db'}"
    return optuna.load_study(study_name=None, storage=storage)


@pytest.fixture(scope="module")
def searched(few: Path, resnet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "searched"
    assert fit_in_processes(recipe_of(few, resnet), out) == [0]
    return out


def test_every_trial_is_a_row_and_the_first_is_the_recipe(searched: Path) -> None:
    rows = {row.name: row for row in trials_of(searched)}
    assert set(rows) >= {"trial 0", "trial 1", "trial 2"}
    assert rows["trial 0"].strategy == "recipe"
    assert rows["trial 0"].changes == {}
    assert rows["trial 1"].strategy == "full"
    for row in rows.values():
        assert row.state in ("finished", "stopped", "failed")
        if row.state == "finished":
            assert row.score is not None
            assert row.seconds


def test_the_best_trial_is_the_model_of_the_run(searched: Path) -> None:
    found = board(searched)
    scored = [row.score.value for row in trials_of(searched) if row.score]
    kept = next(row for row in found.rows if row.name == found.chosen)
    assert kept.score is not None
    assert len({row.cost.latency_ms for row in found.rows if row.cost is not None}) == 1
    assert kept.score.value == pytest.approx(max(v for v in scored if v is not None), abs=1e-6)
    best = next(row for row in trials_of(searched) if row.score)
    choices = json.loads((searched / "choices.json").read_text())
    told = any("was best on validation" in choice["reason"] for choice in choices)
    assert told == bool(best.changes)
    assert (searched / "model" / "model.safetensors").is_file()


def test_a_search_says_what_it_taught(searched: Path) -> None:
    lessons = board(searched).lessons
    assert lessons is not None
    assert lessons.curve is not None
    assert lessons.gain.value is not None
    assert [point.images for point in lessons.curve.points] == sorted(
        point.images for point in lessons.curve.points
    )
    assert "What the search taught" in (searched / "report.html").read_text()


def test_the_recipe_of_a_searched_run_trains_its_model_again(
    searched: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(searched / "recipe.yaml")
    assert not recipe.search.wanted
    assert recipe.unresolved() == []
    assert board(searched).asked == {"trials": 3, "soup": False}
    assert fit_in_processes(recipe, tmp_path / "again") == [0]
    assert not trials_of(tmp_path / "again")
    first, again = weights(searched), weights(tmp_path / "again")
    assert all(first[name].equal(again[name]) for name in first)


@pytest.mark.slow
def test_a_killed_search_goes_on_where_it_was(
    few: Path, resnet: Path, searched: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    # Trial 0 has two epochs; this is in trial 1.
    codes = fit_in_processes(recipe_of(few, resnet), out, display=KillAt("epoch of all", 4))
    assert codes == [-signal.SIGKILL]
    before = study_of(out).trials
    assert before[0].state.is_finished()
    assert (out / "model" / "model.safetensors").is_file()  # anytime
    assert fit_in_processes(recipe_of(few, resnet), out, resume=True) == [0]
    after = study_of(out).trials
    assert after[0].datetime_complete == before[0].datetime_complete
    assert after[1].number == 1
    assert after[1].datetime_start == before[1].datetime_start
    assert after[1].state.is_finished()
    assert after[1].intermediate_values.items() >= before[1].intermediate_values.items()
    whole = {row.name: row.score.value for row in trials_of(searched) if row.score}
    again = {row.name: row.score.value for row in trials_of(out) if row.score}
    assert again["trial 0"] == whole["trial 0"]
    assert again["trial 1"] == whole["trial 1"]


@pytest.mark.slow
def test_two_processes_share_a_study_and_run_no_trial_twice(
    few: Path, resnet: Path, tmp_path: Path
) -> None:
    shared = f"sqlite:///{tmp_path / 'shared.db'}"
    recipe = recipe_of(few, resnet, search__storage=shared, search__trials=4)
    outs = [tmp_path / "a", tmp_path / "b"]
    children = [child for out in outs for child in start_processes(recipe, out)]
    for child in children:
        child.join(timeout=200)
    assert [child.exitcode for child in children] == [0, 0]
    trials = optuna.load_study(study_name=None, storage=shared).trials
    trained = [t for t in trials if t.state != TrialState.WAITING and CONTINUES not in t.user_attrs]
    # Both may begin a last one at the same moment.
    assert 4 <= len(trained) <= 5
    assert all(t.state.is_finished() for t in trained)
    assert len({json.dumps(t.params, sort_keys=True) for t in trained}) == len(trained)
    folders = [Path(t.user_attrs["folder"]) for t in trained]
    assert len(set(folders)) == len(folders)
    on_disk = [folder for out in outs for folder in (out / "state" / "trials").iterdir()]
    assert sorted(on_disk) == sorted(folders)
    assert all((out / "model" / "model.safetensors").is_file() for out in outs)


def test_the_best_trials_are_averaged(few: Path, resnet: Path, tmp_path: Path) -> None:
    recipe = recipe_of(few, resnet, search__soup=True)
    assert fit_in_processes(recipe, tmp_path / "run") == [0]
    found = board(tmp_path / "run")
    soup = next(row for row in found.rows if row.kind == "soup")
    kept = next(row for row in found.rows if row.name == found.chosen)
    best = max(row.score.value or 0 for row in trials_of(tmp_path / "run") if row.score)
    notes = json.loads((tmp_path / "run" / "run.json").read_text())["notes"]
    averaged = any("are the average of" in note for note in notes)
    assert averaged == (soup.state == "finished")
    assert kept.score is not None
    if averaged:
        assert soup.score is not None
        assert kept.score.value == pytest.approx(soup.score.value)
        assert (kept.score.value or 0) > best
    else:
        assert kept.score.value == pytest.approx(best)


@pytest.mark.parametrize(
    ("most", "share", "epochs"),
    [(100.0, 0.5, 50.0), (16.0, 0.5, 10.0), (8.0, 0.5, 8.0), (3.0, 0.34, 3.0), (0.4, 0.5, 1.0)],
)
def test_a_trial_takes_a_share_of_the_time_but_enough_to_learn(
    most: float, share: float, epochs: float
) -> None:
    assert epochs_within(most, share) == epochs


def test_a_search_over_other_tasks_is_refused(few: Path, resnet: Path) -> None:
    place: Any = SimpleNamespace(
        data=SimpleNamespace(kind=SimpleNamespace(exclusive=False)),
        task=SimpleNamespace(name="object-detection"),
    )
    with pytest.raises(RecipeError, match=r"leave out --time-budget and search\.trials"):
        choose_and_train(recipe_of(few, resnet), place, started=0.0)
