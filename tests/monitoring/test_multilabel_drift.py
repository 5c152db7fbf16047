"""Several labels an image, and boxes: drift, shares and losses whose truth was drawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hf_vft.answers import Boxes, SeveralLabels
from hf_vft.monitoring.decision import decide
from hf_vft.monitoring.drift import Window
from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.multilabel_drift import doubt, presence
from hf_vft.monitoring.multilabel_performance import several_label_findings
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.profile import Reference, make_reference
from hf_vft.workflows.monitor import look
from tests.monitoring.made import START, drawn

LABELS = ["pit", "scratch", "stain"]
RATES = np.array([0.5, 0.3, 0.2])
ONE = Policy.model_validate({"windows": {"count": 1, "needed": 1}})


def tagged(
    n: int, seed: int, *, rates: np.ndarray = RATES, wrong: dict[str, float] | None = None
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Rows of a model that knows its labels well but not perfectly, and their truth.

    Args:
        n: Rows.
        seed: Of all.
        rates: How often each label is there.
        wrong: Share of images by line whose labels are other ones than the model learned.
    """
    rng = np.random.default_rng(seed)
    rows, _ = drawn(n, rng)
    there = rng.random((n, 3)) < rates
    scores = 1 / (1 + np.exp(-np.where(there, 1.5, -2.0) - rng.normal(size=(n, 3))))
    lines = rng.choice(["a", "b"], size=n)
    for row, score in zip(rows, scores, strict=True):
        answered = [name for name, s in zip(LABELS, score, strict=True) if s >= 0.5]
        row.update(
            task="multi-label-classification", predicted="|".join(answered),
            confidence=score.max(), probabilities=score, count=len(answered),
        )  # fmt: skip
        for name in ("margin", "entropy", "energy"):
            del row[name]
    share = np.array([(wrong or {}).get(line, 0.0) for line in lines])
    odd = rng.random(n) < share
    truth = np.where(odd[:, None], np.roll(there, 1, axis=1), there)
    texts = ["|".join(np.array(LABELS)[one]) for one in truth]
    return rows, pd.DataFrame({"split": "test", "label": texts, "line": lines})


@pytest.fixture(scope="module")
def ours() -> Reference:
    rows, beside = tagged(500, 1)
    return make_reference(
        rows, beside, labels=LABELS, temperature=1.0, group_column=None, slice_columns=["line"]
    )


def window(rows: list[dict[str, Any]], beside: pd.DataFrame, *, labelled: bool = True) -> Window:
    embeddings = np.stack([row.pop("embedding") for row in rows]).astype(np.float16)
    frame = pd.concat([pd.DataFrame(rows), beside[["label", "line"]]], axis=1)
    frame = frame.assign(top_labels=None, rest=None)
    return Window(Sample(frame if labelled else frame.assign(label=None), embeddings))


def found(ours: Reference, now: Window) -> dict[str, Finding]:
    return {one.key: one for one in look(ours, now, ONE, 0)[0]}


def test_an_unchanged_window_is_in_order_and_all_sections_speak(ours: Reference) -> None:
    findings = look(ours, window(*tagged(400, 2)), ONE, 0)[0]
    assert decide([findings], ONE).action == "none"
    sections = {one.section for one in findings}
    assert sections == {
        "sanity", "input", "prediction", "embedding", "class_mix", "performance", "labels", "bias"
    }  # fmt: skip
    left_out = next(one for one in findings if one.section == "performance")
    assert left_out.level == "insufficient"
    assert "new_content" not in {one.name for one in findings}


def test_few_of_many_unchanged_windows_alert(ours: Reference) -> None:
    alerts = [
        decide([look(ours, window(*tagged(300, seed)), ONE, seed)[0]], ONE).alert
        for seed in range(10, 18)
    ]
    assert sum(alerts) <= 1


def test_a_label_that_becomes_frequent_is_named_and_its_share_is_told(ours: Reference) -> None:
    more = np.array([0.5, 0.3, 0.6])
    rows, beside = tagged(500, 3, rates=more)
    true = np.mean(["stain" in text for text in beside["label"]])
    drift = found(ours, window(rows, beside, labelled=False))
    assert drift["prediction.labels"].p_value < 1e-6
    assert drift["prediction.labels"].current.startswith("stain")
    share = drift["class_mix.stain"]
    assert share.current == pytest.approx(true, abs=0.05)
    assert share.reference == pytest.approx(0.2, abs=0.05)
    assert abs(drift["class_mix.pit"].effect) < 0.07


def test_wrong_answers_are_measured_and_ask_for_retraining(ours: Reference) -> None:
    now = window(*tagged(400, 4, wrong={"a": 0.5, "b": 0.5}))
    decision = decide([look(ours, now, ONE, 0)[0]], ONE)
    assert decision.action == "retrain"
    assert "F1" in decision.reasons[0]
    loss = found(ours, now)["labels.f1_image"]
    assert loss.interval[0] < loss.effect < loss.interval[1] < -0.05


def test_a_line_that_is_served_worse_is_a_new_gap(ours: Reference) -> None:
    gap = found(ours, window(*tagged(400, 5, wrong={"b": 0.5})))["bias.new_gap"]
    assert gap.p_value < 0.01
    assert abs(gap.effect) > 0.1
    assert "line = " in gap.note
    none = found(ours, window(*tagged(400, 6)))["bias.F1 by image, line = a"]
    assert none.p_value > 0.05


def test_the_most_doubtful_image_is_nearest_to_a_threshold() -> None:
    frame = pd.DataFrame(
        {"probabilities": [[0.9, 0.1], [0.55, 0.02]], "top_labels": None, "confidence": [0.9, 0.55]}
    )
    thresholds = {"pit": 0.5, "scratch": 0.3}
    assert doubt(frame, thresholds, ["pit", "scratch"]).tolist() == pytest.approx([0.2, 0.05])
    there = presence(pd.Series(["pit|scratch", ""]), ["scratch", "pit"], SeveralLabels())
    assert there.tolist() == [[True, True], [False, False]]


def box(x: float, label: str = "pit", score: float | None = None) -> dict[str, Any]:
    return {"x": x, "y": 0.0, "width": 10.0, "height": 10.0, "score": score, "label": label}


def boxed(n: int, lost: int) -> pd.DataFrame:
    """Each image has two pits; the model finds both, but in ``lost`` images a wrong one."""
    rows = [
        {
            "ts_utc": START + timedelta(minutes=i),
            "predicted": "pit",
            "label": "pit",
            "boxes": [box(0, score=0.9), box(60 if i < lost else 21, score=0.8)],
            "true_boxes": [box(0), box(20)],
        }
        for i in range(n)
    ]
    return pd.DataFrame(rows)


def test_boxes_are_matched_by_place_where_the_labels_hold_boxes() -> None:
    findings = several_label_findings(boxed(80, 0), boxed(80, 40), LABELS, Boxes())
    by_name = {one.name: one for one in findings}
    assert by_name["f1_image"].reference == 1.0
    assert by_name["f1_image"].current == pytest.approx(0.75)  # half of the images have 0.5
    assert by_name["f1_micro"].current == pytest.approx(0.75)
    assert by_name["map50"].current < by_name["map50"].reference == pytest.approx(1.0)
    assert by_name["f1_image"].p_value < 1e-6


def test_images_without_a_box_have_no_area() -> None:
    rows = [{"area_quantiles": np.array([0.1, 0.2, 0.3])}, {}, {"area_quantiles": None}]

    areas = Boxes().with_tracked(pd.DataFrame(rows))["box_area"]

    np.testing.assert_allclose(areas, [0.2, np.nan, np.nan])


def test_without_boxes_in_the_labels_the_names_alone_are_compared() -> None:
    named = boxed(80, 40).drop(columns="true_boxes")
    by_name = {
        one.name: one for one in several_label_findings(boxed(80, 0), named, LABELS, Boxes())
    }
    assert by_name["f1_image"].current == 1.0
    assert "sets of labels" in by_name["f1_image"].note
    assert "map50" not in by_name
