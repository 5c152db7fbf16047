"""The four tabs of the page."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from hf_vft.run import RunDirectory
from hf_vft.serving import figures, page
from hf_vft.serving.answer import boxes_of, over
from hf_vft.serving.batcher import Lately
from hf_vft.serving.endpoints import for_page
from hf_vft.serving.inputs import HIDDEN, example_inputs, image_input, slice_inputs
from hf_vft.serving.mcp import describe_files
from hf_vft.serving.service import Service
from hf_vft.tasks.detection import FLOOR
from hf_vft.utils.spreadsheets import as_cell

Calls = dict[str, Callable[..., Any]]
REFRESH = 30
"""Seconds after which an open page looks again."""

HIDE = "hidden"
"""There, but not to be seen. What Gradio has not put on the page yet it adds when it is shown, and
a value that comes in the meantime may be lost."""

FRESH = 5.0
"""Seconds for which all pages show the same figures of the log."""


def predict_tab(gr: Any, service: Service, calls: Calls, examples: Path | None) -> None:
    """One image: the answer, why, and what a person says of it."""
    several, words = not service.kind.exclusive, service.kind.page
    shown_calls = {name: for_page(gr, call) for name, call in calls.items()}
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            image = image_input(gr)
            start = _lowest(service)
            slider = gr.Slider(
                FLOOR, 1.0, start, step=0.01, label="Boxes from a score of", elem_id="threshold",
                visible=HIDE,
            )  # fmt: skip
            label = gr.Dropdown(
                ["", *service.labels],
                value="",
                label=words.target,
                info=words.target_info,
                elem_id="explain",
                visible=HIDE,
            )
            slices = slice_inputs(gr, service)
            example_inputs(gr, image, examples)
        with gr.Column(scale=6, min_width=300):
            card = gr.HTML(page.IDLE, elem_id="answer", padding=False)
            heat = gr.Image(
                label=words.shown,
                interactive=False,
                alt_text=words.alt_text,
                elem_id="heat",
                buttons=["download", "fullscreen"],
                height=340,
                visible=HIDE,
            )
            with gr.Group(visible=HIDE) as ask:
                choose = gr.CheckboxGroup if several else gr.Radio
                truth = choose(service.labels, label=words.question, elem_id="truth")
                send = gr.Button("Send feedback", variant="primary", elem_id="send")
                thanks = gr.Markdown("", elem_id="thanks")
    answer = gr.JSON(visible=False, label="answer")
    number = gr.Textbox(visible=False, label="request_id")

    def answered(path: str | None, given: Any, request: Any) -> dict[str, Any] | None:
        """Nothing for an image that was taken away, which is an input too."""
        return shown_calls["predict"](path, given, request) if path else None

    def explained(path: str | None, target: str, request: Any) -> Any:
        return shown_calls["explain"](path, target, request) if path else None

    def show(found: dict[str, Any] | None) -> tuple[Any, ...]:
        found = found or {}
        return (
            page.answer_card(found),
            found.get("request_id", ""),
            gr.Group(visible=_if(found and service.log is not None)),
            choose(value=[] if several else None),
            "",
            gr.Slider(value=start, visible=_if(found and service.kind.boxes)),
            gr.Dropdown(value="", visible=_if(found)),
        )

    def redraw(
        path: str, found: dict[str, Any], threshold: float, only: str, request: Any
    ) -> tuple[Any, str]:
        """Other boxes of the same answer; the model is not asked again."""
        least = None if abs(threshold - start) < 1e-9 else threshold
        there = bool(path and found)
        image = shown_calls["drawn"](path, found, least, only, request) if there else None
        return image, page.answer_card(found, least)

    for call in (answered, explained, redraw):  # Gradio tells who asks for it by its type
        call.__annotations__["request"] = gr.Request
    endpoint = gr.Button(visible=False)
    endpoint.click(
        calls["predict"],
        [image, slices],
        answer,
        api_name="predict",
    )
    endpoint.click(calls["explain"], [image, label], heat, api_name="explain")
    endpoint.click(calls["feedback"], [number, truth], thanks, api_name="feedback")
    draw: Callable[..., Any]
    if service.kind.boxes:
        draw, given, drawn = redraw, [image, answer, slider, label], [heat, card]
        again = [slider.input, label.input]  # its release is not told of by keyboard
    else:
        draw, given, drawn, again = explained, [image, label], [heat], [label.input]
    for changed in again:
        changed(
            draw, given, drawn,
            trigger_mode="always_last", **HIDDEN,
        )  # fmt: skip
    # Its input is told of before an image that is taken away is gone; of examples there is none.
    (
        image.change(answered, [image, slices], answer, **HIDDEN)
        .success(show, answer, [card, number, ask, truth, thanks, slider, label], **HIDDEN)
        .success(lambda found: gr.Image(visible=_if(found)), answer, heat, **HIDDEN)
        .success(draw, given, drawn, **HIDDEN)
    )
    send.click(shown_calls["feedback"], [number, truth], thanks, **HIDDEN)


def batch_tab(gr: Any, service: Service, calls: Calls) -> None:
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

    def show(found: list[dict[str, Any]]) -> tuple[Any, Any]:
        lines = [[_cell(row, name) for name in columns] for row in found or []]
        # Where Gradio's own files are: there it is used as it is, and cleared away in time.
        folder = Path(tempfile.mkdtemp(dir=sheet.GRADIO_CACHE))
        return lines, gr.File(value=_csv(folder / "answers.csv", columns, lines), visible=True)

    asked: dict[str, Any] = {"inputs": [files, slices], "outputs": rows, "concurrency_limit": 4}
    endpoint = gr.Button(visible=False)
    endpoint.click(calls["predict_batch"], api_name="predict_batch", **asked)
    start.click(for_page(gr, calls["predict_batch"]), **asked, **HIDDEN).success(
        show, rows, [table, sheet], **HIDDEN
    )


def model_tab(gr: Any, run: RunDirectory) -> None:
    """What the model is worth, and its card."""
    report, sentences = figures.verdict_of(run)
    gr.Markdown(escape(sentences, quote=False))
    shown = ((figures.class_scores(report), "class"), (figures.slice_scores(report), "slice"))
    with gr.Row():
        for found, of in shown:
            if found.rows:
                title = f"{found.metric} by {of} (95 % interval)"
                with gr.Column(min_width=300):
                    gr.HTML(page.score_bars(title, found.rows), padding=False)
    gr.HTML(page.score_table(figures.scores(report)), elem_id="scores", padding=False)
    with gr.Accordion("Model card", open=False):
        gr.Markdown(figures.card_text(run))


def monitoring_tab(gr: Any, app: Any, tab: Any, service: Service, reports: Path) -> None:
    """What the monitor decided last, and what was served so far; looked up when it is opened."""
    verdict = gr.HTML(elem_id="verdict", padding=False)
    tiles = gr.HTML(elem_id="figures", padding=False)
    history = gr.LinePlot(
        x="time", y="value", color="figure", y_lim=[0, 1], title="The main figures over time",
        height=260, x_title="", y_title="", visible=HIDE,
    )  # fmt: skip
    with gr.Row():
        whole = gr.Button("Show the whole report", size="sm", elem_id="whole")
    frame = gr.HTML(elem_id="report", padding=False)
    threshold = service.abstention.threshold if service.abstention else None
    served = Lately(
        lambda: figures.log_history(service.log, threshold, unlogged=service.unlogged), FRESH
    )

    def show() -> tuple[str, str, Any]:
        found, written, _ = figures.newest_verdict(reports)
        tiles_now, lines = served()
        over_time = lines["time"].nunique() > 1  # one moment makes no line
        plot = gr.LinePlot(value=lines, visible=_if(over_time))
        return page.verdict_card(found, written), tiles_now, plot

    for event in (tab.select, gr.Timer(REFRESH).tick, app.load):
        # What is there stays readable while the next figures are looked up.
        event(show, None, [verdict, tiles, history], show_progress="hidden", **HIDDEN)
    # A page of megabytes is sent to who asks for it, and once.
    whole.click(lambda: _framed(figures.newest_verdict(reports)[2]), None, frame, **HIDDEN)


def _if(shown: Any) -> bool | str:
    """How visible: fully or not at all."""
    return True if shown else HIDE


def _framed(newest: Path | None) -> str:
    if newest is None:
        return '<div class="vft-card idle">No monitoring report has been written yet.</div>'
    text = escape(newest.read_text(encoding="utf-8", errors="replace"), quote=True)
    return (
        '<iframe title="The newest monitoring report" sandbox="allow-scripts" '
        f'style="width:100%;height:900px;border:0" srcdoc="{text}"></iframe>'
    )


def _lowest(service: Service) -> float:
    """Where the slider starts: the lowest threshold of a class."""
    return max(FLOOR, round(min(service.predictor.calibration.thresholds, default=0.5), 2))


def _columns(service: Service) -> list[str]:
    return ["file", *service.kind.page.columns, "error"]


def _cell(row: dict[str, Any], name: str) -> Any:
    if name in ("found", "boxes") and "objects" in row:
        kept = [found.label for found in over(boxes_of(row), None)]
        return ", ".join(dict.fromkeys(kept)) if name == "found" else len(kept)
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
