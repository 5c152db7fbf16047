"""The tab for one image: the answer, why, and what a person says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hf_vft.serving import page
from hf_vft.serving.endpoints import for_page
from hf_vft.serving.service import Service
from hf_vft.serving.tab_inputs import (
    HIDDEN,
    HIDE,
    example_inputs,
    image_input,
    slice_inputs,
    visible_if,
)
from hf_vft.tasks.detection import FLOOR

Calls = dict[str, Callable[..., Any]]


@dataclass(frozen=True)
class _Asked:
    """What a person gives: the left column."""

    image: Any
    threshold: Any
    label: Any
    slices: Any


@dataclass(frozen=True)
class _Told:
    """What a person is shown, and may say: the right column."""

    card: Any
    second_image: Any
    ask: Any
    truth: Any
    send: Any
    thanks: Any


@dataclass(frozen=True)
class _Kept:
    """What is on the page without being seen."""

    answer: Any
    request_id: Any


def predict_tab(gr: ModuleType, service: Service, calls: Calls, examples: Path | None) -> None:
    """One image: the answer, why, and what a person says of it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            asked = _asked(gr, service, examples)
        with gr.Column(scale=6, min_width=300):
            told = _told(gr, service)
    kept = _Kept(
        gr.JSON(visible=False, label="answer"), gr.Textbox(visible=False, label="request_id")
    )
    endpoint = gr.Button(visible=False)
    _name_endpoints(endpoint, calls, asked, told, kept)
    _connect(gr, _Handlers(gr, service, calls), service.kind.boxes, asked, told, kept)


def _asked(gr: ModuleType, service: Service, examples: Path | None) -> _Asked:
    words = service.kind.page
    image = image_input(gr)
    threshold = gr.Slider(
        FLOOR,
        1.0,
        _lowest(service),
        step=0.01,
        label="Boxes from a score of",
        elem_id="threshold",
        visible=HIDE,
    )
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
    return _Asked(image, threshold, label, slices)


def _told(gr: ModuleType, service: Service) -> _Told:
    words = service.kind.page
    card = gr.HTML(page.IDLE, elem_id="answer", padding=False)
    second_image = gr.Image(
        label=words.shown,
        interactive=False,
        alt_text=words.alt_text,
        elem_id="heat",
        buttons=["download", "fullscreen"],
        height=340,
        visible=HIDE,
    )
    with gr.Group(visible=HIDE) as ask:
        truth = _choice(gr, service)(service.labels, label=words.question, elem_id="truth")
        send = gr.Button("Send feedback", variant="primary", elem_id="send")
        thanks = gr.Markdown("", elem_id="thanks")
    return _Told(card, second_image, ask, truth, send, thanks)


def _choice(gr: ModuleType, service: Service) -> Any:
    """What feedback is given with: one label, or any number."""
    return gr.Radio if service.kind.exclusive else gr.CheckboxGroup


def _lowest(service: Service) -> float:
    """Where the slider starts: the lowest threshold of a class."""
    return max(FLOOR, round(min(service.predictor.calibration.thresholds, default=0.5), 2))


class _Handlers:
    """What happens when something is given or changed.

    Args:
        gr: The module ``gradio``.
        service: That answers.
        calls: The endpoints, by name.
    """

    def __init__(self, gr: ModuleType, service: Service, calls: Calls) -> None:
        self._gr, self._service = gr, service
        self._start = _lowest(service)
        self._calls = {name: for_page(gr, call) for name, call in calls.items()}
        handlers = (_Handlers.answered, _Handlers.explained, _Handlers.redrawn, _Handlers.feedback)
        for handler in handlers:
            handler.__annotations__["request"] = gr.Request  # its type asks for who is asking

    def answered(self, path: str | None, slices: object, request: object) -> dict[str, Any] | None:
        """Nothing for an image that was taken away, which is an input too."""
        return self._calls["predict"](path, slices, request) if path else None

    def explained(self, path: str | None, label: str, request: object) -> Any:
        """What speaks for the answer, or for a label."""
        return self._calls["explain"](path, label, request) if path else None

    def redrawn(
        self, path: str, answer: dict[str, Any], threshold: float, label: str, request: object
    ) -> tuple[Any, str]:
        """Other boxes of the same answer; the model is not asked again."""
        least = None if abs(threshold - self._start) < 1e-9 else threshold
        has_answer = bool(path and answer)
        image = self._calls["drawn"](path, answer, least, label, request) if has_answer else None
        return image, page.answer_card(answer, least)

    def show(self, answer: dict[str, Any] | None) -> tuple[Any, ...]:
        """The answer in words, and what can be asked and said of it."""
        gr, service, answer = self._gr, self._service, answer or {}
        return (
            page.answer_card(answer),
            answer.get("request_id", ""),
            gr.Group(visible=visible_if(answer and service.log is not None)),
            _choice(gr, service)(value=None if service.kind.exclusive else []),
            "",
            gr.Slider(value=self._start, visible=visible_if(answer and service.kind.boxes)),
            gr.Dropdown(value="", visible=visible_if(answer and not service.kind.scored)),
        )

    def feedback(self, request_id: str, truth: object, request: object) -> Any:
        """Thanks, or why it could not be kept."""
        return self._calls["feedback"](request_id, truth, request)


def _name_endpoints(endpoint: Any, calls: Calls, asked: _Asked, told: _Told, kept: _Kept) -> None:
    """What programs call: a button that nobody sees gives each its name and its inputs."""
    image = asked.image
    endpoint.click(calls["predict"], [image, asked.slices], kept.answer, api_name="predict")
    endpoint.click(calls["explain"], [image, asked.label], told.second_image, api_name="explain")
    given = [kept.request_id, told.truth]
    endpoint.click(calls["feedback"], given, told.thanks, api_name="feedback")


def _connect(
    gr: ModuleType, handlers: _Handlers, boxes: bool, asked: _Asked, told: _Told, kept: _Kept
) -> None:
    """What follows what on the page."""
    draw: Callable[..., Any]
    if boxes:
        draw, given = handlers.redrawn, [asked.image, kept.answer, asked.threshold, asked.label]
        drawn = [told.second_image, told.card]
        again = [asked.threshold.input, asked.label.input]  # no release is told of by keyboard
    else:
        draw, given = handlers.explained, [asked.image, asked.label]
        drawn, again = [told.second_image], [asked.label.input]
    for changed in again:
        changed(draw, given, drawn, trigger_mode="always_last", **HIDDEN)
    shown = [
        told.card,
        kept.request_id,
        told.ask,
        told.truth,
        told.thanks,
        asked.threshold,
        asked.label,
    ]
    # Its input is told of before an image that is taken away is gone; of examples there is none.
    (
        asked.image.change(handlers.answered, [asked.image, asked.slices], kept.answer, **HIDDEN)
        .success(handlers.show, kept.answer, shown, **HIDDEN)
        .success(
            lambda answer: gr.Image(visible=visible_if(answer)),
            kept.answer,
            told.second_image,
            **HIDDEN,
        )
        .success(draw, given, drawn, **HIDDEN)
    )
    feedback = [kept.request_id, told.truth]
    told.send.click(handlers.feedback, feedback, told.thanks, **HIDDEN)
