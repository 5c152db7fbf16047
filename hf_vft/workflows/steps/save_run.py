"""What a finished run leaves behind, apart from its scores."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from hf_vft._version import __version__
from hf_vft.automl.environment import Facts
from hf_vft.data.extra_columns import MASK
from hf_vft.data.load import ImageData
from hf_vft.evaluation.results import EvalReport
from hf_vft.models.load import LoadedModel
from hf_vft.models.lora import how_to_load, merged
from hf_vft.models.tied import state_to_save
from hf_vft.recipe.schema import Recipe
from hf_vft.reporting.run_files import FINE_TUNED
from hf_vft.run import RunDirectory, write_file, write_folder
from hf_vft.tasks import Calibration, Task
from hf_vft.training.finetune import FineTuned
from hf_vft.workflows.steps.held_out_scores import HELD_OUT, Logits


def save_model(run: RunDirectory, loaded: LoadedModel, tuned: FineTuned) -> None:
    """The model as plain transformers loads it, and with LoRA the adapter as trained.

    A card that is there already stays, since people may have written on it.
    """
    model: Any = tuned.model
    if hasattr(model, "peft_config"):
        write_folder(run.adapter, lambda folder: _fill_adapter(folder, model))
        model = merged(model)

    def fill(folder: Path) -> None:
        model.save_pretrained(folder, state_dict=state_to_save(model))
        loaded.processor.save_pretrained(folder)
        if run.card_file.is_file():
            shutil.copy2(run.card_file, folder / run.card_file.name)

    write_folder(run.model, fill)


def _fill_adapter(folder: Path, adapted: Any) -> None:
    # On "auto" peft would ask the Hub whether the vocabulary has grown; there is none.
    adapted.save_pretrained(folder, save_embedding_layers=False)
    # In place of peft's form, which nobody has filled in.
    (folder / "README.md").write_text(how_to_load(adapted), encoding="utf-8")


def save_splits(run: RunDirectory, data: ImageData) -> None:
    """Save which images were trained on, and which were held out."""
    frames = [
        pd.DataFrame({"split": split, "file": table["file"], "sha256": data.hashes[split]})
        for split, table in data.splits.items()
    ]
    _write_table(run.splits_file, pd.concat(frames))


def read_splits(run: RunDirectory) -> dict[str, str]:
    """The split of each of the run's images, by the SHA-256 of its file."""
    if not run.splits_file.is_file():
        return {}
    frame = run.read_table(run.splits_file, ["sha256", "split"])
    return dict(zip(frame["sha256"], frame["split"], strict=True))


def save_predictions(
    run: RunDirectory, data: ImageData, logits: Logits, report: EvalReport, task: Task
) -> None:
    """Save the calibrated answers on held-out images, which monitoring compares with."""
    frames = []
    for split in HELD_OUT:
        table, values = data.splits[split], data.splits[split]["label"]
        answers = task.predictions(
            logits[split], data.labels, Calibration.of(report), sizes_of(values)
        )
        beside = [name for name in table.column_names if name not in ("image", "label", MASK)]
        frame = pd.DataFrame({name: table[name] for name in beside})
        frame.insert(0, "split", split)
        for name, column in task.columns(answers, values, data.labels).items():
            frame[name] = column
        frames.append(frame)
    _write_table(run.predictions_file, pd.concat(frames))


def _write_table(path: Path, frame: pd.DataFrame) -> None:
    write_file(path, lambda temporary: frame.to_parquet(temporary, index=False))


def sizes_of(values: Sequence[Any]) -> list[tuple[int, int]] | None:
    """Width and height of each image, where its label tells; only boxes need them."""
    if not len(values) or not isinstance(values[0], Mapping):
        return None
    return [(value["size"][0], value["size"][1]) for value in values]


def delivered(recipe: Recipe, tuned: FineTuned) -> str:
    """The delivered weights, in words for people."""
    if tuned.averaged:
        return "the average of several fine-tuned models"
    place = recipe.training.deliver if tuned.begins_with_probe else 1.0
    if not tuned.improved or place == 0.0:
        return tuned.begins_with if tuned.begins_with_probe else "what training began with"
    if place in (1.0, "auto"):
        return FINE_TUNED
    return f"{place:g} of the way from {tuned.begins_with} to the fine-tuned weights"


def summary(
    recipe: Recipe,
    data: ImageData,
    facts: Facts,
    loaded: LoadedModel,
    tuned: FineTuned,
    started: float,
) -> dict[str, Any]:
    """The origin of the run."""
    return {
        "hf_vft": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "checkpoint": loaded.checkpoint.name,
        "delivered": delivered(recipe, tuned),
        "pretrained": loaded.checkpoint.pretrained,
        "parameters": sum(p.numel() for p in loaded.model.parameters()),
        "lora": recipe.model.lora.model_dump() if recipe.model.lora else {},
        "source": data.source,
        "fingerprint": data.fingerprint,
        "images": {name: len(split) for name, split in data.splits.items()},
        "rejected": [vars(item) for item in data.rejected],
        "notes": [*data.notes, *tuned.notes],
        "warnings": {stage.name: stage.warnings for stage in tuned.stages if stage.warnings},
        "device": facts.device,
        "processes": facts.processes,
        "seconds": round(time.monotonic() - started, 1),
    }
