"""How well accuracy is estimated without labels, and whether an estimate is refused rightly.

    python -m tests.benchmarks.bench_estimates stream OUT --run RUN
    python -m tests.benchmarks.bench_estimates photos OUT --coco FOLDER --checkpoint WEIGHTS

The images are those of `tests.benchmarks.bench_power`, whose OUT may be given again. No fault is
met in the stress tests that it is judged by: those of the demo stream are none of
`hf_vft.data.transforms.disturbances`, and for a disturbed photograph the tests of its own kind
are left out.
An estimate is refused rightly where it would have been off by more than 5 points as it is.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from hf_vft.monitoring.answer_checks import OneLabelChecks, checks_of
from hf_vft.monitoring.drift import Window, find_drift
from hf_vft.monitoring.estimate_error import Trust
from hf_vft.monitoring.estimated_accuracy import performance_findings
from hf_vft.monitoring.profile import Reference
from hf_vft.run import RunDirectory
from tests.benchmarks.bench_power import accuracy, photos, stream

ALPHA = 0.05
FAR = 0.05
PERMUTATIONS = 199


@dataclass(frozen=True)
class Told:
    """Of one window; errors are estimate less truth.

    Attributes:
        truth: Accuracy.
        naive: Of "no change".
        raw: Of the estimators as they are.
        corrected: None where the estimate was refused.
        within: Whether the interval holds the truth; None where refused.
    """

    truth: float
    naive: float
    raw: float
    corrected: float | None
    within: bool | None


def without(reference: Reference, kind: str) -> Reference:
    """As if no stress test of this kind had been made."""
    left = [one for one in reference.profile.stress if one.kind != kind]
    return replace(reference, profile=reference.profile.model_copy(update={"stress": left}))


def told(reference: Reference, window: Window, seed: int) -> Told:
    now, held_out = window.sample.frame, reference.sample.frame
    before = float((held_out["predicted"] == held_out["label"]).mean())
    truth, group = accuracy(window), reference.profile.group_column
    findings = find_drift(reference, window, permutations=PERMUTATIONS, seed=seed).findings
    raw = performance_findings(held_out, now, group=group, seed=seed)[0].current
    checks = checks_of(reference)
    assert isinstance(checks, OneLabelChecks)
    known = checks.content_known(window.sample, findings, ALPHA, seed)
    found = performance_findings(held_out, now, group=group, seed=seed, **known)[0]
    value = found.current if isinstance(found.current, float) else None
    within = None
    if value is not None and found.interval is not None:
        within = found.interval[0] <= truth - before <= found.interval[1]
    return Told(
        truth,
        before - truth,
        (raw if isinstance(raw, float) else np.nan) - truth,
        None if value is None else value - truth,
        within,
    )


def row(name: str, found: list[Told]) -> list[str]:
    given = [one for one in found if one.corrected is not None]
    refused = [one for one in found if one.corrected is None]
    rightly = sum(not abs(one.raw) <= FAR for one in refused)

    def off(errors: list[float]) -> str:
        return f"{np.nanmean(np.abs(errors)):.3f}" if errors else "–"

    return [
        name,
        f"{np.mean([one.truth for one in found]):.3f}",
        off([one.naive for one in found]),
        off([one.raw for one in found]),
        f"{rightly} + {len(refused) - rightly}",
        str(len(given)),
        off([one.naive for one in given]),
        off([one.raw for one in given]),
        off([one.corrected for one in given if one.corrected is not None]),
        str(sum(abs(one.corrected or 0.0) > FAR for one in given)),
        f"{np.mean([bool(one.within) for one in given]):.0%}" if given else "–",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["stream", "photos"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--contrast", type=float, default=2.0)
    parser.add_argument("--images", type=int, default=2000, help="of each fault of the stream")
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--severities", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--rows", type=int, default=500)
    given = parser.parse_args()
    if given.part == "stream":
        run, pools = given.run, stream(given.out, given.run, given.contrast, given.images)
    else:
        run, pools = (
            given.out / "run",
            photos(given.out, given.coco, given.checkpoint, [n - 1 for n in given.severities]),
        )
    table = Table(title=f"{given.tries} windows of {given.rows} rows a fault, without labels")
    for column in ("fault", "accuracy", "no change off by", "raw off by",
                   "refused, rightly + wrongly", "estimates", "their no change", "their raw",
                   "corrected", "off by > 5", "interval holds"):  # fmt: skip
        table.add_column(column)
    everything: list[Told] = []
    for name, whole in pools:
        reference = without(Reference.load(RunDirectory.open(run)), name.split(",")[0])
        if not everything:
            print(Trust.learned(reference.profile.stress), flush=True)
        found = []
        for seed in range(given.tries):
            rows = len(whole.sample)
            rng = np.random.default_rng(seed)
            chosen = np.sort(rng.choice(rows, min(given.rows, rows), replace=False))
            found.append(told(reference, Window(whole.sample.take(chosen)), seed))
        everything += found
        table.add_row(*row(name, found))
        print(*row(name, found), sep=" | ", flush=True)
    table.add_row(*row("all", everything))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
