"""What callers are told: plain words for programs, safe ones for the page, no paths for anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hf_vft.errors import DataError
from hf_vft.serving.endpoints import Endpoints, for_page
from hf_vft.serving.file_access import UploadFolder
from hf_vft.serving.gate import GateState
from hf_vft.serving.limits import Limits
from hf_vft.serving.stoppable import STOPPING, Stoppable


class Told(Exception):  # noqa: N818  # as Gradio calls it
    def __init__(self, message: str, **_: Any) -> None:
        super().__init__(message)
        self.message = message


GRADIO = SimpleNamespace(Error=Told, Request=object)


@pytest.fixture
def calls(tmp_path: Path) -> dict[str, Any]:
    def feedback(request_id: str, label: str) -> None:
        if label == "it's <b>":
            raise DataError(f"there is no label 'it's <b>': {tmp_path}/logs/production/x is full")

    service = SimpleNamespace(
        limits=Limits(),
        feedback=feedback,
        until_stopped=Stoppable().result_of,
        log=SimpleNamespace(folder=tmp_path / "logs" / "production"),
        run=SimpleNamespace(path=tmp_path / "run"),
    )
    uploads: Any = SimpleNamespace(path=tmp_path / "uploads")
    return Endpoints(GRADIO, service, uploads, GateState(Limits())).functions()  # type: ignore[arg-type]


def test_a_program_is_told_as_it_is_and_without_paths_of_the_server(
    calls: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(Told) as caught:
        calls["feedback"]("id", "it's <b>")
    assert caught.value.message == "there is no label 'it's <b>': production/x is full"
    assert calls["feedback"]("id", "a & b") == "Thank you: kept as a & b."


def test_the_page_is_told_what_is_safe_as_html(calls: dict[str, Any]) -> None:
    shown = for_page(GRADIO, calls["feedback"])
    with pytest.raises(Told, match="it&#x27;s &lt;b&gt;"):
        shown("id", "it's <b>")
    assert shown("id", "a & b") == "Thank you: kept as a &amp; b."
    assert shown.__annotations__["request"] is object


@pytest.mark.parametrize("name", ["predict", "explain", "predict_batch", "feedback", "drawn"])
def test_whatever_takes_longer_than_the_stop_is_refused_in_words(tmp_path: Path, name: str) -> None:
    """Each endpoint waits in another place: decoding, the model, unpacking, the disk."""
    stoppable, uploads = Stoppable(), UploadFolder(tmp_path)
    begun, never = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        begun.set()
        never.wait()

    works = ("predict", "predict_many", "explain", "feedback", "drawn")
    service: Any = SimpleNamespace(
        limits=Limits(),
        until_stopped=stoppable.result_of,
        log=None,
        run=SimpleNamespace(path=tmp_path / "run"),
        **dict.fromkeys(works, slow),
    )
    image = uploads.path / "a.png"
    image.touch()
    given: dict[str, tuple[Any, ...]] = {
        "predict_batch": ([image],),
        "feedback": ("id", "a"),
        "drawn": (image, {"objects": []}, None, ""),
    }
    call: Callable[..., Any] = Endpoints(GRADIO, service, uploads, GateState(Limits())).functions()[  # type: ignore[arg-type]
        name
    ]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(call, *given.get(name, (image,)))
        assert begun.wait(10)
        stoppable.stop()
        with pytest.raises(Told, match=STOPPING):
            waiting.result(10)
    never.set()
