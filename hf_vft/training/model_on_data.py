"""A model and the images as it sees them: what its backbone makes of them before any training.

Framings and flips are decided on these features, and fine-tuning begins with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import datasets
import numpy as np
import torch
from accelerate import PartialState
from torch import nn

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.load import ImageData
from hf_vft.errors import ModelError
from hf_vft.models.load import LoadedModel
from hf_vft.models.lora import check_lora
from hf_vft.models.structure import head_module, last_linear
from hf_vft.training.feature_cache import cached_features, content_of
from hf_vft.training.stages import StageContext

AUTOCAST: Mapping[str, torch.dtype | None] = {
    "fp32": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


class ModelOnData:
    """One model with the data as it sees them.

    Args:
        context: What the stages share.
        loaded: The model with its new head, and its processor.
        data: Divided images.

    Raises:
        ModelError: If an adapter would not load on the checkpoint that it is trained on.
    """

    def __init__(self, context: StageContext, loaded: LoadedModel, data: ImageData) -> None:
        if context.recipe.model.lora is not None:
            check_lora(loaded, context.recipe.model.lora)
        self.context = context
        self.recipe = context.recipe
        self.data = data
        self.model: nn.Module = loaded.model.to(PartialState().device)
        if self.recipe.training.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.plain: Any = context.task.plain(loaded.processor)
        self._processor = loaded.processor
        self.has_one_head = _has_one_head(self.model)

    def dataset(self, split: str, transform: Callable[..., Any] | None = None) -> VisionDataset:
        """A split as the model sees it; without random changes unless told otherwise."""
        return self.images(self.data.splits[split], transform)

    def images(
        self, table: datasets.Dataset, transform: Callable[..., Any] | None = None
    ) -> VisionDataset:
        """Rows of the data as the model sees them; without random changes unless told otherwise."""
        return self.context.task.dataset(
            table, transform or self.plain, seed=self.recipe.seed, decoder=self.data.decoder
        )

    def probe_features(self, dataset: VisionDataset, content: str) -> np.ndarray:
        """Inputs of the last linear layer for each image, ``[N, D]``, from the cache if present.

        Args:
            dataset: Images of this run's data.
            content: Which, and how they were changed.
        """
        return self._last_features(self.features_of(dataset, content, views=1)[0])

    def _last_features(self, inputs: torch.Tensor) -> np.ndarray:
        """Run the head up to its last linear layer, and return that layer's input ``[N, D]``."""
        linear = last_linear(self.model)
        head = head_module(self.model)
        caught: list[torch.Tensor] = []
        hook = linear.register_forward_pre_hook(lambda _, args: caught.append(args[0].cpu()))
        was_training = head.training
        head.eval()
        with torch.inference_mode():
            for part in torch.split(inputs, 1024):
                head(part.to(linear.weight.device))
        head.train(was_training)
        hook.remove()
        return torch.cat(caught).flatten(1).numpy()

    def features_of(self, dataset: VisionDataset, content: str, *, views: int) -> torch.Tensor:
        """Inputs of the head per image and view, ``[V, N, …]``, from the cache if present."""
        recipe = self.recipe
        self.context.display.start(f"features: {content.partition(' {')[0]}", views)
        return cached_features(
            self.model,
            dataset,
            content=content_of(self.data.fingerprint, content, self._processor),
            collate=self.context.task.collate,
            views=views,
            batch_size=int(recipe.training.eval_batch_size) // PartialState().num_processes,
            num_workers=int(recipe.training.num_workers),
            dtype=AUTOCAST[recipe.training.precision],
            on_view=lambda done, _: self.context.display.advance(done),
        )


def _has_one_head(model: nn.Module) -> bool:
    """Whether there is one feature to learn a head on, and one layer with a bias to copy it to."""
    try:
        head_module(model)
        return last_linear(model).bias is not None
    except ModelError:
        return False
