"""The 3 x 3 averaging kernel: named as an alternative, here as the proof that it is none."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.scene import Evidence

TITLE = "the mean of 3 x 3 pixels"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "u1921415 2022, Convolutional neural networks for image exposure correction, section 9"
NEEDS = ("input",)
ORACLE = False


def box3(evidence: Evidence) -> NDArray[np.float32]:
    """Average every pixel with its eight neighbours, ``y = sum(x) / 9``; the edge is mirrored.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Source: paper 1, section 9, which hopes to brighten or darken an image by it. It keeps the mean.

    >>> image = np.zeros((3, 3, 3), np.float32)
    >>> image[1, 1] = 0.9
    >>> bool(np.allclose(box3(Evidence(image)), 0.1))
    True
    """
    return cv2.blur(evidence.input, (3, 3), borderType=cv2.BORDER_REFLECT).clip(0, 1)
