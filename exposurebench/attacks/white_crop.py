"""Gets rid of what was clipped: paints it white, or cuts it off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.brightness import brightness
from exposurebench.baselines.inverse_clip import BLIND_TAU, inverse_clip
from exposurebench.exposure import clipping_regions
from exposurebench.scene import Evidence, Spoils

TITLE = "the inverse, with the clipped area left white"
EXPLOITS = "metrics that look at the rest alone, or cap their peak: what was clipped is often near white"
REFERENCE = "ours; of light, white is the peak of the display on which images are compared"
GIVES = ("srgb", "linear")
NEEDS = ("input", "gives")
HONEST = "inverse_clip/blind (of light: brightness, the input taken for light), which say what they know"
HONEST_NEEDS = ("input", "gives")
VARIANTS = {"cut": {"cut": True}}
VARIANT_FACTS = {"cut": {"TITLE": "the inverse, cropped to the half in which less is clipped", "REFUSED": True}}

PEAK = 10.0
"""The brightest light of the display, 1000 cd/m2, where white is 100."""


def white_crop(spoils: Spoils, *, cut: bool = False) -> NDArray[np.float32]:
    """The honest inverse, its clipped pixels (brightest channel at least 250 of 255) painted white.

    Args:
        spoils: the input.
        cut: crop to the left or the right half, in which less is clipped, instead.

    >>> white_crop(Spoils(np.array([[[0.5] * 3, [1] * 3]], np.float32)))[0, :, 0].tolist()
    [0.4387..., 1.0]
    """
    lost, output = _clipped(spoils.input), honest(spoils)
    if cut:
        half = max(1, lost.shape[1] // 2)
        first = lost[:, :half].mean() <= lost[:, half:].mean() if lost.shape[1] > 1 else True
        return output[:, :half] if first else output[:, half:]
    output[lost] = 1 if spoils.gives == "srgb" else PEAK
    return output


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """The inverse alone."""
    given = Evidence(spoils.input)
    return inverse_clip(given, tau=BLIND_TAU, transfer="gamma22") if spoils.gives == "srgb" else brightness(given)


def _clipped(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    red, green, blue = np.moveaxis(image, -1, 0)
    found: NDArray[np.bool_] = clipping_regions(red, green, blue)["clipped"]
    return found
