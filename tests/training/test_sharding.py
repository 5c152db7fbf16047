"""Weights that are divided among processes: the same run as with whole ones."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from accelerate import DistributedType, PartialState
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env
from safetensors.torch import load_file
from torch import nn
from torch.distributed.tensor import DTensor

import hf_vft.training.stages as stages
from hf_vft.errors import RecipeError
from hf_vft.recipe.schema import Recipe
from hf_vft.run import RunDirectory
from hf_vft.training.sharding import to_train
from hf_vft.utils.resources import bundled
from tests.runs import KillAt, fit_in_processes, small_recipe

CONFIG = bundled("recipes") / "accelerate" / "fsdp.yaml"


def as_launched() -> None:
    """Tell this process what ``accelerate launch`` would with the recipe's configuration.

    Accelerate divides weights on GPUs alone, so it is made to take each process for one.
    """
    words = ["--config_file", str(CONFIG), "script.py"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    variables = prepare_multi_gpu_env(arguments)
    os.environ.update(
        {k: v for k, v in variables.items() if k.startswith(("FSDP", "ACCELERATE_U"))}
    )
    join = PartialState.__init__

    def join_as_gpu(self: PartialState, *args: Any, **kwargs: Any) -> None:
        join(self, *args, **kwargs)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = join_as_gpu  # type: ignore[method-assign]
    _insist_on_divided_weights()


def _insist_on_divided_weights() -> None:
    gather = stages.gather_into

    def checked(model: nn.Module, trainer: Any) -> None:
        assert all(isinstance(weight, DTensor) for weight in trainer.model.parameters())
        gather(model, trainer)

    stages.gather_into = checked  # type: ignore[attr-defined]


def weights_differ(one: Path, other: Path) -> float:
    """By how much at most."""
    ours, theirs = (load_file(run / "model" / "model.safetensors") for run in (one, other))
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def history(run: Path) -> Any:
    folder = RunDirectory(run)
    return folder.read_json(folder.history_file)


@pytest.mark.slow
def test_divided_weights_end_as_whole_ones_do_also_after_a_kill(
    fitted: Path, images: Path, convnext: Path, tmp_path: Path
):
    recipe, run = small_recipe(images, convnext), tmp_path / "run"
    options: dict[str, Any] = {"processes": 2, "prepare": as_launched}
    killed = fit_in_processes(recipe, run, display=KillAt("step of all", 9), **options)
    assert -signal.SIGKILL in killed
    assert fit_in_processes(recipe, run, resume=True, **options) == [0, 0]
    assert weights_differ(run, fitted) < 1e-4
    for ours, theirs in zip(history(run), history(fitted), strict=True):
        assert ours["eval_loss"] == pytest.approx(theirs["eval_loss"], abs=1e-4)


def test_averaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch, images: Path, vit: Path):
    monkeypatch.setattr("hf_vft.training.sharding.is_sharded", lambda: True)
    recipe: Recipe = small_recipe(images, vit, training__ema_decay=0.9)
    with pytest.raises(RecipeError, match=r"ema_decay to 0, or launch with multi_gpu\.yaml"):
        to_train(nn.Linear(2, 2), recipe)
