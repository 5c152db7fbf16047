from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from accelerate import PartialState
from optuna.trial import TrialState

from hf_vft.automl.choose import check_ray
from hf_vft.data.demo.images import write_demo_images
from hf_vft.errors import MissingDependencyError
from hf_vft.utils import imports
from hf_vft.workflows.fit import fit
from tests.runs import small_recipe


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    PartialState()
    monkeypatch.setattr(imports, "is_available", lambda _: False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hf-vft\[ray\]'"):
        check_ray()


@pytest.mark.slow
def test_two_workers_of_a_cluster_run_the_trials(
    resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    few = write_demo_images(tmp_path / "line", n=48, size=32)
    stages = [{"name": "all", "train": "all", "epochs": 2, "learning_rate": 1e-3}]
    changes = {"stages": stages, "search.trials": 3, "search.backend": "ray"}
    ray.init(num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False)
    try:
        run = fit(small_recipe(few, resnet).replaced(changes), tmp_path / "run")
    finally:
        ray.shutdown()
    storage = f"sqlite:///{run.state / 'search' / 'study.db'}"
    trials = optuna.load_study(study_name=None, storage=storage).trials
    ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(ended) >= 3
    assert all(t.intermediate_values for t in ended)
    first, second = trials[:2]
    assert second.datetime_start is not None
    assert first.datetime_complete is not None
    assert second.datetime_start < first.datetime_complete  # at the same time
    assert (run.model / "model.safetensors").is_file()
