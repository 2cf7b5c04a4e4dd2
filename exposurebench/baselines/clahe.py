"""Contrast-limited adaptive histogram equalisation of lightness."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.images import quantize
from exposurebench.scene import Evidence

TITLE = "contrast-limited adaptive histogram equalisation of lightness"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Zuiderveld 1994, Contrast limited adaptive histogram equalization (OpenCV createCLAHE)"
NEEDS = ("input",)
ORACLE = False


def clahe(evidence: Evidence, *, clip_limit: float = 2.0, tiles: int = 8) -> NDArray[np.float32]:
    """Equalise lightness tile by tile with a bounded slope, and blend the tiles' tables.

    In every tile a histogram bin above ``clip_limit`` times the mean bin is cut and what was cut is spread
    over all; the cumulative sums of neighbouring tiles are interpolated. Lightness is L of CIE Lab in 256
    levels, a and b stay in float.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1]; any size, also below the grid's.
        clip_limit: the steepest slope, above 0.
        tiles: how many tiles there are along each side, at least 1.

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: a setting out of range.

    Source: Zuiderveld 1994, in Graphics Gems IV.

    >>> haze = np.linspace(0.6, 0.7, 4096, dtype=np.float32).reshape(64, 64, 1).repeat(3, axis=2)
    >>> bool(np.ptp(clahe(Evidence(haze), tiles=1)) > np.ptp(haze))
    True
    """
    if not clip_limit > 0:
        raise ValueError(f"clip_limit must be above 0, not {clip_limit}")
    if tiles < 1:
        raise ValueError(f"tiles must be at least 1, not {tiles}")
    parts = cv2.cvtColor(evidence.input, cv2.COLOR_RGB2Lab)
    lightness = cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(quantize(parts[..., 0] / np.float32(100)))
    parts[..., 0] = lightness * np.float32(100 / 255)
    return cv2.cvtColor(parts, cv2.COLOR_Lab2RGB).clip(0, 1)
