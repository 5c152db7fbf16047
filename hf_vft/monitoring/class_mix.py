"""How often each class occurs now, estimated from predictions alone.

Under label shift the classes come in other shares, but look as they did: then the reference says
how each class is predicted, and the shares follow from the predictions. Expectation maximisation
(Saerens et al. 2002) on calibrated probabilities is the estimate; black-box shift estimation
(Lipton et al. 2018), which inverts the confusion matrix, stands beside it, and where the two are
far apart it is not only label shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, nnls
from scipy.special import log_softmax, softmax

from hf_vft.monitoring.findings import Finding, insufficient

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RESAMPLES = 100
LEAST_SUPPORT = 5  # reference images of a class, to know how it is predicted
_PRIOR_SD = 0.3
_STEPS = 500
_TOLERANCE = 1e-7


@dataclass(frozen=True)
class ClassMix:
    """Shares of the classes.

    Attributes:
        em: ``[C]``, by expectation maximisation.
        bbse: ``[C]``, by inverting the confusion matrix.
        low: ``[C]``, of the 95 % interval of ``em``.
        high: ``[C]``.
        reference: ``[C]``, at training.
    """

    em: Floats
    bbse: Floats
    low: Floats
    high: Floats
    reference: Floats


def expectation_maximisation(probs: Floats, prior: Floats) -> Floats:
    """Shares ``[C]`` of the classes behind calibrated ``probs [N, C]``.

    Args:
        probs: Calibrated where the classes have the shares ``prior``.
        prior: ``[C]``; a class with share 0 stays at 0.
    """
    shares = prior.copy()
    scaled = probs / np.where(prior > 0, prior, np.inf)
    for _ in range(_STEPS):
        weighted = scaled * shares
        weighted /= np.maximum(weighted.sum(1, keepdims=True), 1e-300)
        new = weighted.mean(0)
        if np.abs(new - shares).max() < _TOLERANCE:
            return _shares(new)
        shares = new
    return _shares(shares)


def black_box(reference: Floats, labels: Ints, current: Floats) -> Floats:
    """Shares ``[C]`` from mean probabilities (Lipton et al. 2018, soft version).

    Args:
        reference: Probabilities ``[N, C]``.
        labels: Their true classes ``[N]``.
        current: Probabilities ``[M, C]``.
    """
    classes = reference.shape[1]
    seen = np.unique(labels)
    columns = np.stack([reference[labels == k].mean(0) for k in seen], axis=1)
    # Shares are positive and sum to one: the last row of the system says so.
    system = np.vstack([columns, 10.0 * np.ones(len(seen))])
    shares = np.zeros(classes)
    shares[seen] = nnls(system, np.append(current.mean(0), 10.0))[0]
    return _shares(shares)


def estimate_class_mix(
    reference: Floats,
    labels: Ints,
    current: Floats,
    *,
    units: Ints | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ClassMix:
    """Both estimates, and a bootstrap interval for the first.

    Both samples are drawn anew: how the classes are predicted is an estimate too.

    Args:
        reference: Calibrated probabilities ``[N, C]``.
        labels: True class ids ``[N]``.
        current: Calibrated probabilities ``[M, C]``.
        units: Of each current row ``[M]``; rows of one are drawn together.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    classes = reference.shape[1]
    prior = np.bincount(labels, minlength=classes) / len(labels)
    corrected = _corrected(reference, labels, current)
    rng = np.random.default_rng(seed)
    draws = np.empty((resamples, classes))
    members = _members(np.arange(len(current)) if units is None else units)
    for b in range(resamples):
        ours = rng.integers(len(reference), size=len(reference))
        chosen = rng.integers(len(members), size=len(members))
        theirs = np.concatenate([members[i] for i in chosen])
        draws[b] = _corrected(reference[ours], labels[ours], current[theirs])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return ClassMix(corrected, black_box(reference, labels, current), low, high, prior)


def class_mix_findings(
    reference: Floats,
    labels: Ints,
    names: Sequence[str],
    current: Floats,
    *,
    units: Ints | None = None,
    seed: int = 0,
) -> list[Finding]:
    """A finding a class, and one that says whether the two estimates agree."""
    mix = estimate_class_mix(reference, labels, current, units=units, seed=seed)
    support = np.bincount(labels, minlength=len(names))
    findings = [
        _class_finding(mix, k, str(name), int(support[k]), len(current))
        for k, name in enumerate(names)
    ]
    gap = float(np.abs(mix.em - mix.bbse).sum() / 2)
    findings.append(
        Finding(
            section="class_mix",
            name="agreement",
            method="total variation between EM and BBSE",
            statistic=gap,
            effect=gap,
            effect_name="total variation",
            rows=len(current),
            note="Where the two estimates differ much, more than the class mix has changed.",
        )
    )
    return findings


def _class_finding(mix: ClassMix, k: int, name: str, support: int, rows: int) -> Finding:
    if support < LEAST_SUPPORT:
        note = f"{support} reference images of {name}: at least {LEAST_SUPPORT} are needed."
        return insufficient("class_mix", name, rows, note)
    before, now = float(mix.reference[k]), float(mix.em[k])
    low, high = float(mix.low[k]), float(mix.high[k])
    note = (
        f"Share of {name}: {before:.1%} at training, now about {now:.1%} ({low:.1%} to {high:.1%})."
    )
    method = "label shift by EM, bootstrap"
    return share_finding(name, method, before, now, (low, high), rows, note)


def share_finding(
    name: str,
    method: str,
    before: float,
    now: float,
    ends: tuple[float, float],
    rows: int,
    note: str,
) -> Finding:
    """The change of a class's share; ``ends`` are those of the interval of the share now."""
    return Finding(
        section="class_mix",
        name=name,
        method=method,
        effect=now - before,
        effect_name="share",
        reference=before,
        current=now,
        interval=(ends[0] - before, ends[1] - before),
        rows=rows,
        note=note,
    )


def _corrected(reference: Floats, labels: Ints, current: Floats) -> Floats:
    """EM on probabilities that were calibrated class by class.

    EM is as good as the calibration, and one temperature leaves a bias in each class: with
    bias-corrected temperature scaling (Alexandari et al. 2020) shares are off by 0.6 times as much.
    """
    change = fit_class_biases(reference, labels)
    seen = np.bincount(labels, minlength=reference.shape[1]) > 0
    prior = _shares(np.where(seen, with_class_biases(reference, change).mean(0), 0.0))
    return expectation_maximisation(with_class_biases(current, change), prior)


def fit_class_biases(probs: Floats, labels: Ints) -> Floats:
    """Log temperature and a bias for each class ``[1 + C]`` that make ``probs [N, C]`` fit best.

    Both are drawn to 0 by a normal prior of `_PRIOR_SD`, as few images of a class say little.
    """
    logits, rows = _logs(probs), np.arange(len(labels))
    weight = 0.5 / (_PRIOR_SD**2 * len(labels))

    def loss(change: Floats) -> tuple[float, Floats]:
        scale = np.exp(change[0])
        log_p = log_softmax(scale * logits + change[1:], axis=1)
        slope = np.exp(log_p)
        slope[rows, labels] -= 1.0
        slope /= len(labels)
        gradient = np.concatenate([[scale * (slope * logits).sum()], slope.sum(0)])
        value = weight * change @ change - log_p[rows, labels].mean()
        return float(value), gradient + 2.0 * weight * change

    optimum = minimize(loss, np.zeros(1 + probs.shape[1]), jac=True, method="L-BFGS-B")
    change: Floats = optimum.x
    return change


def with_class_biases(probs: Floats, change: Floats) -> Floats:
    """``probs [N, C]``, changed as `fit_class_biases` found."""
    calibrated: Floats = softmax(np.exp(change[0]) * _logs(probs) + change[1:], axis=1)
    return calibrated


def _logs(probs: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(probs, 1e-9))
    return logs


def _shares(values: Floats) -> Floats:
    total = values.sum()
    shares: Floats = values / total if total > 0 else values
    return shares


def _members(units: Ints) -> list[Ints]:
    order = np.argsort(units, kind="stable")
    _, starts = np.unique(units[order], return_index=True)
    return list(np.split(order, starts[1:]))
