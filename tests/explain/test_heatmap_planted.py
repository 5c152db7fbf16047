"""On real networks: where the object that decides the class is, there is the map's mass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hf_vft.explain.heatmap import heat_map
from tests.models.tiny import ALL, SIZE

OBJECT = SIZE // 4
IMAGES = 24


def planted(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, list[tuple[int, int]]]:
    """Noise, and in every second image a bright square: images, classes, corners."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0.0, 0.3, (count, 3, SIZE, SIZE)).astype(np.float32)
    corners = [(int(y), int(x)) for y, x in rng.integers(0, SIZE - OBJECT + 1, (count, 2))]
    for image, (y, x) in list(zip(pixels, corners, strict=True))[1::2]:
        image[:, y : y + OBJECT, x : x + OBJECT] += 2.0
    return torch.from_numpy(pixels), torch.arange(count) % 2, corners


def taught(name: str) -> nn.Module:
    """A tiny network that tells whether there is a square."""
    torch.manual_seed(0)
    # The two blocks of a real Swin's first stage are more than 60 steps teach.
    shallow = {"depths": [1, 2]} if name == "swin" else {}
    model = ALL[name](2, **shallow).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(60):
        pixels, classes, _ = planted(16, seed=1000 + step)
        loss = nn.functional.cross_entropy(model(pixel_values=pixels).logits, classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def share_on_object(heat: np.ndarray, corner: tuple[int, int], margin: int) -> float:
    y, x = corner
    rows = slice(max(y - margin, 0), y + OBJECT + margin)
    columns = slice(max(x - margin, 0), x + OBJECT + margin)
    whole = float(heat.sum())
    return float(heat[rows, columns].sum()) / whole if whole else 0.0


@pytest.mark.parametrize("name", ["vit", "convnext", "swin"])
def test_the_map_lies_on_the_object_that_decides(name: str) -> None:
    model = taught(name)
    pixels, classes, corners = planted(IMAGES, seed=7)
    with torch.no_grad():
        right = model(pixel_values=pixels).logits.argmax(1) == classes
    assert right.float().mean() >= 0.9
    shown = [i for i in range(IMAGES) if classes[i] == 1 and right[i]]
    margin = SIZE // 8  # of a patch: the map is no finer
    shares = [share_on_object(heat_map(model, pixels[i], 1), corners[i], margin) for i in shown]
    elsewhere = [
        share_on_object(heat_map(model, pixels[i], 1), corners[i - 1], margin) for i in shown
    ]
    assert np.median(shares) > 0.5, (np.median(shares), np.median(elsewhere))
    assert np.median(shares) > 1.5 * np.median(elsewhere)
