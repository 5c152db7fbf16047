"""Can whole reports be trusted: how often they alert where nothing changed, and where it did.

    python -m tests.benchmarks.bench_reports null --tries 200 --rows 200 500 2000 --kept null.jsonl

``--kept`` holds what each report said, so that a run that was stopped goes on where it was.
    python -m tests.benchmarks.bench_reports gaps --tries 200

``gaps`` plants one: how often a slice of 300 rows that is served 10 points worse is named, and how
often one is named where all are served alike (`hf_vft.evaluation.fairness`, whose gaps `fit`,
`evaluate --by` and the monitor tell).

Windows are drawn (`tests.monitoring.made`), all labelled and with a slice column, so that every
section tests. A report looks at three windows against one reference, and `decide` has the word:
what is counted is what would page someone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from hf_vft.evaluation.fairness import measure_bias
from hf_vft.evaluation.group_disparities import error_gaps
from hf_vft.monitoring.decision import Decision, decide
from hf_vft.monitoring.drift import Window
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference, make_reference
from hf_vft.workflows.monitor import look
from tests.evaluation.slices import answers
from tests.monitoring.made import LABELS, drawn

HELD_OUT = 600
CAMERAS = ("left", "right")


def labelled(n: int, seed: list[int]) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows with the truth and a slice column, and their embeddings."""
    rng = np.random.default_rng(seed)
    rows, classes = drawn(n, rng)
    embeddings = np.stack([row.pop("embedding") for row in rows]).astype(np.float16)
    truth = [LABELS[k] for k in classes]
    frame = pd.DataFrame(rows).assign(top_labels=None, rest=None, label=truth)
    return frame.assign(camera=rng.choice(CAMERAS, size=n)), embeddings


def reference_of(seed: int) -> Reference:
    frame, embeddings = labelled(HELD_OUT, [seed, 1])
    beside = frame[["label", "camera"]].assign(split="test")
    rows = frame.drop(columns=["label", "camera"]).to_dict("records")
    for row, embedding in zip(rows, embeddings, strict=True):
        row["embedding"] = embedding
    return make_reference(
        rows, beside, labels=LABELS, temperature=1.0, group_column=None, slice_columns=["camera"]
    )


def report(seed: int, n: int, policy: Policy) -> Decision:
    ours = reference_of(seed)
    windows = [Window(Sample(*labelled(n, [seed, 2, number]))) for number in range(3)]
    return decide([look(ours, window, policy, seed)[0] for window in windows], policy)


def false_alarms(tries: int, sizes: list[int], kept: Path | None) -> None:
    lines = kept.read_text().splitlines() if kept and kept.is_file() else []
    known = {(one["rows"], one["seed"]): one for one in map(json.loads, lines)}
    for n in sizes:
        said = []
        for seed in range(tries):
            if (n, seed) not in known:
                known[n, seed] = one_report(seed, n)
                if kept:
                    with kept.open("a") as stream:
                        stream.write(json.dumps(known[n, seed]) + "\n")
            said.append(known[n, seed])
        tell(n, said)


def one_report(seed: int, n: int) -> dict[str, Any]:
    started = time.process_time()
    decision = report(seed, n, Policy.model_validate({"windows": {"rows": n}}))
    levels = {one.finding.key: one.finding.level for one in decision.judged}
    return {
        "rows": n,
        "seed": seed,
        "action": decision.action,
        "alert": decision.alert,
        "alerts": [key for key, level in levels.items() if level == "alert"],
        "warned": "warn" in levels.values(),
        "seconds": time.process_time() - started,
    }


def tell(n: int, said: list[dict[str, Any]]) -> None:
    tries, alerted = len(said), sum(one["alert"] for one in said)
    low, high = proportion_confint(alerted, tries, method="wilson")
    by = Counter(key for one in said for key in one["alerts"])
    print(
        f"n = {n}: {alerted} of {tries} reports alert ({alerted / tries:.1%}, {low:.1%} to "
        f"{high:.1%}) {dict(by)}; {sum(one['warned'] for one in said)} name something seen once; "
        f"{np.mean([one['seconds'] for one in said]):.1f} s CPU each",
        flush=True,
    )


def planted_gaps(tries: int, n: int = 300) -> None:
    for right in (0.9, 0.8):
        for groups in (2, 4):
            named = invented = 0
            for seed in range(tries):
                alike = dict.fromkeys("abcd"[:groups], right)
                planted = measure_bias(**answers(seed, alike | {"a": right - 0.1}, n))
                named += any(
                    (gap.group, gap.metric) == ("a", "accuracy")
                    for gap in error_gaps(planted.gaps, least=0.05)
                )
                equal = measure_bias(**answers(tries + seed, alike, n))
                invented += bool(error_gaps(equal.gaps, least=0.05))
            print(
                f"{groups} slices of {n}, accuracy {right:.1f}: a gap of 10 points is named in "
                f"{named / tries:.1%}, one where there is none in {invented / tries:.1%} of {tries}"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["null", "gaps"])
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 500, 2000])
    parser.add_argument("--kept", type=Path)
    given = parser.parse_args()
    if given.part == "gaps":
        planted_gaps(given.tries)
        return
    false_alarms(given.tries, given.rows, given.kept)


if __name__ == "__main__":
    main()
