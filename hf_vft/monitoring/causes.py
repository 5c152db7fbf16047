"""What most likely lies behind a change, in plain words, the likeliest first.

Findings say that something differs; a cause says what a person would go and look at. The rules are
few: a class or a slice value that training never had explains itself; a change of the light or of
the sharpness explains what else changed in the images; answers that differ while the images do not
are another mix of classes; labels that differ while neither does follow another rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hf_vft.monitoring.decision import Judged
from hf_vft.monitoring.explanation import Cause, Kind
from hf_vft.monitoring.findings import shown
from hf_vft.monitoring.policy import Policy
from hf_vft.records import PREDICTIONS
from hf_vft.utils.text import few, quoted

MOST = 3
"""Causes that are named."""

_CERTAIN = 1000.0
_ECHO = 0.2
"""Weight of what another cause would bring about by itself."""

_NEW_SHARE = 0.05
_LEVELS = 50
_WORDS = {
    ("sharpness", -1): "blurrier",
    ("sharpness", 1): "sharper, or noisier",
    ("brightness", -1): "darker",
    ("brightness", 1): "brighter",
    ("contrast", -1): "flatter (less contrast)",
    ("contrast", 1): "harsher (more contrast)",
    ("saturation", -1): "paler",
    ("saturation", 1): "more colourful",
    ("image_entropy", -1): "plainer (fewer grey levels)",
    ("image_entropy", 1): "busier (more grey levels)",
    ("width", -1): "narrower",
    ("width", 1): "wider",
    ("height", -1): "lower",
    ("height", 1): "higher",
    ("aspect", -1): "of another shape",
    ("aspect", 1): "of another shape",
    ("bytes", -1): "smaller files",
    ("bytes", 1): "larger files",
}
_LOUD = ("alert", "warn")

INVISIBLE = frozenset({"bytes", "format", "image_entropy"})
"""Columns of which an image shows nothing to the eye."""

_LOOKS = ("brightness", "contrast", "saturation", "sharpness")


def find_causes(
    judged: Sequence[Judged],
    reference: pd.DataFrame,
    current: pd.DataFrame,
    policy: Policy,
    *,
    slices: Sequence[str] = (),
    new_classes: Mapping[str, int] | None = None,
) -> list[Cause]:
    """The most likely causes, at most `MOST`; empty if nothing was detected.

    Args:
        judged: Of a decision.
        reference: Held-out rows.
        current: Rows of the newest window.
        policy: What is large.
        slices: Columns of the user's that both may have.
        new_classes: Of the labels, classes that the model does not know.
    """
    loud = [signal for signal in judged if signal.finding.level in _LOUD]
    causes = [
        *_new_values(reference, current, slices),
        *_new_classes(current, new_classes or {}),
    ]
    if not loud and not causes:
        return []
    images = _image_causes(loud, policy)
    causes += images
    outside = bool(causes)
    causes += _answers(judged, loud, policy, weight=_ECHO if outside else 1.0)
    causes += _label_causes(judged, loud, current, weight=_ECHO if outside else 1.0)
    causes.sort(key=lambda cause: -cause.weight)
    best: dict[str, Cause] = {}
    for cause in causes:
        best.setdefault(cause.kind, cause)
    if not best:
        return [_unknown()]
    return list(best.values())[:MOST]


def _excess(signal: Judged, policy: Policy) -> float:
    """The effect in multiples of the smallest that counts."""
    finding = signal.finding
    least = policy.harm.get(finding.key) or policy.effects.get(
        finding.key, policy.effects.get(finding.effect_name, 1.0)
    )
    return abs(finding.effect or 0.0) / (least or 1.0)


def _direction(signal: Judged) -> int:
    now, before = signal.finding.current, signal.finding.reference
    if isinstance(now, float) and isinstance(before, float):
        return 1 if now > before else -1
    return 1 if (signal.finding.effect or 0.0) > 0 else -1


def _image_causes(loud: Sequence[Judged], policy: Policy) -> list[Cause]:
    """What the images' own properties say, each echo below its source."""
    sizes = {signal.finding.name: signal for signal in loud if signal.finding.section == "input"}
    excess = {name: _excess(signal, policy) for name, signal in sizes.items()}
    light = "brightness" in sizes
    focus = "sharpness" in sizes and _direction(sizes["sharpness"]) < 0
    causes = []
    if light:
        causes.append(_image_cause("lamp", "brightness", sizes, excess["brightness"]))
    if focus:
        # Light from one side makes edges fainter than their surroundings; a lens darkens nothing.
        weaker = _ECHO if light and excess["brightness"] > 2.0 else 1.0
        causes.append(_image_cause("lens", "sharpness", sizes, weaker * excess["sharpness"] + 1e-3))
    rest = [name for name in sizes if name not in ("brightness", "sharpness", "format")]
    if "sharpness" in sizes and not focus:
        rest.append("sharpness")
    if rest:
        main = max(rest, key=lambda name: excess[name])
        weaker = _ECHO if light or focus else 1.0
        causes.append(_image_cause("camera", main, sizes, weaker * excess[main]))
    if "format" in sizes:
        note = sizes["format"].finding.note
        causes.append(
            Cause(
                kind="camera",
                sentence=f"The files have another format. {note}",
                short="the files got another format",
                column="format",
                weight=10 * excess["format"],
            )
        )
    return causes


def _image_cause(kind: Kind, name: str, sizes: Mapping[str, Judged], weight: float) -> Cause:
    signal = sizes[name]
    word = _WORDS[name, _direction(signal)]
    before, now = signal.finding.reference, signal.finding.current
    figures = ""
    if isinstance(before, float) and isinstance(now, float):
        figures = f": {name.replace('_', ' ')} {shown(before)} → {shown(now)}"
    where = {
        "lamp": "the lamp, or the exposure",
        "lens": "the lens: dirt, or focus",
        "camera": "the camera or its settings",
    }[kind]
    verb = "are" if name != "bytes" else "come as"
    had = "became" if name != "bytes" else "began to come as"
    return Cause(
        kind=kind,
        sentence=f"Images {verb} {word}{figures}. Look at {where}.",
        short=f"the images {had} {word}",
        column=name,
        weight=weight,
    )


def _new_values(
    reference: pd.DataFrame, current: pd.DataFrame, slices: Sequence[str]
) -> list[Cause]:
    """Slice values that training never had, in columns that have few."""
    causes = []
    for column in slices:
        if column not in current or column not in reference or column in PREDICTIONS:
            continue
        before = set(reference[column].dropna().astype(str))
        now = current[column].dropna().astype(str)
        if not before or len(before) > _LEVELS or not len(now):
            continue
        shares = now[~now.isin(before)].value_counts() / len(current)
        for value, share in shares[shares >= _NEW_SHARE].items():
            causes.append(
                Cause(
                    kind="camera",
                    sentence=f"{share:.0%} of the images come from {column} {str(value)!r}, which "
                    "training never saw.",
                    short=f"images began to come from {column} {str(value)!r}",
                    column=column,
                    value=str(value),
                    weight=_CERTAIN * float(share),
                )
            )
    return causes


def _new_classes(current: pd.DataFrame, new: Mapping[str, int]) -> list[Cause]:
    if "label" not in current or not new:
        return []
    labels = current["label"].dropna()
    counts = labels[labels.isin(list(new))].value_counts()
    if not len(counts):
        return []
    shares = few([f"{quoted([name])}, {n / len(labels):.0%}" for name, n in counts.items()])
    return [
        Cause(
            kind="new_class",
            sentence=f"Labels name classes that the model does not know: {shares} of the labelled "
            "images. It cannot be right about them.",
            short=f"a class appeared that the model does not know, {quoted(counts.index[:1])}",
            column="label",
            value=str(counts.index[0]),
            weight=_CERTAIN * float(counts.sum() / len(labels)),
        )
    ]


def _answers(
    judged: Sequence[Judged], loud: Sequence[Judged], policy: Policy, *, weight: float
) -> list[Cause]:
    """New content, or another mix of classes."""
    causes = []
    content = [signal for signal in loud if signal.finding.section == "embedding"]
    answers = [signal for signal in loud if signal.finding.section in ("prediction", "class_mix")]
    new = next((signal for signal in judged if signal.finding.key == "embedding.new_content"), None)
    is_new = new is not None and new.p_holm is not None and new.p_holm <= policy.alpha
    if content and is_new:
        size = max(_excess(signal, policy) for signal in content)
        causes.append(
            Cause(
                kind="new_content",
                sentence="Images show something that training did not have, and that no other mix "
                "of its classes explains. Look at those least like training.",
                short="the images began to show something new",
                weight=weight * size,
            )
        )
    mix = [
        signal
        for signal in judged
        if signal.finding.section == "class_mix" and signal.finding.effect
    ]
    if (answers or content) and mix:
        largest = max(mix, key=lambda signal: abs(signal.finding.effect or 0.0))
        name = largest.finding.name.removesuffix("_share")
        now, before = largest.finding.current, largest.finding.reference
        figures = ""
        if isinstance(now, float) and isinstance(before, float):
            figures = f": {name!r} {before:.0%} → {now:.0%}"
        size = max(_excess(signal, policy) for signal in [*answers, *content])
        causes.append(
            Cause(
                kind="class_mix",
                sentence=f"The classes come in another mix{figures}. That is no fault of the "
                "model.",
                short="the mix of classes changed",
                column="predicted",
                value=name,
                weight=weight * (0.5 if is_new else 1.0) * size,
            )
        )
    return causes


def _label_causes(
    judged: Sequence[Judged], loud: Sequence[Judged], current: pd.DataFrame, *, weight: float
) -> list[Cause]:
    """Labels that mean something new, and groups that fare worse."""
    causes = []
    by_key = {signal.finding.key: signal for signal in loud}
    concept = by_key.get("labels.concept")
    if concept is not None and (concept.finding.effect or 0.0) < 0:
        predicted, meant, share = flipped(current)
        pair = ""
        if predicted:
            pair = (
                f" Most of all, images answered {predicted!r} are labelled {meant!r} ({share:.0%})."
            )
        causes.append(
            Cause(
                kind="label_rule",
                sentence="The model is as sure as ever, and its answers and the labels part: the "
                f"labelling rule may have changed.{pair}",
                short="the labels began to follow another rule",
                column="label",
                value=meant,
                weight=weight * 20 * abs(concept.finding.effect or 0.0),
            )
        )
    gap = by_key.get("bias.new_gap")
    if gap is not None:
        causes.append(
            Cause(
                kind="group",
                sentence=f"One group is served worse than the others. {gap.finding.note}",
                short="one group began to be served worse",
                weight=weight * 10 * abs(gap.finding.effect or 0.0),
            )
        )
    return causes


def flipped(current: pd.DataFrame) -> tuple[str | None, str | None, float]:
    """Answer and label that differ most often, and for what share of the answer's images."""
    known = current.dropna(subset=["label"]) if "label" in current else current.iloc[:0]
    wrong = known[known["predicted"] != known["label"]]
    if wrong.empty:
        return None, None, 0.0
    pairs = wrong.groupby(["predicted", "label"]).size().reset_index(name="n")
    worst = pairs.iloc[int(pairs["n"].to_numpy().argmax())]
    predicted, meant = str(worst["predicted"]), str(worst["label"])
    return predicted, meant, float(worst["n"] / max(1, (known["predicted"] == predicted).sum()))


def _unknown() -> Cause:
    return Cause(
        kind="unknown",
        sentence="Neither the images nor the mix of classes show a cause. Look at the answers that "
        "were wrong.",
        short="nothing else changed",
        weight=0.0,
    )


def signal(cause: Cause, frame: pd.DataFrame) -> pd.Series | None:
    """The number to watch for a cause, one per row, NaN if unknown; None if there is none."""
    column = cause.column
    if cause.kind in ("label_rule", "new_class"):
        if "label" not in frame:
            return None
        known = frame["label"].notna()
        hit = frame["label"] == cause.value if cause.kind == "new_class" else _wrong(frame)
        return hit.astype(float).where(known)
    if column is None or column not in frame:
        return None
    if cause.value is not None:
        hits = (frame[column].astype("string") == cause.value).fillna(False)
        return pd.Series(hits.to_numpy(dtype=np.float64), index=frame.index)
    if pd.api.types.is_numeric_dtype(frame[column]):
        numbers: pd.Series = frame[column].astype(float)
        return numbers
    same: pd.Series = (frame[column] == frame[column].iloc[-1]).astype(float)
    return same


def _wrong(frame: pd.DataFrame) -> pd.Series:
    return frame["predicted"] != frame["label"]


def crops(
    cause: Cause, reference: pd.DataFrame, current: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows whose images show a cause, the most typical first: at training, and now."""
    column = cause.column
    if cause.kind == "label_rule":
        now = current.dropna(subset=["label"])
        now = now[_wrong(now)]
        if len(now):
            predicted = now["predicted"].mode().iloc[0]
            now = now[now["predicted"] == predicted]
            before = reference[(reference["predicted"] == predicted) & ~_wrong(reference)]
            return before, now
    if cause.value is not None and column in current:
        now = current[current[column].astype("string") == cause.value]
        before = reference
        if len(now) and now["predicted"].notna().any():
            before = reference[reference["predicted"] == now["predicted"].mode().iloc[0]]
        return (before if len(before) else reference), now
    if column is not None and column in reference and column in current:
        return _typical(reference, column), _typical(current, column)
    return reference, current


def most_alike(
    before: pd.DataFrame, now: pd.DataFrame, *, without: str | None = None
) -> tuple[int, int] | None:
    """Places of the two rows whose images look most alike but for one column; None without rows."""
    columns = [name for name in _LOOKS if name != without and name in before and name in now]
    if before.empty or now.empty or not columns:
        return None
    ours, theirs = (frame[columns].to_numpy(dtype=np.float64) for frame in (before, now))
    spread = np.nanstd(np.concatenate([ours, theirs]), axis=0) + 1e-9
    gaps = np.nansum(((ours[:, None] - theirs[None]) / spread) ** 2, axis=2)
    if "predicted" in before and "predicted" in now:
        same = before["predicted"].to_numpy()[:, None] == now["predicted"].to_numpy()[None]
        gaps = gaps + ~same
    first, second = np.unravel_index(int(gaps.argmin()), gaps.shape)
    return int(first), int(second)


def _typical(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    values = frame[column]
    if not pd.api.types.is_numeric_dtype(values):
        return frame
    order = np.argsort(np.abs(values - values.median()).fillna(np.inf).to_numpy(), kind="stable")
    return frame.iloc[order]
