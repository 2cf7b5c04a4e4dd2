"""Peak signal-to-noise ratio of light on a logarithmic scale."""

from __future__ import annotations

import torch

from exposurebench.alignment import checked_light, near_peak
from exposurebench.tensors import checked_mask, region_mean

TITLE = "peak signal-to-noise ratio of the logarithm of light"
TAKES = "nits"
UNIT = "dB"
RANGE = (None, None)
BETTER = "higher"
REFERENCE = "ours: no two papers agree on the constants"
VERSION = 1
MEAN_CAP = 100.0
PROTOCOL = {
    "encoding": "log10",
    "floor": "1e-6 of the target's 99.9th percentile",
    "color": "rgb",
    "peak": 6.0,
    "pooling": "one squared error over pixels and channels",
    "precision": "float64",
    "mean_cap": 100.0,
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}

PEAK = 6.0
"""Six decades."""


def log_psnr(prediction: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
    """The ratio of six decades to the error of the logarithm of light, squared, in dB.

    ``PSNR = 10 log10(6 ** 2 / MSE)`` with the MSE of ``log10(max(L, 1e-6 p))`` over pixels and channels; p is
    the 99.9th percentile of the target's values, in the region or not.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        mask: ``(N, 1, H, W)``, 1 for the pixels that count; all of them where it is None.

    Returns:
        ``(N,)`` float64, in dB, infinite where the images are equal, below 0 where errors beyond six decades are
        everywhere, and NaN where the mask is empty. Means over images count an infinite value as ``MEAN_CAP``.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.checked_light` refuses; a mask of another shape or outside [0, 1].

    >>> gray = torch.full((1, 3, 4, 5), 100.0)
    >>> round(log_psnr(gray / 10, gray).item(), 3)
    15.563
    """
    ours, theirs = (side.double() for side in checked_light(prediction, target))
    floor = 10**-PEAK * near_peak(theirs)
    error = (torch.maximum(ours, floor) / torch.maximum(theirs, floor)).log10().square()
    error = region_mean(error, None if mask is None else checked_mask(mask, prediction).double())
    return 10 * torch.log10(PEAK**2 / error)
