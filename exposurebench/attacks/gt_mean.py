"""Scales its output to the target's mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.auto_exposure import auto_exposure
from exposurebench.baselines.brightness import brightness
from exposurebench.color import REC601, weighted
from exposurebench.scene import Evidence, Spoils

TITLE = "the input scaled to the mean luma of the target (GT-mean)"
EXPLOITS = "the target's brightness, and exposure is most of what is scored"
REFERENCE = "GT-mean, as released programs for low-light images do it before they measure"
GIVES = ("srgb", "linear")
NEEDS = ("input", "gives", "target")
HONEST = "auto_exposure, which has to guess the mean (of light: brightness, the input taken for light)"
HONEST_NEEDS = ("input", "gives")


def gt_mean(spoils: Spoils) -> NDArray[np.float32]:
    """``y = x * mean(luma of target) / mean(luma of x)``, clipped where the answer is display values.

    >>> image = np.full((1, 1, 3), 0.5, np.float32)
    >>> gt_mean(Spoils(image, target=image / 2)).max().item()
    0.25
    """
    if spoils.target is None:
        raise ValueError("gt_mean needs the target")
    output = spoils.input if spoils.gives == "srgb" else brightness(Evidence(spoils.input))
    scaled = output * np.float32(_mean(spoils.target) / max(_mean(output), 1e-9))
    return scaled.clip(0, 1) if spoils.gives == "srgb" else scaled


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """The mean is guessed; light has a gain fitted to it whoever made it."""
    given = Evidence(spoils.input)
    return auto_exposure(given) if spoils.gives == "srgb" else brightness(given)


def _mean(image: NDArray[np.float32]) -> float:
    red, green, blue = np.moveaxis(image.astype(np.float64), -1, 0)
    return float(weighted(red, green, blue, REC601).mean())
