"""Predicts no light at all beyond what the input shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.brightness import brightness
from exposurebench.exposure import clipping_regions
from exposurebench.scene import Evidence, Spoils

TITLE = "the input taken for light: no highlight is predicted"
EXPLOITS = "metrics that are of the tone curve and of the pixels that were not clipped, and miss what is missing"
REFERENCE = "Eilertsen et al. 2021, How to cheat with metrics in single-image HDR reconstruction"
GIVES = ("linear",)
NEEDS = ("input",)
HONEST = "a yardstick that knows the target: of the light that was lost, half of the stops are back"
HONEST_NEEDS = ("input", "target")
ALLOWED = {"dB": -0.1, "JOD": -0.1}
"""Finding half of the light has to be worth more than what counts for nothing."""


def hdr_free(spoils: Spoils) -> NDArray[np.float32]:
    """The baseline ``brightness``.

    >>> hdr_free(Spoils(np.full((1, 1, 3), 0.5, np.float32))).max().item()
    0.25
    """
    return brightness(Evidence(spoils.input))


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """The same with ``sqrt(x * target)`` where the input is clipped and the target, at the input's scale, is brighter.

    The scale is the median of ``target / x`` where nothing was clipped.
    """
    if spoils.target is None:
        raise ValueError("the yardstick needs the target")
    output = brightness(Evidence(spoils.input))
    red, green, blue = np.moveaxis(spoils.input, -1, 0)
    lost = clipping_regions(red, green, blue)["clipped"]
    shown = (output > 0) & ~lost[..., None]
    scale = float(np.median(spoils.target[shown] / output[shown])) if shown.any() else 1.0
    light = np.maximum(spoils.target / max(scale, 1e-9), output)
    output[lost] = np.sqrt(output * light)[lost]
    return output
