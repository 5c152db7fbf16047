"""The functions behind the endpoints; their docstrings are the documentation of the API.

Gradio shows one line of an argument, and joins those of ``Returns`` with commas.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from html import escape
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from hf_vft.data.sources.archives import count_images, unpack
from hf_vft.data.sources.folders import is_image_name, visible_files
from hf_vft.errors import DataError, ModelError
from hf_vft.serving.answer import Answer, boxes_of, over
from hf_vft.serving.batcher import RateLimit
from hf_vft.serving.file_access import UploadFolder
from hf_vft.serving.gate import GateState
from hf_vft.serving.limits import MB
from hf_vft.serving.service import Service
from hf_vft.serving.stoppable import STOPPING

FAILED = "the server could not do that; its own log says why."
NO_IMAGE = "no image by its name, so it was left out."
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Endpoints:
    """The endpoints of a service; a refusal is a message, never a traceback.

    Args:
        gr: Gradio.
        service: What answers.
        uploads: Where the files are that callers may name.
        gate: Knows who asks.
    """

    def __init__(
        self, gr: ModuleType, service: Service, uploads: UploadFolder, gate: GateState
    ) -> None:
        self._gr = gr
        self._service = service
        self._limits = service.limits
        self._limit = RateLimit(service.limits.per_minute)
        self._uploads = uploads
        self._gate = gate

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions that Gradio calls, by name."""
        calls: list[Callable[..., Any]] = [
            self.predict,
            self.explain,
            self.predict_batch,
            self.feedback,
            self.drawn,
        ]
        for call in calls:  # Gradio hands the request to who asks for it by type
            call.__annotations__["request"] = self._gr.Request
        return {call.__name__: call for call in calls}

    def predict(
        self, image: str, slices: dict[str, Any] | None = None, request: object = None
    ) -> dict[str, Any]:
        """Say what an image shows.

        Args:
            image: The image file.
            slices: Values of the run's slice columns, such as {"camera": "top"}; they are logged.
            request: Who asks.

        Returns:
            request_id, which feedback takes
            one label an image has: label, calibrated confidence, sure, reason and scores
            (what is not sure counts as no answer)
            several labels have: labels and scores
            good or an anomaly has: label, anomaly, score, threshold and the box of the hottest
            region
            alarms, where the run has thresholds by cost: label, score, threshold and reason of each
            boxes have: objects, each with label, score, box in pixels and whether it is answered
        """
        return self._answered(
            request, lambda: self._service.predict(self._given(image), slices).as_dict()
        )

    def explain(self, image: str, label: str | None = None, request: object = None) -> Any:
        """Show why: which parts of an image speak for a label, or the boxes that were found.

        Args:
            image: The image file.
            label: One of the model's labels; empty for the answer itself.
            request: Who asks.

        Returns:
            The image with a heat map or boxes over it.
        """
        return self._answered(
            request, lambda: self._service.explain(self._given(image), _text(label) or None)
        )

    def predict_batch(
        self, files: list[str], slices: dict[str, Any] | None = None, request: object = None
    ) -> list[dict[str, Any]]:
        """Say what many images show.

        Args:
            files: Image files, or zip files of images; the server limits how many.
            slices: Values of the run's slice columns, the same for all images.
            request: Who asks.

        Returns:
            A row a file: file, and the fields of /predict, or error.
        """

        def rows() -> list[dict[str, Any]]:
            with tempfile.TemporaryDirectory(prefix="zip-", dir=self._uploads.path) as scratch:
                files_of_images = self._images(files, Path(scratch), request)
                images = [path for _, path in files_of_images if path is not None]
                answers = iter(self._service.predict_many(images, slices))
                return [
                    {"file": name} | (_row(next(answers)) if path else {"error": NO_IMAGE})
                    for name, path in files_of_images
                ]

        return self._answered(request, rows, 0)

    def feedback(self, request_id: str, label: str | list[str], request: object = None) -> str:
        """Say what an image really shows; it becomes a label of the production log.

        Args:
            request_id: Of the answer.
            label: One of the model's labels; where there can be several, a list of all.
            request: Who asks.

        Returns:
            A word of thanks.
        """

        def thanks() -> str:
            several = isinstance(label, list | tuple)
            names = [_text(name) for name in label] if several else _text(label)
            self._service.feedback(_text(request_id), names)
            text = names if isinstance(names, str) else ", ".join(names)
            return f"Thank you: kept as {text or 'none of the labels'}."

        return self._answered(request, thanks)

    def drawn(
        self,
        image: str,
        answer: dict[str, Any],
        threshold: float | None,
        only: str,
        request: object = None,
    ) -> Any:
        """Boxes of an answer over its image, from a score on; for the page alone."""

        def picture() -> Any:
            boxes = [box for box in over(boxes_of(answer), threshold) if only in ("", box.label)]
            return self._service.drawn(self._given(image), boxes)

        return self._answered(request, picture)

    def _answered(self, request: object, work: Callable[[], Result], cost: int = 1) -> Result:
        """What work gives; what it takes longer for than the server lives is refused."""
        try:
            if self._gate.refusing:
                raise DataError(STOPPING)
            self._count(request, cost)
            return self._service.until_stopped(work)
        except (DataError, ModelError) as error:
            raise self._gr.Error(self._told(error), print_exception=False) from None
        except Exception:  # noqa: BLE001  # told in our log, in no words of a library to callers
            _log.exception("A request failed.")
            raise self._gr.Error(FAILED, print_exception=False) from None

    def _told(self, error: Exception) -> str:
        """What is wrong, without where things lie on this machine."""
        text, log = str(error), self._service.log
        folders = [self._uploads.path, self._service.run.path, *([log.folder] if log else [])]
        parents = {str(path.parent) for folder in folders for path in (folder, folder.resolve())}
        for parent in sorted(parents - {".", "/"}, key=len, reverse=True):
            text = text.replace(f"{parent}/", "")
        return text

    def _count(self, request: object, cost: int) -> None:
        caller = self._gate.caller(getattr(request, "headers", {}))
        if cost and not self._limit.allows(caller, cost):
            raise DataError(f"too many requests: {self._limit.per_minute} a minute are allowed.")

    def _given(self, path: str | None) -> Path:
        if not path:
            raise DataError("there is no image.")
        return self._uploads.admitted(path)

    def _images(
        self, files: Sequence[str] | None, scratch: Path, request: object
    ) -> list[tuple[str, Path | None]]:
        """Name and path of every file, None for what is no image in a zip.

        Zip files are unpacked once their images are counted.
        """
        admitted = [self._uploads.admitted(file) for file in files or []]
        most = self._limits.batch_images
        zips = {file for file in admitted if file.suffix.lower() == ".zip"}
        with _named(zips, scratch):
            expected = sum(count_images(file) if file in zips else 1 for file in admitted)
            if not expected:
                raise DataError("there are no images.")
            if expected > most:
                raise DataError(f"{expected:,} images are too many; the limit is {most}.")
            self._count(request, expected)
            images: list[tuple[str, Path | None]] = []
            for file in admitted:
                if file in zips:
                    folder = unpack(
                        file, scratch, max_bytes=self._limits.upload_mb * MB, max_files=4 * most
                    )
                    images += [
                        (str(path.relative_to(folder)), path if is_image_name(path) else None)
                        for path in visible_files(folder)
                    ]
                else:
                    images.append((file.name, file))
        return images


def _row(answer: Answer | DataError) -> dict[str, Any]:
    return {"error": str(answer)} if isinstance(answer, DataError) else answer.as_dict()


def for_page(gr: ModuleType, call: Callable[..., Any]) -> Callable[..., Any]:
    """An endpoint as the page calls it: what it says in words is safe to show as HTML.

    Programs are told the same without escapes: they show it in their own way.
    """

    @wraps(call)
    def escaped(*given: object) -> Any:
        try:
            result = call(*given)
        except gr.Error as error:
            raise gr.Error(escape(error.message), print_exception=False) from None
        return escape(result) if isinstance(result, str) else result

    return escaped


@contextmanager
def _named(files: Iterable[Path], scratch: Path) -> Iterator[None]:
    """Within, an error calls files by their names: where they lie here is nobody's business."""
    try:
        yield
    except DataError as error:
        text = str(error).replace(str(scratch), "the server")
        for file in files:
            text = text.replace(str(file), file.name)
        raise DataError(text) from None


def _text(value: object) -> str:
    """An argument that has to be text.

    Raises:
        DataError: If it is something else.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError("a label or a request_id is a text.")
    return value
