"""Small runs for tests: a checkpoint folder, a recipe that takes seconds, and what came out."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from hf_vft.cli.main import main
from hf_vft.recipe.schema import Recipe, parse_recipe
from hf_vft.utils.progress import Silent
from hf_vft.workflows.fit import fit
from tests.models.tiny import ALL, SIZE

IMAGE_SIZE = 40

RECIPE: dict[str, Any] = {
    "image": {"size": SIZE},
    "augment": {"strength": "light"},
    # Classes of the tests have a handful of images: tests of the comparison of heads ask for it.
    "probe": {"folds": 2, "head": "logistic"},
    "stages": [
        {"name": "head", "train": "head", "epochs": 2, "views": 2, "learning_rate": 1e-3},
        {"name": "all", "train": "all", "epochs": 2, "learning_rate": 1e-3, "layer_decay": 0.8},
    ],
    "training": {"batch_size": 12, "eval_batch_size": 24, "precision": "fp32"},
    "evaluation": {"bootstrap": 20, "stress": False},
}


def save_checkpoint(name: str, folder: Path) -> Path:
    """A tiny model of ``tests.models.tiny`` as a checkpoint with an image processor."""
    ALL[name]().save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    size = {"height": SIZE, "width": SIZE}
    processor = transformers.ViTImageProcessor(size=size, image_mean=half, image_std=half)
    processor.save_pretrained(folder)
    return folder


def small_recipe(images: Path, checkpoint: Path | str, **changes: Any) -> Recipe:
    """A recipe of seconds; ``changes`` are dotted names with ``__`` for the dot."""
    recipe = parse_recipe(
        RECIPE | {"data": {"path": str(images)}, "model": {"candidates": [str(checkpoint)]}}
    )
    return recipe.replaced({name.replace("__", "."): value for name, value in changes.items()})


def write_recipe(recipe: Recipe, path: Path) -> Path:
    """The recipe as a file, for the command line."""
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    return path


def metrics(run: Path) -> Any:
    """What the run measured."""
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def weights(run: Path) -> dict[str, Any]:
    """The tensors of the run's model."""
    return load_file(run / "model" / "model.safetensors")


def vft(*words: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command line in a fork of this process, which has imported everything already."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("out", "err")]
        fork = multiprocessing.get_context("fork")
        child = fork.Process(target=_vft, args=([str(word) for word in words], files))
        child.start()
        child.join(timeout)
        return subprocess.CompletedProcess(words, _status(child), *(f.read_text() for f in files))


def _vft(words: list[str], files: list[Path]) -> None:
    for stream, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.argv = ["hf-vft", *words]
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.set_num_threads(1)
    main()


def fit_in_processes(
    recipe: Recipe | None, out: Path, processes: int = 1, **options: Any
) -> list[int]:
    """``pipeline.fit`` in forks of this process, to the end.

    Returns:
        The exit status of each; negative if a signal ended it.
    """
    children = start_processes(recipe, out, processes, **options)
    for child in children:
        child.join(timeout=200)
    return [_status(child) for child in children]


def start_processes(
    recipe: Recipe | None, out: Path, processes: int = 1, **options: Any
) -> list[Any]:
    """``pipeline.fit`` in forks of this process, which have imported everything already.

    Args:
        recipe: What to run.
        out: The run folder.
        processes: Over gloo, if there are several.
        **options: For ``fit``; and ``prepare``, to be called in each process before it.
    """
    port = free_port()
    shared = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_PORT": port}
    environment = {k: str(v) for k, v in shared.items()} | {"MASTER_ADDR": "127.0.0.1"}
    fork = multiprocessing.get_context("fork")
    children = []
    for rank in range(processes):
        mine = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        several = environment | mine if processes > 1 else {}
        children.append(fork.Process(target=_fit, args=(several, recipe, out, options)))
        children[-1].start()
    return children


def _fit(environment: dict[str, str], recipe: Recipe | None, out: Path, options: Any) -> None:
    os.environ.update(environment)
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.set_num_threads(1)
    prepare = options.pop("prepare", lambda: None)
    prepare()
    fit(recipe, out, **options)


class KillAt(Silent):
    """Kills this process, as ``kill -9`` does, at the n-th time that something is shown."""

    def __init__(self, what: str, times: int = 1) -> None:
        self.what = what
        self.left = times

    def start(self, stage: str, total: int) -> None:
        self.stage = stage

    def advance(self, done: int, note: str = "", total: int | None = None) -> None:
        self._seen(f"step of {self.stage}")

    def epoch(self, record: dict[str, Any]) -> None:
        self._seen(f"epoch of {record['stage']}")

    def say(self, text: str) -> None:
        self._seen(text)

    def _seen(self, what: str) -> None:
        self.left -= what.startswith(self.what)
        if self.left == 0:
            die()


def die(*_: Any, **__: Any) -> None:
    """``kill -9`` this very process."""
    os.kill(os.getpid(), signal.SIGKILL)


def _status(child: Any) -> int:
    if child.is_alive():
        child.kill()
        child.join()
    return int(child.exitcode)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
