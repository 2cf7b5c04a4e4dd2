"""One way to make an image smaller, in float, so that nothing is quantised twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np

from exposurebench.errors import ImageError
from exposurebench.images.image import Image

Crop = Literal["none", "center", "random"]


def resize(image: Image, size: int | None, crop: Crop = "none", seed: int = 0) -> Image:
    """Shrink so that the short side is ``size``, then cut a ``size`` x ``size`` square if asked.

    Area averaging in float32 of whatever the pixels are (display values or light); the result is not
    quantised, and a pixel with any saturated part is saturated. An image that has the asked
    size already is given back as it is.

    Args:
        image: any image.
        size: the short side in pixels; None keeps the size.
        crop: ``none``, ``center``, or ``random`` (drawn from the seed). Without a size the square has the
            image's own short side.
        seed: for ``random``.

    Raises:
        ImageError: the image is smaller than asked; nothing is enlarged.
    """
    height, width = image.pixels.shape[:2]
    short = min(height, width)
    side = size or short
    if side > short:
        raise ImageError(
            f"is {width} x {height}, smaller than the asked {side}: photographs are never enlarged; lower --size"
        )
    pixels, saturated = image.pixels, image.saturated
    if side < short:
        shape = (round(width * side / short), round(height * side / short))
        scale = np.float32(1 if pixels.dtype == np.float32 else 1 / np.iinfo(pixels.dtype).max)
        # At exactly half the size both are the mean of 2 x 2, without a rounding error, and OpenCV has vector code
        # for the linear one.
        halved = (2 * shape[0], 2 * shape[1]) == (width, height)
        way = cv2.INTER_LINEAR if halved else cv2.INTER_AREA
        pixels = cv2.resize(pixels.astype(np.float32), shape, interpolation=way) * scale
        if saturated is not None:
            saturated = cv2.resize(saturated.astype(np.float32), shape, interpolation=cv2.INTER_AREA) > 0
    if crop != "none" and pixels.shape[0] != pixels.shape[1]:
        spare = (pixels.shape[0] - side, pixels.shape[1] - side)
        if crop == "center":
            top, left = spare[0] // 2, spare[1] // 2
        else:
            top, left = np.random.default_rng(seed).integers(0, (spare[0] + 1, spare[1] + 1))
        window = np.s_[top : top + side, left : left + side]
        pixels = np.ascontiguousarray(pixels[window])
        saturated = None if saturated is None else np.ascontiguousarray(saturated[window])
    if pixels is image.pixels:
        return image
    return replace(image, pixels=pixels, file=None, saturated=saturated)
