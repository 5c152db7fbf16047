"""The functions behind the endpoints; their docstrings are the documentation of the API.

Gradio shows one line of an argument, and joins those of ``Returns`` with commas.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from hf_vft.data.sources.archives import unpack
from hf_vft.data.sources.folders import is_picture_name, visible_files
from hf_vft.errors import DataError, ModelError
from hf_vft.serving.batcher import RateLimit
from hf_vft.serving.service import Service

CONCURRENT = 32
"""Requests that are read and decoded at a time; the model sees them as batches."""

MAX_FILES = 500
"""Pictures of one batch."""

ZIP_BYTES = 500 << 20
"""Of an upload, and of what a zip may unpack to."""


class Endpoints:
    """The endpoints of a service; a refusal is a message, never a traceback.

    Args:
        gr: Gradio.
        service: What answers.
        limit: How much one caller may ask.
        behind_proxy: Whether callers are told apart by the X-Forwarded-For of a proxy.
    """

    def __init__(
        self, gr: Any, service: Service, limit: RateLimit, *, behind_proxy: bool = False
    ) -> None:
        self._gr = gr
        self._service = service
        self._limit = limit
        self._behind_proxy = behind_proxy

    def functions(self) -> dict[str, Callable[..., Any]]:
        """By name, what Gradio calls."""
        found: list[Callable[..., Any]] = [
            self.predict,
            self.explain,
            self.predict_batch,
            self.feedback,
        ]
        for call in found:  # Gradio hands the request to who asks for it by type
            call.__annotations__["request"] = self._gr.Request
        return {call.__name__: call for call in found}

    def predict(
        self, picture: str, slices: dict[str, Any] | None = None, request: Any = None
    ) -> dict[str, Any]:
        """Say what a picture shows.

        Args:
            picture: The picture file.
            slices: Values of the run's slice columns, such as {"camera": "top"}; they are logged.
            request: Who asks.

        Returns:
            request_id, which feedback takes
            one label a picture has: label, calibrated confidence, sure, reason and scores
            (what is not sure counts as no answer)
            several labels have: labels and scores
            boxes have: objects, each with label, score, box in pixels and whether it is answered
        """
        with self._asked(request):
            return self._service.predict(_given(picture), slices).as_dict()

    def explain(self, picture: str, label: str | None = None, request: Any = None) -> Any:
        """Show why: which parts of a picture speak for a label, or the boxes that were found.

        Args:
            picture: The picture file.
            label: One of the model's labels; empty for the answer itself.
            request: Who asks.

        Returns:
            The picture with a heat map or boxes over it.
        """
        with self._asked(request):
            return self._service.explain(_given(picture), label or None)

    def predict_batch(
        self, files: list[str], slices: dict[str, Any] | None = None, request: Any = None
    ) -> list[dict[str, Any]]:
        """Say what many pictures show.

        Args:
            files: Picture files, or zip files of pictures; at most 500 pictures.
            slices: Values of the run's slice columns, the same for all pictures.
            request: Who asks.

        Returns:
            A row a picture: file, and the fields of /predict, or error.
        """
        with self._asked(request, 0), tempfile.TemporaryDirectory(prefix="hf-vft-") as scratch:
            found = _pictures(files, Path(scratch))
            self._count(request, len(found))
            answers = self._service.predict_many([path for _, path in found], slices)
        return [
            {"file": name}
            | ({"error": str(answer)} if isinstance(answer, DataError) else answer.as_dict())
            for (name, _), answer in zip(found, answers, strict=True)
        ]

    def feedback(self, request_id: str, label: Any, request: Any = None) -> str:
        """Say what a picture really shows; it becomes a label of the production log.

        Args:
            request_id: Of the answer.
            label: One of the model's labels; where there can be several, a list of all.
            request: Who asks.

        Returns:
            A word of thanks.
        """
        with self._asked(request):
            self._service.feedback(request_id or "", label or "")
        told = label if isinstance(label, str) else ", ".join(label or ())
        return f"Thank you: kept as {escape(told or 'none of the labels')}."

    @contextmanager
    def _asked(self, request: Any, cost: int = 1) -> Iterator[None]:
        try:
            self._count(request, cost)
            yield
        except (DataError, ModelError) as error:
            raise self._gr.Error(escape(str(error)), print_exception=False) from None

    def _count(self, request: Any, cost: int) -> None:
        if cost and not self._limit.allows(self._caller(request), cost):
            raise DataError(f"too many requests: {self._limit.per_minute} a minute are allowed.")

    def _caller(self, request: Any) -> str:
        """The address that asks; behind a proxy, which asks for everybody, the one it names."""
        named = request.headers.get("x-forwarded-for", "") if request is not None else ""
        if self._behind_proxy and named:
            return str(named).split(",")[0].strip()
        return getattr(getattr(request, "client", None), "host", "?")


def _given(path: str | None) -> str:
    if not path:
        raise DataError("there is no picture.")
    return path


def _pictures(files: Sequence[str] | None, scratch: Path) -> list[tuple[str, Path]]:
    """Name and path of every picture; zip files are unpacked within their limits."""
    found: list[tuple[str, Path]] = []
    for file in map(Path, files or []):
        if file.suffix.lower() == ".zip":
            folder = unpack(file, scratch, max_bytes=ZIP_BYTES, max_files=4 * MAX_FILES)
            inside = [path for path in visible_files(folder) if is_picture_name(path)]
            found += [(str(path.relative_to(folder)), path) for path in inside]
        else:
            found.append((file.name, file))
    if not found:
        raise DataError("there are no pictures.")
    if len(found) > MAX_FILES:
        raise DataError(f"{len(found):,} pictures are too many; the limit is {MAX_FILES}.")
    return found
