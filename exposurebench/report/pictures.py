"""Small pictures for cards and pages, and which of many to show."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.images import Image, quantize

_GOLDEN = 0.618033988749895


def thumbnail(image: Image, width: int, height: int) -> NDArray[np.uint8]:
    """An image as 8-bit RGB, shrunk to fit a box (never enlarged).

    >>> thumbnail(Image(np.zeros((100, 300, 3), np.uint8)), 60, 60).shape
    (20, 60, 3)
    """
    rows, columns = image.pixels.shape[:2]
    scale = min(1.0, width / columns, height / rows)
    shape = (max(1, int(columns * scale)), max(1, int(rows * scale)))
    pixels = image.as_float()
    return quantize(cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA) if scale < 1 else pixels, 8)


def spread(number: int, wanted: int) -> list[int]:
    """At most ``wanted`` of ``number`` positions, one in each of as many equal stretches.

    The place within its stretch differs from one to the next, so that a list with a period (four exposures
    of every photograph) is not met at the same phase each time.

    >>> spread(3, 8), spread(1000, 4)
    ([0, 1, 2], [0, 404, 559, 963])
    """
    wanted = min(number, wanted)
    edges = [i * number // wanted for i in range(wanted + 1)] if wanted else []
    return [low + int(i * _GOLDEN % 1 * (high - low)) for i, (low, high) in enumerate(itertools.pairwise(edges))]
