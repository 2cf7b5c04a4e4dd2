"""Light of any range into display values: two published operators, and the scale of relative luminance.

All take linear Rec. 709 light, ``(H, W, 3)`` float32 at or above 0, and give display-encoded float32 in [0, 1].
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import REC601, Transfer, brightest, to_display, weighted

Picture = NDArray[np.float32]


def reinhard_2002(
    light: Picture, *, key: float = 0.18, white: float | None = None, transfer: Transfer = "srgb"
) -> Picture:
    """Photographic tone reproduction, the global operator.

    ``L = key * Y / exp(mean(ln Y))`` and ``L_d = L (1 + L / white ** 2) / (1 + L)`` with the Rec. 709 luminance
    ``Y``; colours are ``RGB * L_d / Y``, cut at 1 (where a strong colour exceeds it) and encoded by the transfer
    function. The mean is over pixels that are not black, in place of the article's small summand; so the result
    does not depend on the scale of the light.

    Args:
        light: ``(H, W, 3)`` float32, linear, at or above 0.
        key: where the log-average luminance goes, above 0.
        white: the smallest ``L`` that becomes white, above 0; by default the largest of the picture.
        transfer: how the display encodes light: ``srgb`` or ``gamma22``.

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: light that is negative or not finite, a setting out of range.

    Source: Reinhard, Stark, Shirley and Ferwerda 2002, eq. 1, 2 and 4.

    >>> light = np.array([0.01, 1, 100], np.float32).reshape(1, 3, 1).repeat(3, axis=2)
    >>> reinhard_2002(light)[0, :, 0].astype(float).round(3).tolist()
    [0.023, 0.427, 1.0]
    """
    _checked(light)
    if not key > 0:
        raise ValueError(f"key must be above 0, not {key}")
    if white is not None and not white > 0:
        raise ValueError(f"white must be above 0, not {white}")
    luminance = weighted(*_planes(light)).astype(np.float64)
    lit = luminance > 0
    if not lit.any():
        return np.zeros_like(light)
    scaled = luminance * (key / math.exp(np.log(luminance[lit]).mean()))
    white = float(scaled.max()) if white is None else white
    gain = np.divide(scaled * (1 + scaled / white**2) / (1 + scaled), luminance, out=np.zeros_like(scaled), where=lit)
    return _encoded(light * gain[..., None].astype(np.float32), transfer)


def reinhard_devlin_2005(
    light: Picture,
    *,
    intensity: float = 0.0,
    light_adaptation: float = 1.0,
    color_adaptation: float = 0.0,
    gamma: float = 1.0,
) -> Picture:
    """The photoreceptor model, as OpenCV's ``createTonemapReinhard`` has it.

    The light is first scaled to [0, 1] by its least and largest channel value. With the luma ``Y`` and the logarithms
    ``l`` of ``max(Y, 1e-4)``::

        V = I / (I + (exp(-intensity) A) ** m),  m = 0.3 + 0.7 k ** 1.4,  k = (max l - mean l) / (max l - min l)
        A = a (c I + (1 - c) Y) + (1 - a) (c mean(I) + (1 - c) mean(Y))

    channel by channel, where ``a`` is the light and ``c`` the color adaptation. ``V`` is scaled to [0, 1] again and
    raised to ``1 / gamma``, which is all the encoding there is. A flat picture has ``k = 1`` and keeps its ``V``.

    Agrees with OpenCV to 1e-5 where an object of it is used once (its intensity changes with every call) and nothing
    is divided by nothing: with both adaptations at 1 its least value is NaN and scales the rest, flat pictures above 1 are
    NaN, and so is a pixel now and then by rounding.

    Args:
        light: ``(H, W, 3)`` float32, linear, at or above 0.
        intensity: larger is brighter, in [-8, 8].
        light_adaptation: 1 adapts to every pixel, 0 to the mean, in [0, 1].
        color_adaptation: 1 treats channels alone, 0 adapts all to the luma, in [0, 1].
        gamma: of the encoding, above 0; 1 leaves the values as they are.

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: light that is negative or not finite, a setting out of range.

    Source: Reinhard and Devlin 2005, section 3; the luma weights, the floor and both scalings are OpenCV's.

    >>> light = np.array([0.01, 1, 100], np.float32).reshape(1, 3, 1).repeat(3, axis=2)
    >>> reinhard_devlin_2005(light, light_adaptation=0)[0, :, 0].astype(float).round(3).tolist()
    [0.0, 0.028, 1.0]
    """
    _checked(light)
    if not -8 <= intensity <= 8:
        raise ValueError(f"intensity must be in [-8, 8], not {intensity}")
    if not (0 <= light_adaptation <= 1 and 0 <= color_adaptation <= 1):
        raise ValueError(f"adaptations must be in [0, 1], not {light_adaptation} and {color_adaptation}")
    if not gamma > 0:
        raise ValueError(f"gamma must be above 0, not {gamma}")
    scaled = _stretched(light.astype(np.float64))
    luma = weighted(*_planes(scaled), weights=REC601)
    logarithm = np.log(luma.clip(1e-4, None))
    span = np.ptp(logarithm)
    share = (logarithm.max() - logarithm.mean()) / span if span > 0 else 1.0
    exponent = 0.3 + 0.7 * share**1.4
    for channel in range(3):
        plane = scaled[..., channel]
        near = color_adaptation * plane + (1 - color_adaptation) * luma
        adapted = light_adaptation * near + (1 - light_adaptation) * near.mean()
        total = plane + (math.exp(-intensity) * adapted) ** exponent
        scaled[..., channel] = np.divide(plane, total, out=np.zeros_like(plane), where=total > 0)
    return (_stretched(scaled) ** (1 / gamma)).astype(np.float32)


def white_level(light: Picture, share: float = 0.95) -> float:
    """The light that the brightest channel of so many pixels does not exceed: dividing by it makes luminance relative.

    Args:
        light: ``(H, W, 3)`` float32, linear, at or above 0.
        share: of the pixels, in (0, 1].

    Returns:
        The quantile, above 0; the largest value where it is 0, and 1 for darkness.

    Raises:
        ValueError: a share out of range.

    Source: paper 3, data normalisation (95 % of the pixels in [0, 1]).

    >>> white_level(np.array([0.5, 2.0, 4.0], np.float32).reshape(1, 3, 1).repeat(3, axis=2), 0.5)
    2.0
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], not {share}")
    brightness = brightest(*_planes(light))
    return float(np.quantile(brightness, share)) or float(brightness.max()) or 1.0


def _checked(light: Picture) -> None:
    if light.ndim != 3 or light.shape[2] != 3 or not light.size:
        raise ValueError(f"expected (H, W, 3) light, not {light.shape}")
    if not (np.isfinite(light).all() and light.min() >= 0):
        raise ValueError("expected light at or above 0, without NaN or infinity: clean it when it is read")


def _planes(image: NDArray[Any]) -> tuple[Any, Any, Any]:
    return image[..., 0], image[..., 1], image[..., 2]


def _encoded(light: Picture, transfer: Transfer) -> Picture:
    display: Picture = to_display(light.clip(0, 1), transfer)
    return display.astype(np.float32).clip(0, 1)


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scaled to [0, 1] by the least and the largest value; flat ones as they are."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high - low > np.finfo(float).eps else values.copy()
