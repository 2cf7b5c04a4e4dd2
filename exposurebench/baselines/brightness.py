"""The middle picture of paper 3's figure 1: the brightness is changed, and nothing is known of what was clipped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.crf import parse_curve
from exposurebench.scene import Evidence

TITLE = "the input taken for light, so that another exposure is another brightness"
TAKES = "srgb"
GIVES = "linear"
REFERENCE = "Paper 3, figure 1: adjusting the brightness directly, against re-exposing a radiance map"
NEEDS = ("input",)
ORACLE = False


def brightness(evidence: Evidence, *, crf: str = "sqrt") -> NDArray[np.float32]:
    """Undo the camera's response and predict nothing, ``H = crf^-1(x)``.

    What is rendered of it at another exposure is the picture itself, brighter or darker: under the square root
    ``sqrt(H 2^ev) = x 2^(ev / 2)``, display values scaled. White turns gray and shows nothing. It is what a network
    that predicts clipped light has to beat.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1].
        crf: the response (:mod:`exposurebench.crf`), paper 3's naive square root by default.

    Returns:
        ``(H, W, 3)`` float32, linear light in [0, 1].

    Raises:
        ValueError: no such response.

    Source: paper 3, figures 1 and 2.

    >>> brightness(Evidence(np.full((1, 1, 3), 0.5, np.float32))).tolist()
    [[[0.25, 0.25, 0.25]]]
    """
    light: NDArray[np.float32] = parse_curve(crf).to_light(evidence.input).astype(np.float32)
    return light
