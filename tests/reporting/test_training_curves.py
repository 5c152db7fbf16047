import pytest

from hf_vft.reporting.plots import Band
from hf_vft.reporting.training_curves import loss_curve, score_curve, stage_bands

from .made import history


def record(stage: str, epoch: float, **scores) -> dict:
    return {"stage": stage, "epoch": epoch, **scores}


def test_stages_follow_one_another_on_one_axis():
    assert stage_bands(history()) == [Band("head", 0.0, 6.0), Band("all", 6.0, 20.0)]


def test_each_stage_has_its_line_and_a_ring_at_its_best():
    plot = str(score_curve(history(), "f1_macro"))
    assert plot.count("<polyline") == 2
    assert plot.count('class="ring"') == 2


@pytest.mark.parametrize(("metric", "best"), [("f1_macro", 2), ("log_loss", 0)])
def test_the_ring_is_at_the_highest_or_lowest_as_the_metric_asks(metric, best):
    values = [0.5, 0.6, 0.9]
    rows = [record("a", i + 1, **{f"eval_{metric}": value}) for i, value in enumerate(values)]
    plot = str(score_curve(rows, metric))
    points = plot.split('points="')[1].split('"')[0].split()
    ring = plot.split('class="ring"')[1]
    x, y = points[best].split(",")
    assert f'cx="{x}" cy="{y}"' in ring


def test_a_history_without_the_score_has_no_curve():
    assert score_curve([], "f1_macro") is None
    assert loss_curve([]) is None
    assert score_curve([record("head", 1.0, eval_f1_macro=None)], "f1_macro") is None


def test_a_stage_without_training_loss_shows_its_validation_loss():
    plot = str(loss_curve([record("a", 1, eval_loss=1.0), record("a", 2, eval_loss=0.9)]))
    assert plot.count("<polyline") == 1
