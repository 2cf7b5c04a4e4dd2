"""Signed exposure error."""

from __future__ import annotations

import torch

from exposurebench.color import srgb_to_light, weighted
from exposurebench.tensors import checked_mask, checked_pair, region_mean

TITLE = "signed exposure error: plus is too bright"
TAKES = "srgb"
UNIT = "EV"
RANGE = (None, None)
BETTER = "zero"
REFERENCE = "definition of this project: mean log2 ratio of luminances"
VERSION = 1
PROTOCOL = {
    "color": "rec. 709 luminance",
    "encoding": "sRGB (IEC 61966-2-1), undone before",
    "floor": "luminance under that of level 1 of 255 (0.000303527) counts as that",
    "border_px": 0,
    "pooling": "mean over pixels",
    "precision": "input",
}

FLOOR = 1 / 255 / 12.92
"""The light of the darkest 8-bit gray above black; below it a ratio says nothing."""


def exposure_error(prediction: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
    """How much too bright (plus) or too dark (minus) an image is, on average, in stops.

    ``mean(log2(max(Y, f) / max(Y_target, f)))`` with Y the Rec. 709 luminance of the light that sRGB stands
    for and f the light of level 1 of 255 (``FLOOR``). Twice the light is +1 EV. Errors of both signs cancel: a
    value near 0 says that the exposure is right as a whole, not that the picture is.

    Args:
        prediction: ``(N, 3, H, W)``, sRGB, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        mask: ``(N, 1, H, W)``, 1 for the pixels that count; all of them where it is None.

    Returns:
        ``(N,)`` in the input's dtype, in EV, 0 for equal images, within 11.7 of it; NaN where the mask is
        empty. Swapping the images changes the sign.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, 1], a mask of another shape or
            outside [0, 1].

    Source: the sign is that of :mod:`exposurebench.exposure`.

    >>> from exposurebench.color import srgb_to_display
    >>> light = torch.full((1, 3, 2, 2), 0.2, dtype=torch.float64)
    >>> round(exposure_error(srgb_to_display(2 * light), srgb_to_display(light)).item(), 9)
    1.0
    """
    checked_pair(prediction, target)
    weights = None if mask is None else checked_mask(mask, prediction)
    ours, theirs = (_stops(images) for images in (prediction, target))
    return region_mean(ours - theirs, weights)


def _stops(images: torch.Tensor) -> torch.Tensor:
    light = srgb_to_light(images)
    luminance: torch.Tensor = weighted(light[:, 0:1], light[:, 1:2], light[:, 2:3])
    return luminance.clip(FLOOR, None).log2()
