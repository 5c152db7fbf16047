import torch

from hf_vft.pretraining.textures import spectrum_bank


def surfaces(size: int, samples: int = 8) -> torch.Tensor:
    """``[classes, samples, size, size]``."""
    bank = spectrum_bank(6, size, seed=0)
    noise = torch.randn(6, samples, size, size, generator=torch.Generator().manual_seed(0))
    return torch.fft.irfft2(torch.fft.rfft2(noise) * bank[:, None], s=(size, size))


def neighbours(images: torch.Tensor, axis: int) -> torch.Tensor:
    """Correlation of pixels with the next one along an axis, by class."""
    product = (images * images.roll(1, axis)).mean((1, 2, 3))
    return product / images.square().mean((1, 2, 3))


def test_surfaces_have_mean_zero_and_deviation_one_at_any_size():
    for size in (32, 33, 96):
        made = surfaces(size, samples=32)
        assert made.mean((2, 3)).abs().max() < 1e-5
        torch.testing.assert_close(made.square().mean((1, 2, 3)), torch.ones(6), atol=0.15, rtol=0)


def test_a_class_looks_the_same_at_another_size():
    for axis in (2, 3):
        small, large = neighbours(surfaces(64, 16), axis), neighbours(surfaces(128, 16), axis)
        torch.testing.assert_close(small, large, atol=0.08, rtol=0)


def test_samples_of_a_class_differ_but_their_spectrum_does_not():
    made = surfaces(64, samples=64)
    one, other = made[:, 0].flatten(1), made[:, 1].flatten(1)
    assert torch.nn.functional.cosine_similarity(one, other).abs().max() < 0.6
    spectra = torch.fft.rfft2(made).abs().square()
    spectra[..., 0, 0] = 0
    first, second = (
        torch.log(part.mean(1).flatten(1) + 1e-6) for part in (spectra[:, :32], spectra[:, 32:])
    )
    closest = torch.cdist(first, second).argmin(1)
    assert closest.tolist() == list(range(6))
