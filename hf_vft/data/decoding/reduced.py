"""JPEG files decoded at a half, a quarter or an eighth of their size.

A photograph of 12 megapixels that becomes 224 pixels wide need not be decoded whole: the cosine
transform of a JPEG gives the smaller image directly. simplejpeg decodes in about two thirds of the
time that Pillow takes, with the same pixels; where it is not installed, Pillow does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hf_vft.data.decoding.colour import to_srgb
from hf_vft.data.decoding.files import BROKEN_FILE, open_image, orientation_of, read_image_bytes
from hf_vft.data.images import Decoder
from hf_vft.utils.imports import is_available

REDUCTIONS = (8, 4, 2)
"""By which an image is reduced, the greatest first; what a JPEG can be decoded at."""


@dataclass(frozen=True)
class ImageFile:
    """An image whose size is known, and whose pixels are decoded when it is known how many.

    Attributes:
        width: As stored, before it is turned upright.
        height: The same.
        orientation: In which it is stored, 1 to 8 as EXIF counts; 1 where nothing is to be turned.
        whole: The pixels where they are decoded already, ``uint8 [H, W, 3]``.
        reduced: By how much they were reduced when they were.
        data: The file otherwise.
        mode: Of its pixels, ``RGB`` or ``L``.
        profile: Its ICC profile.
        decoder: For what goes wrong.
    """

    width: int
    height: int
    orientation: int
    decoder: Decoder
    whole: np.ndarray | None = None
    reduced: int = 1
    data: bytes = b""
    mode: str = "RGB"
    profile: bytes | None = None

    @classmethod
    def open(
        cls, source: bytes | str | Path | Image.Image | ImageFile, decoder: Decoder
    ) -> ImageFile:
        """Read the header of a JPEG; whatever else there is, is decoded by ``decoder``.

        Raises:
            DataError: As by the decoder.
        """
        if isinstance(source, ImageFile):
            return source
        if not isinstance(source, Image.Image):
            data = source if isinstance(source, bytes) else read_image_bytes(source)
            if data[:3] == b"\xff\xd8\xff":
                jpeg = cls._jpeg(data, decoder)
                if jpeg is not None:
                    return jpeg
            source = data
        return cls.of(decoder(source), decoder)

    @classmethod
    def of(cls, image: Image.Image, decoder: Decoder) -> ImageFile:
        """An upright RGB image."""
        return cls(*image.size, 1, decoder, whole=np.array(image))

    @classmethod
    def _jpeg(cls, data: bytes, decoder: Decoder) -> ImageFile | None:
        try:
            with open_image(data) as image:
                width, height = image.size
                if image.mode not in ("RGB", "L") or width * height > decoder.max_pixels:
                    return None
                return cls(
                    width,
                    height,
                    orientation_of(image),
                    decoder,
                    data=data,
                    mode=image.mode,
                    profile=image.info.get("icc_profile"),
                )
        # What is wrong with it, the decoder says.
        except (*BROKEN_FILE, Image.DecompressionBombWarning, Image.DecompressionBombError):
            return None

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as they are seen."""
        turned = self.orientation >= 5
        return (self.height, self.width) if turned else (self.width, self.height)

    def reduction(self, most: float) -> int:
        """The greatest reduction that there is and that does not exceed ``most``."""
        if self.whole is not None:
            return self.reduced
        return next((by for by in REDUCTIONS if by <= most), 1)

    def pixels(self, reduction: int) -> np.ndarray:
        """``uint8 [H, W, 3]`` as stored, each side divided by ``reduction`` and rounded up.

        Raises:
            DataError: As by the decoder.
        """
        if self.whole is not None:
            return self.whole
        shape = (-(-self.height // reduction), -(-self.width // reduction), 3)
        try:
            pixels = self._decoded(reduction)
            if pixels.shape == shape:
                return pixels
        except BROKEN_FILE:
            pass
        whole = self.decoder(self.data)  # raises what is wrong with the file, if anything is
        return _as_stored(whole, self.orientation, (shape[1], shape[0]))

    def _decoded(self, reduction: int) -> np.ndarray:
        small = -(-self.width // reduction), -(-self.height // reduction)
        if self.mode == "RGB" and is_available("simplejpeg"):
            import simplejpeg

            options: dict[str, int] = {}
            if reduction > 1:
                options = {
                    "min_width": small[0],
                    "min_height": small[1],
                    "min_factor": reduction,
                }
            pixels: np.ndarray = simplejpeg.decode_jpeg(self.data, strict=True, **options)
            if not self.profile:
                return pixels
            return np.array(to_srgb(Image.fromarray(pixels), self.profile))
        with open_image(self.data) as image:
            image.draft(image.mode, (self.width // reduction, self.height // reduction))
            image.load()
            return np.array(to_srgb(image, self.profile).convert("RGB"))


def _as_stored(upright: Image.Image, orientation: int, size: tuple[int, int]) -> np.ndarray:
    """Pixels as ``size`` and ``orientation`` say, of an image that was turned already."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(back[orientation]) if orientation in back else upright
    return np.array(stored if stored.size == size else stored.resize(size, Image.Resampling.BOX))
