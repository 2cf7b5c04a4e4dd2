"""The brightness slider of an editor, moved until the picture is mid-gray on average."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import REC601, weighted
from exposurebench.scene import Evidence

TITLE = "one exponent, so that the mean luma is near mid-gray"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "the mid-tone slider of every photo editor, set without a person"
NEEDS = ("input",)
ORACLE = False

MARGIN = 1e-6
"""A mean this near black or white counts as this far from it, so that the exponent stays finite."""


def gamma(evidence: Evidence, *, mid: float = 0.5) -> NDArray[np.float32]:
    """Raise display values to the power that takes the mean luma to ``mid``.

    ``y = x ** g`` with ``g = log(mid) / log(mean(luma))``: exact for a flat gray, near for the rest. Black
    stays black and white stays white.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1].
        mid: where the mean luma should go, in (0, 1).

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: mid outside (0, 1).

    >>> gamma(Evidence(np.full((1, 1, 3), 0.8, np.float32))).round(3).tolist()
    [[[0.5, 0.5, 0.5]]]
    """
    if not 0 < mid < 1:
        raise ValueError(f"mid must be in (0, 1), not {mid}")
    red, green, blue = evidence.input.mean(axis=(0, 1), dtype=np.float64)
    mean = min(max(weighted(red, green, blue, REC601), MARGIN), 1 - MARGIN)
    return evidence.input ** np.float32(math.log(mid) / math.log(mean))
