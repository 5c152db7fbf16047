from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from hf_vft.data.transforms.images import eval_transform
from hf_vft.serving.large_images import LARGE, channels_first, model_input


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_channels_come_first_and_every_pixel_is_its_own() -> None:
    image = noise(70, 131)
    assert np.array_equal(channels_first(image).numpy(), np.asarray(image).transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["ViTImageProcessor", "ConvNextImageProcessor"])
@pytest.mark.parametrize("size", [(1300, 900), (900, 1300), (100, 90)])
def test_the_model_is_given_the_same_to_the_bit(kind: str, size: tuple[int, int]) -> None:
    processor = getattr(transformers, kind)(do_convert_rgb=True)
    transform, image = eval_transform(processor), noise(*size)
    expected = transform(image)
    assert torch.equal(model_input(transform, processor, image), expected)


def test_a_large_image_goes_another_way() -> None:
    given: list[object] = []

    def transform(image: object) -> torch.Tensor:
        given.append(image)
        with pytest.raises(ValueError, match="closed image"):  # its memory is free by now
            large.getpixel((0, 0))
        return torch.zeros(3, 1, 1)

    processor, large = transformers.ViTImageProcessor(), noise(1000, LARGE // 1000)
    model_input(transform, processor, large)
    model_input(transform, processor, noise(10, 10))
    assert [type(one) for one in given] == [torch.Tensor, Image.Image]
