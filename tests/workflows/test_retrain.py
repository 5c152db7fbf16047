"""From labelled production images to a challenger, also when it is killed on the way."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hf_vft.data.demo.production import Fault, write_production
from hf_vft.data.load import load_data
from hf_vft.errors import RunError
from hf_vft.evaluation.comparison import Comparison, Paired
from hf_vft.evaluation.results import Estimate
from hf_vft.monitoring.profile import Reference
from hf_vft.run import RunDirectory, write_champion
from hf_vft.utils.progress import Silent
from hf_vft.workflows.retrain import Retrained, retrain
from hf_vft.workflows.steps.champion import judge_retrained
from hf_vft.workflows.steps.save_run import read_splits
from tests.runs import IMAGE_SIZE, KillAt, weights

STAGE = {"name": "all", "train": "all", "epochs": 2, "learning_rate": 1e-3, "keep_if_better": False}
CHANGES = {"stages": [STAGE]}


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("production") / "stream"
    return write_production(folder, Fault("lighting"), days=2, per_day=50, size=IMAGE_SIZE)


class Warnings(Silent):
    """Keeps what was warned of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def retrained(
    fitted: Path, stream: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunDirectory, Retrained, Path]:
    """Killed in its training, and gone on with."""
    folder = tmp_path_factory.mktemp("retrained")
    out, pointer = folder / "run-2", folder / "champion"

    def killed() -> None:
        torch.set_num_threads(1)
        retrain(
            fitted,
            stream,
            out,
            changes=CHANGES,
            champion=pointer,
            display=KillAt("epoch of all", 2),
        )

    child = multiprocessing.get_context("fork").Process(target=killed)
    child.start()
    child.join(timeout=200)
    assert child.exitcode == -signal.SIGKILL
    with pytest.raises(RunError, match="stopped there; add --resume"):
        retrain(fitted, stream, out)
    found = retrain(fitted, stream, out, champion=pointer, resume=True)
    return RunDirectory.open(out), found, pointer


@pytest.mark.slow
def test_the_challenger_learns_from_old_and_new_images_and_is_tested_on_both(
    fitted: Path, stream: Path, retrained: tuple[RunDirectory, Retrained, Path]
) -> None:
    run, found, _ = retrained
    recipe = run.recipe()
    assert recipe.model.keep_head
    assert recipe.model.candidates == [str(fitted / "model")]
    assert not recipe.unresolved()
    data = load_data(recipe.data.path, recipe.data, seed=0)
    before = read_splits(RunDirectory(fitted))
    for split, table in data.splits.items():
        origins = pd.Series(table["origin"])
        assert (origins == "production").sum() == found.images[split]
        old = [h for h, o in zip(data.hashes[split], origins, strict=True) if o == "training"]
        assert sorted(old) == sorted(h for h, s in before.items() if s == split)
    assert sum(found.images.values()) == 100
    assert found.recent.n == found.images["test"]
    assert found.old.n == sum(split == "test" for split in before.values())
    # The newest are the test.
    truth = pd.read_csv(stream / "labels.csv").sort_values("timestamp", kind="stable")
    newest = {(stream / name).read_bytes() for name in truth["file_name"][-found.recent.n :]}
    table = data.splits["test"]
    tested = {
        Path(image["path"]).read_bytes()
        for image, origin in zip(table["image"], table["origin"], strict=True)
        if origin == "production"
    }
    assert len(tested & newest) >= found.recent.n - 4  # equal times


@pytest.mark.slow
def test_the_verdict_is_kept_and_the_champion_stays_as_it_was(
    fitted: Path, stream: Path, retrained: tuple[RunDirectory, Retrained, Path]
) -> None:
    run, found, pointer = retrained
    assert Retrained.model_validate(run.read_json(run.comparison_file)) == found
    assert pointer.is_file() == found.promoted
    assert not (fitted.parent / "champion").exists()
    assert not (fitted / "data").exists()
    old, new = weights(fitted), weights(run.path)
    assert old.keys() == new.keys()
    changed = [name for name in old if not np.array_equal(old[name], new[name])]
    # It went on from the champion: fewer than the whole distance of two random heads.
    assert changed
    assert float((old["classifier.weight"] - new["classifier.weight"]).norm()) < 0.5 * float(
        old["classifier.weight"].norm()
    )
    with pytest.raises(RunError, match="there is a run already"):
        retrain(fitted, stream, run.path)


@pytest.mark.slow
def test_a_win_is_promoted_by_one_file_also_after_a_kill_before_it(
    fitted: Path,
    stream: Path,
    retrained: tuple[RunDirectory, Retrained, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, found, _ = retrained
    monkeypatch.setattr(
        "hf_vft.workflows.retrain.judge_retrained", lambda *_: (True, "wins", ["why"])
    )
    monkeypatch.setattr("hf_vft.workflows.retrain.LEAST_REFERENCE", 30)
    text = run.comparison_file.read_text(encoding="utf-8")
    run.comparison_file.unlink()
    pointer = tmp_path / "champion"
    try:
        display = Warnings()
        again = retrain(fitted, stream, run.path, resume=True, champion=pointer, display=display)
    finally:
        run.comparison_file.write_text(text, encoding="utf-8")
    assert again.promoted
    assert (again.recent, again.old) == (found.recent, found.old)
    assert RunDirectory.open(pointer).path.resolve() == run.path.resolve()
    assert not any("reference" in line for line in display.lines)
    # What is normal now is what production shows now.
    assert set(Reference.load(run).sample.frame["origin"]) == {"production"}


def comparison(low: float, high: float, f1_high: float = 0.1) -> Comparison:
    def paired(a: float, b: float) -> Paired:
        return Paired(
            champion=0.7,
            challenger=0.7 + (a + b) / 2,
            difference=Estimate(value=(a + b) / 2, low=a, high=b),
        )

    return Comparison(
        n=200,
        units=200,
        accuracy=paired(low, high),
        f1_macro=paired(-0.1, f1_high),
        only_champion=3,
        only_challenger=9,
        p_value=0.1,
    )


WINS, LEVEL, LOSES = comparison(0.02, 0.1), comparison(-0.03, 0.03), comparison(-0.1, -0.02)
MAY_LOSE, LOSES_RARE = comparison(-0.09, 0.03), comparison(-0.02, 0.02, -0.01)


@pytest.mark.parametrize(
    ("recent", "old", "promoted", "said"),
    [
        (WINS, LEVEL, True, "takes over"),
        (WINS, WINS, True, "takes over"),
        (LEVEL, LEVEL, False, "not proven better"),
        (LOSES, WINS, False, "not proven better"),
        (WINS, LOSES, False, "old test images"),
        (WINS, MAY_LOSE, False, "may lose, on the old"),
        (WINS, LOSES_RARE, False, "old test images"),
    ],
)
def test_it_takes_a_win_now_and_no_loss_before(
    recent: Comparison, old: Comparison, promoted: bool, said: str
) -> None:
    verdict, headline, reasons = judge_retrained(recent, old, 0.05)
    assert verdict is promoted
    assert said in headline
    assert "200 newest labels: accuracy 0.700 champion" in reasons[0]


def test_a_champion_file_opens_the_run_that_it_names(fitted: Path, tmp_path: Path) -> None:
    pointer = tmp_path / "champion"
    write_champion(pointer, fitted)
    assert not Path(pointer.read_text()).is_absolute()
    assert RunDirectory.open(pointer).path == fitted
    pointer.write_text("nowhere\n")
    with pytest.raises(RunError, match="nowhere: no such run folder"):
        RunDirectory.open(pointer)
    pointer.write_text("a\nb\n")
    with pytest.raises(RunError, match="neither a run folder nor a file that names one"):
        RunDirectory.open(pointer)
