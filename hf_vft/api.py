"""The public functions for scripts: each does what the command of the same name does.

``from hf_vft import evaluate`` and the like lead here. They take paths, print nothing and return
what was found; the libraries that a function needs are imported when it is called. ``serve``,
``observe`` and ``retrain`` stand where their work is done, since they take paths already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_vft.utils.progress import Display, Silent

if TYPE_CHECKING:
    from hf_vft.hub.push import Pushed
    from hf_vft.inference.predictor import FileAnswer
    from hf_vft.monitoring.policy import Policy
    from hf_vft.recipe.schema import Recipe
    from hf_vft.run import RunDirectory
    from hf_vft.workflows.audit import Audited
    from hf_vft.workflows.evaluate import EvaluationResult
    from hf_vft.workflows.steps.monitor_report import MonitorResult

PathLike = str | Path


def fit(
    data: PathLike | None = None,
    out: PathLike = "run",
    *,
    recipe: Recipe | PathLike | None = None,
    changes: Mapping[str, Any] | None = None,
    time_budget: str | float | None = None,
    resume: bool = False,
    display: Display | None = None,
) -> RunDirectory:
    """Fine-tune a model on labelled images and prove what it is worth.

    Args:
        data: A folder, a zip, a CSV, JSON Lines or Parquet file, or a dataset's Hub id. None where
            the recipe names the images, or with ``resume``.
        out: The run folder; empty or missing, unless ``resume``.
        recipe: A recipe, the name of a bundled one, or a YAML file; ``staged`` by default.
        changes: Fields of the recipe, dotted name to value: ``{"stages.all.epochs": 30}``.
        time_budget: Search for the best model within this time: seconds, or ``"20m"``.
        resume: Continue a run that was stopped; with ``out`` alone, as it was begun.
        display: Where progress is shown; nowhere by default.

    Returns:
        The finished run.

    Raises:
        VftError: One line on what is wrong with the recipe, the data, the model or the folder.
    """
    from hf_vft.workflows.fit import fit as fit_run

    settings = dict(changes or {})
    if data is not None:
        settings["data.path"] = str(data)
    if time_budget is not None:
        settings["search.time_budget"] = time_budget
    if resume and recipe is None and not settings:
        return fit_run(None, out, resume=True, display=display)
    return fit_run(_recipe(recipe, settings), out, resume=resume, display=display)


def evaluate(
    run: PathLike,
    data: PathLike,
    *,
    by: Sequence[str] = (),
    split: str | None = None,
    robustness: bool = False,
    changes: Mapping[str, Any] | None = None,
    display: Display | None = None,
) -> EvaluationResult:
    """Score a run on labelled images, with intervals.

    Args:
        run: A finished run.
        data: Labelled images, as for `fit`.
        by: Columns that the scores are broken down by.
        split: ``train``, ``validation`` or ``test``, as the run divided its images if these are
            among them, else as the data says; all images by default.
        robustness: Also score disturbed images; ``robustness.json`` and the card of the run then
            have these scores.
        changes: Fields of the recipe's data part, where ``data`` is to be read otherwise than the
            run's images: ``{"data.label_column": "diagnosis"}``.
        display: Where progress is shown; nowhere by default.

    Raises:
        VftError: If the run is not finished, or the images do not fit it.
    """
    from hf_vft.workflows.evaluate import evaluate_run

    return evaluate_run(
        run, data, by=by, split=split, robustness=robustness, changes=changes, display=display
    )


def audit(
    data: PathLike,
    out: PathLike = "audit",
    *,
    labels: bool = True,
    recipe: Recipe | PathLike | None = None,
    changes: Mapping[str, Any] | None = None,
    display: Display | None = None,
) -> Audited:
    """Look for what is wrong with labelled images, and write a page about it.

    Args:
        data: Labelled images, as for `fit`.
        out: Folder of ``audit.html`` and ``audit.json``; an older audit in it is replaced.
        labels: Whether labels are checked, which needs a pre-trained backbone.
        recipe: Whose ``data`` part is used; ``staged`` by default.
        changes: Fields of the recipe, dotted name to value.
        display: Where progress is shown; nowhere by default.

    Raises:
        VftError: One line on what is wrong with the data, the folder or a named model.
    """
    from hf_vft.workflows.audit import audit_data

    settings = {**(changes or {}), "data.path": str(data)}
    return audit_data(_recipe(recipe, settings), out, labels=labels, display=display)


def predict(
    run: PathLike,
    images: PathLike | Iterable[PathLike],
    *,
    top: int = 1,
    batch_size: int = 16,
) -> list[FileAnswer]:
    """Label images, with calibrated confidence.

    Args:
        run: A finished run.
        images: An image, a folder of images, or several of these.
        top: How many labels per image.
        batch_size: Images at a time.

    Returns:
        One answer per image, in order. An image that cannot be read has an ``error`` in place of a
        ``prediction``.

    Raises:
        VftError: If the run is not finished, or its model cannot be loaded.
    """
    from hf_vft.inference.predictor import Predictor
    from hf_vft.run import RunDirectory

    paths = [images] if isinstance(images, str | Path) else images
    predictor = Predictor(RunDirectory.open(run))
    return list(predictor.answer_files(map(Path, paths), top=top, batch_size=batch_size))


def push(
    run: PathLike,
    repo_id: str,
    *,
    private: bool | None = None,
    license: str | None = None,  # the Hub's word
    with_images: bool = False,
    verify: bool = True,
) -> Pushed:
    """Publish a run on the Hub: model, card, recipe, scores and reference profile, in one commit.

    Args:
        run: A finished run.
        repo_id: ``user/name``; the repository is made if it is not there.
        private: Of a repository that is made now; None is the account's default.
        license: For the card, as the Hub abbreviates it.
        with_images: Also upload what shows or names images of the data.
        verify: Read the model back in a fresh process and compare its logits.

    Raises:
        HubError: In one line: no token, no right to write, the Hub does not answer, or what is
            read back is not what was sent.
    """
    from hf_vft.hub.push import push_run
    from hf_vft.run import RunDirectory

    return push_run(
        RunDirectory.open(run),
        repo_id,
        private=private,
        license=license,
        with_images=with_images,
        verify=verify,
    )


def monitor(
    run: PathLike,
    log: PathLike,
    out: PathLike = "monitor",
    *,
    policy: Policy | PathLike = "default",
    since: datetime | None = None,
    until: datetime | None = None,
    workspace: PathLike | None = None,
    with_images: bool = False,
    presets: bool = False,
    time_format: str | None = None,
    notify: bool = True,
    display: Display | None = None,
) -> MonitorResult:
    """Say whether a model is still right, for everyone, and what to do if not.

    Args:
        run: A finished run, or a champion file.
        log: A production log, or images to score.
        out: Folder of ``monitor.html`` and ``verdict.json``; an older report in it is replaced.
        policy: A policy, the name of a bundled one, or a YAML file.
        since: The first moment that counts, with a time zone.
        until: The first moment that no longer counts.
        workspace: Evidently workspace: a dashboard over time.
        with_images: Show images in the report, where they are kept.
        presets: Also write Evidently's own presets, ``evidently.html``.
        time_format: How the times of images are written: ``day_first``, ``month_first``, or a
            pattern of ``strptime``; by default as the run's ``data.time_format`` says.
        notify: Tell the webhook and the Hub of an alert, where the policy names them.
        display: Where progress is shown; nowhere by default.

    Returns:
        The verdict is ``decision``; ``decision.alert`` says whether somebody has to act.

    Raises:
        VftError: If the run has no reference, the log no comparable rows, or ``out`` holds files
            of somebody else. A HubError of ``notify`` comes after the report is written.
    """
    from hf_vft.monitoring.policy import Policy, load_policy
    from hf_vft.workflows.monitor import monitor_run
    from hf_vft.workflows.steps.monitor_report import claim_report, report
    from hf_vft.workflows.steps.notify import act

    chosen = policy if isinstance(policy, Policy) else load_policy(policy)
    folder, name = Path(out), Path(run).resolve().name
    claim_report(folder)
    result = monitor_run(
        run,
        log,
        chosen,
        scored=folder / "log",
        since=since,
        until=until,
        with_images=with_images,
        time_format=time_format,
        display=display or Silent(),
    )
    report(result, folder, name=name, workspace=None if workspace is None else Path(workspace))
    if presets and len(result.newest):
        from hf_vft.monitoring.presets import write_presets

        write_presets(result.held_out, result.newest, result.slices, folder)
    if notify:
        act(result.decision, chosen, name=name)
    return result


def _recipe(recipe: Recipe | PathLike | None, changes: Mapping[str, Any]) -> Recipe:
    from hf_vft.recipe.schema import DEFAULT, Recipe, load_recipe

    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe or DEFAULT)
    return chosen.replaced(changes)
