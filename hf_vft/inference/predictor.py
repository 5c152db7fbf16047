"""From images to answers with calibrated confidence, as training's validation saw them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from PIL import Image

from hf_vft.data.images import Decoded, Decoder
from hf_vft.data.sources.folders import is_image_name, visible_files
from hf_vft.errors import DataError
from hf_vft.evaluation.alarms import Alarm, Alarms
from hf_vft.evaluation.results import EvalReport
from hf_vft.inference.forward import EMBEDDINGS, load_answering
from hf_vft.inference.onnx import open_export
from hf_vft.run import RunDirectory
from hf_vft.tasks import Calibration, Prediction, get_task
from hf_vft.utils.imports import is_available


@dataclass(frozen=True)
class FileAnswer:
    """The model's answer for one file.

    Attributes:
        file: As it was asked for.
        prediction: The answer, or None on an error.
        error: Why there is no answer, or None.
        fields: The answer for machines; empty on an error.
        text: The answer in a line; empty on an error.
        note: What was noticed while the image was decoded; mostly empty.
        alarms: Classes whose threshold by cost is reached; None where the run has no thresholds.
    """

    file: str
    prediction: Prediction | None = None
    error: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    note: str = ""
    alarms: tuple[Alarm, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The answer as ``hf-vft predict --json`` writes it."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        alarms = () if self.alarms is None else [alarm.as_dict() for alarm in self.alarms]
        told = {} if self.alarms is None else {"alarms": alarms}
        return (
            {"file": self.file, **self.fields} | told | ({"note": self.note} if self.note else {})
        )


@dataclass(frozen=True)
class Outputs:
    """The model's outputs for several images.

    Attributes:
        logits: What the task makes answers of: ``[N, C]`` before the temperature, or with boxes.
        embeddings: What the head sees, ``float32 [N, D]``; None for a model with several heads.
    """

    logits: Any
    embeddings: np.ndarray | None


class Predictor:
    """The model of a run, ready to answer.

    Args:
        run: Finished.

    Raises:
        RunError: If the run is not finished.
        ModelError: If its model cannot be loaded, or an export in it is that of other weights.

    Attributes:
        note: Why it answers in another way than the run folder says; mostly empty.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self.recipe = run.recipe()
        self.decoder = Decoder.of(self.recipe.data)
        self.task = get_task(self.recipe.task)
        report = run.read_as(EvalReport, run.metrics_file)
        self.metric = report.primary
        self.temperature = report.temperature
        self.calibration = Calibration.of(report)
        self.alarms = Alarms.of(run)
        self.answering, self.processor = load_answering(run.model, self.task)
        self.model: Any = self.answering.model
        self.device = PartialState().device
        self.answering.to(self.device)
        self.labels = [self.model.config.id2label[i] for i in range(self.model.config.num_labels)]
        self.transform = self.task.plain(self.processor)
        self.note = ""
        self._run = self._runner()

    def decode(self, source: bytes | str | Path | Image.Image) -> Image.Image:
        """An image as the model may see it.

        Raises:
            DataError: If it is none, or too large.
        """
        return self.read(source).image

    def read(self, source: bytes | str | Path | Image.Image) -> Decoded:
        """The same, with what was noticed while it was decoded.

        Raises:
            DataError: If it is none, or too large.
        """
        return self.decoder.read(source)

    def logits(self, images: Sequence[Image.Image]) -> Any:
        """RGB images to logits ``[N, C]``, as the model gives them; with boxes beside them."""
        return self.outputs(images).logits

    def outputs(self, images: Sequence[Image.Image]) -> Outputs:
        """RGB images to logits and to what the head sees, in one pass."""
        return self.outputs_of([self.transform(image) for image in images])

    def outputs_of(self, pixels: Sequence[torch.Tensor]) -> Outputs:
        """The same for images that went through ``transform`` already, ``[3, H, W]`` each."""
        rows = [{"pixel_values": image} for image in pixels]
        outputs = self._run(self.task.collate(rows)["pixel_values"])
        embeddings = outputs.pop(EMBEDDINGS, None)
        return Outputs(self.task.outputs(tuple(outputs.values())), embeddings)

    def answers(self, outputs: Outputs, sizes: Sequence[tuple[int, int]]) -> list[Prediction]:
        """The task's answers from outputs for images of these sizes (width, height)."""
        return self.task.predictions(outputs.logits, self.labels, self.calibration, sizes)

    def predictions(self, images: Sequence[Image.Image]) -> list[Prediction]:
        """RGB images to answers."""
        if not images:
            return []
        return self.answers(self.outputs(images), [image.size for image in images])

    def _runner(self) -> Callable[[torch.Tensor], dict[str, np.ndarray]]:
        """ONNX Runtime on a CPU where an export is in the run folder, else torch."""
        if self.device.type != "cpu" or not self.run.onnx_file.is_file():
            return self._torch
        if not is_available("onnxruntime"):
            self.note = (
                f"{self.run.onnx_file} is not used: ONNX Runtime is not installed "
                "(pip install 'hf-vft[onnx]'); PyTorch answers in its place."
            )
            return self._torch
        return open_export(self.run)

    @torch.inference_mode()
    def _torch(self, pixels: torch.Tensor) -> dict[str, np.ndarray]:
        outputs = self.answering(pixels.to(self.device))
        return {name: values.float().cpu().numpy() for name, values in outputs.items()}

    def probabilities(self, images: Sequence[Image.Image]) -> np.ndarray:
        """RGB images to the calibrated scores of each class ``[N, C]``."""
        return np.stack([prediction.scores for prediction in self.predictions(images)])

    def answer_files(
        self, paths: Iterable[Path], *, top: int = 1, batch_size: int = 16
    ) -> Iterator[FileAnswer]:
        """Answer image files in order; one that cannot be read says why.

        Args:
            paths: Files, or folders that are searched for images.
            top: Labels for each image.
            batch_size: Images at a time.
        """
        files = _files(paths)
        while batch := list(islice(files, batch_size)):
            yield from self._answers(batch, top)

    def _answers(self, files: Sequence[Path], top: int) -> Iterator[FileAnswer]:
        images: dict[Path, Decoded] = {}
        errors: dict[Path, str] = {}
        for file in files:
            try:
                images[file] = self.read(file)
            except DataError as error:
                errors[file] = str(error)
        predictions = self.predictions([decoded.image for decoded in images.values()])
        answers = dict(zip(images, predictions, strict=True))
        for file in files:
            if file in errors:
                yield FileAnswer(str(file), error=errors[file])
            else:
                prediction = answers[file]
                raised = self.alarms.raised(prediction.scores, self.labels)
                text = self.task.as_text(prediction, self.labels, top)
                yield FileAnswer(
                    str(file),
                    prediction,
                    fields=self.task.as_dict(prediction, self.labels, top),
                    text=" | ".join([text, *(f"ALARM: {alarm.reason}" for alarm in raised)]),
                    note=images[file].note,
                    alarms=raised if self.alarms else None,
                )


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (file for file in visible_files(path) if is_image_name(file))
        else:
            yield path
