"""A few pixels of what was clipped, far too bright."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.brightness import brightness
from exposurebench.exposure import clipping_regions
from exposurebench.scene import Evidence, Spoils

TITLE = "the clipped input with 0.15 % of its pixels thirty times as bright"
EXPLOITS = "alignment by the 0.1 and 99.9 % percentiles: who sets the brightest thousandth sets the scale of the image"
REFERENCE = "ours: it gained 12 to 18 dB of PU21-PSNR under percentile alignment"
GIVES = ("linear",)
NEEDS = ("input",)
HONEST = "brightness, the input taken for light, without any sparkle"
HONEST_NEEDS = ("input",)


def sparkle(spoils: Spoils, *, share: float = 0.0015, factor: float = 30.0, seed: int = 0) -> NDArray[np.float32]:
    """Multiply so large a share of the pixels, drawn among the clipped ones, by a factor.

    Args:
        spoils: the input.
        share: of all pixels; of the clipped ones all, where there are fewer.
        factor: how much brighter.
        seed: of the draw.

    >>> sparkle(Spoils(np.ones((20, 50, 3), np.float32))).max().item()
    30.0
    """
    output = brightness(Evidence(spoils.input))
    red, green, blue = np.moveaxis(spoils.input, -1, 0)
    lost = np.flatnonzero(clipping_regions(red, green, blue)["clipped"])
    chosen = np.random.default_rng(seed).choice(lost, min(lost.size, round(share * red.size)), replace=False)
    output.reshape(-1, 3)[chosen] *= np.float32(factor)
    return output


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """The clipped light as it is."""
    return brightness(Evidence(spoils.input))
