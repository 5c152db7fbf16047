"""The run folder: the one place that knows what it holds and how it is written.

Everything here is written atomically: a reader, or a run resumed after ``kill -9``, sees a
file whole or not at all.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hf_vft.errors import RunError
from hf_vft.recipe.schema import Recipe, load_recipe
from hf_vft.utils import reading

if TYPE_CHECKING:
    import pandas as pd

Kind = TypeVar("Kind")

_LONGEST_PATH = 4096
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{32}\.(tmp|old)")
"""How the functions below call what they have not finished."""


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file so that it is there whole or not at all, also after a power cut.

    Args:
        path: Where the file is to be.
        write: Writes the content to the path that it is given, which is beside ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(mode)  # safetensors lets nobody but the owner read what it writes
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically, with a line per entry."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a folder beside ``path``, then put it in place of ``path``.

    A reader never sees a folder that is half written. Between the two renames a crash leaves
    ``path`` missing, and the next call writes it again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir()
    try:
        fill(temporary)
        _let_read(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if path.exists():
        old = path.with_name(f".{path.name}.{uuid.uuid4().hex}.old")
        path.rename(old)
        temporary.rename(path)
        shutil.rmtree(old)
    else:
        temporary.rename(path)


def _let_read(folder: Path) -> None:
    """Whoever may read a folder may read its files: safetensors makes its own the owner's alone."""
    readers = folder.stat().st_mode & 0o444
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            file.chmod(file.stat().st_mode | readers)


def remove_leftovers(path: Path) -> None:
    """Delete what a killed process was writing in ``path`` with the functions above."""
    _remove([*path.rglob(".*.tmp"), *path.glob(".*.old")])


def remove_leftovers_of(path: Path) -> None:
    """Delete what a killed process was making to put it at ``path``; whoever calls holds a lock."""
    beside = f".{glob.escape(path.name)}.*"
    _remove([*path.parent.glob(f"{beside}.tmp"), *path.parent.glob(f"{beside}.old")])


def _remove(leftovers: Iterable[Path]) -> None:
    for leftover in leftovers:
        if not _LEFTOVER.fullmatch(leftover.name):
            continue  # somebody else's
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def write_champion(file: Path, run: Path) -> None:
    """Say in a file which run is in use; whoever opens the file opens that run.

    One atomic write: at any moment the file names the old run or the new one, and both are whole.
    """
    write_text(file, os.path.relpath(run.absolute(), file.absolute().parent) + "\n")


def _named(path: Path) -> Path:
    """The run folder that a champion file names; a folder is itself."""
    if not path.is_file():
        return path
    try:
        name = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    if not name or "\n" in name or "\0" in name or len(name) > _LONGEST_PATH:
        raise RunError(f"{path}: neither a run folder nor a file that names one.")
    return Path(os.path.normpath(path.absolute().parent / name))


def image_counts(summary: Mapping[str, Any]) -> dict[str, int]:
    """Number of images in each split, from the content of ``run.json``.

    Runs written before the key was renamed say ``pictures``.
    """
    return dict(summary.get("images") or summary.get("pictures") or {})


@dataclass(frozen=True)
class RunDirectory:
    """Names of what a run folder holds. See the README for what each file is for."""

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """An existing run with a model in it.

        Args:
            path: A run folder, or a file of `write_champion` that names one.

        Raises:
            RunError: If this is not a finished run.
        """
        run = cls(_named(Path(path)))
        try:
            exists = run.path.is_dir()
        except OSError:  # a name that no file system takes
            exists = False
        if not exists:
            raise RunError(f"{run.path}: no such run folder. `hf-vft fit` makes one.")
        if not (run.model / "config.json").is_file():
            hint = "finish it with --resume" if run.state.is_dir() else "is it a run folder?"
            raise RunError(f"{path}: there is no model in it yet; {hint}")
        return run

    @property
    def model(self) -> Path:
        """The model folder that ``AutoModelForImageClassification.from_pretrained`` loads."""
        return self.path / "model"

    @property
    def card_file(self) -> Path:
        """The model card, as the Hub shows it; people may write on it."""
        return self.model / "README.md"

    @property
    def adapter(self) -> Path:
        """The PEFT adapter as trained; only there with LoRA."""
        return self.path / "adapter"

    @property
    def export(self) -> Path:
        """The folder that ``hf-vft export`` writes."""
        return self.path / "export"

    @property
    def onnx_file(self) -> Path:
        """The model for ONNX Runtime."""
        return self.export / "model.onnx"

    @property
    def onnx_facts_file(self) -> Path:
        """The source of the export, and how its answers compare."""
        return self.export / "onnx.json"

    @property
    def recipe_file(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def choices_file(self) -> Path:
        """The choices that were made, from which options, and why."""
        return self.path / "choices.json"

    @property
    def alarms_file(self) -> Path:
        """Thresholds of classes that were chosen by cost; only there after `threshold --keep`."""
        return self.path / "alarms.json"

    @property
    def metrics_file(self) -> Path:
        """Every score with its interval."""
        return self.path / "metrics.json"

    @property
    def leaderboard_file(self) -> Path:
        """The models that were tried, with score, seconds and cost."""
        return self.path / "leaderboard.json"

    @property
    def history_file(self) -> Path:
        """One record an epoch and stage."""
        return self.path / "history.json"

    @property
    def robustness_file(self) -> Path:
        """Scores on disturbed images, where they were measured."""
        return self.path / "robustness.json"

    @property
    def audit_file(self) -> Path:
        """The findings of the quick audit of the data."""
        return self.path / "audit.json"

    @property
    def summary_file(self) -> Path:
        """The origin of the run: data, checkpoint, versions, device, seconds."""
        return self.path / "run.json"

    @property
    def report_file(self) -> Path:
        """The page a person reads first."""
        return self.path / "report.html"

    @property
    def splits_file(self) -> Path:
        """The split of each image, by name and SHA-256."""
        return self.path / "splits.parquet"

    @property
    def predictions_file(self) -> Path:
        """Held-out predictions, the start of the monitoring reference."""
        return self.path / "reference" / "predictions.parquet"

    @property
    def profile_file(self) -> Path:
        """The profile of the model and of the reference that monitoring needs."""
        return self.path / "reference" / "profile.json"

    @property
    def reference_file(self) -> Path:
        """Held-out images as rows of a production log, with labels and slices."""
        return self.path / "reference" / "records.parquet"

    @property
    def reference_arrays_file(self) -> Path:
        """Their embeddings, and the reduction of these."""
        return self.path / "reference" / "embeddings.safetensors"

    @property
    def data(self) -> Path:
        """Images of a run that was retrained or got a class; only there then."""
        return self.path / "data"

    @property
    def comparison_file(self) -> Path:
        """Challenger against champion; only there after a retraining, or with a class added."""
        return self.path / "comparison.json"

    @property
    def logs(self) -> Path:
        """TensorBoard event files."""
        return self.path / "logs"

    @property
    def state(self) -> Path:
        """Checkpoints; ``--resume`` continues from here."""
        return self.path / "state"

    @property
    def asked_file(self) -> Path:
        """The recipe as it was asked for, with its ``auto``; there once a run has begun."""
        return self.state / "recipe.yaml"

    @property
    def fingerprint_file(self) -> Path:
        """Hash of the images that the run was begun with."""
        return self.state / "data.json"

    def recipe(self) -> Recipe:
        """The resolved recipe of this run."""
        return load_recipe(self.recipe_file)

    def model_hash(self) -> str:
        """Hash of the weights."""
        digest = hashlib.sha256()
        for path in sorted(self.model.glob("*.safetensors")):
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return f"m{digest.hexdigest()[:16]}"

    def read_json(self, path: Path) -> Any:
        """Read one of the run's JSON files.

        Raises:
            RunError: If it is missing or broken.
        """
        return reading.read_json(path)

    def read_as(self, kind: type[Kind], path: Path) -> Kind:
        """Read one of the run's JSON files as what it has to hold: a model, or a type.

        Raises:
            RunError: If it is missing or broken, or holds something else.
        """
        return reading.read_as(kind, path)

    def read_table(self, path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read one of the run's Parquet files, with these columns or all.

        Raises:
            RunError: If it is missing or broken, or lacks a column.
        """
        return reading.read_table(path, columns)
