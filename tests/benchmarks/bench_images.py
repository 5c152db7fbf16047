"""Decoding: what deep samples and colour profiles cost, and how far a profile moves colours.

python -m tests.benchmarks.bench_images [--size 640 480] [--images 100]
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from hf_vft.data.demo.images import write_demo_images
from hf_vft.data.images import decode_image
from tests.data.decoding.test_colour import P3
from tests.data.deep_images import png, tiff
from tests.data.zoo_files import encoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480))
    parser.add_argument("--images", type=int, default=100)
    options = parser.parse_args()
    times(*options.size)
    levels(options.images)


def times(width: int, height: int) -> None:
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = np.asarray(image).astype(np.uint16) << 4
    files = {
        "JPEG": encoded(image, "JPEG", quality=90),
        "JPEG, sRGB profile": encoded(image, "JPEG", quality=90, icc_profile=srgb),
        "JPEG, Display P3 profile": encoded(image, "JPEG", quality=90, icc_profile=P3),
        "PNG": encoded(image, "PNG"),
        "PNG, 16-bit grey": png(deep[..., 0]),
        "PNG, 16-bit colour": png(deep),
        "TIFF, 16-bit colour": tiff(deep),
    }
    print(f"{width} x {height}, least of 30, in ms: Pillow's convert('RGB'), decode_image")
    for name, data in files.items():
        plain = fastest(lambda data=data: Image.open(io.BytesIO(data)).convert("RGB"))
        ours = fastest(lambda data=data: decode_image(data))
        print(f"{name:26} {plain:7.2f} {ours:7.2f}")


def fastest(call: object) -> float:
    taken = []
    for _ in range(30):
        start = time.perf_counter()
        call()  # type: ignore[operator]
        taken.append(1000 * (time.perf_counter() - start))
    return min(taken)


def levels(count: int) -> None:
    """The same scene in sRGB and as a Display P3 file, whose profile is ignored or followed."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(P3))
    widen = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB")
    ignored, followed = [], []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        write_demo_images(out)
        for file in sorted(out.rglob("*.jpg"))[:count]:
            shown = decode_image(file)
            data = encoded(widen.apply(shown), "PNG", icc_profile=P3)
            truth = np.asarray(shown).astype(int)
            unconverted = Image.open(io.BytesIO(data)).convert("RGB")
            ignored.append(np.abs(np.asarray(unconverted) - truth).mean())
            followed.append(np.abs(np.asarray(decode_image(data)) - truth).mean())
    print(
        f"{len(ignored)} demo images as Display P3: {np.mean(ignored):.2f} of 255 levels off where "
        f"the profile is ignored, {np.mean(followed):.2f} where it is followed"
    )


if __name__ == "__main__":
    main()
