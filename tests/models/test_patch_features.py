"""Patches are described by the middle of any backbone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from hf_vft.errors import ModelError
from hf_vft.models.anomaly_model import without_head
from hf_vft.models.patch_features import PatchFeatures, as_grid, block_outputs, choose_layers
from hf_vft.models.structure import anatomy
from tests.models.tiny import ALL, SIZE, images

FAMILIES = ("vit", "dinov2_with_registers", "swin", "convnextv2", "mobilenet_v2", "timm_resnet",
            "timm_efficientnet", "timm_vit")  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_a_map_that_turns_with_the_image(family: str):
    model: torch.nn.Module = ALL[family]().eval()
    backbone, blocks = without_head(model, anatomy(model).blocks)  # type: ignore[arg-type]
    layers = choose_layers(backbone, blocks, SIZE)
    features = PatchFeatures(backbone, layers)

    with torch.inference_mode():
        grid = features(images(2))
        alone = features(images(2)[1:])

    assert 1 <= len(layers) <= 2
    assert grid.ndim == 4
    assert grid.shape[2] == grid.shape[3] > 1
    assert torch.allclose(grid[1:], alone, atol=1e-4)
    assert grid[:, :, 0, 0].std() > 0


def test_tokens_of_an_oblong_image_keep_its_shape():
    tokens = torch.arange(2 * 4 * 3).float().view(1, -1, 1)
    with_class = torch.cat([torch.full((1, 1, 1), -1.0), tokens[:, :8]], dim=1)
    grid = as_grid(with_class, (32, 64))
    assert grid is not None
    assert grid[0, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert as_grid(torch.zeros(1, 1, 8), (32, 32)) is None
    assert as_grid(torch.zeros(1, 8), (32, 32)) is None


def test_channels_may_come_last():
    last = torch.randn(1, 4, 4, 24)
    grid = as_grid(last, (32, 32))
    assert grid is not None
    assert torch.equal(grid, last.permute(0, 3, 1, 2))


def test_a_pass_ends_with_the_last_block_and_threads_do_not_mix():
    model: torch.nn.Module = ALL["vit"]().eval()
    backbone, blocks = without_head(model, anatomy(model).blocks)  # type: ignore[arg-type]
    features = PatchFeatures(backbone, blocks[:1])
    later: list[int] = []
    backbone.get_submodule(blocks[-1]).register_forward_hook(lambda *_: later.append(1))
    batches = [images(1, seed=seed) for seed in range(8)]
    with torch.inference_mode():
        expected = [features(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: features(batch).detach(), batches))

    assert not later
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(expected, found, strict=True))
    with torch.inference_mode():
        backbone(pixel_values=batches[0])  # of itself it runs to its end
    assert later


def test_a_layer_that_is_not_there_is_named():
    model: torch.nn.Module = ALL["vit"]().eval()
    backbone, _ = without_head(model, [])  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no part 'nope'"):
        PatchFeatures(backbone, ["nope"])
    with pytest.raises(ModelError, match="does not pass 'unwatched'"):
        block_outputs(backbone, ["unwatched"], images(1))
