"""The trivial row: nothing is corrected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.scene import Evidence

TITLE = "the input as it is"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "the trivial row: what a method has to beat to have done anything"
NEEDS = ("input",)
ORACLE = False


def identity(evidence: Evidence) -> NDArray[np.float32]:
    """The input as it is, ``y = x``.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Returns:
        A copy of the input.

    >>> identity(Evidence(np.full((1, 1, 3), 0.25, np.float32))).tolist()
    [[[0.25, 0.25, 0.25]]]
    """
    return evidence.input.copy()
