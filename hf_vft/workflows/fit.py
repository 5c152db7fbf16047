"""Joins the parts: from a recipe and images to a run folder.

Each step is a call into the layer that knows how. Every process runs these lines; only the
main one writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState
from filelock import FileLock, Timeout

from hf_vft.automl.choose import choose_and_train
from hf_vft.automl.environment import gather_facts
from hf_vft.automl.prepare import Prepared, RunContext
from hf_vft.automl.resolve import decide, resolve
from hf_vft.data.audit.results import Audit
from hf_vft.data.load import ImageData
from hf_vft.data.sources.decide_columns import FROM_SOURCE
from hf_vft.errors import DataError, RecipeError, RunError, VftError
from hf_vft.outputs import MARK, claim
from hf_vft.recipe.edit import flatten
from hf_vft.recipe.schema import Choice, Recipe, load_recipe
from hf_vft.run import RunDirectory, remove_leftovers, write_json, write_text
from hf_vft.tasks import get_task, kind_of, task_for
from hf_vft.training.finetune import FineTuned
from hf_vft.training.processes import join_processes
from hf_vft.training.trackers import check_trackers
from hf_vft.utils.full_disk import is_full_disk
from hf_vft.utils.progress import Display, Silent
from hf_vft.workflows.steps.finish import Finishing
from hf_vft.workflows.steps.read_images import look_at_images, read_images, settle_reading
from hf_vft.workflows.steps.save_run import save_model

TOLD_BEFORE = ("identical_across", "identical_conflict", "unusable")
"""Findings of the audit that loading the data has already warned of."""

LOCK = ".lock"


def fit(
    recipe: Recipe | None,
    out: str | Path,
    *,
    resume: bool = False,
    display: Display | None = None,
    started: float | None = None,
) -> RunDirectory:
    """Fine-tune a model on the recipe's data and prove what it is worth.

    Args:
        recipe: ``recipe.data.path`` names the images. None resumes whatever was begun.
        out: The run folder; empty or missing, unless ``resume``.
        resume: Go on with what a stopped run left there; ``recipe`` has to be that of the run.
        display: Where progress is shown.
        started: ``time.monotonic()`` at which a time budget begins; by default now.

    Returns:
        The finished run.

    Raises:
        VftError: One line on what is wrong with the recipe, the data, the model or the folder.
    """
    run, started = RunDirectory(Path(out)), time.monotonic() if started is None else started
    speaks = join_processes().is_main_process
    display = display if display and speaks else Silent()
    with _told_of_a_full_disk(run), _held(run):
        recipe = _settled(recipe, run, resume=resume)
        asked = recipe
        check_trackers(recipe.training.report_to)
        data = _read(recipe, run, display)
        audit = _audit(recipe, data, display)
        facts = gather_facts(data)
        recipe, first = _described(recipe, data)
        recipe, choices = resolve(recipe, facts)
        task = get_task(recipe.task)
        task.check_metric(recipe.training.metric)
        _begin(asked, run, data, audit)
        place = RunContext(task, data, facts, run.state, run.logs, display)
        ending = Finishing(asked, data, facts, task, [*first, *choices], started, display)
        with _forgotten_if_untrained(run):
            trained = choose_and_train(
                recipe,
                place,
                started=started,
                keep=partial(_keep, run),
                rehearse=partial(ending.rehearse, run),
            )
        ending.finish(run, trained)
    return run


def _keep(run: RunDirectory, prepared: Prepared, tuned: FineTuned) -> None:
    """The best model so far, so that there is one whenever a search is stopped."""
    if PartialState().is_main_process:
        save_model(run, prepared.loaded, tuned)
    PartialState().wait_for_everyone()


@contextmanager
def _told_of_a_full_disk(run: RunDirectory) -> Iterator[None]:
    """Nothing that is finished is lost by it, so the way on is said."""
    try:
        yield
    except Exception as error:
        if not is_full_disk(error):
            raise
        begun = run.asked_file.is_file()
        way = "add --resume, which goes on from what is finished" if begun else "begin again"
        raise RunError(f"{run.path}: the disk is full. Make room on it, then {way}.") from error


@contextmanager
def _held(run: RunDirectory) -> Iterator[None]:
    """One run at a time in a folder."""
    if not PartialState().is_main_process:
        PartialState().wait_for_everyone()
        yield
        return
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{run.path}: no folder can be made there ({error.strerror}).") from None
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


def _settled(recipe: Recipe | None, run: RunDirectory, *, resume: bool) -> Recipe:
    """The recipe to follow: the one given, or that of the run which is resumed."""
    anchored = _anchored(recipe) if recipe is not None else None
    if resume:
        return _begun(anchored, run)
    if anchored is None or anchored.data.path is None:
        raise RecipeError("data.path: no images were named; give a folder, a file or a Hub id.")
    own = (run.path / LOCK, run.path / MARK, run.state, run.data)
    if run.asked_file.is_file() or any(path not in own for path in run.path.iterdir()):
        raise RunError(
            f"{run.path}: there is a run already. Add --resume to go on with it, or choose "
            "another --out."
        )
    PartialState().wait_for_everyone()  # nobody may meet the mark while still looking
    if PartialState().is_main_process:
        claim(run.path, (run.state.name, run.data.name), command="fit")
    PartialState().wait_for_everyone()
    return anchored


def _anchored(recipe: Recipe) -> Recipe:
    """With absolute paths, so that a run can be resumed from another folder."""

    def absolute(name: str) -> str:
        path = Path(name).expanduser()
        return str(path.absolute()) if path.exists() else name

    changes: dict[str, Any] = {}
    if recipe.data.path is not None:
        changes["data.path"] = absolute(recipe.data.path)
    if recipe.model.candidates != "auto":
        changes["model.candidates"] = [absolute(name) for name in recipe.model.candidates]
    return recipe.replaced(changes) if changes else recipe


def _begun(given: Recipe | None, run: RunDirectory) -> Recipe:
    """The recipe of a run that is resumed; another one would not be followed, so it is refused."""
    if not run.asked_file.is_file():
        raise RunError(f"{run.path}: there is no stopped run to resume; leave --resume out.")
    begun = load_recipe(run.asked_file)
    if given is not None and given != begun:
        now, then = (dict(flatten(recipe.model_dump())) for recipe in (given, begun))
        name = next(key for key in {**then, **now} if now.get(key) != then.get(key))
        raise RunError(
            f"{run.path}: the run was begun with {name}={then.get(name)!r}, not "
            f"{now.get(name)!r}. To go on with it, give --out and --resume alone."
        )
    return begun


def _read(recipe: Recipe, run: RunDirectory, display: Display) -> ImageData:
    """The images; on a resume they have to be the same ones."""
    # The others find what the first of this machine has unpacked and checked.
    with PartialState().local_main_process_first():
        kind = kind_of(recipe.task)
        data = read_images(recipe.data, seed=recipe.seed, kind=kind, display=display)
    mark = run.fingerprint_file
    if mark.is_file() and run.read_json(mark) != data.fingerprint:
        raise DataError(f"{data.source}: the images changed since the run began; start anew.")
    return data


def _audit(recipe: Recipe, data: ImageData, display: Display) -> Audit | None:
    """Say what is wrong with the images; one process looks."""
    audit = None
    if PartialState().is_main_process:
        audit = look_at_images(data, display=display)
        for finding in audit.findings:
            if finding.kind not in TOLD_BEFORE:
                tell = display.say if finding.severity == "info" else display.warn
                tell(finding.sentence)
    PartialState().wait_for_everyone()
    return audit


def _begin(asked: Recipe, run: RunDirectory, data: ImageData, audit: Audit | None) -> None:
    """Make the folder that of a run; what fails before leaves it as it was."""
    if audit is not None:
        write_text(run.asked_file, asked.to_yaml())
        write_json(run.fingerprint_file, data.fingerprint)
        write_json(run.audit_file, audit.model_dump(mode="json"))
    PartialState().wait_for_everyone()


@contextmanager
def _forgotten_if_untrained(run: RunDirectory) -> Iterator[None]:
    """A run that fails before it trained anything can be tried again with other settings."""
    try:
        yield
    except VftError:
        trained = any(path.is_dir() for path in run.state.iterdir())
        if PartialState().is_main_process and not trained:
            for file in (run.asked_file, run.fingerprint_file, run.audit_file):
                file.unlink(missing_ok=True)
        raise


def _described(recipe: Recipe, data: ImageData) -> tuple[Recipe, list[Choice]]:
    """Name the task that the labels are for, and the columns they were read from."""
    task = get_task(recipe.task) if recipe.task != "auto" else task_for(data.kind.name)
    decisions: list[tuple[str, Any, str]] = [("task", task.name, data.kind.reason)]
    guessed = {guess.field: guess.reason for guess in data.reading.guesses} if data.reading else {}
    for name, column in data.columns.items():
        missing = column in (FROM_SOURCE, [])
        how = "there is no such column" if missing else "by its type or usual name"
        decisions.append((f"data.{name}", column, guessed.get(f"data.{name}", how)))
    decisions += [
        ("data.bit_depth", data.decoder.bit_depth, data.bit_depth_reason),
        ("training.metric", task.primary_metric, f"the usual score of {task.name}"),
        ("loss.name", task.losses[0], f"the usual loss of {task.name}"),
        *task.defaults,
    ]
    if not data.kind.exclusive:
        reason = "heads are compared where an image has one label"
        decisions.append(("probe.head", "logistic", reason))
    recipe, choices = settle_reading(recipe, data.reading)
    for decision in decisions:
        recipe, made = decide(recipe, *decision)
        choices += made
    if data.kind.learns_first_class and recipe.data.good_class is None:
        learned = Choice("data.good_class", None, data.labels[0], "the class to learn from")
        recipe, choices = recipe.replaced({learned.name: learned.value}), [*choices, learned]
    recipe, changed = task.settled(recipe)
    choices += changed
    if recipe.loss.sampling == "balanced" and not data.kind.exclusive:
        raise RecipeError("loss.sampling: balanced needs images of one label each.")
    if recipe.loss.class_weights == "effective" and not data.kind.exclusive:
        raise RecipeError(
            "loss.class_weights: effective needs images of one label each; take balanced."
        )
    if recipe.probe.head == "few_shot" and not data.kind.exclusive:
        raise RecipeError("probe.head: few_shot needs images of one label each; take logistic.")
    if recipe.loss.name not in task.losses:
        raise RecipeError(
            f"loss.name: {recipe.loss.name} is not available for {task.name}; choose "
            f"{' or '.join(task.losses)}."
        )
    return recipe, choices
