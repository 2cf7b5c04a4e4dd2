"""Exposure fusion: the best-exposed parts of a bracket, blended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench import merging
from exposurebench.scene import Evidence

TITLE = "the bracket's frames fused by contrast, saturation and exposure"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Mertens, Kautz and Van Reeth 2007, Exposure fusion"
NEEDS = ("frames",)
ORACLE = True


def mertens(
    evidence: Evidence, *, contrast: float = 1.0, saturation: float = 1.0, exposure: float = 1.0
) -> NDArray[np.float32]:
    """Fuse all exposures of the scene by :func:`exposurebench.merging.mertens`; the input itself is not looked at.

    Args:
        evidence: the frames, ``(H, W, 3)`` float32, display-encoded, [0, 1]; their exposures are not used.
        contrast: the exponent of the contrast measure, at or above 0.
        saturation: the exponent of the saturation measure.
        exposure: the exponent of the well-exposedness measure (1 in the article, 0 in OpenCV).

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: no frames, or sizes that differ; a negative exponent.

    Source: Mertens, Kautz and Van Reeth 2007.

    >>> from exposurebench.scene import ExposedFrame
    >>> gray = np.full((4, 4, 3), 0.5, np.float32)
    >>> mertens(Evidence(gray, frames=(ExposedFrame(gray, -1.0), ExposedFrame(gray, 1.0)))).mean().round(4).item()
    0.5
    """
    frames = [frame.pixels for frame in evidence.frames or ()]
    return merging.mertens(frames, contrast=contrast, saturation=saturation, exposure=exposure)
