"""Transfer functions, luminance weights and colour statistics.

Everything here is arithmetic through operators (and ``clip``), so that NumPy arrays and torch tensors of
any shape go through the same lines: the data set, the loss and the metric agree because they share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

A: TypeAlias = Any
"""A NumPy array or a torch tensor (or a float, where no ``clip`` is needed); the same comes back."""

Transfer = Literal["gamma22", "srgb"]
Weights = tuple[float, float, float]

REC709: Weights = (0.2126, 0.7152, 0.0722)
"""Luminance of linear Rec. 709 RGB (ITU-R BT.709)."""
REC601: Weights = (0.299, 0.587, 0.114)
"""Luma of display-encoded RGB (ITU-R BT.601)."""
HU2018: Weights = (0.27, 0.67, 0.06)
"""The luminance of Hu et al. 2018, used by the histogram similarity on display-encoded values."""


def gamma22_to_light(display: A) -> A:
    """Display value to relative light, ``light = display ** 2.2`` (paper 0, eq. 10 with gamma 1/2.2).

    >>> round(gamma22_to_light(0.5), 6)
    0.217638
    """
    return display**2.2


def gamma22_to_display(light: A) -> A:
    """Relative light to display value, ``display = light ** (1 / 2.2)``."""
    return light ** (1 / 2.2)


def srgb_to_light(display: A) -> A:
    """Display value to relative light by the sRGB curve (IEC 61966-2-1), for arrays in [0, 1]."""
    low = display <= 0.04045
    return low * (display / 12.92) + (~low) * ((display.clip(0.04045, None) + 0.055) / 1.055) ** 2.4


def srgb_to_display(light: A) -> A:
    """Relative light to display value by the sRGB curve (IEC 61966-2-1), for arrays in [0, 1]."""
    low = light <= 0.0031308
    return low * (light * 12.92) + (~low) * (1.055 * light.clip(0.0031308, None) ** (1 / 2.4) - 0.055)


_TRANSFERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "gamma22": (gamma22_to_light, gamma22_to_display),
    "srgb": (srgb_to_light, srgb_to_display),
}


def to_light(display: A, transfer: Transfer = "gamma22") -> A:
    """Display-encoded values in [0, 1] to relative light in [0, 1] by a named transfer function.

    Raises:
        ValueError: the transfer function has no such name.
    """
    return _transfer(transfer)[0](display)


def to_display(light: A, transfer: Transfer = "gamma22") -> A:
    """Relative light in [0, 1] to display-encoded values in [0, 1]; the inverse of :func:`to_light`."""
    return _transfer(transfer)[1](light)


def _transfer(name: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    if name not in _TRANSFERS:
        raise ValueError(f"transfer must be one of {', '.join(_TRANSFERS)}, not {name!r}")
    return _TRANSFERS[name]


def weighted(red: A, green: A, blue: A, weights: Weights = REC709) -> A:
    """Weighted sum of three channels: luminance of light, or luma of display values.

    >>> round(weighted(1.0, 1.0, 1.0, HU2018), 12)
    1.0
    """
    return weights[0] * red + weights[1] * green + weights[2] * blue


def brightest(red: A, green: A, blue: A) -> A:
    """The largest of three channels, pixel by pixel (arrays of any dtype)."""
    return red.clip(green, None).clip(blue, None)


def darkest(red: A, green: A, blue: A) -> A:
    """The smallest of three channels, pixel by pixel (arrays of any dtype)."""
    return red.clip(None, green).clip(None, blue)


def hls_saturation(red: A, green: A, blue: A) -> A:
    """The S channel of HLS, for display-encoded values in [0, 1] (OpenCV's float HLS).

    With ``M`` the largest and ``m`` the smallest channel and ``L = (M + m) / 2``:
    ``S = (M - m) / (M + m)`` where ``L < 0.5``, else ``(M - m) / (2 - M - m)``; 0 for grays.

    Source: Hu et al. 2018, the saturation of the histogram similarity.
    """
    high, low = brightest(red, green, blue), darkest(red, green, blue)
    spread, total = high - low, high + low
    dark = total < 1.0
    room = dark * total + (~dark) * (2.0 - total)
    gray = spread <= 0
    return spread / (room + gray)
