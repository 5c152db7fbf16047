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
from transformers import BaseImageProcessor

from hf_vft.answers import answer_kind
from hf_vft.data.image_properties import image_properties
from hf_vft.data.images import image_header
from hf_vft.inference.predictor import Outputs, Predictor
from hf_vft.models.processors import settings_of

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
        self._kind = answer_kind(predictor.task.name)
        self.identity = {
            "model_hash": predictor.run.model_hash(),
            "preprocessing_hash": preprocessing_hash(
                predictor.run.model, predictor.processor, predictor.decoder.bit_depth
            ),
            "task": predictor.task.name,
        }

    def rows(self, shown: Sequence[ImageInfo], outputs: Outputs) -> list[dict[str, Any]]:
        """Rows for `hf_vft.records.LogWriter.append`, one per image."""
        answers = self._answers(shown, outputs)
        rows = [
            {
                "request_id": image.request_id,
                "ts_utc": image.ts_utc,
                **self.identity,
                "file": image.file,
                **image.properties,
                **answer,
                "latency_ms": image.latency_ms,
                **image.slices,
            }
            for image, answer in zip(shown, answers, strict=True)
        ]
        if outputs.embeddings is not None:
            for row, embedding in zip(rows, reduce_embeddings(outputs.embeddings), strict=True):
                if is_sampled(row["request_id"], self.sample):
                    row["embedding"] = embedding
        return rows

    def _answers(self, shown: Sequence[ImageInfo], outputs: Outputs) -> list[dict[str, Any]]:
        predictor, sizes = self._predictor, [image.size for image in shown]
        answers = predictor.answers(outputs, sizes)
        rows = self._kind.columns(answers, outputs.logits, predictor.labels, sizes)
        return [
            row | predictor.alarms.columns(answer.scores, predictor.labels)
            for row, answer in zip(rows, answers, strict=True)
        ]


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


def preprocessing_hash(folder: Path, processor: BaseImageProcessor, bit_depth: int) -> str:
    """Hash of the processor's settings, the library that does the work and the files' bit depth.

    Answers differ by each of them.
    """
    settings = settings_of(folder, processor)
    backend = str(getattr(processor, "backend", "")).encode()
    depth = b"" if bit_depth == 16 else f"|{bit_depth}".encode()
    return f"p{hashlib.sha256(settings + b'|' + backend + depth).hexdigest()[:16]}"
