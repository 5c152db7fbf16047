from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hf_vft.data.transforms.images import eval_transform
from hf_vft.errors import ModelError
from hf_vft.explain.heatmap import _as_map, heat_map
from hf_vft.explain.overlay import on_image, overlay, seen_frame
from tests.made_images import processor
from tests.models.tiny import ALL, SIZE


@pytest.mark.parametrize("name", ["vit", "convnext", "resnet", "swin"])
def test_every_kind_of_backbone_gets_a_map(name: str) -> None:
    torch.manual_seed(0)
    model = ALL[name]().eval()
    heat = heat_map(model, torch.rand(3, SIZE, SIZE), target=1)
    assert heat.shape == (SIZE, SIZE)
    assert heat.dtype == np.float32
    assert 0.0 <= heat.min() <= heat.max() <= 1.0
    assert all(parameter.grad is None for parameter in model.parameters())


class _Corner(nn.Module):
    """Logit 1 grows with brightness in the upper left quarter, and with nothing else."""

    def __init__(self, convolution: Callable[..., nn.Module] = nn.Conv2d) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [nn.Sequential(convolution(3, 3, 1), convolution(3, 3, 1)) for _ in range(3)]
        )
        for block in self.blocks:
            for layer in block:
                nn.init.dirac_(layer.weight)  # type: ignore[arg-type]
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.head = nn.Linear(3, 2)
        nn.init.ones_(self.head.weight)

    def forward(self, pixel_values: torch.Tensor) -> object:
        for block in self.blocks:
            pixel_values = block(pixel_values)
        quarter = pixel_values[..., : SIZE // 2, : SIZE // 2]
        return type("Output", (), {"logits": self.head(quarter.mean((2, 3)))})


def test_the_map_marks_what_raised_the_score_and_nothing_else() -> None:
    heat = heat_map(_Corner(), torch.ones(3, SIZE, SIZE), target=1)
    inside = heat[: SIZE // 2, : SIZE // 2].sum()
    assert inside / heat.sum() > 0.98


def test_a_model_without_a_map_says_so() -> None:
    class Flat(_Corner):
        def forward(self, pixel_values: torch.Tensor) -> object:
            return type("Output", (), {"logits": self.head(pixel_values.mean((2, 3)))})

    with pytest.raises((ModelError, RuntimeError), match=r"no map|not require grad|empty"):
        heat_map(Flat(), torch.ones(3, SIZE, SIZE), target=1)


@pytest.mark.parametrize(
    ("shape", "side"),
    [((2, 8, 8), 8), ((2, 7, 8), 7), ((2, 4, 16), None), ((8, 8, 2), 8), ((2, 1, 1), None)],
)
def test_a_map_has_the_proportions_of_the_image(shape: tuple[int, ...], side: int | None) -> None:
    """A MobileViT V2 gives ``[N, C, 4, patches]``: parts of patches, and no rows."""
    found = _as_map(torch.ones(1, *shape), torch.ones(3, SIZE, SIZE))
    assert (None if found is None else len(found)) == side


@pytest.mark.parametrize(
    ("changes", "frame"),
    [
        ({}, (0, 0, 80, 40)),
        ({"do_center_crop": True, "crop_size": {"height": SIZE, "width": SIZE}}, (0, 0, 80, 40)),
    ],
)
def test_the_frame_is_what_the_model_sees(
    changes: dict[str, object], frame: tuple[float, ...]
) -> None:
    used = processor(**changes)
    found = seen_frame(eval_transform(used), used, (80, 40))
    assert found == pytest.approx(frame, abs=2.5)


def test_a_map_of_a_crop_lies_where_the_crop_was() -> None:
    placed = on_image(np.ones((8, 8), np.float32), (20, 0, 60, 40), (80, 40))
    assert placed.shape == (40, 80)
    assert placed[:, 22:58].min() == 1.0
    assert placed[:, :20].max() == placed[:, 60:].max() == 0.0


def test_cold_parts_of_the_image_stay_as_they_were() -> None:
    image = Image.new("RGB", (400, 200), (10, 120, 200))
    heat = np.zeros((200, 400), np.float32)
    heat[:, 300:] = 1.0
    shown = np.asarray(overlay(image, heat, side=400))
    assert (shown[:, :280] == (10, 120, 200)).all()
    assert np.abs(shown[:, 320:].astype(int) - (10, 120, 200)).mean() > 30


@pytest.mark.parametrize("name", ["vit", "convnext", "swin"])
def test_maps_of_threads_that_share_a_model_are_those_of_a_lone_caller(name: str) -> None:
    torch.manual_seed(0)
    model = ALL[name]().eval()
    images = torch.rand(24, 3, SIZE, SIZE)

    def explained(i: int) -> np.ndarray:
        return heat_map(model, images[i], target=i % 2)

    alone = [explained(i) for i in range(len(images))]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(explained, range(len(images))))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    assert not any(module._forward_hooks for module in model.modules())
