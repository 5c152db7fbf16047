"""Odd and broken image files, each with what must become of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

RED, BLUE, WHITE = (200, 40, 40), (40, 40, 200), (255, 255, 255)
SIZE = (24, 16)


@dataclass(frozen=True)
class OddFile:
    """A file of the zoo.

    Attributes:
        kind: What is odd about it.
        name: File name.
        make: Writes it to the path it is given.
        left: Expected colour of the left side, if it can be converted.
        right: Expected colour of the right side.
        size: Expected width and height.
        reason: Part of the reason why it is rejected, if it is.
    """

    kind: str
    name: str
    make: Callable[[Path], object]
    left: tuple[int, int, int] = RED
    right: tuple[int, int, int] = BLUE
    size: tuple[int, int] = SIZE
    reason: str | None = None


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(left: float, right: float, dtype: str) -> Image.Image:
    pixels = np.full(SIZE[::-1], left, dtype)
    pixels[:, SIZE[0] // 2 :] = right
    return Image.fromarray(pixels)


def noise(kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), kind)


def damaged(data: bytes) -> bytes:
    return data[:60] + b"\xff" * 40 + data[100:]


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces any size and holds nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def see_through(mode: str) -> Image.Image:
    """Red on the left; on the right blue that cannot be seen."""
    image = scene().convert("RGBA")
    image.putalpha(Image.fromarray(np.asarray(halves(255, 0, "uint8"))))
    return image.convert(mode)


def palette_with_hole(path: Path) -> None:
    image = Image.new("P", SIZE, 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (SIZE[0] // 2, 0, *SIZE))
    image.save(path, transparency=1)


def grey_with_hole(path: Path) -> None:
    halves(200, 40, "uint8").save(path, transparency=40)


def rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90°: the file lies on its side
    scene().rotate(90, expand=True).save(path, exif=exif, quality=95)


def broken_exif(path: Path) -> None:
    scene().save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\x12" * 20, quality=95)


def with_profile(path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    scene().save(path, icc_profile=profile)


def animated(kind: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        others = [Image.new("RGB", SIZE, "green"), Image.new("RGB", SIZE, "black")]
        options = {"lossless": True} if kind == "WEBP" else {}
        scene().save(path, kind, save_all=True, append_images=others, duration=50, **options)

    return make


def pages(path: Path) -> None:
    scene().save(path, save_all=True, append_images=[Image.new("RGB", (5, 5), "green")])


def deep_colour(path: Path) -> None:
    """A PPM with 16 bits per channel."""
    pixels = np.asarray(scene()).astype(">u2") * 257
    path.write_bytes(b"P6 %d %d 65535\n" % SIZE + pixels.tobytes())


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def saved(image: Image.Image, **options: object) -> Callable[[Path], object]:
    return lambda path: image.save(path, **options)


def deep_grey(dtype: str) -> Callable[[Path], object]:
    return saved(halves(200 << 8, 40 << 8, dtype))


def floats(left: float, right: float) -> Callable[[Path], object]:
    return saved(halves(left, right, "float32"))


def bomb(side: int) -> Callable[[Path], object]:
    return content(png_header(side, side))


def dangling_link(path: Path) -> None:
    path.symlink_to("gone.jpg")


LIGHT, DARK = (200, 200, 200), (40, 40, 40)
NOT_AN_IMAGE = "not an image that Pillow can read"

CONVERTED = [
    OddFile("JPEG, CMYK", "a.jpg", saved(scene().convert("CMYK"), quality=95)),
    OddFile("PNG, 16-bit grey", "a.png", deep_grey("uint16"), LIGHT, DARK),
    OddFile("PPM, 16 bits per colour", "a.ppm", deep_colour),
    OddFile("TIFF, 32-bit integers", "a.tif", deep_grey("int32"), LIGHT, DARK),
    OddFile("TIFF, floating point 0..1", "a.tif", floats(0.8, 0.2), (204,) * 3, (51,) * 3),
    OddFile("PNG, palette", "a.png", saved(scene().convert("P", palette=Image.Palette.ADAPTIVE))),
    OddFile("PNG, palette with a transparent colour", "a.png", palette_with_hole, RED, WHITE),
    OddFile("PNG, RGBA", "a.png", saved(see_through("RGBA")), RED, WHITE),
    OddFile("PNG, grey with alpha", "a.png", saved(see_through("LA")), (88,) * 3, WHITE),
    OddFile("PNG, grey with a transparent value", "a.png", grey_with_hole, LIGHT, WHITE),
    OddFile("GIF, transparent", "a.gif", palette_with_hole, RED, WHITE),
    OddFile("PNG, 1-bit", "a.png", saved(halves(255, 0, "uint8").convert("1")), WHITE, (0, 0, 0)),
    OddFile("JPEG, greyscale", "a.jpg", saved(halves(200, 40, "uint8")), LIGHT, DARK),
    OddFile("JPEG, turned by EXIF", "a.jpg", rotated),
    OddFile("JPEG, broken EXIF", "a.jpg", broken_exif),
    OddFile("PNG, colour profile", "a.png", with_profile),
    OddFile("GIF, animated", "a.gif", animated("GIF")),
    OddFile("WebP, animated", "a.webp", animated("WEBP")),
    OddFile("PNG, animated", "a.png", animated("PNG")),
    OddFile("TIFF, several pages", "a.tif", pages),
    OddFile("PNG named .jpg", "a.jpg", content(encoded(scene(), "PNG"))),
    OddFile("JPEG without an ending", "a", content(encoded(scene(), "JPEG", quality=95))),
    OddFile("1 × 1 pixel", "a.png", saved(Image.new("RGB", (1, 1), RED)), RED, RED, (1, 1)),
    OddFile("3000 × 1 pixels", "a.png", saved(scene((3000, 1))), size=(3000, 1)),
    OddFile("name with spaces, accents and HTML", "é <b>ü&#39; 猫.png", saved(scene())),
]  # fmt: skip

REJECTED = [
    OddFile("JPEG, truncated", "a.jpg", content(noise("JPEG")[:900]), reason="truncated"),
    OddFile("PNG, truncated", "a.png", content(noise("PNG")[:900]), reason="truncated"),
    OddFile("PNG, damaged", "a.png", content(damaged(noise("PNG"))), reason="damaged"),
    OddFile("GIF, truncated", "a.gif", content(noise("GIF")[:900]), reason="truncated"),
    OddFile("WebP, truncated", "a.webp", content(noise("WEBP")[:900]), reason="damaged"),
    OddFile("TIFF, truncated", "a.tif", content(noise("TIFF")[:900]), reason="truncated"),
    OddFile("only the first bytes", "a.png", content(noise("PNG")[:12]), reason=NOT_AN_IMAGE),
    OddFile("0 bytes", "a.jpg", content(b""), reason="the file is empty"),
    OddFile("text named .jpg", "a.jpg", content(b"hello\n" * 50), reason=NOT_AN_IMAGE),
    OddFile("PDF named .jpg", "a.jpg", content(b"%PDF-1.7\n" + b"x" * 99), reason="(a PDF)"),
    OddFile("web page named .jpg", "a.jpg", content(b"<!DOCTYPE html><p>404"), reason="a web page"),
    OddFile("SVG", "a.svg", content(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), reason="SVG"),
    OddFile("HEIC", "a.heic", content(b"\0\0\0\x18ftypheic" + bytes(40)), reason="HEIC"),
    OddFile("EPS", "a.eps", content(encoded(scene(), "EPS")), reason=NOT_AN_IMAGE),
    OddFile("PNG bomb, 60000 × 60000", "a.png", bomb(60000), reason="too many"),
    OddFile("PNG bomb, 12000 × 12000", "a.png", bomb(12000), reason="too many"),
    OddFile("floating point over 1", "a.tif", floats(240, 3), reason="3 to 240"),
    OddFile("floating point, NaN", "a.tif", floats(float("nan"), 0), reason="nan"),
    OddFile("32-bit integers over 65535", "a.tif", saved(halves(7e4, 3, "int32")), reason="70000"),
    OddFile("link to a missing file", "a.jpg", dangling_link, reason="a link to"),
]  # fmt: skip
