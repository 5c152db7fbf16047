import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hf_vft.pretraining.render import NO_TEXTURE, ImageClasses, ImageRenderer

CLASSES = ImageClasses(shapes=12, textures=5)


@pytest.fixture(scope="module")
def renderer() -> ImageRenderer:
    return ImageRenderer(CLASSES, seed=0)


@pytest.fixture(scope="module")
def many(renderer) -> tuple[torch.Tensor, torch.Tensor]:
    return renderer.batch(0, 600, 32)[:2]


def test_images_are_normalised_and_of_the_size_that_was_asked(renderer):
    for size in (32, 96):
        images = renderer.batch(0, 4, size).images
        assert images.shape == (4, 3, size, size)
        assert images.min() >= -1
        assert images.max() <= 1


def test_a_batch_depends_on_its_number_and_the_seed_alone(renderer):
    first, labels, _ = renderer.batch(3, 8, 32)
    renderer.batch(4, 8, 32)
    again, same, _ = ImageRenderer(CLASSES, seed=0).batch(3, 8, 32)
    assert torch.equal(first, again)
    assert torch.equal(labels, same)
    assert not torch.equal(first, renderer.batch(4, 8, 32)[0])
    assert not torch.equal(first, ImageRenderer(CLASSES, seed=1).batch(3, 8, 32)[0])


def test_every_class_comes_up_about_equally_often(many):
    shapes, textures = many[1].unbind(1)
    shown = torch.bincount(shapes, minlength=13)[:12]
    assert shown.min() > 0.5 * shown.float().mean()
    known = torch.bincount(textures[textures != NO_TEXTURE])
    assert len(known) == 5
    assert known.min() > 0.7 * known.float().mean()
    assert 0.02 < (shapes == 12).float().mean() < 0.12
    assert 0.12 < (textures == NO_TEXTURE).float().mean() < 0.28


def test_where_no_shape_is_shown_on_a_plain_ground_there_is_only_light_and_grain(renderer):
    images, labels, mask = ImageRenderer(CLASSES, seed=0, empty=1.0).batch(0, 200, 32)
    plain = images[labels[:, 1] == NO_TEXTURE]
    assert (labels[:, 0] == 12).all()
    assert not mask.any()
    # Uneven light is linear: what is left after smoothing differs little from its neighbours.
    smooth = torch.nn.functional.avg_pool2d(plain, 8)
    assert (smooth[..., 1:, :] - smooth[..., :-1, :]).abs().amax() < 0.4
    shown = renderer.batch(0, 200, 32).images
    assert shown.std((1, 2, 3)).mean() > 1.5 * plain.std((1, 2, 3)).mean()


def test_the_labels_can_be_read_off_the_images(many):
    """Textures by the spectrum of the images, against guessing one of five."""
    images, labels = many
    known = labels[:, 1] != NO_TEXTURE
    spectra = torch.log(torch.fft.rfft2(images[known].mean(1)).abs() + 1e-3).flatten(1)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    scores = cross_val_score(probe, spectra.numpy(), labels[known, 1].numpy(), cv=3)
    assert scores.mean() > 0.4


def test_images_vary_in_brightness_colour_and_place(many):
    images = many[0]
    assert images.mean((1, 2, 3)).std() > 0.2
    tint = (images[:, 0] - images[:, 1]).abs().amax((1, 2))
    assert 0.3 < (tint < 1e-3).float().mean() < 0.7


@pytest.mark.gpu
def test_images_are_made_on_the_accelerator():
    renderer = ImageRenderer(CLASSES, seed=0, device="cuda")
    images, labels, _ = renderer.batch(0, 16, 64)
    assert images.is_cuda
    assert labels.is_cuda


def test_no_shape_is_smaller_than_was_asked():
    renderer = ImageRenderer(CLASSES, seed=0, empty=0.0)
    wide = {}
    for smallest in (0.1, 0.6):
        masks = renderer.batch(0, 200, 32, smallest).mask > 0.05
        wide[smallest] = torch.maximum(masks.any(1).sum(1), masks.any(2).sum(1)) / 32
    assert wide[0.1].quantile(0.05) < 0.25
    assert wide[0.6].quantile(0.05) > 0.45


def test_the_mask_says_where_the_image_differs_from_its_ground():
    images, labels, mask = ImageRenderer(CLASSES, seed=2).batch(0, 200, 32)
    assert mask.shape == (200, 32, 32)
    assert mask.min() >= 0
    assert mask.max() <= 1
    shown = (labels[:, 0] != 12) & (labels[:, 1] == NO_TEXTURE)
    inside, outside = mask[shown] > 0.9, mask[shown] == 0
    grey = images[shown].mean(1)
    levels = [
        (p[i].mean() - p[o].mean()).abs() for p, i, o in zip(grey, inside, outside, strict=True)
    ]
    spreads = [p[o].std() for p, o in zip(grey, outside, strict=True)]
    found = torch.stack(levels) > 2 * torch.stack(spreads)
    assert found[inside.any((1, 2))].float().mean() > 0.6
