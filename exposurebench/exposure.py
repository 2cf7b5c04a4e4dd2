"""Exposure arithmetic: clipping in light, its inverse, thresholds, and what counts as well exposed.

Arrays or tensors alike, through operators only. ``exposure_ev`` is positive for brighter (the opposite
sign of APEX's EV, which is a setting of the camera for a given light): clipping the light at ``tau`` and rescaling brightens by ``log2(1 / tau)`` EV.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from exposurebench.color import A, Transfer, brightest, gamma22_to_display, to_display, to_light

OVEREXPOSED = 250 / 255
"""A pixel whose brightest channel reaches this display value counts as overexposed."""
UNDEREXPOSED = 5 / 255
"""A pixel whose brightest channel stays at or below this display value counts as underexposed."""
NEARLY_OVEREXPOSED = 230 / 255
"""From here to ``OVEREXPOSED`` a pixel is nearly clipped: a third of a stop more light (gamma 2.2) makes it white."""


def exposure_ev(tau: float) -> float:
    """How much brighter an image gets when its light is clipped at tau and rescaled, in EV.

    >>> exposure_ev(0.5)
    1.0
    """
    return math.log2(1 / _checked(tau))


def camera_exposure_ev(time_s: float, iso: float, f_number: float) -> float:
    """How much light a photograph records of a given scene, in EV: ``log2(t * S / N ** 2)``.

    Twice the time or the sensitivity is +1 EV; only differences between frames of one camera mean light.

    Args:
        time_s: exposure time in seconds.
        iso: sensitivity (ISO 12232).
        f_number: the aperture's number.

    Raises:
        ValueError: one of them is not a positive, finite number.

    >>> camera_exposure_ev(1 / 50, 200, 2.0)
    0.0
    """
    if not all(0 < value < math.inf for value in (time_s, iso, f_number)):
        raise ValueError(f"time, ISO and f-number must be positive and finite, not {time_s}, {iso}, {f_number}")
    return math.log2(time_s * iso / f_number**2)


def display_threshold(tau: float, transfer: Transfer = "gamma22") -> float:
    """The display value at which light ``tau`` clips: ``t = tau ** (1 / 2.2)`` for gamma22.

    >>> round(display_threshold(0.5), 4)
    0.7297
    """
    _checked(tau)
    if transfer == "gamma22":
        return float(gamma22_to_display(tau))
    import numpy as np

    return float(to_display(np.float64(tau), transfer))


def overexpose(display: A, tau: float, transfer: Transfer = "gamma22") -> A:
    """Clip the light above tau, rescale it to the full range, and go back to display values.

    ``x = (min(y ** 2.2, tau) / tau) ** (1 / 2.2)``, which for a power law is ``min(y, t) / t`` with
    ``t = tau ** (1 / 2.2)``; that closed form is what is computed for gamma22.

    Args:
        display: display-encoded values in [0, 1], any shape.
        tau: the light that becomes white, in (0, 1].
        transfer: how display values and light relate, ``gamma22`` (paper 0) or ``srgb``.

    Returns:
        Display-encoded values in [0, 1], same shape.

    Raises:
        ValueError: tau outside (0, 1] or an unknown transfer.

    Source: paper 0, section 3.5 and figure 4.

    >>> import numpy as np
    >>> overexpose(np.array([0.25, 0.5, 1.0]), 0.5).round(4).tolist()
    [0.3426, 0.6852, 1.0]
    """
    _checked(tau)
    if transfer == "gamma22":
        threshold = display_threshold(tau)
        return display.clip(None, threshold) / threshold
    return to_display(to_light(display, transfer).clip(None, tau) / tau, transfer)


def overexpose_dithered(
    display: A,
    tau: float,
    transfer: Transfer = "gamma22",
    *,
    uniform: Callable[[], A],
    levels: int = 255,
    noise: float = 0.0,
    normal: Callable[[], A] | None = None,
) -> A:
    """:func:`overexpose` of a quantised photograph as if it had been continuous: what the camera form computes.

    ``x = max(overexpose(y + (dither - 1/2) / levels), 0) + noise * N(0, 1)``, to be quantised once, which clips; without
    noise it clips at 0 too, so that this does not.

    Args:
        display: display-encoded values in [0, 1], any shape.
        tau: the light that becomes white, in (0, 1].
        transfer: how display values and light relate.
        uniform: draws the dither, in [0, 1) and of that shape; what it gives is worked on in place.
        levels: the photograph's largest level; the dither is as wide as one.
        noise: standard deviation of what is added after the clipping.
        normal: draws it, for a deviation of 1; needed where there is noise.

    Returns:
        Values of that shape, in [0, 1] but for the noise and half a level of dither.

    >>> import numpy as np
    >>> overexpose_dithered(np.array([0.5]), 1.0, uniform=lambda: np.array([0.75])).round(5).tolist()
    [0.50098]
    """
    values = uniform()
    values -= 0.5
    values /= levels
    values += display
    del display  # of nobody else, its memory serves what follows: fresh pages cost a quarter of the whole
    clipped = overexpose(values, tau, transfer)
    if noise and normal:
        field = normal()
        field *= noise
        clipped = clipped.clip(0, None)
        clipped += field
    return clipped


def underexpose(display: A, tau: float, transfer: Transfer = "gamma22") -> A:
    """Undo :func:`overexpose` where nothing was clipped: ``y = t * x`` for gamma22.

    Clipped areas become the flat value ``t``; nothing brighter can come out.

    Source: paper 0, section 3.6.

    >>> import numpy as np
    >>> underexpose(np.array([1.0]), 0.5).round(4).tolist()
    [0.7297]
    """
    _checked(tau)
    if transfer == "gamma22":
        return display * display_threshold(tau)
    return to_display(to_light(display, transfer) * tau, transfer)


def clipping_regions(red: A, green: A, blue: A) -> dict[str, A]:
    """Which pixels of an input are clipped, nearly clipped, or neither; every pixel is in one region.

    With ``m`` the brightest channel: clipped where ``m >= 250/255``, near_clipped where
    ``230/255 <= m < 250/255``, else unclipped.

    Args:
        red: display-encoded, in [0, 1], any shape, as are
        green: and
        blue: the other channels.

    Returns:
        A boolean array of that shape for each of ``clipped``, ``near_clipped`` and ``unclipped``.

    >>> import numpy as np
    >>> level = np.array([0.5, 0.95, 1.0])
    >>> {name: mask.astype(int).tolist() for name, mask in clipping_regions(level, level, 0 * level).items()}
    {'clipped': [0, 0, 1], 'near_clipped': [0, 1, 0], 'unclipped': [1, 0, 0]}
    """
    level = brightest(red, green, blue)
    # A level of 8 bits divided by 255 in float32 may end a hair below the threshold in float64.
    clipped, bright = (level >= threshold - 1e-6 for threshold in (OVEREXPOSED, NEARLY_OVEREXPOSED))
    return {"clipped": clipped, "near_clipped": bright & ~clipped, "unclipped": ~bright}


def _checked(tau: float) -> float:
    if not 0 < tau <= 1:
        raise ValueError(f"tau must be in (0, 1], not {tau}")
    return tau
