"""DICOM, as a viewer would show it: with the window of the file, and never as its negative."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hf_vft.data.decoding.samples import Samples
from hf_vft.errors import DataError, MissingDependencyError
from hf_vft.utils.imports import require_package

if TYPE_CHECKING:
    from pydicom import Dataset

_GREY = ("MONOCHROME1", "MONOCHROME2")
_BROKEN = (AttributeError, OSError, ValueError, TypeError, KeyError, IndexError, EOFError)


def is_dicom(data: bytes) -> bool:
    """Whether this is a DICOM file with its preamble."""
    return data[128:132] == b"DICM"


def read_dicom(data: bytes, max_pixels: int) -> tuple[Samples | Image.Image, int]:
    """The first frame of a DICOM file.

    A grey image with a window, or a table in its place (VOI LUT), is seen through it: 8 bits, the
    range that the window makes, not that of the values found. Without one the stored values
    are returned, of which there are ``BitsStored``; rescaling does not change how they look.
    MONOCHROME1 is turned round.

    Args:
        data: The file.
        max_pixels: Limit on rows × columns.

    Returns:
        Samples or an image of mode L or RGB, and the number of frames.

    Raises:
        DataError: If pydicom is not installed, or the file cannot be decoded.
    """
    pydicom = _pydicom()
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        width, height = int(dataset.Columns), int(dataset.Rows)
        if width * height > max_pixels:
            raise DataError(f"too many pixels ({width} × {height}; the limit is {max_pixels:,})")
        frames = int(dataset.get("NumberOfFrames", None) or 1)
        return _frame(dataset), frames
    except RuntimeError as error:  # pydicom names the packages that could decode it
        syntax = dataset.file_meta.TransferSyntaxUID.name
        raise DataError(f"DICOM compressed as {syntax} cannot be read ({_short(error)})") from None
    except (pydicom.errors.InvalidDicomError, *_BROKEN) as error:
        raise DataError(f"the DICOM file is damaged or holds no image ({_short(error)})") from None


def dicom_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        DataError: If pydicom is not installed, or the file holds no image.
    """
    pydicom = _pydicom()
    try:
        dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        return int(dataset.Columns), int(dataset.Rows)
    except (pydicom.errors.InvalidDicomError, *_BROKEN) as error:
        raise DataError(f"the DICOM file is damaged or holds no image ({_short(error)})") from None


def _pydicom() -> Any:
    try:
        return require_package("pydicom", "dicom")
    except MissingDependencyError:
        raise DataError(
            "a DICOM file; reading it needs the package 'pydicom': pip install 'hf-vft[dicom]'"
        ) from None


def _frame(dataset: Dataset) -> Samples | Image.Image:
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    kind = str(dataset.PhotometricInterpretation)
    pixels = pixel_array(dataset, index=0)
    if kind == "PALETTE COLOR":
        colours = apply_color_lut(pixels, dataset)
        return Image.fromarray((colours >> 8).astype(np.uint8) if colours.itemsize > 1 else colours)
    if kind not in _GREY:
        if pixels.dtype != np.uint8 or pixels.ndim != 3:
            raise DataError(f"DICOM of photometric interpretation {kind} cannot be read")
        return Image.fromarray(pixels)
    inverted = kind == "MONOCHROME1"
    if _has_window(dataset) or dataset.get("ModalityLUTSequence"):
        shown = _windowed(apply_modality_lut(pixels, dataset), dataset)
        levels = np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)
        return Image.fromarray(255 - levels if inverted else levels)
    bits = int(dataset.BitsStored)
    if bits > 16:
        raise DataError(f"DICOM with {bits} bits stored cannot be read")
    lowest = -(1 << (bits - 1)) if dataset.PixelRepresentation else 0
    values = (pixels.astype(np.int32) - lowest).astype(np.uint16)
    if bits < 8:
        values, bits = np.left_shift(values, 8 - bits, dtype=np.uint16), 8
    return Samples(values, stated=bits, white_is_zero=inverted)


def _has_window(dataset: Dataset) -> bool:
    return "WindowWidth" in dataset or bool(dataset.get("VOILUTSequence"))


def _windowed(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Through the first window or table, to [0, 1] of what it can give."""
    from pydicom.pixels.processing import apply_voi_lut

    if dataset.get("VOILUTSequence"):
        low, high = 0.0, float(2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    elif dataset.get("ModalityLUTSequence"):
        low, high = 0.0, float(2 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1)
    else:
        bits = int(dataset.BitsStored)
        low = float(-(1 << (bits - 1)) if dataset.PixelRepresentation else 0)
        high = low + (1 << bits) - 1
        if "RescaleSlope" in dataset and "RescaleIntercept" in dataset:
            slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
            low, high = low * slope + intercept, high * slope + intercept
    shown: np.ndarray = (apply_voi_lut(values, dataset) - low) / (high - low)
    return shown


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
