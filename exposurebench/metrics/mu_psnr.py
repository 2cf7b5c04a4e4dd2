"""Peak signal-to-noise ratio of light under the mu-law."""

from __future__ import annotations

import math

import torch

from exposurebench.alignment import checked_light, near_peak
from exposurebench.tensors import checked_mask, region_mean

TITLE = "peak signal-to-noise ratio of light under the mu-law"
TAKES = "nits"
UNIT = "dB"
RANGE = (0.0, None)
BETTER = "higher"
REFERENCE = "Kalantari and Ramamoorthi 2017, Deep high dynamic range imaging of dynamic scenes"
VERSION = 1
MEAN_CAP = 100.0
PROTOCOL = {
    "encoding": "mu-law, mu 5000, of light over the target's 99.9th percentile, clipped to 1",
    "color": "rgb",
    "peak": 1.0,
    "pooling": "one squared error over pixels and channels",
    "precision": "float64",
    "mean_cap": 100.0,
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}

MU = 5000.0


def mu_psnr(prediction: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
    """The ratio of the largest possible power to the power of the error, in light compressed by the mu-law.

    ``PSNR = -10 log10(MSE)`` of ``log(1 + 5000 h) / log 5001`` with ``h = min(L / p, 1)`` and p the 99.9th
    percentile of the target's values, in the region or not.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        mask: ``(N, 1, H, W)``, 1 for the pixels that count; all of them where it is None.

    Returns:
        ``(N,)`` float64, in dB, from 0 up; infinite where the images are equal (below p), NaN where the mask is empty. Means
        over images count an infinite value as ``MEAN_CAP``.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.checked_light` refuses; a mask of another shape or outside [0, 1].

    Source: Kalantari and Ramamoorthi 2017, eq. 1 (the curve and mu); the percentile is ours.

    >>> gray = torch.full((1, 3, 4, 5), 100.0)
    >>> round(mu_psnr(gray / 2, gray).item(), 3)
    21.792
    """
    ours, theirs = (side.double() for side in checked_light(prediction, target))
    peak = near_peak(theirs)
    error = (_compressed(ours / peak) - _compressed(theirs / peak)).square()
    weights = None if mask is None else checked_mask(mask, prediction).double()
    return -10 * torch.log10(region_mean(error, weights))


def _compressed(light: torch.Tensor) -> torch.Tensor:
    return torch.log1p(MU * light.clamp(max=1)) / math.log1p(MU)
