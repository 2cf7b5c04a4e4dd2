"""The ceiling of intensities."""

from __future__ import annotations

import math

import torch

from exposurebench.color import weighted
from exposurebench.tensors import checked_pair

TITLE = "ceiling: the luma that one pixel in a thousand exceeds, of the prediction and of the target"
TAKES = "srgb"
UNIT = ""
RANGE = (0.0, 1.0)
BETTER = "target"
REFERENCE = "after Le Jeune 2019 (paper 0), section 5.2: generators are afraid of overexposure"
VERSION = 1
COLUMNS = ("prediction", "target")
PROTOCOL = {
    "color": "rec. 709 luma",
    "encoding": "display",
    "percentile": 99.9,
    "interpolation": "linear between order statistics",
    "border_px": 0,
    "precision": "input",
}

SHARE = 0.999


def ceiling(prediction: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """The brightness that an image hardly ever exceeds, beside that of its target.

    The 99.9th percentile of ``0.2126 R + 0.7152 G + 0.0722 B`` on display values. A method whose ceiling stays
    under the targets' never paints a highlight, whatever its other scores.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        target: the same shape and dtype.

    Returns:
        ``prediction`` and ``target``, each ``(N,)`` in the input's dtype, without unit, in [0, 1].

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, 1].

    Source: paper 0, section 5.2, figures 10 and 11.

    >>> ramp = torch.linspace(0, 1, 1001, dtype=torch.float64).expand(1, 3, 1, 1001)
    >>> {side: round(value.item(), 6) for side, value in ceiling(0.8 * ramp, ramp).items()}
    {'prediction': 0.7992, 'target': 0.999}
    """
    checked_pair(prediction, target)
    return {side: _percentile(images) for side, images in zip(COLUMNS, (prediction, target), strict=True)}


def _percentile(images: torch.Tensor) -> torch.Tensor:
    luma: torch.Tensor = weighted(images[:, 0], images[:, 1], images[:, 2]).flatten(1)
    place = SHARE * (luma.shape[1] - 1)
    below = math.floor(place)
    # Only the brightest thousandth is sorted; torch.quantile would sort everything, and refuses large images.
    highest = luma.topk(luma.shape[1] - below).values
    low, high = highest[:, -1], highest[:, max(highest.shape[1] - 2, 0)]
    # White's three weights add up to 1 but for rounding.
    return (low + (place - below) * (high - low)).clamp(max=1)
