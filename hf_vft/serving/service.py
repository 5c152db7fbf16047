"""What the app does, without its page: answer, explain, log, take feedback."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, TypeVar

import torch
from PIL import Image

from hf_vft.answers import answer_kind
from hf_vft.data.images import Decoded, read_image_bytes
from hf_vft.data.transforms.images import eval_transform
from hf_vft.errors import DataError, LogError
from hf_vft.explain.anomalies import draw_anomalies
from hf_vft.explain.draw_boxes import draw_boxes
from hf_vft.explain.heatmap import heat_map
from hf_vft.explain.overlay import Frame, on_image, overlay, reduced, seen_frame
from hf_vft.inference.log_rows import ImageInfo, Recorder
from hf_vft.inference.predictor import Outputs, Predictor
from hf_vft.records import LogWriter, ProductionLog
from hf_vft.records.vocabulary import nearest_class
from hf_vft.run import RunDirectory
from hf_vft.serving.abstention import abstention
from hf_vft.serving.answer import Answer
from hf_vft.serving.batcher import Batcher
from hf_vft.serving.decode_memory import DecodingMemory
from hf_vft.serving.large_images import model_input
from hf_vft.serving.limits import MB, Limits
from hf_vft.serving.stoppable import Stoppable
from hf_vft.tasks import DetectedObject, Prediction

Used = TypeVar("Used")
_LONGEST_VALUE = 200
_SOURCE = "feedback"
_REMEMBERED = 10_000
"""Answers whose feedback needs no look into the log."""

_REQUEST = re.compile(r"[0-9a-f]{32}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """What waits for the model; of the file only what is still needed."""

    pixels: torch.Tensor
    shown: ImageInfo
    since: float
    content: bytes | None = None
    note: str = ""


class Service:
    """A model that answers, and keeps a log of it.

    Args:
        run: Finished.
        log: Folder of the production log; None keeps none.
        keep_images: Whether the images are kept beside the log.
        embeddings: Share of the images whose embedding is logged, 0 to 1; the monitor compares
            at most 3,000 of a window.
        roll_seconds: Time after which what was logged is Parquet that other tools read.
        top: Labels of an answer.
        limits: How much memory and time images may take.
    """

    def __init__(
        self,
        run: RunDirectory,
        *,
        log: Path | None = None,
        keep_images: bool = False,
        embeddings: float = 1.0,
        roll_seconds: float = 60.0,
        top: int = 5,
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> None:
        self.limits = limits
        self.run = run
        self.predictor = Predictor(run)
        self.task = self.predictor.task
        self.labels = self.predictor.labels
        self.slice_columns = tuple(self.predictor.recipe.data.slice_columns)
        self.kind = answer_kind(self.task.name)
        self.abstention = abstention(run) if self.kind.abstains else None
        self.keep_images = keep_images
        self.unlogged = 0
        self._answered: dict[str, None] = {}
        self.top = top
        self.log = ProductionLog(log) if log else None
        self._writer = (
            self.log.writer(slices=self.slice_columns, roll_seconds=roll_seconds)
            if self.log
            else None
        )
        self._recorder = Recorder(self.predictor, sample=embeddings)
        self._decoding = DecodingMemory(limits.decoding_mb * MB, wait=limits.wait_seconds)
        self._maps = BoundedSemaphore(limits.maps_at_a_time)
        self._stoppable = Stoppable()
        # The first pass of a model takes far longer than those after it.
        self.predictor.outputs([Image.new("RGB", (64, 64))])
        self._batcher: Batcher[_Asked, Answer] = Batcher(self._answer)

    def predict(self, path: str | Path, slices: Mapping[str, Any] | None = None) -> Answer:
        """Answer an image file. When this returns, the answer is in the log.

        Args:
            path: The image.
            slices: Values of the run's slice columns, such as the camera; they are logged.

        Raises:
            DataError: If the file is no image, or too large, or there is no such column.
        """
        return self._submitted(path, self._checked(slices)).result()

    def predict_many(
        self, paths: Sequence[str | Path], slices: Mapping[str, Any] | None = None
    ) -> list[Answer | DataError]:
        """Answer several; one that cannot be read is an error in its place."""
        waiting: list[Future[Answer] | DataError] = []
        checked = self._checked(slices)
        for path in paths:
            try:
                waiting.append(self._submitted(path, checked))
            except DataError as error:
                waiting.append(error)
        return [future if isinstance(future, DataError) else future.result() for future in waiting]

    def explain(self, path: str | Path, label: str | None = None) -> Image.Image:
        """The image with what speaks for a label over it, by default for the best one.

        A detector shows the boxes that it answers with, of the label or of all.

        Raises:
            DataError: If the file is no image, or there is no such label.
            ModelError: If the model keeps no map of the image.
        """
        if label:
            self._check_labels([label])
        pixels, image, size, seen = self._decoded(self._content(path), self._prepared)
        with self._maps:
            outputs = self.predictor.outputs_of([pixels])
            if self.kind.boxes:
                boxes = self.predictor.answers(outputs, [size])[0].answered
                shown = [box for box in boxes if label in (None, "", box.label)]
                return draw_boxes(image, shown, self.labels, size=size)
            if self.kind.scored:
                heat = self.predictor.answers(outputs, [size])[0].heat
                return image if heat is None else draw_anomalies(image, heat)
            target = self.labels.index(label) if label else int(outputs.logits[0].argmax())
            heat = heat_map(self.predictor.model, pixels, target)
            return overlay(image, on_image(heat, seen, image.size))

    def drawn(self, path: str | Path, objects: Sequence[DetectedObject]) -> Image.Image:
        """The image with boxes over it."""
        image, size = self._decoded(
            self._content(path), lambda decoded: (reduced(decoded.image), decoded.image.size)
        )
        return draw_boxes(image, objects, self.labels, size=size)

    def feedback(self, request_id: str, label: str | Sequence[str]) -> None:
        """Take what a person says is true; it is a delayed label of the log.

        Args:
            request_id: Of the answer.
            label: The class; all that are in the image, maybe none, where there can be several.

        Raises:
            DataError: If the request or a label cannot be one of ours, or no log is kept.
        """
        if self._writer is None:
            raise DataError("no log is kept here, so feedback has no place to go.")
        if not _REQUEST.fullmatch(request_id) or not self._is_known(request_id):
            raise DataError("this is no request_id of an answer.")
        named = self.kind.told([label] if isinstance(label, str) else list(label), self.labels)
        self._check_labels(named)
        row = {"request_id": request_id, "label": self.kind.joined(named), "source": _SOURCE}
        try:
            self._writer.append_labels([row])
        except LogError as error:
            raise DataError(f"the feedback could not be kept: {error}") from None

    def _is_known(self, request_id: str) -> bool:
        """Whether there was such a request: lately, or in the log of a server before this one."""
        if request_id in self._answered:
            return True
        if self.log is None or not ProductionLog.is_log(self.log.folder):
            return False
        return bool((self.log.read(columns=["request_id"])["request_id"] == request_id).any())

    def until_stopped(self, work: Callable[[], Used]) -> Used:
        """What work gives, or its exception.

        Raises:
            DataError: If the server stops before that: the work is given up, and its caller told.
        """
        return self._stoppable.result_of(work)

    def refuse_waiting(self) -> None:
        """Refuse whoever waits for work or for memory, and who would from now on."""
        self._decoding.refuse_waiting()
        self._stoppable.stop()

    def close(self) -> None:
        """Turn the journal into parts."""
        if self._writer:
            self._writer.close()

    def _submitted(self, path: str | Path, slices: Mapping[str, str]) -> Future[Answer]:
        asked = self._asked(path, slices)
        self._stoppable.check()  # the log has no answer to what has been refused
        return self._batcher.submit(asked)

    def _asked(self, path: str | Path, slices: Mapping[str, str]) -> _Asked:
        since = time.monotonic()
        content = self._content(path)
        name = Path(path).name[:_LONGEST_VALUE]

        def asked(decoded: Decoded) -> _Asked:
            shown = ImageInfo.of(decoded.image, content, file=name, slices=slices)
            stored = content if self.keep_images else None
            return _Asked(self._pixels(decoded.image), shown, since, stored, decoded.note)

        return self._decoded(content, asked)

    def _pixels(self, image: Image.Image) -> torch.Tensor:
        """What the model takes of an image, ``[3, H, W]``; a large image is used up."""
        processor = self.predictor.processor
        return model_input(eval_transform(processor), processor, image)

    def _decoded(self, content: bytes, use: Callable[[Decoded], Used]) -> Used:
        """What is needed of an image: it is gone itself before its memory is another's."""
        with self._decoding.room_for(content):
            return use(self._read(content))

    def _prepared(
        self, decoded: Decoded
    ) -> tuple[torch.Tensor, Image.Image, tuple[int, int], Frame]:
        """What the model takes, what is shown, the size, and which part of it the model sees."""
        predictor, whole = self.predictor, decoded.image
        size, image = whole.size, reduced(whole)
        left, top, right, bottom = seen_frame(predictor.transform, predictor.processor, size)
        x, y = image.width / size[0], image.height / size[1]
        return self._pixels(whole), image, size, (left * x, top * y, right * x, bottom * y)

    def _checked(self, slices: Mapping[str, Any] | None) -> dict[str, str]:
        """Slice values as the log takes them.

        Raises:
            DataError: If a column is not one of the run's.
        """
        if slices is not None and not isinstance(slices, Mapping):
            raise DataError('slices: give a JSON object, such as {"camera": "top"}.')
        named = {str(name): value for name, value in (slices or {}).items()}
        for name in named:
            if name not in self.slice_columns:
                known = ", ".join(self.slice_columns) or "none"
                raise DataError(f"slices: there is no column {name[:100]!r}; the run has {known}.")
        return {name: str(v)[:_LONGEST_VALUE] for name, v in named.items() if v not in (None, "")}

    def _check_labels(self, labels: Sequence[str]) -> None:
        for label in labels:
            if label not in self.labels:
                near, _ = nearest_class(label[:100], self.labels)
                meant = f"; did you mean {near!r}?" if near else "."
                raise DataError(
                    f"there is no label {label[:100]!r} among {len(self.labels)}{meant}"
                )

    def _content(self, path: str | Path) -> bytes:
        return read_image_bytes(path, max_bytes=self.limits.file_mb * MB)

    def _read(self, content: bytes) -> Decoded:
        decoder = self.predictor.decoder
        most = min(self.limits.image_megapixels * 1_000_000, decoder.max_pixels)
        return replace(decoder, max_pixels=most).read(content)

    def _answer(self, asked: Sequence[_Asked]) -> list[Answer]:
        outputs = self.predictor.outputs_of([request.pixels for request in asked])
        predictions = self.predictor.answers(outputs, [request.shown.size for request in asked])
        answers = [self._served(*pair) for pair in zip(asked, predictions, strict=True)]
        if self._writer is not None:
            try:
                self._record(self._writer, asked, outputs)
            except Exception:  # noqa: BLE001  # a log that fails must not take the answers with it
                self.unlogged += len(asked)
                _log.exception("The production log could not be written.")
        return answers

    def _record(self, writer: LogWriter, asked: Sequence[_Asked], outputs: Outputs) -> None:
        now = time.monotonic()
        shown = [
            replace(request.shown, latency_ms=1000 * (now - request.since)) for request in asked
        ]
        writer.append(self._recorder.rows(shown, outputs))
        self._answered |= dict.fromkeys(request.request_id for request in shown)
        while len(self._answered) > _REMEMBERED:
            del self._answered[next(iter(self._answered))]
        for request in asked:
            if request.content is not None:
                writer.keep_image(
                    request.shown.request_id, request.content, request.shown.properties["format"]
                )

    def _served(self, asked: _Asked, prediction: Prediction) -> Answer:
        raised = self.predictor.alarms.raised(prediction.scores, self.labels)
        answer = Answer(
            asked.shown.request_id,
            prediction.labels,
            prediction.best(self.labels, self.top),
            prediction.objects,
            note=asked.note,
            region=prediction.region,
            alarms=raised if self.predictor.alarms else None,
        )
        if self.abstention is None:
            return answer
        doubt = self.predictor.alarms.doubt(prediction.scores, self.labels, prediction.labels[0])
        if doubt:
            return replace(answer, sure=False, reason=doubt)
        sure = prediction.confidence >= self.abstention.threshold
        reason = "" if sure else self.abstention.reason(prediction.confidence)
        return replace(answer, sure=sure, reason=reason)
