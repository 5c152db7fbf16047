"""A model as it answers: from pixels to what answers are made of, and to what its head sees."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from transformers import AutoImageProcessor

from hf_vft.errors import ModelError, RunError
from hf_vft.models.structure import head_module
from hf_vft.tasks.base import Task
from hf_vft.utils.reading import read_as

EMBEDDINGS = "embeddings"


class Answering(nn.Module):
    """Wraps a model of ``transformers``; threads may share it.

    Args:
        model: In eval mode.
        task: Whose answers it gives.
    """

    def __init__(self, model: Any, task: Task) -> None:
        super().__init__()
        self.model = model
        self._task = task
        self._caught = threading.local()  # a server answers from several threads
        self._has_embeddings = self._catch_embeddings()

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        """``[N, 3, H, W]`` to what `Task.answers` names, and ``embeddings [N, D]``.

        The embeddings are missing where a model has several heads.
        """
        outputs = self.model(pixel_values=pixel_values)
        answers = dict(self._task.answers(outputs, self.model.config))
        if self._has_embeddings:
            answers[EMBEDDINGS] = pooled(self._caught.features)
        return answers

    def __deepcopy__(self, memo: dict[int, Any]) -> Answering:
        """Another one of a copied model: what a thread has caught belongs to this one."""
        copied = Answering(copy.deepcopy(self.model, memo), self._task)
        copied.training = self.training
        return copied

    def _catch_embeddings(self) -> bool:
        def catch(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            self._caught.features = inputs[0]

        try:
            head_module(self.model).register_forward_pre_hook(catch)
        except ModelError:
            return False
        return True


def pooled(features: torch.Tensor) -> torch.Tensor:
    """A head's input ``[N, D]``, ``[N, T, D]`` or ``[N, D, H, W]`` as vectors ``[N, D]``."""
    if features.ndim == 3:
        return features.mean(1)
    return features.flatten(2).mean(2) if features.ndim > 3 else features


def load_answering(folder: Path, task: Task, **options: object) -> tuple[Answering, Any]:
    """The model of a run's folder, in eval mode, and its processor.

    Args:
        folder: With weights as safetensors.
        task: Whose model it is.
        **options: For ``from_pretrained`` of the model.

    Raises:
        ModelError: If it cannot be loaded, or the weights are not those of the whole model.
    """
    check_shards(folder)
    try:
        model, loading = task.auto_class.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
        processor: Any = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, trust_remote_code=False
        )
        pixels = processor(images=Image.new("RGB", (16, 16)), return_tensors="pt")["pixel_values"]
        if pixels.ndim != 4 or not pixels.is_floating_point():
            raise ValueError("the image processor gives no images of numbers")
    except Exception as error:  # noqa: BLE001  # for damaged files the libraries raise anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(f"{folder}: the model cannot be loaded ({reason}).") from None
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(
            f"{folder}: {len(missing)} weights are not in model.safetensors ({missing[0]}), and "
            "would be random numbers; take the folder from where it came once more."
        )
    return Answering(model, task).eval(), processor


def check_shards(folder: Path) -> None:
    """Refuse an index of weights that leads out of its folder.

    Raises:
        ModelError: If it does, or cannot be read.
    """
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return
    try:
        files = read_as(dict[str, Any], index)["weight_map"].values()
    except (RunError, LookupError, AttributeError):
        raise ModelError(f"{index}: not an index of weights.") from None
    for name in files:
        if not isinstance(name, str) or Path(name).name != name:
            raise ModelError(f"{index}: {str(name)[:100]!r} is no file beside it.")
