"""Which scores a page tells, and what they mean; each task has some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hf_vft.evaluation.results import EvalReport, SplitResult
from hf_vft.reporting import numbers
from hf_vft.reporting import verdict as words

# Rows of the table of scores, as far as the task has them; macro recall is the balanced accuracy.
SCORES = (
    "map50", "map", "map75", "map_small", "map_medium", "map_large", "mar_100", "mean_iou",
    "f1", "precision", "recall",
    "auroc", "average_precision", "false_alarm_rate", "pixel_auroc", "pro",
    "accuracy", "balanced_accuracy", "f1_micro", "f1_macro", "f1_samples", "f1_weighted",
    "precision_micro", "recall_micro", "precision_macro",
    "auroc_macro", "average_precision_macro", "exact_match", "ece", "ece_calibrated",
)  # fmt: skip
# What is told of each class and slice, as far as there is; the first is drawn as a bar.
CLASS_SCORES = {
    "ap50": "AP50", "f1": "F1", "ap": "AP", "precision": "Precision", "recall": "Recall",
    "average_precision": "AP", "auroc": "AUROC", "mean_iou": "Mean IoU",
}  # fmt: skip
# What the words of the page mean: shown where a score of this name is there.
_TERMS = (
    ("linear_probe", "Linear probe", "Only a new head, on the frozen backbone: what fine-tuning "
     "has to beat."),
    ("majority_class", "Majority class", "Always the most frequent class: what answering without "
     "looking scores."),
    ("class_frequencies", "Class frequencies", "Every class as probable as it is frequent: what "
     "answering without looking scores."),
    ("always_good", "Always good", "No image is an anomaly: what answering without looking "
     "scores."),
    ("false_alarm_rate", "False alarms", "Share of good images that are called anomalies."),
    ("pixel_auroc", "Pixel AUROC", "How often a pixel of an anomaly is hotter than one that is "
     "sound."),
    ("pro", "PRO", "How much of each region of an anomaly is over the threshold, averaged over "
     "false-positive rates of up to 0.3 of the pixels."),
    ("typical_boxes", "Typical boxes", "The same boxes for every image, drawn from the training "
     "ones: what answering without looking scores."),
    ("map50", "mAP50", "The mean over the classes of the precision at every recall; a box is "
     "right if it overlaps a true one of its class by half (IoU 0.5)."),
    ("mar_100", "mAP, mAR", "The same, and the mean recall, over overlaps from 0.5 to 0.95: how "
     "exactly the boxes fit counts too."),
    ("map_small", "Small, medium", "Objects of less than 32 × 32, and of less than 96 × 96 "
     "pixels."),
    ("f1_samples", "mAP", "The mean over the classes of the precision at every recall."),
    ("f1_micro", "Micro", "All labels of all images counted together."),
    ("f1_macro", "Macro", "The mean over the classes, each counting the same however rare."),
    ("", "F1", "High only if a class is both found (recall) and not falsely claimed (precision)."),
    ("auroc_macro", "AUROC", "The chance that an image of a class is ranked above one that is "
     "not; 0.5 is guessing."),
    ("ece", "ECE", "How far confidence is off from being right, on average; 0 is best."),
)  # fmt: skip
# Beside the score that the run was chosen by.
_TILES = ("map", "accuracy", "f1_macro", "f1", "f1_micro")


def terms(report: EvalReport, result: SplitResult) -> list[tuple[str, str]]:
    """The words of the page that need explaining, and what they mean."""
    present = {"", *result.metrics, *report.baselines}
    return [(term, meaning) for key, term, meaning in _TERMS if key in present]


def class_columns(metrics: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The scores of the classes that are shown, with their titles."""
    present = {name for of_class in metrics for name in of_class}
    return {name: title for name, title in CLASS_SCORES.items() if name in present}


def slice_columns(result: SplitResult) -> dict[str, str]:
    """The scores of the slices that are shown, with their titles."""
    parts = (value for values in result.slices.values() for value in values.values())
    names = dict.fromkeys(name for part in parts for name in part.metrics)
    return {name: words.metric_name(name) for name in names}


def tiles(report: EvalReport, result: SplitResult) -> list[tuple[str, str, str]]:
    """Title, value and note of the figures on top of the page."""
    main = result.metrics[report.primary]
    span = ""
    if main.low is not None and main.high is not None:
        span = (
            f"{numbers.score(main.low)}–{numbers.score(main.high)}, 95\N{NO-BREAK SPACE}% interval"
        )
    tiles = [(words.metric_name(report.primary), numbers.score(main.value), span)]
    second = next((n for n in _TILES if n in result.metrics and n != report.primary), None)
    if second is not None:
        note = ""
        if result.confusion:
            n_wrong = result.n - sum(row[c] for c, row in enumerate(result.confusion))
            note = f"{n_wrong} of {result.n} images wrong"
        value = numbers.score(result.metrics[second].value)
        tiles.append((words.metric_name(second), value, note))
    if "ece_calibrated" in result.metrics:
        before = numbers.score(result.metrics["ece"].value)
        after = numbers.score(result.metrics["ece_calibrated"].value)
        tiles.append(("Calibration error", after, f"{before} before temperature scaling"))
    return tiles
