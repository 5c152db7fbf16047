"""From a decision to what whoever is on call has to know: why, since when, for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from hf_vft.data.images import Decoder
from hf_vft.monitoring.advice import explained
from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.causes import INVISIBLE, crops, find_causes, most_alike
from hf_vft.monitoring.decision import Decision
from hf_vft.monitoring.explanation import Affected, Cause, Since
from hf_vft.monitoring.incident import find_since
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference
from hf_vft.monitoring.report_images import Row, row_of_images
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory

_TRIES = 20  # images that may be gone


def explain(
    decision: Decision,
    reference: Reference,
    whole: pd.DataFrame,
    newest: pd.DataFrame,
    policy: Policy,
    *,
    slices: Sequence[str],
    new_classes: Mapping[str, int],
    to_label: int,
    seed: int = 0,
) -> Decision:
    """The decision with causes, since when, and whom it concerns.

    Args:
        decision: Of the findings.
        reference: Of the run.
        whole: All comparable rows in the order of time.
        newest: Rows of the newest window.
        policy: What counts.
        slices: Columns of the user's.
        new_classes: See `hf_vft.records.vocabulary.Vocabulary`.
        to_label: Images that wait for a label.
        seed: Of everything random.
    """
    before = reference.sample.frame
    causes = find_causes(
        decision.judged, before, newest, policy, slices=slices, new_classes=new_classes
    )
    since: Since | None = None
    affected: list[Affected] = []
    if decision.alert:
        first = next(judged for judged in decision.judged if judged.finding.level == "alert")
        everywhere = first.windows == decision.windows
        since = find_since(causes, whole, everywhere=everywhere, seed=seed)
        affected = checks_of(reference).affected(newest, slices)
    return explained(decision, causes, since, affected, to_label=to_label)


def crops_of(
    cause: Cause,
    run: RunDirectory,
    before: pd.DataFrame,
    now: pd.DataFrame,
    unlike: pd.DataFrame,
    log: ProductionLog,
    folder: Path | None,
) -> tuple[str | None, str | None]:
    """An image at training and one of now that show a cause, else alike; none where none shows it.

    Args:
        cause: Of the decision.
        run: Whose data has the first.
        before: Held-out rows.
        now: Rows of the newest window.
        unlike: The requests least like the reference, most unlike first.
        log: Which may have kept the second.
        folder: Of images, for a log that was scored from it.
    """
    from hf_vft.workflows.steps.production_images import image_paths

    if cause.column in INVISIBLE or cause.kind == "class_mix":
        return None, None
    if cause.kind == "new_content" and len(unlike):
        now = now.set_index("request_id", drop=False).loc[unlike["request_id"].head(_TRIES)]
    ours, theirs = crops(cause, before, now)
    data = run.recipe().data
    ours = ours.dropna(subset=["file"]).head(_TRIES)
    theirs = theirs.head(_TRIES)
    paths = [Path(data.path or "") / name for name in ours["file"]]
    others = image_paths(theirs, log, folder)
    here = [n for n, path in enumerate(paths) if path.is_file()]
    there = [n for n, path in enumerate(others) if path is not None and path.is_file()]
    best = most_alike(ours.iloc[here], theirs.iloc[there], without=cause.column)
    if best is not None:
        here, there = [here[best[0]]], [there[best[1]]]
    pairs = (
        row_of_images("", chosen, Decoder.of(data), most=1)[1]
        for chosen in ([paths[n] for n in here], [others[n] for n in there])
    )
    first, second = (crop[0] if crop else None for crop in pairs)
    return first, second


def rows_of_images(
    run: RunDirectory,
    reference: Reference,
    newest: pd.DataFrame,
    unlike: pd.DataFrame,
    log: ProductionLog,
    folder: Path | None,
    seed: int,
) -> list[Row]:
    """Some of the reference, some of the newest window, and those least like the reference."""
    from hf_vft.workflows.steps.production_images import image_paths

    data = run.recipe().data
    ours = reference.sample.frame.sample(frac=1.0, random_state=seed)
    theirs = newest.sample(frac=1.0, random_state=seed)
    strangest = newest.iloc[:0]
    if len(unlike):
        places = newest.reset_index().set_index("request_id")["index"]
        strangest = newest.loc[places.reindex(unlike["request_id"])]
    rows = {
        "At training": [Path(data.path or "") / name for name in ours["file"].dropna()],
        "Now": image_paths(theirs, log, folder),
        "Now, least like training": image_paths(strangest, log, folder),
    }
    return [row_of_images(title, paths, Decoder.of(data)) for title, paths in rows.items()]
