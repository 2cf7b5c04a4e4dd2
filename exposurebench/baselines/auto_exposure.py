"""What a camera's meter would have done: the mean becomes middle gray."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import Transfer, to_display, to_light, weighted
from exposurebench.scene import Evidence

TITLE = "one gain in light, so that the mean luminance is 18 % gray"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Buchsbaum 1980, A spatial processor model for object colour perception (the gray world)"
NEEDS = ("input",)
ORACLE = False
VARIANTS = {"balanced": {"balanced": True}}
VARIANT_FACTS = {"balanced": {"TITLE": "one gain in light per channel, so that each mean is 18 % gray"}}

GRAY = 0.18
"""Middle gray, as a share of white's light."""
DARKEST = 1e-12
"""A mean below this counts as this, so that black stays black."""


def auto_exposure(evidence: Evidence, *, balanced: bool = False, transfer: Transfer = "gamma22") -> NDArray[np.float32]:
    """Scale the light so that its mean is middle gray, ``L' = min(1, L * 0.18 / mean(L))``.

    The mean is that of the Rec. 709 luminance; with ``balanced`` it is each channel's own, which makes the
    mean colour gray as well. What is above white is clipped, so the mean falls short where much is.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1].
        balanced: one gain per channel instead of one for all.
        transfer: how display values and light relate: ``gamma22`` or ``srgb``.

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: an unknown transfer.

    Source: Buchsbaum 1980 for the gray world; 18 % is the photographers' gray card.

    >>> bright = Evidence(np.full((1, 1, 3), 0.9, np.float32))
    >>> round(float(auto_exposure(bright)[0, 0, 0]) ** 2.2, 4)
    0.18
    """
    light = to_light(evidence.input, transfer)
    means = light.mean(axis=(0, 1), dtype=np.float64)
    if not balanced:
        means = np.full(3, weighted(*means))
    gains = (GRAY / means.clip(DARKEST, None)).astype(np.float32)
    display: NDArray[np.float32] = to_display((light * gains).clip(0, 1), transfer)
    return display.clip(0, 1)
