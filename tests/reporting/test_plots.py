import xml.etree.ElementTree as ElementTree

import pytest

from hf_vft.evaluation.results import Bin, Estimate
from hf_vft.reporting.plots import (
    Band,
    Series,
    bar,
    heat_map,
    interval_plot,
    line_plot,
    reliability_plot,
)

EVIL = '"><script>alert(1)</script>&'


def parsed(plot) -> ElementTree.Element:
    """The plot as XML: fails where a text was not escaped."""
    return ElementTree.fromstring(str(plot))


def classes(plot, name: str) -> list[ElementTree.Element]:
    return [item for item in parsed(plot).iter() if name in item.get("class", "").split()]


def test_every_plot_is_named_for_screen_readers_and_escapes_what_it_says():
    estimate = Estimate(value=0.5, low=0.4, high=0.6)
    plots = [
        line_plot([Series(EVIL, "a", [(1, 0.1), (2, 0.2)])], [Band(EVIL, 0, 99)], label=EVIL),
        interval_plot([(EVIL, estimate, "a")], label=EVIL),
        bar(estimate, label=EVIL),
        reliability_plot([], label=EVIL),
        heat_map([[1, 2], [0, 3]], [EVIL, "b"], label=EVIL),
    ]
    for plot in plots:
        assert parsed(plot).get("aria-label") == EVIL
        assert parsed(plot).get("role") == "img"
        assert "<script" not in plot


def test_a_line_rises_with_its_values_and_a_single_point_is_a_dot():
    plot = line_plot(
        [Series("s", "a", [(1, 0.2), (2, 0.6)]), Series("t", "b", [(2, 0.4)])],
        [Band("all", 0, 2)],
        label="l",
        rings=[(2, 0.6)],
    )
    points = classes(plot, "line")[0].get("points").split()
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in points)
    assert x1 < x2
    assert y1 > y2, "SVG counts from the top"
    assert len(classes(plot, "fill-b")) == 1
    ring = classes(plot, "ring")[0]
    assert (float(ring.get("cx")), float(ring.get("cy"))) == pytest.approx((x2, y2))


def test_a_constant_line_is_drawn():
    plot = line_plot([Series("s", "a", [(1, 1.0), (2, 1.0)])], [Band("all", 0, 2)], label="l")
    assert "nan" not in plot


def test_stage_names_too_long_for_their_band_are_left_out():
    plot = line_plot(
        [Series("s", "a", [(1, 0.2), (30, 0.6)])],
        [Band("a-very-long-name", 0, 1), Band("all", 1, 30)],
        label="l",
    )
    assert "a-very-long-name" not in plot
    assert ">all<" in plot


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_a_bar_is_as_long_as_its_value_and_stays_inside(value):
    plot = bar(Estimate(value=value, low=0.0, high=1.0), label="l")
    width = float(parsed(plot).get("viewBox").split()[2])
    assert float(classes(plot, "fill-a")[0].get("width")) == pytest.approx(200 * value)
    assert width > 202, "the whisker at 1.0 is seen whole"


def test_an_undefined_estimate_has_no_bar_and_no_dot():
    assert not classes(bar(Estimate(value=None), label="l"), "fill-a")
    plot = interval_plot([("probe", Estimate(value=None), "a")], label="l")
    assert not classes(plot, "fill-a")
    assert "undefined" in plot


def test_reliability_marks_over_and_underconfident_bins_and_skips_empty_ones():
    bins = [
        Bin(low=0.0, high=0.5, n=0, confidence=None, accuracy=None),
        Bin(low=0.5, high=0.9, n=10, confidence=0.8, accuracy=0.6),
        Bin(low=0.9, high=1.0, n=5, confidence=0.92, accuracy=1.0),
    ]
    plot = reliability_plot(bins, label="l")
    assert len(classes(plot, "fill-over")) == 1
    assert len(classes(plot, "fill-under")) == 1
    assert "10 images, 60\N{NO-BREAK SPACE}% right, 80\N{NO-BREAK SPACE}% claimed" in plot


def test_a_heat_map_draws_only_what_happened_and_names_it():
    plot = heat_map([[5, 0, 0], [1, 4, 0], [0, 0, 0]], ["a", "b", "c"], label="l")
    titles = [item.text for item in parsed(plot).iter() if item.tag.endswith("title")]
    assert titles == ["a → a: 5", "b → a: 1", "b → b: 4"]
