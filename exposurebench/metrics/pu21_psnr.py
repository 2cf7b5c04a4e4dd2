"""Peak signal-to-noise ratio of light as the eye tells it apart."""

from __future__ import annotations

from typing import Literal

import torch

from exposurebench.alignment import checked_light
from exposurebench.perception import pu21_encode, pu21_luminance
from exposurebench.tensors import checked_mask, region_mean

TITLE = "peak signal-to-noise ratio of PU21 values"
TAKES = "nits"
UNIT = "dB"
RANGE = (None, None)
BETTER = "higher"
REFERENCE = "Mantiuk and Azimi 2021, PU21: a novel perceptually uniform encoding for adapting existing quality metrics"
VERSION = 1
MEAN_CAP = 100.0
PROTOCOL = {
    "encoding": "PU21 banding_glare, constants 5fd274d2",
    "color": "rgb",
    "peak": 256.0,
    "pooling": "one squared error over pixels and channels",
    "precision": "float64",
    "mean_cap": 100.0,
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}

PEAK = 256.0
"""The PU21 value of 100 cd/m2, about: the white of an ordinary display."""


def pu21_psnr(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    color: Literal["rgb", "luminance"] = "rgb",
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """The ratio of the power of an ordinary display's white to the power of the error, in PU21 values.

    ``PSNR = 10 log10(256 ** 2 / MSE)`` with the MSE of :func:`exposurebench.perception.pu21_encode` values.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        color: ``rgb`` encodes the three channels; ``luminance`` encodes the luminance (PSNR-Y).
        mask: ``(N, 1, H, W)``, 1 for the pixels that count; all of them where it is None.

    Returns:
        ``(N,)`` float64, in dB, infinite where the images are equal, below 0 where an error beyond 256 is everywhere,
        and NaN where the mask is empty. Means over images count an infinite value as ``MEAN_CAP``.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.checked_light` refuses; an unknown color; a mask of another
            shape or outside [0, 1].

    Source: Mantiuk and Azimi 2021.

    >>> gray = torch.full((1, 3, 4, 5), 100.0)
    >>> round(pu21_psnr(gray * 0.9, gray).item(), 2)
    31.5
    >>> pu21_psnr(gray, gray).item()
    inf
    """
    if color not in ("rgb", "luminance"):
        raise ValueError(f"color must be rgb or luminance, not {color!r}")
    ours, theirs = (side.double() for side in checked_light(prediction, target))
    encode = pu21_encode if color == "rgb" else pu21_luminance
    error = (encode(ours) - encode(theirs)).square()
    error = region_mean(error, None if mask is None else checked_mask(mask, prediction).double())
    return 10 * torch.log10(PEAK**2 / error)
