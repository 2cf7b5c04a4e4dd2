"""Transfer functions, luminance weights, primaries and colour statistics.

What is computed of pixels is arithmetic through operators (and ``clip``), so that NumPy arrays and torch
tensors of any shape go through the same lines: the data set, the loss and the metric agree because they
share them. The matrices between colour spaces are small float64 arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

A: TypeAlias = Any
"""A NumPy array or a torch tensor (or a float, where no ``clip`` is needed); the same comes back."""

Transfer = Literal["gamma22", "srgb"]
Weights = tuple[float, float, float]
Chromaticity = tuple[float, float]
"""CIE 1931 (x, y)."""


class Primaries(NamedTuple):
    """What RGB stands for: the CIE 1931 (x, y) of its three primaries and of its white, R = G = B."""

    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity


REC709: Weights = (0.2126, 0.7152, 0.0722)
"""Luminance of linear Rec. 709 RGB (ITU-R BT.709)."""
REC601: Weights = (0.299, 0.587, 0.114)
"""Luma of display-encoded RGB (ITU-R BT.601)."""
HU2018: Weights = (0.27, 0.67, 0.06)
"""The luminance of Hu et al. 2018, used by the histogram similarity on display-encoded values."""
REC709_PRIMARIES = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290))
"""Rec. 709 and its white, D65 (ITU-R BT.709)."""
XYZ_PRIMARIES = Primaries((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3))
"""CIE XYZ itself, with the equal-energy white."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""XYZ to the sharpened cone responses in which whites are scaled (Lam 1985)."""


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


def rgb_to_xyz(primaries: Primaries = REC709_PRIMARIES) -> NDArray[np.float64]:
    """The matrix from linear RGB to CIE XYZ, scaled so that white has ``Y = 1``.

    The columns are the primaries' ``(x, y, 1 - x - y)``, each scaled so that together they give the white
    ``(x / y, 1, (1 - x - y) / y)``. The second row is the luminance weights.

    Returns:
        ``(3, 3)`` float64.

    Raises:
        ValueError: the chromaticities span no colour space (collinear primaries, a white without luminance
            or on the line between two primaries).

    Source: SMPTE RP 177-1993.

    >>> rgb_to_xyz().round(4).tolist()
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    """
    columns = np.array([(x, y, 1 - x - y) for x, y in primaries[:3]]).T
    if np.isfinite(primaries).all() and abs(np.linalg.det(columns)) > 1e-9:
        matrix: NDArray[np.float64] = columns * np.linalg.solve(columns, _white_to_xyz(primaries.white))
        if abs(np.linalg.det(matrix)) > 1e-9:
            return matrix
    raise ValueError(f"the chromaticities {_spelled(primaries)} span no colour space")


def srgb_to_lab(red: A, green: A, blue: A) -> tuple[A, A, A]:
    """Display-encoded sRGB in [0, 1] to CIE 1976 L*a*b*, seen under its own white, D65.

    ``L* = 116 f(Y) - 16``, ``a* = 500 (f(X) - f(Y))``, ``b* = 200 (f(Y) - f(Z))`` with X, Y, Z each divided by
    the white's, and ``f(t) = t ** (1 / 3)`` above ``(6 / 29) ** 3``, below it the tangent there.

    Returns:
        L* in [0, 100], a* and b*; grays have a* = b* = 0 but for rounding.

    Source: CIE 15:2004, 8.2.1; IEC 61966-2-1.

    >>> [round(channel.item(), 3) for channel in srgb_to_lab(*np.array([1.0, 0.0, 0.0]))]
    [53.237, 80.09, 67.203]
    """
    red, green, blue = (srgb_to_light(channel) for channel in (red, green, blue))
    rows = rgb_to_xyz() / rgb_to_xyz().sum(1, keepdims=True)
    x, y, z = (_lab_root(weighted(red, green, blue, (r, g, b))) for r, g, b in rows.tolist())
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _lab_root(ratio: A) -> A:
    bend = (6 / 29) ** 3
    low = ratio <= bend
    return low * (ratio * (29 / 6) ** 2 / 3 + 4 / 29) + (~low) * ratio.clip(bend, None) ** (1 / 3)


def adapt_white(source: Chromaticity, target: Chromaticity) -> NDArray[np.float64]:
    """The matrix that turns XYZ seen under one white into XYZ seen under another (Bradford, linear).

    ``M^-1 diag(M w_target / M w_source) M`` with Bradford's cone responses ``M``.

    Returns:
        ``(3, 3)`` float64; the source white becomes the target white.

    Raises:
        ValueError: a white without luminance, or one to which a cone does not answer.

    Source: Lam 1985; Lindbloom, "Chromatic Adaptation".

    >>> adapt_white((0.3457, 0.3585), REC709_PRIMARIES.white).round(2).tolist()
    [[0.96, -0.02, 0.06], [-0.03, 1.01, 0.02], [0.01, -0.02, 1.33]]
    """
    cones = [_BRADFORD @ _white_to_xyz(white) for white in (source, target)]
    if min(cone.min() for cone in cones) <= 0:
        raise ValueError(
            f"the white x, y = {source[0]:g}, {source[1]:g} cannot be adapted to {target[0]:g}, {target[1]:g}"
        )
    matrix: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ ((cones[1] / cones[0])[:, None] * _BRADFORD)
    return matrix


def to_rec709(primaries: Primaries, neutral: Chromaticity | None = None) -> NDArray[np.float64]:
    """The matrix from linear RGB of other primaries to linear Rec. 709, white to white.

    Args:
        primaries: what the RGB stands for.
        neutral: the colour that should look neutral, where it is not the white of the primaries.

    Returns:
        ``(3, 3)`` float64; colours outside Rec. 709 get negative values.

    Raises:
        ValueError: the chromaticities span no colour space.

    >>> to_rec709(REC709_PRIMARIES).round(12).tolist() == np.eye(3).tolist()
    True
    """
    adapted = adapt_white(neutral or primaries.white, REC709_PRIMARIES.white) @ rgb_to_xyz(primaries)
    matrix: NDArray[np.float64] = np.linalg.inv(rgb_to_xyz()) @ adapted
    return matrix


def _white_to_xyz(white: Chromaticity) -> NDArray[np.float64]:
    x, y = white
    if not (y > 0 and np.isfinite(white).all()):
        raise ValueError(f"the white x, y = {x:g}, {y:g} has no luminance")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _spelled(primaries: Primaries) -> str:
    return " ".join(f"({x:g}, {y:g})" for x, y in primaries)
