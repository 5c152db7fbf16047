"""Classes of surfaces, each a power spectrum: noise filtered by it gives endless samples."""

from __future__ import annotations

import numpy as np
import torch


def spectrum_bank(classes: int, size: int, seed: int) -> torch.Tensor:
    """Amplitude filters of all classes.

    A spectrum falls with frequency like natural and worked surfaces do, is stretched along a
    direction (brushing, fibres), and in every other class has peaks (weave, grating).

    Args:
        classes: T.
        size: Side of the images in pixels; a class looks the same at every size.
        seed: Decides everything.

    Returns:
        ``[T, size, size // 2 + 1]``, for ``irfft2``; filtered white noise has mean zero and
        standard deviation one.
    """
    vertical = torch.fft.fftfreq(size).double()[:, None]
    horizontal = torch.fft.rfftfreq(size).double()[None]
    bank = torch.stack(
        [_spectrum(np.random.default_rng((seed, index)), horizontal, vertical, index % 2 == 1)
         for index in range(classes)]
    )  # fmt: skip
    bank[:, 0, 0] = 0.0
    # Columns between the first and the last stand for two frequencies each.
    share = torch.full((size // 2 + 1,), 2.0, dtype=torch.float64)
    share[0] = 1.0
    if size % 2 == 0:
        share[-1] = 1.0
    power = (bank.square() * share).sum((1, 2), keepdim=True) / size**2
    return (bank / power.sqrt()).float()


def _spectrum(
    rng: np.random.Generator, horizontal: torch.Tensor, vertical: torch.Tensor, peaked: bool
) -> torch.Tensor:
    angle, stretch = rng.uniform(0, np.pi), np.exp(rng.uniform(0, np.log(6)))
    along = np.cos(angle) * horizontal + np.sin(angle) * vertical
    across = np.cos(angle) * vertical - np.sin(angle) * horizontal
    distance = torch.sqrt((along * stretch).square() + (across / stretch).square())
    amplitude = (distance + 0.02) ** -rng.uniform(0.3, 1.8)
    if peaked:
        frequency, width = rng.uniform(0.06, 0.3), rng.uniform(0.01, 0.04)
        turn = rng.uniform(0, np.pi)
        for direction in (turn, turn + np.pi / 2)[: int(rng.integers(1, 3))]:
            u, v = frequency * np.cos(direction), frequency * np.sin(direction)
            for sign in (-1, 1):
                off = (horizontal - sign * u).square() + (vertical - sign * v).square()
                amplitude = amplitude + 3 * float(amplitude.mean()) * torch.exp(-off / width**2)
    return amplitude
