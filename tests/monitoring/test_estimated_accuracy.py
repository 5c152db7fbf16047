import numpy as np
import pandas as pd
import pytest

from hf_vft.monitoring.bias import bias_findings
from hf_vft.monitoring.delayed_labels import label_findings, realised_over_time
from hf_vft.monitoring.estimated_accuracy import estimate_accuracy, performance_findings
from tests.evaluation.slices import NAMES

TESTED = {"accuracy", "f1_macro", "concept", "estimated_accuracy", "new_gap"}


def stream(seed: int, n: int, sure: float = 6.0, *, honest: bool = True) -> pd.DataFrame:
    """Rows of a calibrated model; lower ``sure`` is harder, not ``honest`` is wrong unawares."""
    rng = np.random.default_rng(seed)
    confidence = 0.5 + 0.5 * rng.beta(sure, 2.0, n)
    chance = confidence if honest else confidence - 0.2
    right = rng.random(n) < chance
    label = rng.integers(0, len(NAMES), n)
    said = np.where(right, label, (label + 1) % len(NAMES))
    return pd.DataFrame(
        {
            "ts_utc": pd.date_range("2026-04-01", periods=n, freq="10min", tz="UTC"),
            "predicted": np.array(NAMES)[said],
            "label": np.array(NAMES)[label],
            "confidence": confidence,
            "camera": np.where(np.arange(n) % 2, "side", "top"),
        }
    )


def named(findings):
    return {finding.name: finding for finding in findings}


def test_estimates_follow_the_truth_where_confidence_keeps_its_meaning():
    reference, harder = stream(0, 2000), stream(1, 2000, sure=4.5)
    truth = (harder["predicted"] == harder["label"]).mean()
    before = (reference["predicted"] == reference["label"]).mean()
    found = named(performance_findings(reference, harder.drop(columns="label")))
    estimate = found["estimated_accuracy"]
    assert before - truth > 0.01
    assert estimate.current == pytest.approx(truth, abs=0.06)
    assert estimate.interval[0] < estimate.effect < 0
    assert estimate.p_value < 0.05
    assert len(found) == 4


def test_no_change_gives_no_loss():
    ps = [performance_findings(stream(s, 600), stream(100 + s, 500))[0].p_value for s in range(20)]
    assert sum(p < 0.05 for p in ps) <= 4


def test_thresholded_confidence_keeps_the_share_that_was_right():
    sure = np.linspace(0.5, 1.0, 1000)
    right = (np.arange(1000) >= 200).astype(float)
    assert estimate_accuracy(sure, right, sure)[2] == pytest.approx(0.8, abs=0.002)


def test_an_estimate_is_refused_with_the_reason_and_without_a_number():
    (only,) = performance_findings(stream(0, 500), stream(1, 500), unsafe="new content.")
    assert (only.level, only.current, only.p_value) == ("insufficient", None, None)
    assert "new content" in only.note
    (few,) = performance_findings(stream(0, 500), stream(1, 20))
    assert few.level == "insufficient"


def test_estimators_that_contradict_each_other_are_refused():
    blind = stream(1, 500)
    blind["confidence"] = 0.69
    (only,) = performance_findings(stream(0, 500), blind)
    assert "contradict" in only.note


def test_labels_measure_the_loss_and_tell_a_change_of_meaning_from_hard_images():
    reference = stream(0, 1000)
    hard, _ = label_findings(reference, stream(1, 600, sure=1.0))
    other, _ = label_findings(reference, stream(1, 600, honest=False))
    assert named(hard)["accuracy"].p_value < 0.01
    assert named(hard)["accuracy"].effect < -0.05
    assert named(hard)["concept"].p_value > 0.01
    assert named(other)["concept"].p_value < 1e-6
    assert named(other)["concept"].effect < -0.1
    assert "what the labels mean may have changed" in named(other)["concept"].note
    assert named(other)["ece"].effect > 0.05
    assert named(other)["f1_macro"].effect < -0.1


def test_the_detectors_say_when_it_began():
    before, after = stream(0, 600), stream(1, 600, honest=False)
    after["ts_utc"] = after["ts_utc"] + (before["ts_utc"].iloc[-1] - before["ts_utc"].iloc[0])
    found = named(label_findings(stream(2, 1000), pd.concat([before, after]))[0])
    alarm = pd.Timestamp(found["adwin"].current)
    assert after["ts_utc"].iloc[0] < alarm < after["ts_utc"].iloc[300]


def test_realised_accuracy_over_time_has_intervals_and_skips_too_few_rows():
    table = realised_over_time(stream(0, 500), periods=5)
    assert table["rows"].tolist() == [100] * 5
    assert (table["low"] < table["accuracy"]).all()
    assert realised_over_time(stream(0, 5)).empty


def test_labels_that_have_not_arrived_are_insufficient():
    unlabelled = stream(0, 100).assign(label=None)
    (only,), table = label_findings(stream(1, 500), unlabelled)
    assert only.level == "insufficient"
    assert table.empty


def test_images_of_one_part_count_as_fewer():
    reference, hard = stream(0, 1000), worse_on_the_side(stream(1, 400, sure=4.0))
    pairs = pd.concat([hard, hard], ignore_index=True).assign(part=[*range(400), *range(400)])

    def p_values(frame, group=None):
        found = label_findings(reference, frame, group=group)[0]
        found += performance_findings(reference, frame, group=group)
        found += bias_findings(reference, frame, ["camera"], group=group)[0]
        return {name: one.p_value for name, one in named(found).items() if name in TESTED}

    alone, taken, told = p_values(hard), p_values(pairs), p_values(pairs, "part")
    assert set(alone) == TESTED
    for name, p in alone.items():
        assert taken[name] < p / 3, name
        assert np.log(told[name]) == pytest.approx(np.log(p), rel=0.3), name


def worse_on_the_side(frame: pd.DataFrame, seed: int = 5) -> pd.DataFrame:
    spoilt = (frame["camera"] == "side") & (np.random.default_rng(seed).random(len(frame)) < 0.3)
    return frame.assign(predicted=frame["predicted"].mask(spoilt, "other"))


def test_a_gap_that_came_is_told_from_one_that_was_there():
    plain, spoilt = stream(0, 1200), worse_on_the_side(stream(1, 1200))
    came = named(bias_findings(plain, spoilt, ["camera"])[0])
    assert came["new_gap"].p_value < 0.001
    assert "it came since" in came["new_gap"].note
    known = named(bias_findings(worse_on_the_side(plain), spoilt, ["camera"])[0])
    assert known["old_gap"].p_value < 0.001
    assert "there at training" in known["old_gap"].note
    assert known.get("new_gap") is None or known["new_gap"].p_value > 0.05


def test_without_labels_nothing_is_called_an_error():
    current = stream(1, 1200).assign(label=None)
    current["confidence"] = current["confidence"] - 0.2 * (current["camera"] == "side")
    found = bias_findings(stream(0, 1200), current, ["camera", "shift"])[0]
    assert named(found)["new_gap"].level == "insufficient"
    assert named(found)["column shift"].level == "insufficient"
    told = [finding for finding in found if finding.name.startswith("confidence")]
    assert told
    assert all("only labels can say" in finding.note for finding in told)
    assert not any("accuracy" in finding.name for finding in found)


def test_a_group_that_is_too_small_says_so():
    few = stream(1, 240).assign(camera=["top"] * 200 + ["side"] * 40)
    found = named(bias_findings(stream(0, 600), few, ["camera"])[0])
    assert found["camera = side"].level == "insufficient"
