"""Colour difference CIEDE2000."""

from __future__ import annotations

import math

import torch

from exposurebench.color import srgb_to_lab
from exposurebench.tensors import checked_mask, checked_pair, region_mean

TITLE = "mean colour difference CIEDE2000"
TAKES = "srgb"
UNIT = "delta E"
RANGE = (0.0, None)
BETTER = "lower"
REFERENCE = "CIE 142:2001; Sharma, Wu and Dalal 2005, The CIEDE2000 color-difference formula"
VERSION = 1
PROTOCOL = {
    "color": "CIE 1976 L*a*b*, white D65",
    "encoding": "sRGB (IEC 61966-2-1)",
    "parameters": "kL = kC = kH = 1",
    "border_px": 0,
    "pooling": "mean over pixels",
    "precision": "input",
}

Lab = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def delta_e2000(prediction: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
    """How far apart the colours of two images look, pixel by pixel, on average.

    The mean of :func:`ciede2000` over the pixels, from sRGB by XYZ under D65 to L*a*b*. About 1 is the
    smallest difference that is seen side by side.

    Args:
        prediction: ``(N, 3, H, W)``, sRGB, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        mask: ``(N, 1, H, W)``, 1 for the pixels that count; all of them where it is None.

    Returns:
        ``(N,)`` in the input's dtype, in units of delta E, from 0 (equal images) up; NaN where the mask is
        empty.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, 1], a mask of another shape or
            outside [0, 1].

    Source: Sharma, Wu and Dalal 2005.

    >>> gray = torch.full((1, 3, 2, 2), 0.5, dtype=torch.float64)
    >>> round(delta_e2000(1.1 * gray, gray).item(), 3)
    4.633
    """
    checked_pair(prediction, target)
    weights = None if mask is None else checked_mask(mask, prediction)
    ours, theirs = (srgb_to_lab(*images.unbind(1)) for images in (prediction, target))
    return region_mean(ciede2000(ours, theirs).unsqueeze(1), weights)


def ciede2000(first: Lab, second: Lab) -> torch.Tensor:
    """The colour difference CIEDE2000 of two colours in L*a*b*.

    ``sqrt((dL / SL)^2 + (dC / SC)^2 + (dH / SH)^2 + RT (dC / SC) (dH / SH))``, with a* stretched near grays and
    lightness, chroma and hue each measured in the unit that the eye has there.

    Args:
        first: L*, a*, b*, tensors of any one shape.
        second: the same.

    Returns:
        The shape of one channel, from 0 up. Symmetric; its gradient at equal colours is 0.

    Source: Sharma, Wu and Dalal 2005, eqs. 2 to 22.

    >>> lab = torch.tensor([[50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485]], dtype=torch.float64)
    >>> round(ciede2000(*(tuple(color) for color in lab)).item(), 4)
    2.0425
    """
    lightness, a_star, b_star = zip(first, second, strict=True)
    chroma = [_root(a * a + b * b) for a, b in zip(a_star, b_star, strict=True)]
    stretch = 1.5 - 0.5 * _vividness((chroma[0] + chroma[1]) / 2)
    a_prime = [stretch * a for a in a_star]
    chroma = [_root(a * a + b * b) for a, b in zip(a_prime, b_star, strict=True)]
    hue = [torch.atan2(b, a).remainder(2 * math.pi) for a, b in zip(a_prime, b_star, strict=True)]

    colored = chroma[0] * chroma[1] > 0
    turn = torch.where(colored, hue[1] - hue[0], 0.0)
    # The short way around the circle, and the middle of that way; without hue, the sum stands for the middle.
    wide = turn.abs() > math.pi
    total = hue[0] + hue[1]
    across = torch.where(total < 2 * math.pi, total + 2 * math.pi, total - 2 * math.pi)
    middle = torch.where(wide, across, total)
    middle = torch.where(colored, middle / 2, total)
    turn = turn - torch.where(wide, torch.sign(turn), 0.0) * 2 * math.pi

    mean_lightness = (lightness[0] + lightness[1]) / 2
    mean_chroma = (chroma[0] + chroma[1]) / 2
    waves = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    hue_weight = 1 + sum(height * torch.cos(n * middle + math.radians(phase)) for height, n, phase in waves)
    centred = (mean_lightness - 50).square()
    light_unit = 1 + 0.015 * centred / (20 + centred).sqrt()
    chroma_unit = 1 + 0.045 * mean_chroma
    hue_unit = 1 + 0.015 * mean_chroma * hue_weight
    blue_turn = math.radians(30) * torch.exp(-((torch.rad2deg(middle) - 275) / 25).square())
    rotation = -2 * _vividness(mean_chroma) * torch.sin(2 * blue_turn)

    d_light = (lightness[1] - lightness[0]) / light_unit
    d_chroma = (chroma[1] - chroma[0]) / chroma_unit
    d_hue = 2 * _root(chroma[0] * chroma[1]) * torch.sin(turn / 2) / hue_unit
    return _root(d_light.square() + d_chroma.square() + d_hue.square() + rotation * d_chroma * d_hue)


def _vividness(chroma: torch.Tensor) -> torch.Tensor:
    """``sqrt(C^7 / (C^7 + 25^7))``, whose gradient is finite at 0 too."""
    ratio = chroma / 25
    return ratio**3.5 / (ratio**7 + 1).sqrt()


def _root(square: torch.Tensor) -> torch.Tensor:
    """The square root, with the gradient 0 at 0."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
