"""Visible differences of all bands to one quality."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from exposurebench.metrics.hdrvdp.interpolation import resized

Weights = tuple[tuple[float, ...], tuple[float, ...]]
"""Frequencies in cycles per degree, falling, and the weights at them."""

_FLOOR = 1e-12


def where_different(differences: Sequence[torch.Tensor], mask: torch.Tensor) -> Iterator[torch.Tensor]:
    """Each band times the mask of differing pixels, resized to it."""
    for band in differences:
        yield band * resized(mask, (band.shape[2], band.shape[3]))


def weight(frequency: float, weights: Weights) -> float:
    """The weight of a band, linear between the frequencies and constant beyond them.

    >>> weight(7.5, ((15.0, 5.0), (0.0, 1.0)))
    0.75
    """
    frequencies, values = weights
    return float(np.interp(frequency, frequencies[::-1], values[::-1]))


def log_errors(differences: Sequence[torch.Tensor], mask: torch.Tensor) -> list[torch.Tensor]:
    """The logarithm of ``sqrt(sum d ** 2) / count + 1e-12`` of every band and orientation, ``(N, orientations)``.

    It is not a root mean square: it falls as an image grows. So values compare between images of one size.
    """
    return [
        (band.square().sum((2, 3)).sqrt() / (band.shape[2] * band.shape[3]) + _FLOOR).log()
        for band in where_different(differences, mask)
    ]


def quality_2_2_2(errors: Sequence[torch.Tensor], frequencies: Sequence[float], weights: Weights) -> torch.Tensor:
    """``Q = 100 - sum w(f) (log error - log 1e-12)`` over bands and orientations: 100 for equal images."""
    lost = torch.zeros_like(errors[0][:, 0])
    none = torch.tensor(_FLOOR, dtype=lost.dtype, device=lost.device).log()
    for error, frequency in zip(errors, frequencies, strict=True):
        lost += weight(frequency, weights) * (error - none).sum(1)
    return 100 - lost


def quality_2_2_0(errors: Sequence[torch.Tensor], frequencies: Sequence[float], weights: Weights) -> torch.Tensor:
    """``Q = sum w(f) log error / count`` over bands and orientations: lower is better."""
    total = torch.zeros_like(errors[0][:, 0])
    for error, frequency in zip(errors, frequencies, strict=True):
        total += weight(frequency, weights) * error.sum(1)
    return total / sum(error.shape[1] for error in errors)


def quality_3(differences: Sequence[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
    """``Q = 6 - log(exp(-4) + e)`` with ``e = sum (mean |d| ** 0.8) ** (1 / 0.8) / bands``: 10 for equal images."""
    error = sum(band.abs().pow_(0.8).mean((2, 3)).pow(1 / 0.8).sum(1) for band in where_different(differences, mask))
    return 10 - torch.log1p(error * (np.exp(4.0) / len(differences)))


def just_objectionable(quality: torch.Tensor) -> torch.Tensor:
    """Quality in units of just-objectionable differences, ``10 - 0.52 max(10 - Q, 0) ** 1.2812``."""
    return 10 - 0.52 * (10 - quality).clamp(min=0).pow(1.2812)
