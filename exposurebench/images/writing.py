"""Images to bytes; the bytes go through the one atomic writer."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from exposurebench.images.exr import encode_exr
from exposurebench.images.rgbe import LARGEST as LARGEST_RGBE
from exposurebench.images.rgbe import encode_rgbe

FORMATS = ("png", "jpg")
LIGHT_FORMATS = ("exr", "exr32", "hdr", "tiff")
_INFINITE_HALF = 0x7C00
"""The bits of infinity: those of NaN and of what is negative are larger numbers."""
_MINUS_ZERO = 0x8000
_LARGEST_HALF = 65504.0


def encode_image(levels: NDArray[Any], file_format: str = "png", quality: int = 95) -> bytes:
    """Encode integer RGB pixels: PNG (8 or 16 bits, zlib level 1) or JPEG (8 bits, 4:4:4).

    Args:
        levels: ``(H, W, 3)`` uint8 or uint16, RGB.
        file_format: ``png`` or ``jpg``.
        quality: JPEG quality, 1 to 100.

    Raises:
        ValueError: wrong dtype, shape or format, or the encoder refused.

    >>> encode_image(np.zeros((2, 2, 3), np.uint8))[1:4]
    b'PNG'
    """
    if levels.ndim != 3 or levels.shape[2] != 3 or levels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected (H, W, 3) uint8 or uint16, got {levels.shape} {levels.dtype}")
    if file_format == "jpg":
        if levels.dtype != np.uint8:
            raise ValueError("JPEG holds 8 bits; these pixels have 16: use png")
        return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(levels), quality, colorsubsampling="444"))
    if file_format != "png":
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {file_format!r}")
    done, data = cv2.imencode(".png", cv2.cvtColor(levels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError("the PNG encoder failed")
    return data.tobytes()


def encode_radiance(light: NDArray[np.floating[Any]], file_format: str = "exr") -> bytes:
    """Encode linear Rec. 709 light; the same values give the same bytes.

    Args:
        light: ``(H, W, 3)`` float32, finite, at or above 0; or float16 for ``exr``.
        file_format: ``exr``: OpenEXR of halves, rounded to the nearest (to 0 below about 3e-8); ``exr32``:
            OpenEXR of floats, exact; ``hdr``: a Radiance picture, within 1/256 of each pixel's brightest
            channel; ``tiff``: floats, exact and uncompressed.

    Raises:
        ValueError: wrong dtype, shape or format, values that are negative or not finite, or more than the
            format can hold.

    >>> encode_radiance(np.ones((2, 2, 3), np.float32))[1:4]
    b'/1\\x01'
    """
    if light.ndim != 3 or light.shape[2] != 3 or light.dtype not in (np.float32, np.float16) or not light.size:
        raise ValueError(f"expected (H, W, 3) float32, got {light.shape} {light.dtype}")
    if light.dtype == np.float16:
        bits = light.view(np.uint16)
        if file_format != "exr" or (
            bits.max() >= _INFINITE_HALF and (bits[bits != _MINUS_ZERO] >= _INFINITE_HALF).any()
        ):
            raise ValueError(f"halves must be finite, at or above 0, and written as exr, not {file_format!r}")
        return encode_exr(light)
    low, high = float(light.min()), float(light.max())
    if not (low >= 0 and high < np.inf):
        raise ValueError(f"light must be finite and at or above 0, not from {low:g} to {high:g}")
    if file_format == "exr":
        if high > _LARGEST_HALF:
            raise ValueError(f"the largest value is {high:g}, over a half's 65,504: use exr32 or scale the light")
        return encode_exr(light.astype(np.float16))
    if file_format == "exr32":
        return encode_exr(light)
    if file_format == "hdr":
        if high >= LARGEST_RGBE:
            raise ValueError(
                f"the largest value is {high:g}; a Radiance picture ends below {LARGEST_RGBE:g}: use exr32"
            )
        return encode_rgbe(light)
    if file_format != "tiff":
        raise ValueError(f"format must be one of {', '.join(LIGHT_FORMATS)}, not {file_format!r}")
    import tifffile  # slow to load, and seldom needed

    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(light, photometric="rgb", metadata=None, software=False)
    return stream.getvalue()
