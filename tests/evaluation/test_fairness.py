import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from statsmodels.stats.proportion import confint_proportions_2indep

from hf_vft.errors import DataError
from hf_vft.evaluation.calibration import expected_calibration_error
from hf_vft.evaluation.classification import evaluate_logits
from hf_vft.evaluation.fairness import measure_bias
from hf_vft.evaluation.group_disparities import describe_gap, error_gaps
from tests.evaluation.slices import NAMES, answers


def test_rates_and_parity_are_those_of_fairlearn():
    made = answers(seed=1, groups={"a": 0.9, "b": 0.75, "c": 0.85}, n=400)
    found = measure_bias(**made, intersections=False)
    camera = np.array(made["slices"]["camera"])
    apart, shares = [], []
    for name in NAMES:
        true, said = (np.array(made[key]) == name for key in ("labels", "predicted"))
        frame = MetricFrame(
            metrics={
                "recall": true_positive_rate,
                "false_positive_rate": false_positive_rate,
                "selection_rate": selection_rate,
            },
            y_true=true,
            y_pred=said,
            sensitive_features=camera,
        )
        for group in "abc":
            ours = found.groups["camera"][group]
            for metric in frame.by_group:
                expected = frame.by_group[metric][group]
                assert getattr(ours, metric)[name].value == pytest.approx(expected)
        apart.append(frame.difference())
        shares.append(frame.ratio())
    parity = {name: estimate.value for name, estimate in found.parity["camera"].items()}
    odds = ["recall", "false_positive_rate"]
    assert parity == pytest.approx(
        {
            "demographic_parity_difference": max(x["selection_rate"] for x in apart),
            "demographic_parity_ratio": min(x["selection_rate"] for x in shares),
            "equalized_odds_difference": max(x[odds].max() for x in apart),
            "equalized_odds_ratio": min(x[odds].min() for x in shares),
            "accuracy_difference": parity["accuracy_difference"],
        }
    )


def test_intervals_of_gaps_are_those_of_statsmodels():
    made = answers(seed=2, groups={"a": 0.9, "b": 0.8, "c": 0.85}, n=300)
    gap = next(g for g in measure_bias(**made).gaps if g.metric == "accuracy" and g.group == "b")
    right = np.array(made["labels"]) == np.array(made["predicted"])
    inside = np.array(made["slices"]["camera"]) == "b"
    counts = (right[inside].sum(), inside.sum(), right[~inside].sum(), (~inside).sum())
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    assert (gap.difference.low, gap.difference.high) == pytest.approx((low, high))
    low, high = confint_proportions_2indep(*counts, method="log-adjusted", compare="ratio")
    assert (gap.ratio.low, gap.ratio.high) == pytest.approx((low, high), rel=1e-3)


def test_a_planted_gap_of_ten_points_is_found_and_none_is_invented():
    """200 tries each are in the benchmark; these few bound the rates loosely."""
    found, invented = 0, 0
    for seed in range(20):
        planted = answers(seed, {"a": 0.9, "b": 0.8, "c": 0.9, "d": 0.9}, n=300)
        gaps = error_gaps(measure_bias(**planted).gaps, least=0.05)
        found += any(gap.group == "b" and gap.metric == "accuracy" for gap in gaps)
        equal = answers(1000 + seed, dict.fromkeys("abcd", 0.9), n=300)
        invented += bool(error_gaps(measure_bias(**equal).gaps, least=0.05))
    assert found >= 15
    assert invented <= 3


def test_a_gap_only_where_two_columns_meet_is_found_there():
    made = answers(seed=3, groups={"a": 0.9, "b": 0.9}, n=1500)
    shift = np.random.default_rng(3).choice(["day", "night"], 3000)
    spoilt = (np.array(made["slices"]["camera"]) == "b") & (shift == "night")
    spoilt &= np.random.default_rng(4).random(3000) < 0.3
    made["predicted"] = np.where(spoilt, "x", made["predicted"])
    made["slices"]["shift"] = shift.tolist()
    worst = error_gaps(measure_bias(**made).gaps)[0]
    assert worst.where == "camera = b, shift = night"
    assert "camera = b, shift = night: accuracy 0." in describe_gap(worst)


def test_a_small_group_says_insufficient_and_nothing_else():
    made = answers(seed=5, groups={"a": 0.9, "b": 0.2}, n=99)
    found = measure_bias(**made)
    assert found.groups["camera"]["b"].model_dump(exclude_defaults=True) == {
        "n": 99,
        "sufficient": False,
    }
    assert found.gaps == []
    assert found.parity == {}


def test_a_rate_over_fewer_than_ten_events_is_left_out():
    made = answers(seed=6, groups={"a": 1.0, "b": 1.0}, n=200)
    made["predicted"][:4] = ["other"] * 4
    found = measure_bias(**made)
    assert [gap for gap in found.gaps if gap.metric in ("accuracy", "recall")] == []
    assert "other" not in found.groups["camera"]["a"].recall


def test_without_labels_only_answers_and_confidence_are_compared():
    made = answers(seed=7, groups={"a": 0.9, "b": 0.5}, n=300)
    made["confidence"] = np.where(np.array(made["slices"]["camera"]) == "b", 0.5, 0.9)
    made["confidence"] += np.random.default_rng(0).normal(0, 0.01, 600)
    found = measure_bias(**made | {"labels": None})
    assert {gap.metric for gap in found.gaps} <= {"selection_rate", "confidence"}
    assert error_gaps(found.gaps) == []
    assert found.groups["camera"]["a"].accuracy is None
    sure = next(gap for gap in found.gaps if gap.metric == "confidence")
    assert (sure.group, sure.p_holm < 0.001) == ("b", True)


def test_of_two_groups_only_one_test_is_made():
    made = answers(seed=8, groups={"a": 0.9, "b": 0.8}, n=300)
    accuracy = [gap for gap in measure_bias(**made).gaps if gap.metric == "accuracy"]
    assert [gap.group for gap in accuracy] == ["b"]


def test_rows_that_belong_together_count_as_fewer():
    made = answers(seed=9, groups={"a": 0.9, "b": 0.8}, n=300)
    doubled = {key: [x for x in made[key] for _ in range(2)] for key in ("predicted", "labels")}
    doubled["confidence"] = np.repeat(made["confidence"], 2)
    doubled["slices"] = {"camera": [x for x in made["slices"]["camera"] for _ in range(2)]}

    def p_value(found):
        return next(gap.p_value for gap in found.gaps if gap.metric == "accuracy")

    alone = p_value(measure_bias(**made))
    pairs = [number // 2 for number in range(1200)]
    assert p_value(measure_bias(**doubled)) < alone / 10
    assert p_value(measure_bias(**doubled, clusters=pairs)) == pytest.approx(alone, rel=0.05)


def test_the_ece_of_a_group_is_that_of_its_rows():
    made = answers(seed=10, groups={"a": 0.9, "b": 0.6}, n=500)
    ece = measure_bias(**made).groups["camera"]["b"].ece
    inside = np.array(made["slices"]["camera"]) == "b"
    right = (np.array(made["labels"]) == np.array(made["predicted"]))[inside]
    sure = made["confidence"][inside]
    assert sure.min() > 0.5
    probs = np.stack([sure, 1 - sure], 1)
    assert ece.value == pytest.approx(expected_calibration_error(probs, np.where(right, 0, 1)))
    assert ece.low <= ece.value <= ece.high


def test_missing_values_are_a_group_and_lengths_have_to_fit():
    made = answers(seed=11, groups={"a": 0.9, "b": 0.9}, n=150)
    made["slices"]["camera"] = [None if x == "a" else x for x in made["slices"]["camera"]]
    assert set(measure_bias(**made).groups["camera"]) == {"(missing)", "b"}
    with pytest.raises(DataError, match="camera: 2 values for 300 rows"):
        measure_bias(**made | {"slices": {"camera": ["a", "b"]}})


def test_an_evaluation_by_slices_holds_the_bias():
    rng = np.random.default_rng(12)
    labels = rng.integers(0, 3, 600)
    camera = np.repeat(["good", "bad"], 300)
    logits = np.eye(3)[labels] * np.where(camera == "good", 4.0, 0.2)[:, None]
    logits += rng.normal(size=(600, 3))
    result = evaluate_logits(logits, labels, "abc", n_bootstrap=5, slices={"camera": camera})
    assert error_gaps(result.bias.gaps)[0].group == "bad"
    assert evaluate_logits(logits, labels, "abc", n_bootstrap=5).bias is None
