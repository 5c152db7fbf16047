"""Rows of a log with the labels that have arrived, as far as these are classes of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from hf_vft.answers import answer_kind
from hf_vft.monitoring.drift import Window
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference
from hf_vft.records import ProductionLog, join_names
from hf_vft.records.vocabulary import Vocabulary, counts_for_something, read_vocabulary


def with_labels(window: Window, log: ProductionLog, latest: datetime) -> Window:
    """The rows in the order of time, each with its label where one has arrived."""
    labels = log.read_labels(until=latest).set_index("request_id")
    ids = window.sample.frame["request_id"]
    frame = window.sample.frame.assign(label=ids.map(labels["label"]))
    if labels["boxes"].notna().any():
        frame["true_boxes"] = ids.map(labels["boxes"])
        named = frame["true_boxes"].map(_names_of, na_action="ignore")
        frame["label"] = frame["label"].where(frame["label"].notna(), named)
    order = np.argsort(frame["ts_utc"].to_numpy(), kind="stable")
    sample = type(window.sample)(frame, window.sample.embeddings).take(order)
    return replace(window, sample=sample)


def of_the_vocabulary(window: Window, reference: Reference) -> tuple[Window, Vocabulary]:
    """The window without labels that are no class, so that no spelling passes for an error."""
    frame, several = window.sample.frame, not answer_kind(reference.profile.task).exclusive
    labels = frame["label"].astype(object).where(frame["label"].notna(), None).tolist()
    labelled = [label for label in labels if label is not None]
    vocabulary = read_vocabulary(labelled, reference.profile.labels, several=several)
    if not vocabulary.unknown:
        return window, vocabulary
    counts = np.array(counts_for_something(labels, vocabulary, several=several))
    kept = {
        name: frame[name].astype(object).where(counts, None)
        for name in ("label", "true_boxes")
        if name in frame
    }
    sample = type(window.sample)(frame.assign(**kept), window.sample.embeddings)
    return replace(window, sample=sample), vocabulary


def newest_windows(whole: Window, policy: Policy) -> Iterator[Window]:
    """The newest rows in windows of equal size, the oldest window first.

    Fewer windows where the log has too few rows for all; none where it has too few for one.
    """
    rows = len(whole.sample)
    count = min(policy.windows.count, rows // policy.windows.least)
    if not count:
        return
    size = min(policy.windows.rows, rows // count)
    for number in range(count):
        start = rows - size * (count - number)
        yield Window(whole.sample.take(np.arange(start, start + size)), whole.excluded)


def _names_of(boxes: Sequence[Mapping[str, object]]) -> str:
    return join_names(str(box["label"]) for box in boxes)
