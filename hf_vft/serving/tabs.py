"""The four tabs of the page."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import ModuleType
from typing import Any

from hf_vft.run import RunDirectory
from hf_vft.serving import page, run_tables
from hf_vft.serving.answer import boxes_of, over
from hf_vft.serving.batcher import Lately
from hf_vft.serving.endpoints import for_page
from hf_vft.serving.mcp import describe_files
from hf_vft.serving.service import Service
from hf_vft.serving.tab_inputs import HIDDEN, HIDE, slice_inputs, visible_if
from hf_vft.utils.spreadsheets import as_cell

Calls = dict[str, Callable[..., Any]]
REFRESH = 30
"""Seconds after which an open page looks again."""

FRESH = 5.0
"""Seconds for which all pages show the same figures of the log."""


def batch_tab(gr: ModuleType, service: Service, calls: Calls) -> None:
    """Many images: a table and a CSV file."""
    files = gr.File(
        label=f"Up to {service.limits.batch_images} images, or a zip",
        file_count="multiple",
        type="filepath",
        elem_id="files",
    )
    describe_files(gr, files)
    slices = slice_inputs(gr, service)
    start = gr.Button("Label all", variant="primary", elem_id="start")
    rows = gr.JSON(visible=False, label="rows")
    columns = _columns(service)
    table = gr.Dataframe(
        headers=columns, interactive=False, wrap=True, label="Answers", elem_id="rows"
    )
    sheet = gr.File(label="As CSV", visible=HIDE, interactive=False, elem_id="csv")

    def show(answers: list[dict[str, Any]]) -> tuple[Any, Any]:
        lines = [[_cell(row, name) for name in columns] for row in answers or []]
        # Where Gradio's own files are: there it is used as it is, and cleared away in time.
        folder = Path(tempfile.mkdtemp(dir=sheet.GRADIO_CACHE))
        return lines, gr.File(value=_csv(folder / "answers.csv", columns, lines), visible=True)

    asked: dict[str, Any] = {"inputs": [files, slices], "outputs": rows, "concurrency_limit": 4}
    endpoint = gr.Button(visible=False)
    endpoint.click(calls["predict_batch"], api_name="predict_batch", **asked)
    start.click(for_page(gr, calls["predict_batch"]), **asked, **HIDDEN).success(
        show, rows, [table, sheet], **HIDDEN
    )


def model_tab(gr: ModuleType, run: RunDirectory) -> None:
    """The tab with the model's scores and its card."""
    report, sentences = run_tables.verdict_of(run)
    gr.Markdown(escape(sentences, quote=False))
    shown = ((run_tables.class_scores(report), "class"), (run_tables.slice_scores(report), "slice"))
    with gr.Row():
        for bars, of in shown:
            if bars.rows:
                title = f"{bars.metric} by {of} (95 % interval)"
                with gr.Column(min_width=300):
                    gr.HTML(page.score_bars(title, bars.rows), padding=False)
    gr.HTML(page.score_table(run_tables.scores(report)), elem_id="scores", padding=False)
    with gr.Accordion("Model card", open=False):
        gr.Markdown(run_tables.card_text(run))


def monitoring_tab(gr: ModuleType, app: Any, tab: Any, service: Service, reports: Path) -> None:
    """The tab with the monitor's latest decision and the requests so far; read when opened."""
    verdict = gr.HTML(elem_id="verdict", padding=False)
    tiles = gr.HTML(elem_id="figures", padding=False)
    history = gr.LinePlot(
        x="time", y="value", color="figure", y_lim=[0, 1], title="The main figures over time",
        height=260, x_title="", y_title="", visible=HIDE,
    )  # fmt: skip
    with gr.Row():
        button = gr.Button("Show the whole report", size="sm", elem_id="whole")
    frame = gr.HTML(elem_id="report", padding=False)
    threshold = service.abstention.threshold if service.abstention else None
    served = Lately(
        lambda: run_tables.log_history(service.log, threshold, unlogged=service.unlogged), FRESH
    )

    def show() -> tuple[str, str, Any]:
        verdict, written, _ = run_tables.newest_verdict(reports)
        tiles_now, lines = served()
        over_time = lines["time"].nunique() > 1  # one moment makes no line
        plot = gr.LinePlot(value=lines, visible=visible_if(over_time))
        return page.verdict_card(verdict, written), tiles_now, plot

    for event in (tab.select, gr.Timer(REFRESH).tick, app.load):
        # What is there stays readable while the next figures are looked up.
        event(show, None, [verdict, tiles, history], show_progress="hidden", **HIDDEN)
    # A page of megabytes is sent to who asks for it, and once.
    button.click(lambda: _framed(run_tables.newest_verdict(reports)[2]), None, frame, **HIDDEN)


def _framed(newest: Path | None) -> str:
    if newest is None:
        return '<div class="vft-card idle">No monitoring report has been written yet.</div>'
    text = escape(newest.read_text(encoding="utf-8", errors="replace"), quote=True)
    return (
        '<iframe title="The newest monitoring report" sandbox="allow-scripts" '
        f'style="width:100%;height:900px;border:0" srcdoc="{text}"></iframe>'
    )


def _columns(service: Service) -> list[str]:
    return ["file", *service.kind.page.columns, "error"]


def _cell(row: dict[str, Any], name: str) -> Any:
    if name in ("found", "boxes") and "objects" in row:
        labels = [box.label for box in over(boxes_of(row), None)]
        return ", ".join(dict.fromkeys(labels)) if name == "found" else len(labels)
    value = row.get(name, "")
    if isinstance(value, list):
        return ", ".join(value)
    if name == "confidence" and value != "":
        return round(value, 4)
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def _csv(path: Path, columns: list[str], lines: list[list[Any]]) -> str:
    """A CSV file that no spreadsheet takes for formulas."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([[as_cell(cell) for cell in line] for line in lines])
    return str(path)
