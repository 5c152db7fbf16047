"""Can the drift tests be trusted: false alarms, power, class shares, time and memory.

    python -m tests.benchmarks.bench_drift [null|power|mix|size] [--tries 200]

Samples are drawn (`tests.monitoring.made`), so the truth is known. A report alarms here where a
p-value stays below 0.05 after Holm's correction; a policy asks for an effect size besides.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import defaultdict

import numpy as np
import pandas as pd

from hf_vft.monitoring.class_mix import estimate_class_mix
from hf_vft.monitoring.drift import Window, find_drift
from hf_vft.monitoring.findings import holm
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.prediction_drift import probabilities
from hf_vft.monitoring.profile import Reference
from tests.monitoring.made import drawn, reference, window

SHIFTS: dict[str, dict[str, object]] = {
    "darker by 0.3 SD": {"brightness": -0.3},
    "classes in other shares": {"prior": np.array([0.2, 0.45, 0.35])},
    "embeddings moved by 0.5 SD": {"shift": 0.5},
    "5 % of an unknown class": {"strangers": 0.05},
    "10 % of an unknown class": {"strangers": 0.10},
}


def p_values(ours: Reference, now: Window, seed: int) -> dict[str, float]:
    findings = find_drift(ours, now, permutations=199, seed=seed).findings
    return {f.key: f.p_value for f in findings if f.p_value is not None}


def false_alarms(tries: int) -> None:
    for n in (200, 500, 2000):
        low: dict[str, list[bool]] = defaultdict(list)
        alarms = []
        for seed in range(tries):
            found = p_values(reference(600, seed), window(n, seed), seed)
            for key, p in found.items():
                low[key].append(p < 0.05)
            alarms.append(min(holm(found.values())) < 0.05)
        print(f"n = {n}: {np.mean(alarms):.1%} of {tries} reports alarm")
        for key, hits in low.items():
            print(f"  {key:30s} p < 0.05 in {np.mean(hits):.1%}")


def power(tries: int) -> None:
    for name, change in SHIFTS.items():
        hits: dict[str, int] = defaultdict(int)
        alarms = 0
        for seed in range(tries):
            found = p_values(reference(600, seed), window(500, seed, **change), seed)
            adjusted = dict(zip(found, holm(found.values()), strict=True))
            for key, p in adjusted.items():
                hits[key] += p < 0.05
            alarms += min(adjusted.values()) < 0.05
        told = ", ".join(f"{key} {count / tries:.0%}" for key, count in hits.items() if count)
        print(f"{name}: {alarms / tries:.0%} of {tries} alarm ({told})")


def class_shares(tries: int) -> None:
    errors, no_change = [], []
    for seed in range(tries):
        ours = reference(600, seed)
        prior = np.random.default_rng([seed, 9]).dirichlet([2, 2, 2])
        rows, truth = drawn(500, np.random.default_rng([seed, 2]), prior=prior)
        before = probabilities(ours.sample.frame, 3)
        now = probabilities(pd.DataFrame(rows).assign(top_labels=None), 3)
        mix = estimate_class_mix(before, ours.label_ids, now, resamples=1)
        shares = np.bincount(truth, minlength=3) / len(truth)
        errors.append(np.abs(mix.em - shares).mean())
        no_change.append(np.abs(mix.reference - shares).mean())
    print(
        f"share of a class: off by {np.mean(errors):.4f}, without estimate {np.mean(no_change):.4f}"
    )


def size() -> None:
    ours = reference(2000)
    wide = np.random.default_rng(0).normal(size=(24, 384)).astype(np.float32)

    def widened(sample: Sample) -> Sample:
        values = np.asarray(sample.embeddings, dtype=np.float32) @ wide
        return Sample(sample.frame, (values / 5).astype(np.float16))

    ours = Reference(ours.profile, widened(ours.sample))
    small = window(2000).sample
    rng = np.random.default_rng(0)
    for n in (10_000, 100_000):
        big = widened(small.take(rng.integers(len(small), size=n)))
        # Drawn again and again, so the hashes are made new: no image repeats another.
        frame = big.frame.assign(phash=[f"{i:016x}" for i in range(n)])
        started, cpu = time.monotonic(), time.process_time()
        find_drift(ours, Window(Sample(frame, big.embeddings)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{n} rows × 384: {time.monotonic() - started:.1f} s "
            f"({time.process_time() - cpu:.1f} s CPU), peak {peak:.2f} GiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["null", "power", "mix", "size"])
    parser.add_argument("--tries", type=int, default=200)
    given = parser.parse_args()
    parts = {
        "null": lambda: false_alarms(given.tries),
        "power": lambda: power(given.tries),
        "mix": lambda: class_shares(given.tries),
        "size": size,
    }
    for part in given.parts:
        parts[part]()


if __name__ == "__main__":
    main()
