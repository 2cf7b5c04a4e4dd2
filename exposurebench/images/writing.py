"""Images to bytes; the bytes go through the one atomic writer."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

FORMATS = ("png", "jpg")


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
