"""The processes of one run: how they meet, and what each of them is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, extract_model_from_parallel
from torch import nn

from hf_vft.errors import RunError, VftError
from hf_vft.training.training_arguments import VisionTrainingArguments

T = TypeVar("T")

PATIENCE = timedelta(hours=12)
"""How long processes wait for one another: one alone fits the probe and renders the report."""


def join_processes() -> PartialState:
    """Meet the other processes of this run, over gloo where there is no accelerator.

    To be called before anything asks for the state: Accelerate remembers the first answer.

    Raises:
        RunError: If several processes were started, but they cannot meet.
    """
    asked = int(os.environ.get("WORLD_SIZE", "1"))
    # Accelerate looks for other processes without an accelerator only if told to use the CPU.
    options = {"timeout": PATIENCE} if asked > 1 else {}
    try:
        state = PartialState(cpu=not torch.accelerator.is_available(), **options)
    except (ValueError, RuntimeError) as error:
        PartialState._reset_state()
        raise RunError(f"{_cannot_meet(asked)} ({str(error).splitlines()[0]})") from error
    if state.num_processes != asked:
        raise RunError(_cannot_meet(asked))
    return state


def from_main(work: Callable[[], T]) -> T:
    """The main process's result, in all processes: no two decide differently.

    Raises:
        VftError: What the main process raised, in every process.
    """
    outcome: list[Any] = [None, None]
    if PartialState().is_main_process:
        try:
            outcome[0] = work()
        except VftError as error:
            outcome[1] = error
    value, failure = broadcast_object_list(outcome)
    if failure is not None:
        raise failure
    return cast("T", value)


def _cannot_meet(processes: int) -> str:
    return (
        f"{processes} processes were started (WORLD_SIZE), but they do not find one another: start "
        "them with `hf-vft fit --num-processes` or `accelerate launch`."
    )


def for_this_process(args: VisionTrainingArguments) -> VisionTrainingArguments:
    """Let the Trainer use the one device of this process, and nothing besides.

    The Trainer would spread the batches of a single process over all GPUs that it sees, with
    DataParallel: the batch would not be the one that was asked for.
    """
    args._n_gpu = min(args.n_gpu, 1)
    return args


def runs_on_cpu() -> bool:
    """Whether the Trainer must be told to use the CPU, so that it joins the same processes."""
    return bool(PartialState().device.type == "cpu")


def release(model: nn.Module) -> None:
    """Give a model its own forward again, without the autocast that a Trainer put around it.

    Accelerate marks a model that it has prepared for an evaluation, and would then not wrap it
    for distributed training: the processes would drift apart without a word.
    """
    extract_model_from_parallel(model, keep_fp32_wrapper=False)
    vars(model).pop("_is_accelerate_prepared", None)
