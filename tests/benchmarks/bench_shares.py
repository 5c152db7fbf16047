"""How far off the estimated class shares of a window of 500 images are.

    python -m tests.benchmarks.bench_shares RUN POOL

``POOL`` is a log of many labelled images such as the run was fitted to: ``OUT/logs/none`` of
`bench_power`. Each try draws a reference as large as the run's, and a window in which the classes
have the wanted shares. What an estimate should say are the shares *in this window*; the last line
of the table is how far these are from those that they were drawn with, which is the error that
500 true labels would have.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from hf_vft.monitoring.class_mix import Floats, Ints, estimate_class_mix, expectation_maximisation
from hf_vft.monitoring.drift import read_window
from hf_vft.monitoring.prediction_drift import probabilities
from hf_vft.monitoring.profile import Reference
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory

Draw = Callable[[np.random.Generator], Floats]


def rows_of(run: Path, log: Path) -> tuple[Floats, Ints, int]:
    """Probabilities and true classes of the reference and the pool together; how many are ours."""
    reference, kept = Reference.load(RunDirectory.open(run)), ProductionLog.open(log)
    labels = reference.profile.labels
    frame = read_window(kept, reference).sample.frame
    truth = frame["request_id"].map(kept.read_labels().set_index("request_id")["label"])
    probs = [probabilities(one, len(labels)) for one in (reference.sample.frame, frame)]
    number = {name: place for place, name in enumerate(labels)}
    ids = np.concatenate([reference.label_ids, truth.map(number).to_numpy()])
    return np.concatenate(probs), ids, len(reference.sample)


def errors(
    probs: Floats, ids: Floats, ours: int, draw: Draw, seed: int, n: int
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    order, classes = rng.permutation(len(ids)), probs.shape[1]
    known, rest = order[:ours], order[ours:]
    shares = draw(rng)
    counts = rng.multinomial(n, shares)
    window = [rng.choice(rest[ids[rest] == k], size=counts[k]) for k in range(classes)]
    now = probs[np.concatenate(window)]
    mix = estimate_class_mix(probs[known], ids[known], now, resamples=1)
    said = {
        "EM, calibrated by class (ours)": mix.em,
        "BBSE": mix.bbse,
        "EM as it is": expectation_maximisation(now, mix.reference),
        "counted answers": np.bincount(now.argmax(1), minlength=classes) / n,
        "no change": mix.reference,
        "true labels, against what was drawn from": shares,
    }
    return {name: float(np.abs(value - counts / n).mean()) for name, value in said.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--rows", type=int, default=500)
    given = parser.parse_args()
    probs, ids, ours = rows_of(given.run, given.pool)
    usual = np.bincount(ids) / len(ids)
    rare = np.where(usual == usual.max(), usual / 4, usual)
    mixes: dict[str, Draw] = {
        "as at training": lambda rng: usual,
        "the most frequent quartered": lambda rng: rare / rare.sum(),
        "about as at training": lambda rng: rng.dirichlet(len(usual) * usual),
        "any": lambda rng: rng.dirichlet(np.full(len(usual), 2.0)),
    }
    table = Table(title=f"Mean absolute error of a share, {given.tries} windows of {given.rows}")
    table.add_column("")
    columns = []
    for name, draw in mixes.items():
        table.add_column(name)
        found = [errors(probs, ids, ours, draw, s, given.rows) for s in range(given.tries)]
        columns.append({key: np.mean([one[key] for one in found]) for key in found[0]})
    for key in columns[0]:
        table.add_row(key, *(f"{column[key]:.4f}" for column in columns))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
