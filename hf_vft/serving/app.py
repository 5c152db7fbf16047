"""The page and the endpoints, in Gradio."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from hf_vft.data.folders import is_picture_name, visible_files
from hf_vft.imports import require_package
from hf_vft.run import RunDirectory
from hf_vft.serving import page
from hf_vft.serving.batcher import RateLimit
from hf_vft.serving.endpoints import CONCURRENT, MAX_FILES, ZIP_BYTES, Endpoints
from hf_vft.serving.service import Service


def build_app(
    service: Service,
    *,
    title: str | None = None,
    examples: Path | None = None,
    reports: Path | None = None,
    per_minute: int = 0,
) -> Any:
    """The app of a service: ``build_app(service).launch(**launch_options())``.

    Args:
        service: What answers.
        title: Heading; the run's name by default.
        examples: A folder of pictures to try.
        reports: Where ``hf-vft monitor`` writes; the newest page is shown.
        per_minute: Most pictures a minute of one caller; 0 is no limit.

    Returns:
        ``gradio.Blocks`` with the endpoints ``/predict``, ``/explain``, ``/predict_batch`` and
        ``/feedback``.

    Raises:
        MissingDependencyError: If Gradio is not installed.
    """
    gr: Any = require_package("gradio", "serve")
    calls = Endpoints(gr, service, RateLimit(per_minute)).functions()
    name = title or service.run.path.resolve().name
    with gr.Blocks(title=f"{name} · hf-vft", analytics_enabled=False) as app:
        gr.HTML(page.head(name, f"Tells apart {_listed(service.labels)}."))
        with gr.Tab("Predict", id="predict"):
            _predict_tab(gr, service, calls, examples)
        with gr.Tab("Batch", id="batch"):
            _batch_tab(gr, calls)
        with gr.Tab("Model", id="model"):
            _model_tab(gr, service.run)
        with gr.Tab("Monitoring", id="monitoring"):
            _monitoring_tab(gr, app, service, reports or service.run.path / "monitoring")
    app.queue(default_concurrency_limit=CONCURRENT, max_size=1000)
    return app


def launch_options() -> dict[str, Any]:
    """What every launch of the app has in common."""
    gr: Any = require_package("gradio", "serve")
    return {
        "theme": gr.themes.Soft(
            primary_hue="indigo", neutral_hue="slate", font=["system-ui", "sans-serif"]
        ),
        "css": page.CSS,
        "max_file_size": ZIP_BYTES,
        "mcp_server": True,
        "show_error": True,
        "footer_links": ["api"],
        "ssr_mode": False,
    }


def _predict_tab(
    gr: Any, service: Service, calls: dict[str, Callable[..., Any]], examples: Path | None
) -> None:
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            picture = _picture(gr)
            label = gr.Dropdown(
                ["", *service.labels], value="", label="Heat map for", info="Empty: the answer."
            )
            if examples and examples.is_dir():
                shown = [str(p) for p in visible_files(examples) if is_picture_name(p)][:8]
                gr.Examples(shown, picture, label="Examples")
        with gr.Column(scale=6, min_width=300):
            card = gr.HTML(page.IDLE, elem_id="answer")
            heat = gr.Image(
                label="Why: what speaks for it",
                interactive=False,
                alt_text="The picture with a heat map of what speaks for the answer",
                elem_id="heat",
                height=340,
                visible=False,
            )
            with gr.Group(visible=False) as ask:
                truth = gr.Radio(service.labels, label="Right or wrong? It is …", elem_id="truth")
                send = gr.Button("Send feedback", variant="secondary", elem_id="send")
                thanks = gr.Markdown("", elem_id="thanks")
    answer = gr.JSON(visible=False, label="answer")
    number = gr.Textbox(visible=False, label="request_id")
    asked = picture.input(
        calls["predict"], picture, answer, api_name="predict", concurrency_limit=CONCURRENT
    )

    def show(found: dict[str, Any] | None) -> tuple[Any, ...]:
        found = found or {}
        there = bool(found)
        return (
            page.answer_card(found),
            found.get("request_id", ""),
            gr.Group(visible=there and service.log is not None),
            gr.Radio(value=found.get("label")),
            "",
        )

    asked.success(show, answer, [card, number, ask, truth, thanks], api_visibility="private").then(
        lambda: gr.Image(visible=True), None, heat, api_visibility="private"
    ).success(calls["explain"], [picture, label], heat, api_name="explain", concurrency_limit=4)
    label.input(calls["explain"], [picture, label], heat, api_visibility="private")
    picture.clear(
        lambda: (page.IDLE, gr.Image(value=None, visible=False), gr.Group(visible=False)),
        None,
        [card, heat, ask],
        api_visibility="private",
    )
    send.click(calls["feedback"], [number, truth], thanks, api_name="feedback")


def _batch_tab(gr: Any, calls: dict[str, Callable[..., Any]]) -> None:
    files = gr.File(
        label=f"Pictures or a zip, up to {MAX_FILES} pictures",
        file_count="multiple",
        type="filepath",
        elem_id="files",
    )
    start = gr.Button("Label all", variant="primary", elem_id="start")
    rows = gr.JSON(visible=False, label="rows")
    table = gr.Dataframe(
        headers=list(_COLUMNS), interactive=False, wrap=True, label="Answers", elem_id="rows"
    )
    sheet = gr.File(label="As CSV", visible=False, interactive=False, elem_id="csv")

    def show(found: list[dict[str, Any]]) -> tuple[Any, Any]:
        lines = [[_cell(row, name) for name in _COLUMNS] for row in found or []]
        return lines, gr.File(value=_csv(lines), visible=True)

    start.click(
        calls["predict_batch"], files, rows, api_name="predict_batch", concurrency_limit=4
    ).success(show, rows, [table, sheet], api_visibility="private")


def _model_tab(gr: Any, run: RunDirectory) -> None:
    report, sentences = page.verdict_of(run)
    gr.Markdown(escape(sentences, quote=False))
    with gr.Row():
        classes, slices = page.class_scores(report), page.slice_scores(report)
        if len(classes):
            gr.BarPlot(classes, x="class", y="F1", y_lim=[0, 1], title="F1 by class", height=280)
        if len(slices):
            gr.BarPlot(slices, x="slice", y="accuracy", y_lim=[0, 1], title="By slice", height=280)
    gr.Dataframe(page.score_table(report), label="Scores with 95 % intervals", interactive=False)
    with gr.Accordion("Model card", open=False):
        gr.Markdown(page.card_text(run))


def _monitoring_tab(gr: Any, app: Any, service: Service, reports: Path) -> None:
    figures = gr.HTML(elem_id="figures")
    history = gr.LinePlot(
        x="time", y="value", color="figure", y_lim=[0, 1], title="Over time, by hour", height=260
    )
    refresh = gr.Button("Refresh", size="sm", elem_id="refresh")
    gr.Markdown(
        "Whether to retrain is decided by `hf-vft monitor RUN LOG` from the reference profile; its "
        "newest report stands below."
    )
    frame = gr.HTML(elem_id="report")

    def show() -> tuple[str, Any, str]:
        tiles, lines = page.log_history(service.log, service.abstention.threshold)
        newest = page.newest_report(reports)
        return tiles, lines, _framed(newest)

    refresh.click(show, None, [figures, history, frame], api_visibility="private")
    gr.Timer(30).tick(show, None, [figures, history, frame], api_visibility="private")
    app.load(show, None, [figures, history, frame], api_visibility="private")


def _framed(newest: Path | None) -> str:
    if newest is None:
        return '<div class="vft-card idle">No monitoring report has been written yet.</div>'
    text = escape(newest.read_text(encoding="utf-8"), quote=True)
    return (
        '<iframe title="The newest monitoring report" sandbox="allow-scripts" '
        f'style="width:100%;height:900px;border:0" srcdoc="{text}"></iframe>'
    )


_COLUMNS = ("file", "label", "confidence", "sure", "error")


def _cell(row: dict[str, Any], name: str) -> Any:
    value = row.get(name, "")
    if name == "confidence" and value != "":
        return round(value, 4)
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def _csv(lines: list[list[Any]]) -> str:
    """A CSV file that no spreadsheet takes for formulas."""
    folder = Path(tempfile.mkdtemp(prefix="hf-vft-csv-"))
    with (folder / "answers.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        for line in lines:
            writer.writerow(
                [
                    f"'{c}" if isinstance(c, str) and c[:1] in ("=", "+", "-", "@", "\t") else c
                    for c in line
                ]
            )
    return str(folder / "answers.csv")


def _harmless(cell: Any) -> Any:
    formula = isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t")
    return f"'{cell}" if formula else cell


def _picture(gr: Any) -> Any:
    """An image input that hands over the file as it came: decoding it is ours."""
    picture = gr.Image(
        label="Picture",
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        elem_id="picture",
        height=340,
        alt_text="The picture to be labelled",
    )
    # Gradio has checked by then that the path is one of its uploads.
    picture.preprocess = lambda payload: None if payload is None else payload.path
    return picture


def _listed(labels: list[str]) -> str:
    shown = ", ".join(labels[:8])
    return f"{shown} and {len(labels) - 8} more" if len(labels) > 8 else shown
