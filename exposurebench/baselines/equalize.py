"""Histogram equalisation of luma: every brightness as often as any other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.images import quantize
from exposurebench.scene import Evidence

TITLE = "histogram equalisation of luma"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Gonzalez and Woods, Digital Image Processing, histogram equalization (OpenCV equalizeHist)"
NEEDS = ("input",)
ORACLE = False


def equalize(evidence: Evidence) -> NDArray[np.float32]:
    """Map luma through its own cumulative distribution, ``Y' = cdf(Y)``, and keep the chroma.

    Luma is Y of YCrCb (Rec. 601) in 256 levels, the table is OpenCV's (the darkest level in use becomes
    black); chroma stays in float. A flat image is left as it is.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    >>> grays = np.float32([0.7, 0.8, 0.9]).reshape(1, 3, 1).repeat(3, axis=2)
    >>> equalize(Evidence(grays))[0, :, 0].round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    parts = cv2.cvtColor(evidence.input, cv2.COLOR_RGB2YCrCb)
    luma = cv2.equalizeHist(quantize(parts[..., 0]))
    parts[..., 0] = luma / np.float32(255)
    return cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB).clip(0, 1)
