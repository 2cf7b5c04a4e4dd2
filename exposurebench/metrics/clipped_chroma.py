"""Colour error where the input was clipped."""

from __future__ import annotations

import torch

from exposurebench.color import srgb_to_lab
from exposurebench.tensors import checked_mask, checked_pair, region_mean

TITLE = "chroma error where the input was clipped: does a method fill everything with sky?"
TAKES = "srgb"
UNIT = "delta ab"
RANGE = (0.0, None)
BETTER = "lower"
REFERENCE = "definition of this project, after paper 2's figure 9"
VERSION = 1
REGION = "clipped"
PROTOCOL = {
    "color": "a*, b* of CIE 1976 L*a*b*, white D65",
    "encoding": "sRGB (IEC 61966-2-1)",
    "region": "clipped in the input",
    "border_px": 0,
    "pooling": "mean distance over pixels",
    "precision": "input",
}


def clipped_chroma(prediction: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
    """How wrong the colours are, brightness aside, where the input held no information.

    ``mean(sqrt((a - a_target)^2 + (b - b_target)^2))`` over the clipped pixels. A network that paints every
    clipped area light blue scores worse here than one that leaves it white.

    Args:
        prediction: ``(N, 3, H, W)``, sRGB, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        mask: ``(N, 1, H, W)``, 1 where the input was clipped. There is no score without it.

    Returns:
        ``(N,)`` in the input's dtype, in units of a* and b*, from 0 up; NaN where nothing was clipped.

    Raises:
        TypeError: integers or half precision.
        ValueError: no mask, unequal or wrong shapes, NaN, infinity, values outside [0, 1].

    Source: paper 2, section 5 and figure 9, describes what is measured here.

    >>> white, sky = torch.ones(1, 3, 2, 2), torch.tensor([0.7, 0.85, 1.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    >>> round(clipped_chroma(sky, white, mask=torch.ones(1, 1, 2, 2)).item(), 1)
    23.1
    """
    checked_pair(prediction, target)
    if mask is None:
        raise ValueError("clipped_chroma needs the mask of the input's clipped pixels: give it as mask")
    weights = checked_mask(mask, prediction)
    ours, theirs = (torch.stack(srgb_to_lab(*images.unbind(1))[1:], 1) for images in (prediction, target))
    return region_mean(torch.linalg.vector_norm(ours - theirs, dim=1, keepdim=True), weights)
