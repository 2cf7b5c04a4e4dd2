"""A map of how probably each place of an image is seen to differ."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from exposurebench.metrics.hdrvdp.blurring import blurred
from exposurebench.metrics.hdrvdp.masking import Masking, signed_power
from exposurebench.metrics.hdrvdp.pyramid import Filters, synthesised


def contrast(differences: Sequence[torch.Tensor], masking: Masking, filters: Filters) -> torch.Tensor:
    """The visible contrast of every pixel: bands to the power ``slope / p``, put together again.

    Args:
        differences: of every band, each divided by ``2 ** b``.
        masking: the version's constants.
        filters: of the pyramid.

    Returns:
        ``(N, 1, H, W)``, from 0 (nothing) through 1 (seen half of the times) up.
    """
    exponent = masking.slope / masking.difference
    stored = [signed_power(band, exponent).mul_(2**b) for b, band in enumerate(differences)]
    return synthesised(stored, filters).abs_()


def summed(contrast: torch.Tensor) -> torch.Tensor:
    """Contrast pooled over the whole image: ``C sum(C) / (max(C) + 1e-12)``."""
    return contrast * (contrast.sum((1, 2, 3), keepdim=True) / (contrast.amax((1, 2, 3), keepdim=True) + 1e-12))


def probability(contrast: torch.Tensor) -> torch.Tensor:
    """``1 - 0.5 ** C``: a contrast of 1 is seen half of the times.

    >>> probability(torch.tensor([0.0, 1.0, 2.0])).tolist()
    [0.0, 0.5, 0.75]
    """
    return 1 - torch.exp2(-contrast)


def pooled_nearby(probability: torch.Tensor, sigma: float) -> torch.Tensor:
    """The probability to see a difference at a place or around it, ``1 - exp(blur(log(1 - P + 1e-4)))``.

    Where nothing differs this is -1e-4, as in the released program, and not 0.
    """
    return 1 - blurred((1.0001 - probability).log_(), sigma, "zero").exp_()


def smoothed(values: torch.Tensor, sigma: float) -> torch.Tensor:
    """A map without its sharpest peaks, from which the largest value is taken."""
    return blurred(values, sigma, "zero")
