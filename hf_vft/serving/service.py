"""What the app does, without its page: answer, explain, log, take feedback."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image

from hf_vft.data.images import decode_image, read_image_bytes
from hf_vft.errors import DataError, LogError, ModelError
from hf_vft.evaluation.calibration import probabilities
from hf_vft.explain.heatmap import heat_map
from hf_vft.explain.overlay import on_picture, overlay, seen_frame
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.serving.abstention import abstention
from hf_vft.serving.batcher import Batcher
from hf_vft.serving.predictor import Predictor
from hf_vft.serving.recording import Recorder, Shown
from hf_vft.tasks import ImageClassification

MAX_BYTES = 50 << 20
"""Of an uploaded picture."""

MAX_PIXELS = 50_000_000
_SOURCE = "feedback"
_REQUEST = re.compile(r"[0-9a-f]{32}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """An answer to one picture.

    Attributes:
        request_id: Names it in the log, and for feedback.
        scores: Labels with calibrated probabilities, the best first.
        sure: Whether it reaches the abstention threshold.
        reason: Why it is not sure; empty if it is.
    """

    request_id: str
    scores: tuple[tuple[str, float], ...]
    sure: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """As the endpoints answer."""
        label, confidence = self.scores[0]
        return {
            "request_id": self.request_id,
            "label": label,
            "confidence": round(confidence, 6),
            "sure": self.sure,
            "reason": self.reason,
            "scores": [{"label": n, "score": round(s, 6)} for n, s in self.scores],
        }


@dataclass(frozen=True)
class _Asked:
    image: Image.Image
    content: bytes
    file: str
    since: float
    request_id: str = field(default_factory=lambda: uuid4().hex)


class Service:
    """A model that answers, and keeps a log of it.

    Args:
        run: Finished.
        log: Folder of the production log; None keeps none.
        keep_images: Whether the pictures are kept beside the log.
        top: Labels of an answer.
    """

    def __init__(
        self,
        run: RunDirectory,
        *,
        log: Path | None = None,
        keep_images: bool = False,
        top: int = 5,
    ) -> None:
        self.run = run
        self.predictor = Predictor(run)
        if not isinstance(self.predictor.task, ImageClassification):
            raise ModelError(
                f"{run.path}: only runs with one label a picture are served so far; use `hf-vft "
                f"predict` for {self.predictor.task.name}."
            )
        self.labels = self.predictor.labels
        self.abstention = abstention(run)
        self.keep_images = keep_images
        self.top = top
        self.log = ProductionLog(log) if log else None
        self._writer = self.log.writer() if self.log else None
        self._recorder = Recorder(self.predictor)
        # The first pass of a model takes far longer than those after it.
        self.predictor.outputs([Image.new("RGB", (64, 64))])
        self._batcher: Batcher[_Asked, Prediction] = Batcher(self._answer)

    def predict(self, path: str | Path, name: str | None = None) -> Prediction:
        """Answer a picture file. When this returns, the answer is in the log.

        Raises:
            DataError: If the file is no picture, or too large.
        """
        return self._batcher.submit(self._asked(path, name)).result()

    def predict_many(self, paths: Sequence[str | Path]) -> list[Prediction | DataError]:
        """Answer several; one that cannot be read is an error in its place."""
        waiting: list[Any] = []
        for path in paths:
            try:
                waiting.append(self._batcher.submit(self._asked(path, None)))
            except DataError as error:
                waiting.append(error)
        return [one if isinstance(one, DataError) else one.result() for one in waiting]

    def explain(self, path: str | Path, label: str | None = None) -> Image.Image:
        """The picture with what speaks for a label over it; by default for the answer.

        Raises:
            DataError: If the file is no picture, or there is no such label.
            ModelError: If the model keeps no map of the picture.
        """
        image = self._decode(_content(path))
        if label and label not in self.labels:
            raise DataError(f"there is no label {label[:100]!r}; there are {len(self.labels)}.")
        predictor = self.predictor
        target = self.labels.index(label) if label else int(predictor.logits([image])[0].argmax())
        heat = heat_map(predictor.model, predictor.transform(image), target)
        frame = seen_frame(predictor.transform, predictor.processor, image.size)
        return overlay(image, on_picture(heat, frame, image.size))

    def feedback(self, request_id: str, label: str) -> None:
        """Take what a person says is true; it is a delayed label of the log.

        Raises:
            DataError: If the request or the label cannot be one of ours, or no log is kept.
        """
        if self._writer is None:
            raise DataError("no log is kept here, so feedback has no place to go.")
        if not _REQUEST.fullmatch(request_id):
            raise DataError("this is no request_id of an answer.")
        if label not in self.labels:
            raise DataError(f"there is no label {label[:100]!r}; there are {len(self.labels)}.")
        try:
            self._writer.append_labels(
                [{"request_id": request_id, "label": label, "source": _SOURCE}]
            )
        except LogError as error:
            raise DataError(f"the feedback could not be kept: {error}") from None

    def close(self) -> None:
        """Turn the journal into parts."""
        if self._writer:
            self._writer.close()

    def _asked(self, path: str | Path, name: str | None) -> _Asked:
        since = time.monotonic()
        content = _content(path)
        return _Asked(self._decode(content), content, (name or Path(path).name)[:200], since)

    def _decode(self, content: bytes) -> Image.Image:
        limit = min(MAX_PIXELS, self.predictor.recipe.data.max_pixels)
        return decode_image(content, max_pixels=limit)

    def _answer(self, asked: Sequence[_Asked]) -> list[Prediction]:
        outputs = self.predictor.outputs([one.image for one in asked])
        answers = [
            self._prediction(one, row)
            for one, row in zip(
                asked, probabilities(outputs.logits, self.predictor.temperature), strict=True
            )
        ]
        if self._writer is not None:
            try:
                now = time.monotonic()
                shown = [
                    Shown(
                        one.image,
                        one.content,
                        one.file,
                        latency_ms=1000 * (now - one.since),
                        request_id=one.request_id,
                    )
                    for one in asked
                ]
                self._writer.append(self._recorder.rows(shown, outputs))
                if self.keep_images:
                    for one in asked:
                        suffix = Path(one.file).suffix.strip(".") or "img"
                        self._writer.keep_image(one.request_id, one.content, suffix)
            except Exception:  # noqa: BLE001  # a log that fails must not take the answers with it
                _log.exception("The production log could not be written.")
        return answers

    def _prediction(self, asked: _Asked, row: np.ndarray) -> Prediction:
        order = np.argsort(-row, kind="stable")[: self.top]
        scores = tuple((self.labels[i], float(row[i])) for i in order)
        sure = scores[0][1] >= self.abstention.threshold
        reason = "" if sure else self.abstention.reason(scores[0][1])
        return Prediction(asked.request_id, scores, sure, reason)


def _content(path: str | Path) -> bytes:
    return read_image_bytes(path, max_bytes=MAX_BYTES)
