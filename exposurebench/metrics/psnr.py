"""Peak signal-to-noise ratio."""

from __future__ import annotations

import torch

from exposurebench.tensors import checked_pair

TITLE = "peak signal-to-noise ratio"
TAKES = "srgb"
UNIT = "dB"
RANGE = (0.0, None)
BETTER = "higher"
REFERENCE = "Huynh-Thu and Ghanbari 2008, Scope of validity of PSNR in image/video quality assessment"
VERSION = 1
MEAN_CAP = 100.0
PROTOCOL = {
    "color": "rgb",
    "encoding": "display",
    "border_px": 0,
    "peak": 1.0,
    "pooling": "one squared error over pixels and channels",
    "precision": "float64",
    "mean_cap": 100.0,
}


def psnr(prediction: torch.Tensor, target: torch.Tensor, *, peak: float = 1.0) -> torch.Tensor:
    """The ratio of the largest possible power to the power of the error, on a logarithmic scale.

    ``PSNR = 10 log10(peak ** 2 / MSE)`` with the MSE over all pixels and the three channels of an image;
    no border is left out and nothing is rounded or clamped.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, peak], float32 or float64.
        target: the same shape and dtype.
        peak: the value of white.

    Returns:
        ``(N,)`` float64, in dB, from 0 up; infinite where the images are equal. Means over images count
        an infinite value as ``MEAN_CAP``.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, peak], peak not positive.

    Source: Huynh-Thu and Ghanbari 2008.

    >>> white = torch.ones(1, 3, 4, 5)
    >>> round(psnr(white * 0.9, white).item(), 3)
    20.0
    >>> psnr(white, white).item()
    inf
    """
    if not peak > 0:
        raise ValueError(f"peak must be positive, not {peak}")
    checked_pair(prediction, target, peak=peak)
    error = (prediction.double() - target.double()).square().mean((1, 2, 3))
    return 10 * torch.log10(peak**2 / error)
