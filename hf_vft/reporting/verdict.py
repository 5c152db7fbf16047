"""The result in words. Every sentence follows from the numbers by a rule stated here."""

from __future__ import annotations

from typing import Literal

from hf_vft.errors import RunError
from hf_vft.evaluation.metrics import lower_is_better
from hf_vft.evaluation.results import Estimate, EvalReport, SplitResult
from hf_vft.evaluation.robustness import Robustness
from hf_vft.reporting import numbers

METRIC_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1_macro": "Macro F1",
    "f1_weighted": "Weighted F1",
    "precision_macro": "Macro precision",
    "precision_weighted": "Weighted precision",
    "recall_macro": "Macro recall",
    "recall_weighted": "Weighted recall",
    "auroc_macro": "Macro AUROC",
    "average_precision_macro": "Macro average precision",
    "map": "mAP",
    "map50": "mAP50",
    "map75": "mAP75",
    "map_small": "mAP of small objects",
    "map_medium": "mAP of medium objects",
    "map_large": "mAP of large objects",
    "mar_1": "mAR, one box an image",
    "mar_10": "mAR, ten boxes an image",
    "mar_100": "mAR",
    "mar_small": "mAR of small objects",
    "mar_medium": "mAR of medium objects",
    "mar_large": "mAR of large objects",
    "mean_iou": "Mean IoU of the matched",
    "f1": "F1 at the threshold",
    "precision": "Precision at the threshold",
    "recall": "Recall at the threshold",
    "f1_micro": "Micro F1",
    "f1_samples": "F1 by image",
    "precision_micro": "Micro precision",
    "recall_micro": "Micro recall",
    "exact_match": "All labels right",
    "ece": "ECE, uncalibrated",
    "ece_calibrated": "ECE, calibrated",
    "log_loss": "Log loss",
    "brier": "Brier score",
}
BASELINE_NAMES = {
    "linear_probe": "a linear probe on the frozen backbone",
    "majority_class": "always answering the most frequent class",
    "class_frequencies": "answering how frequent each class is",
    "typical_boxes": "always answering the usual boxes",
}
BLIND = ("majority_class", "class_frequencies", "typical_boxes")
"""Baselines that do not look at the images."""

WELL_CALIBRATED = 0.05
# Share of the calibration error that must point one way to say that way.
ONE_SIDED = 0.8

Standing = Literal["clearly", "likely", "unclear", "worse"]


def judged_split(report: EvalReport) -> str:
    """The split that the verdict is about: test, or the last there is.

    Raises:
        RunError: If its main score is not among the scores of that split.
    """
    split = "test" if "test" in report.splits else next(reversed(report.splits), "")
    if split not in report.splits or report.primary not in report.splits[split].metrics:
        raise RunError(
            f"metrics.json: there is no {report.primary[:100]!r} of a test split; write it again "
            "with `hf-vft evaluate`."
        )
    return split


def metric_name(name: str) -> str:
    """The name of a metric in the report."""
    return METRIC_NAMES.get(name, name.replace("_", " "))


def standing(score: Estimate, baseline: Estimate, *, lower_is_better: bool = False) -> Standing:
    """The standing of a score against a baseline.

    Returns:
        clearly: the intervals do not touch. likely: the baseline's value lies below the
        score's interval. unclear: it lies inside. worse: it lies above. Without an interval
        nothing is certain, so the answer is unclear.
    """
    if score.value is None or baseline.value is None or score.low is None or score.high is None:
        return "unclear"
    low, high, value = score.low, score.high, baseline.value
    reach = baseline.low if lower_is_better else baseline.high
    if lower_is_better:
        low, high, value = -score.high, -score.low, -baseline.value
        reach = None if reach is None else -reach
    if low > (value if reach is None else reach):
        return "clearly"
    if low > value:
        return "likely"
    return "worse" if high < value else "unclear"


def verdict(report: EvalReport) -> str:
    """The result in a few sentences: `headline`, then `details`."""
    return " ".join([headline(report), *details(report)])


def headline(report: EvalReport) -> str:
    """The score with its interval, and what it is worth beside the baselines."""
    split = judged_split(report)
    result = report.splits[split]
    score = result.metrics[report.primary]
    name = lower_first(metric_name(report.primary))
    scored = f"On {_images(result.n)} of the {split} split"
    if score.value is None:
        return f"{scored} the {name} is undefined."
    text = f"{scored} the model reaches {_a(name)} of {_said(score)}"
    against = _against(report, split)
    return f"{text}: {against}." if against else f"{text}."


def details(report: EvalReport) -> list[str]:
    """The weakest class, and whether confidence can be believed."""
    result = report.splits[judged_split(report)]
    sentences = [weakest_class(result), _calibration(result)]
    return [sentence for sentence in sentences if sentence]


def tone(report: EvalReport) -> Literal["good", "warn", "bad"]:
    """The colour of the verdict: good only when it clearly beats every baseline."""
    verdicts = standings(report)
    if "worse" in verdicts.values() or any(verdicts.get(name) == "unclear" for name in BLIND):
        return "bad"
    return "good" if set(verdicts.values()) == {"clearly"} else "warn"


def weakest_class(result: SplitResult) -> str | None:
    """The class with the lowest F1."""
    scored = {
        name: of_class.metrics["f1"].value
        for name, of_class in result.per_class.items()
        if of_class.metrics["f1"].value is not None
    }
    if len(scored) < 2:
        return None
    name = min(scored, key=lambda label: scored[label] or 0.0)
    if scored[name] == 1.0:
        return "Not one image is answered wrong."
    counted = _boxes if "map50" in result.metrics else _images
    support = counted(result.per_class[name].support)
    return f"The weakest class is {name} (F1 {numbers.score(scored[name])}, {support})."


def standings(report: EvalReport) -> dict[str, Standing]:
    """The standing of the model against each baseline."""
    split = judged_split(report)
    score = report.splits[split].metrics[report.primary]
    return {
        name: standing(
            score,
            splits[split][report.primary],
            lower_is_better=lower_is_better(report.primary),
        )
        for name, splits in report.baselines.items()
        if report.primary in splits.get(split, {})
    }


def _against(report: EvalReport, split: str) -> str:
    """``clearly above A (0.58) and B (0.10)``; baselines that it stands alike to go together."""
    better, worse = ("below", "above") if lower_is_better(report.primary) else ("above", "below")
    relations: dict[Standing, str] = {
        "clearly": f"clearly {better}",
        "likely": better,
        "unclear": "not distinguishable from",
        "worse": worse,
    }
    verdicts = standings(report)
    phrases: dict[Standing, list[str]] = {}
    for name, wording in BASELINE_NAMES.items():
        if name in verdicts:
            value = report.baselines[name][split][report.primary].value
            number = "" if value is None else f" ({numbers.score(value)})"
            phrases.setdefault(verdicts[name], []).append(wording + number)
    return ", ".join(f"{relations[key]} {' and '.join(names)}" for key, names in phrases.items())


def _calibration(result: SplitResult) -> str | None:
    estimates = [result.metrics.get(name) for name in ("ece", "ece_calibrated")]
    before, after = (None if estimate is None else estimate.value for estimate in estimates)
    if before is None or after is None:
        return None
    if after <= WELL_CALIBRATED:
        judged = "The model's confidence can be taken at its word"
    elif after <= 2 * WELL_CALIBRATED:
        judged = "The model's confidence is roughly right"
    else:
        judged = "The model's confidence should not be taken at its word"
    return (
        f"{judged}: after temperature scaling it is {_off(result, after)} "
        f"({numbers.percent(before)} before)."
    )


def _off(result: SplitResult, error: float) -> str:
    """``4 % too high on average``; without one direction, ``off by 4 % on average``."""
    gap = sum(
        bin_.n * (bin_.confidence - bin_.accuracy)
        for bin_ in result.reliability_calibrated
        if bin_.confidence is not None and bin_.accuracy is not None
    )
    gap /= result.n or 1
    if abs(gap) < ONE_SIDED * error:
        return f"off by {numbers.percent(error)} on average"
    return f"{numbers.percent(error)} too {'high' if gap > 0 else 'low'} on average"


def _said(score: Estimate) -> str:
    value = numbers.score(score.value)
    if score.low is None or score.high is None:
        return value
    low, high = numbers.score(score.low), numbers.score(score.high)
    return f"{value} ({numbers.percent(0.95)} interval {low}–{high})"


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" or name[:2] in ("mA", "F1") else f"a {name}"


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n:,} images"


def _boxes(n: int) -> str:
    return "1 box" if n == 1 else f"{n:,} boxes"


def describe_robustness(robustness: Robustness) -> str:
    """The loss on disturbed images, in a sentence."""
    if robustness.mean is None or robustness.worst is None:
        return "What noise, blur or other light cost cannot be told from these images."
    scores = "; ".join(
        f"{severity} {numbers.score(estimate.value)}"
        for severity, estimate in zip(
            robustness.severities, robustness.disturbed[robustness.worst], strict=True
        )
    )
    kinds, severities = len(robustness.disturbed), len(robustness.severities)
    return (
        f"{metric_name(robustness.metric)} is {numbers.score(robustness.clean.value)} on "
        f"{_images(robustness.n)} of {robustness.source} as they are, and "
        f"{numbers.score(robustness.mean)} on average over {kinds} kinds of disturbance at "
        f"{severities} severities. The worst for it is {robustness.worst}: {scores}."
    )


def lower_first(text: str) -> str:
    """A text for the middle of a sentence; abbreviations stay as they are."""
    word = text.split()[0]
    return text if word[1:] != word[1:].lower() or len(word) == 1 else text[0].lower() + text[1:]
