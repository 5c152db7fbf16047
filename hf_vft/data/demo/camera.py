"""The cameras and the light of the generated inspection line.

These change how a part looks, never what it is: the covariates that a monitor should tell
apart from defects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hf_vft.data.demo.noise import smooth

Tint = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """The changes that a camera makes to an image. ``blur`` is in pixels of a 96-pixel image."""

    gain: float = 1.0
    tint: Tint = (1.0, 1.0, 1.0)
    blur: float = 0.35
    vignetting: float = 0.1
    noise: float = 0.012


CAMERAS = {
    "top": Camera(),
    "side": Camera(gain=0.9, tint=(1.03, 1.0, 0.95), blur=0.5, vignetting=0.2, noise=0.02),
}
NEW_CAMERA = Camera(gain=1.15, tint=(0.88, 1.0, 1.14), blur=0.7, vignetting=0.32, noise=0.032)


@dataclass(frozen=True)
class Light:
    """The lamps: overall level, how much one side is darker, and colour."""

    level: float = 1.0
    slope: float = 0.0
    tint: Tint = (1.0, 1.0, 1.0)


LIGHTS = {
    "early": Light(),
    "late": Light(level=0.96, slope=0.05),
    "night": Light(level=0.88, slope=0.1, tint=(1.04, 1.0, 0.94)),
}


def photograph(
    rng: np.random.Generator,
    scene: np.ndarray,
    camera: Camera,
    light: Light,
    unit: float = 1.0,
    defocus: float = 0.0,
) -> np.ndarray:
    """Take an image.

    Args:
        rng: Decides exposure jitter and sensor noise.
        scene: float32 ``[3, H, W]``, 0..1.
        camera: Which camera.
        light: Which light.
        unit: Pixels per pixel of a 96-pixel image.
        defocus: Further blur in pixels of a 96-pixel image.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    height, width = scene.shape[1:]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None]
    shade = 1 - camera.vignetting * (down**2 + across**2) / 2 + light.slope * across
    shade *= np.float32(light.level * camera.gain * rng.uniform(0.96, 1.04))
    tint = np.array(camera.tint, dtype=np.float32) * np.array(light.tint, dtype=np.float32)
    seen = smooth(scene, float(np.hypot(camera.blur, defocus)) * unit)
    seen = seen * shade * tint[:, None, None]
    seen += np.float32(camera.noise) * rng.standard_normal((height, width), dtype=np.float32)
    image: np.ndarray = np.clip(seen, 0, 1) * 255 + 0.5
    return image.astype(np.uint8).transpose(1, 2, 0)
