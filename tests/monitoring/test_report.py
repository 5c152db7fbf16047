import html
import json
import socket
from html.parser import HTMLParser

import pytest

from hf_vft.errors import RunError
from hf_vft.monitoring.decision import decide
from hf_vft.monitoring.policy import Policy
from hf_vft.monitoring.report import (
    TITLES,
    add_to_workspace,
    load_snapshot,
    make_snapshot,
    write_report,
)
from hf_vft.monitoring.safe_markup import inert
from tests.monitoring.test_decision import NOTHING, STRONG, WORSE

DECISION = decide([[STRONG, WORSE]] * 3, Policy())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")

    def refuse(*_):
        raise AssertionError("a connection was made")

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DO_NOT_TRACK", raising=False)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        write_report(DECISION, out, name="test")
        add_to_workspace(make_snapshot(DECISION, name="first"), out / "workspace")
        add_to_workspace(make_snapshot(DECISION, name="second"), out / "workspace")
    return out


def test_nothing_phones_home_and_tracking_is_off(written, monkeypatch):
    import os

    assert os.environ["DO_NOT_TRACK"] == "1"


def test_the_page_begins_with_verdict_reasons_and_what_to_do(written):
    page = html.unescape((written / "monitor.html").read_text(encoding="utf-8"))
    order = [page.index(text) for text in ("<title>test</title>", DECISION.headline, "What to do")]
    order += [page.index(f'"{title}"') for title in TITLES.values()]
    assert order == sorted(order)
    assert DECISION.todo[0] in page


def test_images_are_shown_where_they_are_asked_for_and_nowhere_else(written, tmp_path):
    image = "data:image/webp;base64,UklGRg"
    assert "data:image/webp" not in (written / "monitor.html").read_text(encoding="utf-8")
    rows = [("At training", [image]), ("Now", [])]
    write_report(DECISION, tmp_path, name="test", images=rows)
    page = (tmp_path / "monitor.html").read_text(encoding="utf-8")
    assert image in page
    assert "Now: no image is at hand" in page
    assert "<img" not in page.partition("<iframe")[0]  # no cause, so no image in the head


def test_the_verdict_is_json_for_machines(written):
    verdict = json.loads((written / "verdict.json").read_text())
    assert verdict["action"] == "retrain"
    assert verdict["judged"][0]["finding"]["name"] == "brightness"


def test_a_snapshot_loads_again_with_its_tests(written):
    results = load_snapshot(written / "snapshot.json").tests_results
    failed = [result.name for result in results if result.status.value == "FAIL"]
    assert len(results) == len(TITLES)
    assert failed == [
        "Alerts: 2. Input: Equal 0.000",
        "Alerts: 6. How right is it still, without labels: Equal 0.000",
    ]


def test_no_snapshot_is_one_line(tmp_path):
    with pytest.raises(RunError, match="no snapshot"):
        load_snapshot(tmp_path / "missing.json")


def test_the_workspace_has_one_project_with_a_dashboard_and_both_runs(written):
    from evidently.ui.workspace import Workspace

    (project,) = Workspace(str(written / "workspace")).list_projects()
    assert len(Workspace(str(written / "workspace")).list_runs(project.id)) == 2
    titles = [panel.title for panel in project.dashboard.model().panels]
    assert "Accuracy" in titles


def test_a_quiet_report_passes_every_test():
    results = make_snapshot(decide([[NOTHING]] * 3, Policy()), name="quiet").tests_results
    assert {result.status.value for result in results} == {"SUCCESS"}


def test_the_dashboard_joins_a_figure_of_all_reports_into_one_line():
    from hf_vft.monitoring.evidently_metrics import Figure

    quiet = decide([[NOTHING]] * 3, Policy())
    key = Figure(key="verdict", tests=[]).get_fingerprint()
    values = [
        snapshot.metric_results[key].value
        for snapshot in (make_snapshot(DECISION, name="a"), make_snapshot(quiet, name="b"))
    ]
    assert values == [3.0, 0.0]


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def elements(page: str) -> list[tuple[str, list[str]]]:
    """Name and names of attributes of each element of a page, as a browser tells them apart."""
    found: list[tuple[str, list[str]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, [name for name, _ in attrs]))

    Reader().feed(page)
    return found


def test_slice_values_with_markup_are_inert(tmp_path):
    """Such as a log of strangers holds them: in a finding's name, values and note."""

    def page(text: str) -> str:
        found = WORSE.model_copy(
            update={
                "section": "bias",
                "name": f"new_gap {text}",
                "reference": text,
                "current": text,
                "note": f"camera {text}: worse",
                "effect": 0.5,
            }
        )
        decision = decide([[STRONG, found]] * 3, Policy()).with_reasons([f"camera {text}"])
        out = tmp_path / str(len(text))
        out.mkdir()
        write_report(decision, out, name="test")
        return (out / "monitor.html").read_text(encoding="utf-8")

    harmless, hostile = page("left"), page(EVIL)
    assert elements(hostile) == elements(harmless)
    assert EVIL not in hostile
    assert hostile.count("alert(1)") > 3  # it is there, as text


def test_a_page_of_another_make_is_refused_rather_than_written():
    with pytest.raises(RunError, match="another page"):
        inert("<script>var data = loaded();</script>")
