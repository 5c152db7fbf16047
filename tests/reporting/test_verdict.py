import pytest

from hf_vft.evaluation.coco import STATS
from hf_vft.evaluation.results import Estimate, EvalReport
from hf_vft.reporting.notices import notices
from hf_vft.reporting.verdict import details, headline, metric_name, standing, tone, verdict

from .made import made_report

NBSP = "\N{NO-BREAK SPACE}"


def estimate(value, low=None, high=None) -> Estimate:
    return Estimate(value=value, low=low, high=high)


def changed(report: EvalReport, **paths) -> EvalReport:
    """The report with values put at dotted paths (``__`` for a dot)."""
    tree = report.model_dump()
    for path, value in paths.items():
        *parents, last = path.split("__")
        node = tree
        for key in parents:
            node = node[key]
        node[last] = value
    return EvalReport.model_validate(tree)


def scored(model, probe=None, majority=None) -> EvalReport:
    report = made_report(n_bootstrap=20)
    paths = {
        "splits__test__metrics__f1_macro": model,
        "splits__validation__metrics__f1_macro": model,
    }
    baselines = {"linear_probe": probe, "majority_class": majority}
    paths["baselines"] = {
        name: {"test": {"f1_macro": value}} for name, value in baselines.items() if value
    }
    return changed(report, **paths)


@pytest.mark.parametrize(
    ("score", "baseline", "expected"),
    [
        (estimate(0.9, 0.8, 0.95), estimate(0.6, 0.5, 0.7), "clearly"),
        (estimate(0.9, 0.8, 0.95), estimate(0.78, 0.7, 0.85), "likely"),
        (estimate(0.9, 0.8, 0.95), estimate(0.85, 0.7, 0.9), "unclear"),
        (estimate(0.5, 0.4, 0.6), estimate(0.7, 0.6, 0.8), "worse"),
        (estimate(0.9), estimate(0.1), "unclear"),
        (estimate(None), estimate(0.1), "unclear"),
        (estimate(0.9, 0.8, 0.95), estimate(None), "unclear"),
        (estimate(0.9, 0.8, 0.95), estimate(0.5), "clearly"),
    ],
)
def test_standing_follows_the_intervals(score, baseline, expected):
    assert standing(score, baseline) == expected


def test_standing_turns_round_where_lower_is_better():
    low, high = estimate(0.05, 0.03, 0.08), estimate(0.3, 0.2, 0.4)
    assert standing(low, high, lower_is_better=True) == "clearly"
    assert standing(high, low, lower_is_better=True) == "worse"


def test_the_headline_says_score_interval_and_baselines():
    report = scored(estimate(0.9, 0.8, 0.95), estimate(0.58, 0.47, 0.66), estimate(0.1, 0.09, 0.11))
    assert headline(report) == (
        f"On 140 images of the test split the model reaches a macro F1 of 0.90 (95{NBSP}% interval "
        "0.80–0.95): clearly above a linear probe on the frozen backbone (0.58) and always "
        "answering the most frequent class (0.10)."
    )
    assert tone(report) == "good"


def test_the_headline_admits_a_fine_tuning_that_gained_nothing():
    report = scored(estimate(0.6, 0.5, 0.7), estimate(0.59, 0.5, 0.7), estimate(0.1, 0.09, 0.11))
    assert "not distinguishable from a linear probe on the frozen backbone (0.59)" in headline(
        report
    )
    assert tone(report) == "warn"
    assert any("within the uncertainty" in notice.sentence for notice in notices(report))


def test_the_headline_admits_a_fine_tuning_that_did_harm():
    report = scored(estimate(0.4, 0.35, 0.5), estimate(0.7, 0.6, 0.8))
    assert "below a linear probe" in headline(report)
    assert tone(report) == "bad"
    assert notices(report)[0].severity == "error"
    assert "did worse than a linear probe" in notices(report)[0].sentence


def test_a_model_no_better_than_the_most_frequent_class_is_of_no_use():
    report = scored(
        estimate(0.1, 0.06, 0.14), estimate(0.03, 0.02, 0.04), estimate(0.1, 0.09, 0.11)
    )
    assert tone(report) == "bad"
    assert notices(report)[0].severity == "error"
    assert "of no use yet" in notices(report)[0].sentence


def test_an_undefined_score_is_called_undefined():
    report = scored(estimate(None), estimate(0.5, 0.4, 0.6))
    assert headline(report) == "On 140 images of the test split the macro F1 is undefined."
    assert tone(report) == "warn"


def test_without_baselines_the_headline_is_the_score():
    report = scored(estimate(0.9, 0.8, 0.95))
    assert headline(report).endswith("0.80–0.95).")


def test_the_article_fits_the_metric():
    report = changed(made_report(n_bootstrap=20), primary="accuracy", baselines={})
    assert "reaches an accuracy of" in headline(report)


def test_the_weakest_class_is_named_with_its_images():
    report = made_report(n_bootstrap=20)
    result = report.splits["test"].per_class
    weakest = min(result, key=lambda name: result[name].metrics["f1"].value or 0.0)
    support = result[weakest].support
    said = next(one for one in details(report) if f"The weakest class is {weakest} (F1 " in one)
    assert f"{support} images)" in said
    value = {"value": 0.4, "low": None, "high": None}
    boxes = changed(report, splits__test__metrics__map50=value)
    assert any(f"{support} boxes)" in one for one in details(boxes))


def test_no_mistake_at_all_is_said_so():
    assert "Not one image is answered wrong." in details(made_report(skill=60.0, n_bootstrap=20))


@pytest.mark.parametrize(
    ("confidence", "accuracy", "words"),
    [(0.9, 0.6, "30{}% too high on average"), (0.6, 0.9, "30{}% too low on average")],
)
def test_the_direction_of_a_calibration_error_is_named(confidence, accuracy, words):
    report = changed(
        made_report(n_bootstrap=20),
        splits__test__metrics__ece_calibrated=estimate(0.3).model_dump(),
        splits__test__reliability_calibrated=[
            {"low": 0.0, "high": 1.0, "n": 140, "confidence": confidence, "accuracy": accuracy}
        ],
    )
    assert words.format(NBSP) in verdict(report)
    assert "should not be taken at its word" in verdict(report)


def test_every_figure_of_coco_has_a_name():
    assert [name for name in STATS if metric_name(name) == name.replace("_", " ")] == []
