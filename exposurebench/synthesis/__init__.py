"""HDR scenes computed from a seed: light without a download.

Every kind is a function of image coordinates, drawn from ``np.random.default_rng(seed)`` and looked at
through the same eye. All of it is NumPy arithmetic on one thread: sums never depend on workers. The same seed
gives the same bits on one machine; elsewhere ``exp`` and ``log`` may differ in the last bit of a float32,
which half floats, as data sets store them, seldom show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from exposurebench.color import weighted
from exposurebench.synthesis.interior import interior
from exposurebench.synthesis.night import night
from exposurebench.synthesis.noise import Field, Shade, render
from exposurebench.synthesis.sky import sky
from exposurebench.synthesis.texture import texture

Kind = Literal["sky", "interior", "night", "texture"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LARGEST = 60_000.0
"""Brighter light is cut off here, below the largest half float."""
SMALLEST = 1e-5
"""Darker light is raised to this: no photograph is black."""

_SCENES: dict[str, Callable[[np.random.Generator], Shade]] = {
    "sky": sky,
    "interior": interior,
    "night": night,
    "texture": texture,
}


def synthesize(seed: int, kind: Kind | None = None, height: int = 256, width: int = 384) -> Field:
    """Compute an HDR scene.

    Args:
        seed: everything that is drawn (the sun's height, the rooms' size, the number of lamps, ...) follows
            from it; the same seed at another size is the same scene.
        kind: ``sky`` (against the sun), ``interior`` (with windows), ``night`` (a street with lamps) or
            ``texture`` (test fields at many scales under uneven light); None draws one.
        height: in pixels.
        width: in pixels.

    Returns:
        ``(height, width, 3)`` float32 linear Rec. 709 radiance in [1e-5, 60000], scaled so that the median
        luminance is what the seed draws from [0.1, 0.3].

    Raises:
        ValueError: no such kind, or no pixels.

    >>> synthesize(0, "night", 32, 48).shape
    (32, 48, 3)
    """
    if kind not in (None, *KINDS):
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if height < 1 or width < 1:
        raise ValueError(f"height and width must be at least 1, not {height} and {width}")
    rng = np.random.default_rng(seed)
    key, chosen = rng.uniform(0.1, 0.3), KINDS[int(rng.integers(len(KINDS)))]
    light = render(_SCENES[kind or chosen](rng), height, width)
    scale = np.float32(key / np.median(weighted(light[..., 0], light[..., 1], light[..., 2])))
    return np.clip(light * scale, SMALLEST, LARGEST)
