"""Joins the parts: from a recipe and pictures to a run folder.

Each step is a call into the layer that knows how. Every process runs these lines; only the
main one writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from accelerate import PartialState
from filelock import FileLock, Timeout

from hf_vft import __version__
from hf_vft.automl.facts import Facts, gather_facts
from hf_vft.automl.flips import decide_flips
from hf_vft.automl.resolve import decide, resolve, resolve_for_model
from hf_vft.data.audit import quick_audit
from hf_vft.data.columns import FROM_SOURCE
from hf_vft.data.load import ImageData, load_data
from hf_vft.errors import DataError, RecipeError, RunError
from hf_vft.evaluation.calibration import fit_temperature, probabilities
from hf_vft.evaluation.classification import majority_class_logits
from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.losses.classification import balanced_class_weights
from hf_vft.models.load import LoadedModel, choose_checkpoint, load_model
from hf_vft.models.lora import merged
from hf_vft.models.processors import Fit
from hf_vft.recipe import Choice, Recipe, load_recipe
from hf_vft.reporting.mistakes import report_mistakes
from hf_vft.reporting.report import render_report
from hf_vft.run import RunDirectory, remove_leftovers, write_folder, write_json, write_text
from hf_vft.tasks import TASKS, Task, get_task
from hf_vft.training.allocator import keep_freed_memory
from hf_vft.training.callbacks import Display, Silent
from hf_vft.training.feature_cache import default_cache
from hf_vft.training.finetune import FineTuned, FineTuning
from hf_vft.training.predict import predict_logits
from hf_vft.training.processes import join_processes
from hf_vft.training.stages import StageContext, per_process

HELD_OUT = ("validation", "test")
TOLD_BEFORE = ("identical_across", "identical_conflict", "unusable")
"""Findings of the audit that loading the data has already warned of."""

LOCK = ".lock"
Logits = Mapping[str, np.ndarray]


def fit(
    recipe: Recipe, out: str | Path, *, resume: bool = False, display: Display | None = None
) -> RunDirectory:
    """Fine-tune a model on the recipe's data and prove what it is worth.

    Args:
        recipe: ``recipe.data.path`` names the pictures.
        out: The run folder; empty or missing, unless ``resume``.
        resume: Go on with what a stopped run left there. Its own recipe is used.
        display: Where progress is shown.

    Returns:
        The finished run.

    Raises:
        VftError: One line on what is wrong with the recipe, the data, the model or the folder.
    """
    run, started = RunDirectory(Path(out)), time.monotonic()
    speaks = join_processes().is_main_process
    display = display if display and speaks else Silent()
    with _held(run):
        recipe = _settled(recipe, run, resume=resume)
        data = _read(recipe, run, display)
        _audit(recipe, run, data, display)
        facts = gather_facts(data)
        recipe, first = _described(recipe, data)
        recipe, choices = resolve(recipe, facts)
        task = get_task(recipe.task)
        if facts.device == "cpu":
            keep_freed_memory()
        recipe, loaded, more = _model(recipe, task, data, display)
        recipe, last = resolve_for_model(recipe, facts, loaded.model)
        tuning = FineTuning(_context(recipe, task, facts, run, display), loaded, data)
        recipe, flips = decide_flips(recipe, tuning)
        tuning = FineTuning(_context(recipe, task, facts, run, display), loaded, data)
        tuned = tuning.run()
        display.say("Measuring the validation and the test split.")
        logits = _held_out_logits(tuning, tuned, recipe, task)
        report = _prove(logits, tuned.probe_logits, data, recipe, task)
        if PartialState().is_main_process:
            _save(run, loaded, tuned)
            write_text(run.recipe_file, recipe.to_yaml())
            write_json(
                run.choices_file,
                [vars(choice) for choice in [*first, *choices, *more, *last, *flips]],
            )
            write_json(run.history_file, [row for stage in tuned.stages for row in stage.history])
            _write_predictions(run, data, logits, report)
            write_json(run.metrics_file, report.model_dump(mode="json"))
            write_json(run.summary_file, _summary(data, facts, loaded, tuned, started))
            render_report(run.path, mistakes=report_mistakes(run, data))
        PartialState().wait_for_everyone()
    return run


@contextmanager
def _held(run: RunDirectory) -> Iterator[None]:
    """One run at a time in a folder."""
    if not PartialState().is_main_process:
        PartialState().wait_for_everyone()
        yield
        return
    run.path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run.path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{run.path}: another run is writing here; choose another --out.") from None
    try:
        remove_leftovers(run.path)
        PartialState().wait_for_everyone()
        yield
    finally:
        lock.release()


def _settled(recipe: Recipe, run: RunDirectory, *, resume: bool) -> Recipe:
    """The recipe to follow: the one given, or that of the run which is resumed."""
    asked = run.state / "recipe.yaml"
    if resume:
        if not asked.is_file():
            raise RunError(f"{run.path}: there is no stopped run to resume; leave --resume out.")
        return load_recipe(asked)
    if recipe.data.path is None:
        raise RecipeError("data.path: no pictures were named; give a folder, a file or a Hub id.")
    # A run that was stopped before it knew its recipe has left an empty state folder.
    if asked.is_file() or any(
        path not in (run.path / LOCK, run.state) for path in run.path.iterdir()
    ):
        raise RunError(
            f"{run.path}: there is a run already. Add --resume to go on with it, or choose "
            "another --out."
        )
    PartialState().wait_for_everyone()
    if PartialState().is_main_process:
        write_text(asked, recipe.to_yaml())
    PartialState().wait_for_everyone()
    return recipe


def _read(recipe: Recipe, run: RunDirectory, display: Display) -> ImageData:
    """The pictures; on a resume they have to be the same ones."""
    display.start("checking pictures", 1)
    # The others find what the first of this machine has unpacked and checked.
    with PartialState().local_main_process_first():
        data = load_data(
            str(recipe.data.path),
            recipe.data,
            seed=recipe.seed,
            cache_dir=default_cache() / "data",
            progress=lambda done, total: display.advance(done, total=total),
        )
    for note in data.notes:
        display.warn(note)
    if data.rejected:
        first = data.rejected[0]
        display.warn(
            f"{len(data.rejected)} unusable pictures are left out, {first.file} ({first.reason}) "
            "the first; the report lists them."
        )
    mark = run.state / "data.json"
    if mark.is_file() and run.read_json(mark) != data.fingerprint:
        raise DataError(f"{data.source}: the pictures changed since the run began; start anew.")
    PartialState().wait_for_everyone()
    if PartialState().is_main_process:
        write_json(mark, data.fingerprint)
    return data


def _audit(recipe: Recipe, run: RunDirectory, data: ImageData, display: Display) -> None:
    """Say what the pictures alone give away, before time is spent on them."""
    if PartialState().is_main_process:
        display.start("auditing pictures", 1)
        audit = quick_audit(
            data,
            max_pixels=recipe.data.max_pixels,
            cache_dir=default_cache() / "data",
            progress=lambda done, total: display.advance(done, total=total),
        )
        for finding in audit.findings:
            if finding.kind not in TOLD_BEFORE:
                tell = display.say if finding.severity == "info" else display.warn
                tell(finding.sentence)
        write_json(run.audit_file, audit.model_dump(mode="json"))
    PartialState().wait_for_everyone()


def _described(recipe: Recipe, data: ImageData) -> tuple[Recipe, list[Choice]]:
    """Name the task that the labels are for, and the columns they were read from."""
    decisions = [("task", next(iter(TASKS)), "every picture has one label")]
    for name, column in data.columns.items():
        how = "there is no such column" if column == FROM_SOURCE else "by its type or usual name"
        decisions.append((f"data.{name}", column, how))
    choices: list[Choice] = []
    for decision in decisions:
        recipe, made = decide(recipe, *decision)
        choices += made
    return recipe, choices


def _model(
    recipe: Recipe, task: Task, data: ImageData, display: Display
) -> tuple[Recipe, LoadedModel, list[Choice]]:
    """Choose and load the backbone; what the model decides goes into the recipe."""
    with PartialState().local_main_process_first():
        checkpoint = choose_checkpoint(recipe.model.candidates)
        display.say(checkpoint.reason)
        loaded = load_model(
            checkpoint,
            task.auto_class,
            labels=data.labels,
            dropout=recipe.model.dropout,
            drop_path=recipe.model.drop_path,
            batch_norm_momentum=recipe.model.batch_norm_momentum,
            image_size=recipe.image.size,
            image_fit=cast("Fit", recipe.image.fit),
            seed=recipe.seed,
        )
    choices = [
        Choice(
            name="model.candidates",
            was=recipe.model.candidates,
            value=[checkpoint.name],
            reason=checkpoint.reason,
        )
    ]
    choices += loaded.adjustments
    changes = {choice.name: choice.value for choice in choices}
    return recipe.replaced(changes), loaded, choices


def _context(
    recipe: Recipe, task: Task, facts: Facts, run: RunDirectory, display: Display
) -> StageContext:
    balanced = recipe.loss.class_weights == "balanced"
    return StageContext(
        task=task,
        recipe=recipe,
        folder=run.state / "stages",
        logs=run.logs,
        class_weights=balanced_class_weights(list(facts.class_counts)) if balanced else None,
        display=display,
    )


def _held_out_logits(
    tuning: FineTuning, tuned: FineTuned, recipe: Recipe, task: Task
) -> dict[str, np.ndarray]:
    batch_size = per_process(recipe.training.eval_batch_size, PartialState().num_processes)
    return {
        split: predict_logits(
            tuned.model,
            tuning.dataset(split),
            task,
            batch_size=batch_size,
            num_workers=int(recipe.training.num_workers),
        )[0]
        for split in HELD_OUT
    }


def _prove(
    logits: Logits, probe_logits: Logits, data: ImageData, recipe: Recipe, task: Task
) -> EvalReport:
    """Scores with intervals on the held-out splits, beside the baselines.

    The temperature is fitted on validation and only applied to test.
    """
    validation = np.asarray(data.splits["validation"]["label"])
    temperature = fit_temperature(logits["validation"], validation)

    def measure(scores: Logits, temperature: float) -> dict[str, SplitResult]:
        return {
            split: task.evaluate(
                scores[split],
                np.asarray(data.splits[split]["label"]),
                data.labels,
                temperature=temperature,
                n_bootstrap=recipe.evaluation.bootstrap,
                seed=recipe.seed,
                clusters=_clusters(data, split),
                slices={name: data.splits[split][name] for name in recipe.data.slice_columns},
            )
            for split in scores
        }

    train = data.splits["train"]["label"]
    majority = {
        split: majority_class_logits(train, len(data.splits[split]), len(data.labels))
        for split in HELD_OUT
    }
    return EvalReport(
        task=task.name,
        labels=data.labels,
        primary=recipe.training.metric if recipe.training.metric != "loss" else task.primary_metric,
        temperature=temperature,
        splits=measure(logits, temperature),
        baselines={
            name: {split: result.metrics for split, result in measure(scores, 1.0).items()}
            for name, scores in (("majority_class", majority), ("linear_probe", probe_logits))
            if scores
        },
    )


def _clusters(data: ImageData, split: str) -> Sequence[Any] | None:
    table = data.splits[split]
    groups: Sequence[Any] | None = table["group"] if "group" in table.column_names else None
    return groups


def _save(run: RunDirectory, loaded: LoadedModel, tuned: FineTuned) -> None:
    """The model as plain transformers loads it, and with LoRA the adapter as trained."""
    model: Any = tuned.model
    if hasattr(model, "peft_config"):
        write_folder(run.adapter, model.save_pretrained)
        model = merged(model)

    def fill(folder: Path) -> None:
        model.save_pretrained(folder)
        loaded.processor.save_pretrained(folder)

    write_folder(run.model, fill)


def _write_predictions(
    run: RunDirectory, data: ImageData, logits: Logits, report: EvalReport
) -> None:
    """What the model answers on held-out pictures, calibrated; monitoring compares with it."""
    frames = []
    for split in HELD_OUT:
        table = data.splits[split]
        probs = probabilities(logits[split], report.temperature)
        frame = pd.DataFrame(
            {name: table[name] for name in table.column_names if name not in ("image", "label")}
        )
        frame.insert(0, "split", split)
        frame["label"] = [data.labels[i] for i in table["label"]]
        frame["predicted"] = [data.labels[i] for i in probs.argmax(1)]
        frame["confidence"] = probs.max(1)
        frame["probabilities"] = list(probs.astype(np.float32))
        frames.append(frame)
    run.predictions_file.parent.mkdir(parents=True, exist_ok=True)
    temporary = run.predictions_file.with_suffix(".tmp")
    pd.concat(frames).to_parquet(temporary, index=False)
    temporary.replace(run.predictions_file)


def _summary(
    data: ImageData, facts: Facts, loaded: LoadedModel, tuned: FineTuned, started: float
) -> dict[str, Any]:
    """Where the run came from."""
    return {
        "hf_vft": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "checkpoint": loaded.checkpoint.name,
        "pretrained": loaded.checkpoint.pretrained,
        "parameters": sum(p.numel() for p in loaded.model.parameters()),
        "source": data.source,
        "fingerprint": data.fingerprint,
        "pictures": {name: len(split) for name, split in data.splits.items()},
        "rejected": [vars(item) for item in data.rejected],
        "notes": [*data.notes, *tuned.notes],
        "warnings": {stage.name: stage.warnings for stage in tuned.stages if stage.warnings},
        "device": facts.device,
        "processes": facts.processes,
        "seconds": round(time.monotonic() - started, 1),
    }
