"""Peak signal-to-noise ratio."""

from __future__ import annotations

from typing import Literal

import torch

from exposurebench.tensors import checked_mask, checked_pair, region_mean

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
VARIANTS = {"paper2_literal": {"precision": "uint8"}}
VARIANT_FACTS = {
    "paper2_literal": {
        "TITLE": "what paper 2's program prints as PSNR: differences wrap at 256 (for its audit, never ranked)",
        "REFERENCE": "paper 2's baseline program; its eq. 2 is the right one",
        "RANKED": False,
    }
}

Precision = Literal["float64", "uint8"]


def psnr(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    peak: float = 1.0,
    precision: Precision = "float64",
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """The ratio of the largest possible power to the power of the error, on a logarithmic scale.

    ``PSNR = 10 log10(peak ** 2 / MSE)`` with the MSE over all pixels and the three channels of an image;
    no border is left out and nothing is rounded or clamped.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, peak], float32 or float64.
        target: the same shape and dtype.
        peak: the value of white.
        precision: ``float64``; or ``uint8``, a mistake kept for its audit: values are rounded to 8-bit
            levels whose differences and squares both wrap at 256, so that any two pictures without much in
            common score some 27.9 dB (no gradient).
        mask: ``(N, 1, H, W)``, 1 for the pixels that count; all of them where it is None.

    Returns:
        ``(N,)`` float64, in dB, from 0 up; infinite where the images are equal, NaN where the mask is empty.
        Means over images count an infinite value as ``MEAN_CAP``.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, peak], peak not positive, a
            mask of another shape or outside [0, 1], an unknown precision.

    Source: Huynh-Thu and Ghanbari 2008.

    >>> white = torch.ones(1, 3, 4, 5)
    >>> round(psnr(white * 0.9, white).item(), 3)
    20.0
    >>> psnr(white, white).item()
    inf
    """
    if not peak > 0:
        raise ValueError(f"peak must be positive, not {peak}")
    if precision not in ("float64", "uint8"):
        raise ValueError(f"precision must be float64 or uint8, not {precision!r}")
    checked_pair(prediction, target, peak=peak)
    weights = None if mask is None else checked_mask(mask, prediction).double()
    if precision == "uint8":
        ours, theirs = (_levels(images, peak) for images in (prediction, target))
        difference, peak = ours - theirs, 255.0
    else:
        difference = prediction.double() - target.double()
    error = region_mean(difference.square().double(), weights)
    return 10 * torch.log10(peak**2 / error)


def _levels(images: torch.Tensor, peak: float) -> torch.Tensor:
    return torch.floor(images.double() * (255 / peak) + 0.5).to(torch.uint8)
