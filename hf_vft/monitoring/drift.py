"""Joins the sections on drift: from a reference and a window of the log to findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from hf_vft.monitoring.answer_checks import checks_of
from hf_vft.monitoring.embeddings import (
    PERMUTATIONS,
    embedding_findings,
)
from hf_vft.monitoring.findings import Finding, insufficient
from hf_vft.monitoring.input_drift import input_findings
from hf_vft.monitoring.log_sample import Sample, independent, unit_numbers
from hf_vft.monitoring.outliers import most_unlike
from hf_vft.monitoring.profile import QUANTILES, Reference
from hf_vft.monitoring.sanity import MINIMUM_ROWS, comparable, sanity_findings
from hf_vft.monitoring.two_sample import RESAMPLES
from hf_vft.records import ProductionLog

SPLITS = 40
"""Halves of the reference that are compared to learn what chance alone does."""

LEAST_REFERENCE = 40


@dataclass(frozen=True)
class Window:
    """Rows of a log that can be compared with a reference.

    Attributes:
        sample: The rows.
        excluded: How many rows of other models or preprocessing were left out.
        repeated: How many rows of requests that were logged more than once were left out.
    """

    sample: Sample
    excluded: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Drift:
    """The findings of the sections on drift.

    Attributes:
        findings: In the order of the report.
        unlike: See `hf_vft.monitoring.outliers.most_unlike`; empty without embeddings.
    """

    findings: list[Finding]
    unlike: pd.DataFrame


def read_window(
    log: ProductionLog,
    reference: Reference,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Window:
    """The comparable rows of a time, with their embeddings; a request counts once, its last row.

    Raises:
        LogError: If there are rows, but none is comparable.
    """
    frame = log.read(since, until)
    same = comparable(frame, reference.identity)
    of_the_model = frame[same]
    latest = of_the_model.drop_duplicates("request_id", keep="last").reset_index(drop=True)
    stored = log.read_embeddings(since, until, model=reference.profile.model_hash)
    embeddings = None
    if len(stored.request_ids):
        # Of a request that was logged twice, the last embedding.
        place = pd.Series(np.arange(len(stored.request_ids)), index=stored.request_ids)
        place = place[~place.index.duplicated(keep="last")]
        where = place.reindex(latest["request_id"]).to_numpy()
        has_embedding = ~np.isnan(where)
        embeddings = np.full((len(latest), stored.values.shape[1]), np.nan, dtype=np.float16)
        embeddings[has_embedding] = stored.values[where[has_embedding].astype(np.int64)]
    repeated = len(of_the_model) - len(latest)
    return Window(Sample(latest, embeddings), int((~same).sum()), repeated)


def find_drift(
    reference: Reference,
    window: Window,
    *,
    minimum_rows: int = MINIMUM_ROWS,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Drift:
    """Sanity, input, prediction, embedding and class mix, in this order.

    Below ``minimum_rows`` only sanity is looked at, and says that it is too little.

    Args:
        reference: Of the run.
        window: Of its log.
        minimum_rows: For any test.
        permutations: Of the tests by permutation and bootstrap.
        seed: Of everything random.
    """
    findings = sanity_findings(
        reference.sample, window.sample, excluded=window.excluded, minimum_rows=minimum_rows
    )
    unlike = pd.DataFrame()
    if len(window.sample) < minimum_rows:
        return Drift(findings, unlike)
    findings += _tests(reference, window.sample, permutations=permutations, seed=seed)
    seen = window.sample.embedded()
    if reference.reduction is not None and len(seen):
        group = reference.profile.group_column
        unlike = most_unlike(
            reference.sample.embedded(), seen, reference.reduction, group=group, seed=seed
        )
    return Drift(findings, unlike)


def with_null_quantiles(reference: Reference, *, splits: int = SPLITS, seed: int = 0) -> Reference:
    """The reference, with the effects that chance alone has between halves of it.

    Halves keep units together, so where images come in groups chance is as large as it is.
    Too few rows for two halves leave it without.
    """
    if len(reference.sample) < LEAST_REFERENCE:
        return reference
    rng = np.random.default_rng(seed)
    effects: dict[str, list[float]] = {}
    units = unit_numbers(reference.sample.frame, reference.profile.group_column)
    for number in range(splits):
        first = rng.random(units.max() + 1)[units] < 0.5
        if not 2 <= first.sum() <= len(first) - 2:
            continue
        half = replace(reference, sample=reference.sample.take(np.flatnonzero(first)))
        other = reference.sample.take(np.flatnonzero(~first))
        scale = np.sqrt(1 / first.sum() + 1 / (~first).sum())
        for finding in _tests(half, other, permutations=0, seed=number, mix=False):
            if finding.effect is not None:
                effects.setdefault(finding.key, []).append(abs(finding.effect) / scale)
    quantiles = {
        key: {str(q): float(np.quantile(values, q)) for q in QUANTILES}
        for key, values in effects.items()
    }
    profile = reference.profile.model_copy(update={"null_quantiles": quantiles})
    return replace(reference, profile=profile)


def _tests(
    reference: Reference, current: Sample, *, permutations: int, seed: int, mix: bool = True
) -> list[Finding]:
    rng = np.random.default_rng(seed)
    checks, group = checks_of(reference), reference.profile.group_column
    ours = independent(checks.numbered(), group, rng)
    theirs = independent(current, group, rng)
    resamples = RESAMPLES if permutations else 0
    findings = input_findings(ours, theirs, resamples=resamples, seed=seed)
    findings += checks.prediction_findings(ours, theirs, resamples=resamples, seed=seed)
    shares = checks.class_mix(current, seed)
    findings += _embedding_tests(ours, theirs, shares, permutations=permutations, seed=seed)
    if mix:
        findings += checks.mix_findings(current, seed)
    return findings


def _embedding_tests(
    ours: Sample,
    theirs: Sample,
    class_mix: npt.NDArray[np.float64] | None,
    *,
    permutations: int,
    seed: int,
) -> list[Finding]:
    if ours.embeddings is None:
        return []
    if theirs.embeddings is None:
        note = "the log holds no embeddings; record them to see whether the content changed."
        return [insufficient("embedding", "mmd", 0, note)]
    embedded = ours.embedded()
    return embedding_findings(
        embedded,
        None if class_mix is None else embedded.frame["_label"].to_numpy(),
        theirs.embedded(),
        class_mix,
        permutations=permutations,
        seed=seed,
    )
