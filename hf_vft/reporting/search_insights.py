"""What a search taught, in words and as a curve. Every sentence follows from a rule stated here."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hf_vft.evaluation.results import Estimate
from hf_vft.evaluation.search_insights import ClassPair, DataCurve, Lessons
from hf_vft.reporting.plots import PlotPoint, scatter_plot
from hf_vft.reporting.verdict import lower_first, metric_name

NEGLIGIBLE = 0.02
"""A gain whose interval ends below this is not worth the effort."""


def told(lessons: Lessons) -> list[str]:
    """A sentence for each lesson, the most useful first."""
    name = lower_first(metric_name(lessons.metric))
    sentences = [_gain(lessons.gain, name)]
    if lessons.curve is not None:
        sentences.append(_doubling(lessons.curve, lessons.gain, name))
    return [*sentences, *(_pair(pair) for pair in lessons.pairs if pair.inseparable)]


def signed(change: Estimate) -> str:
    """``+0.04 (0.02 to 0.06)``."""
    if change.value is None:
        return "undefined"
    if change.low is None or change.high is None:
        return f"{change.value:+.2f}"
    return f"{change.value:+.2f} ({change.low:.2f} to {change.high:.2f})"


def curve_plot(curve: DataCurve, metric: str) -> Markup:
    """Score over training images."""
    scored = [p for p in curve.points if p.score.value is not None]
    points = [(float(p.images), float(p.score.value or 0.0)) for p in scored]
    return scatter_plot(
        [
            PlotPoint(f"{p.images:,} images: {p.score}", x, y, "a")
            for p, (x, y) in zip(scored, points, strict=True)
        ],
        line=points,
        x_name="training images",
        label=f"{metric_name(metric)} of a linear probe by training images: "
        + "; ".join(f"{p.images:,}: {p.score}" for p in scored)
        + ".",
    )


def _gain(gain: Estimate, name: str) -> str:
    text = f"{signed(gain)} {name} on the same images"
    if gain.low is None or gain.high is None:
        return f"The linear probe is as good: it answers as the delivered model does ({text})."
    if gain.low > 0:
        return f"Fine-tuning pays: it gained {text} over the linear probe."
    if gain.high < 0:
        return f"The linear probe is better: fine-tuning brought {text}."
    if gain.high <= NEGLIGIBLE:
        return f"The linear probe is as good: fine-tuning brought {text}."
    return (
        f"The linear probe may be as good: fine-tuning brought {text}, and these images are too "
        "few to tell."
    )


def _doubling(curve: DataCurve, gain: Estimate, name: str) -> str:
    half, whole = curve.points[-2], curve.points[-1]
    change = curve.doubling
    text = (
        f"The last doubling of the training images ({half.images:,} to {whole.images:,}) "
        f"gave a linear probe {signed(change)} {name}"
    )
    if change.low is not None and change.low > 0:
        more = (change.value or 0.0) > (gain.value or 0.0)
        return f"{text}{', more than fine-tuning did' if more else ': more images have helped'}."
    if change.high is not None and change.high <= NEGLIGIBLE:
        return f"{text}: more images of the same kind no longer helped it."
    return f"{text}, which may be chance."


def _pair(pair: ClassPair) -> str:
    first, other = pair.classes
    return (
        f"{first} and {other} are not separable in these images: AUROC {pair.probe} of a probe of "
        f"the two on {pair.n:,} images, {pair.model} of the model; 0.5 is guessing. Look at "
        "their labels, take images that show the difference, or merge them."
    )


def lesson_parts(lessons: Lessons | None) -> dict[str, Sequence[str] | Markup | None]:
    """Values for the template."""
    if lessons is None:
        return {"lessons": [], "data_curve": None}
    curve = lessons.curve
    return {
        "lessons": told(lessons),
        "data_curve": curve_plot(curve, lessons.metric) if curve is not None else None,
    }
