"""How long the device waits for images: the most common reason for a slow training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_vft.utils.cores import cores
from hf_vft.utils.progress import Display

SKIPPED = 5
"""Steps before it is measured: loaders start up and kernels are chosen."""

MEASURED = 20
"""Steps that are measured."""

NOTABLE = 0.1
"""Share of the time from which on something is said."""


class InputWait:
    """Measures, over a few steps of a training, for what share of the time the device waits.

    Before a measured fetch the device is let finish, so that what is waited for then are images
    alone. Loaders go on meanwhile.

    Args:
        device: That trains.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._fetches = 0
        self._waited = 0.0
        self._started = 0.0
        self._ended = 0.0

    @property
    def share(self) -> float | None:
        """Share of the time in [0, 1]; None until enough steps were measured."""
        if self._fetches <= SKIPPED + MEASURED:
            return None
        return self._waited / (self._ended - self._started)

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Around the fetch of the batches of a step."""
        measured = SKIPPED <= self._fetches <= SKIPPED + MEASURED
        self._fetches += 1
        if not measured:
            yield
            return
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        begin = time.perf_counter()
        if not self._started:
            self._started = begin
        self._ended = begin
        yield
        if self._fetches <= SKIPPED + MEASURED:  # the last one only ends the step before it
            self._waited += time.perf_counter() - begin


class TellInputWait(TrainerCallback):
    """Says once that the device waits for images, and which field of the recipe to set.

    Args:
        wait: What the Trainer measures.
        display: Told.
        processes: That share the cores.
    """

    def __init__(self, wait: InputWait, display: Display, processes: int) -> None:
        self.wait = wait
        self.display = display
        self.processes = processes
        self._said = False

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Say it as soon as it is known."""
        share = self.wait.share
        if self._said or share is None or not state.is_world_process_zero:
            return
        self._said = True
        # Without loaders on a CPU nobody waits: the cores that decode are those that train.
        if share >= NOTABLE and (args.dataloader_num_workers or args.device.type != "cpu"):
            each = max(1, cores().usable // self.processes)
            self.display.warn(wait_sentence(share, args.dataloader_num_workers, each))


def wait_sentence(share: float, workers: int, usable: int) -> str:
    """What is said.

    Args:
        share: Of the time that the device waits.
        workers: Loader processes of one training process.
        usable: Cores for one training process.
    """
    said = f"The device waits for images {share:.0%} of the time"
    if workers < usable:
        return f"{said}: set training.num_workers to {usable} (now {workers})."
    cores_said = f"{usable} core{'s' * (usable > 1)}"
    return (
        f"{said}, with a loader for each of {cores_said}: store the images smaller (about twice "
        "image.size), or set augment.strength to a lighter one."
    )
