"""Position embeddings for another grid."""

from __future__ import annotations

import pytest
import torch

from hf_vft.errors import ModelError
from hf_vft.models.input_size import interpolate_positions, resize_input
from tests.models import tiny


@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_tokens_stay_and_the_grid_is_resampled(prefix: int) -> None:
    tokens = torch.randn(1, prefix, 4)
    rows = torch.arange(4.0).repeat_interleave(4)[None, :, None].expand(1, 16, 4)
    found = interpolate_positions(torch.cat([tokens, rows], 1), prefix + 64)
    assert found is not None
    assert found[:, :prefix].equal(tokens)
    grid = found[0, prefix:, 0].view(8, 8)
    torch.testing.assert_close(grid, grid[:, :1].expand(8, 8))
    assert (grid[1:, 0] > grid[:-1, 0]).all()


def test_no_square_is_none() -> None:
    assert interpolate_positions(torch.zeros(1, 12, 4), 64) is None


@pytest.mark.parametrize("family", ["vit", "deit", "swin", "timm_vit"])
def test_a_resized_model_loads_in_plain_transformers(family: str, tmp_path: object) -> None:
    model = resize_input(tiny.ALL[family](), 64)
    pixels = tiny.images(1, size=64)
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(again(pixels).logits, model.eval()(pixels).logits)


def test_a_size_smaller_than_a_patch_is_one_line() -> None:
    with pytest.raises(ModelError, match=r"image\.size=4: ") as caught:
        resize_input(tiny.tiny_vit(), 4)
    assert "\n" not in str(caught.value)
