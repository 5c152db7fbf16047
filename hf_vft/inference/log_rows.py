"""An image and its answer as a row of the production log.

The server, the monitor of a folder and the reference that ``fit`` writes all come through here:
what is compared was measured in the same way.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image
from scipy.special import entr, logsumexp

from hf_vft.data.image_properties import image_properties
from hf_vft.data.images import image_header
from hf_vft.evaluation.calibration import probabilities
from hf_vft.inference.predictor import Outputs, Predictor
from hf_vft.models.processors import settings_of
from hf_vft.records import FULL_PROBABILITIES, TOP_PROBABILITIES, join_names
from hf_vft.tasks import DetectedObject, Prediction

AREA_QUANTILES = (0.1, 0.5, 0.9)

EMBEDDING_SIZE = 512
"""Longer embeddings are projected to so many numbers."""


@dataclass(frozen=True)
class ImageInfo:
    """An image that the model was shown, without its pixels: many may be waiting.

    Attributes:
        properties: What is kept of the image, by column of the log.
        file: Its name.
        slices: The user's columns.
        latency_ms: From the request to the answer.
        request_id: Made up where none is given.
        ts_utc: Now, where none is given.
    """

    properties: Mapping[str, Any]
    file: str | None = None
    slices: Mapping[str, Any] = field(default_factory=dict)
    latency_ms: float | None = None
    request_id: str = field(default_factory=lambda: uuid4().hex)
    ts_utc: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, image: Image.Image, content: bytes | None = None, **known: Any) -> ImageInfo:
        """Measure an image.

        Args:
            image: Decoded, RGB.
            content: The file, where there was one.
            known: Other attributes.
        """
        return cls({**file_columns(content), **image_properties(image)}, **known)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.properties["width"], self.properties["height"]


class Recorder:
    """Makes the rows of one model.

    Args:
        predictor: Of the model.
        sample: Share of the images whose embedding is kept.
    """

    def __init__(self, predictor: Predictor, *, sample: float = 1.0) -> None:
        self.sample = sample
        self._predictor = predictor
        self.identity = {
            "model_hash": predictor.run.model_hash(),
            "preprocessing_hash": preprocessing_hash(
                predictor.run.model, predictor.processor, predictor.decoder.bit_depth
            ),
            "task": predictor.task.name,
        }

    def rows(self, shown: Sequence[ImageInfo], outputs: Outputs) -> list[dict[str, Any]]:
        """What `hf_vft.records.LogWriter.append` takes, one row an image."""
        answers = self._answers(shown, outputs)
        rows = [
            {
                "request_id": one.request_id,
                "ts_utc": one.ts_utc,
                **self.identity,
                "file": one.file,
                **one.properties,
                **answer,
                "latency_ms": one.latency_ms,
                **one.slices,
            }
            for one, answer in zip(shown, answers, strict=True)
        ]
        if outputs.embeddings is not None:
            for row, embedding in zip(rows, reduce_embeddings(outputs.embeddings), strict=True):
                if is_sampled(row["request_id"], self.sample):
                    row["embedding"] = embedding
        return rows

    def _answers(self, shown: Sequence[ImageInfo], outputs: Outputs) -> list[dict[str, Any]]:
        predictor = self._predictor
        if not predictor.calibration.thresholds:  # the best class is the answer
            return answer_columns(outputs.logits, predictor.temperature, predictor.labels)
        sizes = [one.size for one in shown]
        found = predictor.answers(outputs, sizes)
        return [several_columns(one, size) for one, size in zip(found, sizes, strict=True)]


def answer_columns(
    logits: np.ndarray, temperature: float, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Single-label answers as columns of `hf_vft.records.PREDICTIONS`.

    Args:
        logits: ``[N, C]``, before the temperature.
        temperature: Of the run.
        labels: The C classes.
    """
    probs = probabilities(logits, temperature)
    order = np.argsort(-probs, axis=1, kind="stable")
    best = np.take_along_axis(probs, order, 1)
    entropy, energy = entr(probs).sum(1), -logsumexp(logits, axis=1)
    rows = []
    for i in range(len(probs)):
        row = {
            "predicted": labels[order[i, 0]],
            "confidence": best[i, 0],
            "margin": best[i, 0] - (best[i, 1] if best.shape[1] > 1 else 0.0),
            "entropy": entropy[i],
            "energy": energy[i],
            "probabilities": probs[i],
        }
        if len(labels) > FULL_PROBABILITIES:
            row["probabilities"] = best[i, :TOP_PROBABILITIES]
            row["top_labels"] = [labels[k] for k in order[i, :TOP_PROBABILITIES]]
            row["rest"] = best[i, TOP_PROBABILITIES:].sum()
        rows.append(row)
    return rows


def several_columns(prediction: Prediction, size: tuple[int, int]) -> dict[str, Any]:
    """Several labels, or boxes, as columns of `hf_vft.records.PREDICTIONS`.

    Args:
        prediction: Of the image.
        size: Its width and height in pixels.
    """
    row: dict[str, Any] = {
        "predicted": join_names(prediction.labels),
        "confidence": prediction.confidence,
        "probabilities": prediction.scores,
        "count": len(prediction.labels),
    }
    if prediction.objects is None:
        return row
    boxes = [box_columns(found) for found in prediction.answered]
    row["boxes"] = boxes
    if boxes:
        scores = [box["score"] for box in boxes]
        areas = [box["width"] * box["height"] / (size[0] * size[1]) for box in boxes]
        row |= {"mean_score": float(np.mean(scores)), "max_score": max(scores)}
        row["area_quantiles"] = np.quantile(areas, AREA_QUANTILES)
    return row


def box_columns(found: DetectedObject) -> dict[str, Any]:
    """A box as the log has it."""
    left, top, right, bottom = found.box
    place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**place, "score": found.score, "label": found.label}


def file_columns(content: bytes | None) -> dict[str, Any]:
    """Size and format of an image file that was decoded already."""
    if content is None:
        return {}
    return {"bytes": len(content), "format": image_header(content)[0]}


def reduce_embeddings(embeddings: np.ndarray) -> np.ndarray:
    """``[N, D]`` to ``[N, min(D, EMBEDDING_SIZE)]`` by a fixed random projection.

    It needs no training data and keeps distances within a few per cent (Johnson & Lindenstrauss
    1984); a reduction learned from a reference would not see what the reference does not have.
    """
    size = embeddings.shape[1]
    if size <= EMBEDDING_SIZE:
        return embeddings
    # The bit generator named, so that it stays the same with every version of NumPy.
    directions = np.random.Generator(np.random.PCG64(size)).standard_normal((size, EMBEDDING_SIZE))
    projected: np.ndarray = embeddings @ (directions / EMBEDDING_SIZE**0.5).astype(np.float32)
    return projected


def is_sampled(request_id: str, share: float) -> bool:
    """The same answer for the same request, wherever it is asked."""
    return zlib.crc32(request_id.encode()) < share * 2**32


def preprocessing_hash(folder: Path, processor: Any, bit_depth: int) -> str:
    """Of the processor's settings, the library that does the work and the bit depth of the files.

    Answers differ by each of them.
    """
    settings = settings_of(folder, processor)
    backend = str(getattr(processor, "backend", "")).encode()
    depth = b"" if bit_depth == 16 else f"|{bit_depth}".encode()
    return f"p{hashlib.sha256(settings + b'|' + backend + depth).hexdigest()[:16]}"
