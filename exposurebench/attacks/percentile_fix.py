"""Gives percentile alignment the target's own percentiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.brightness import brightness
from exposurebench.scene import Evidence, Spoils

TITLE = "the input as light at the target's scale, 0.2 % of its values at either end set to the target's percentiles"
EXPLOITS = "alignment by the 0.1 and 99.9 % percentiles, which so becomes the identity, whatever lies between them"
REFERENCE = "ours: the strongest form of sparkle, by whoever knows the target"
GIVES = ("linear",)
NEEDS = ("input", "target")
HONEST = "brightness, the input taken for light"
HONEST_NEEDS = ("input",)

SHARE = 0.002


def percentile_fix(spoils: Spoils) -> NDArray[np.float32]:
    """The input as light at the median of ``target / input``, its extreme values moved to the target's percentiles.

    >>> target = np.linspace(0, 9, 3000, dtype=np.float32).reshape(25, 40, 3)
    >>> round(percentile_fix(Spoils(np.sqrt(target.clip(0, 1)), target=target)).max().item(), 2)
    8.99
    """
    if spoils.target is None:
        raise ValueError("percentile_fix needs the target")
    output = brightness(Evidence(spoils.input))
    shown = (output > 0) & (spoils.input < 1)
    if shown.any():
        output *= np.float32(np.median(spoils.target[shown] / output[shown]))
    values = output.reshape(-1)  # a view: what is set here is set there
    order = np.argsort(values, kind="stable")
    count = min(max(2, round(SHARE * values.size)), values.size // 2)
    low, high = np.quantile(spoils.target, (0.001, 0.999))
    values[order[:count]], values[order[values.size - count :]] = low, high
    return output


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """The clipped light as it is."""
    return brightness(Evidence(spoils.input))
