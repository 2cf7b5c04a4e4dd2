"""What hides what: a difference is divided by the noise and by the pattern that both images share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from exposurebench.metrics.hdrvdp.blurring import box3
from exposurebench.metrics.hdrvdp.interpolation import resized


@dataclass(frozen=True)
class Masking:
    """The constants of one version.

    ``difference`` (p) and ``pattern`` (q) are exponents, ``slope`` is that of the psychometric function.
    ``own``, ``across`` and ``beside`` say how much the band itself, the other orientations of its level and
    the levels next to it hide; 0 leaves one out. ``in_noise`` measures patterns in units of the noise and
    weighs band b by ``2 ** b``.
    """

    difference: float
    pattern: float
    slope: float
    own: float
    across: float
    beside: float
    in_noise: bool = False


def visible_bands(
    differences: Sequence[torch.Tensor],
    target: Sequence[torch.Tensor],
    noises: Sequence[torch.Tensor],
    masking: Masking,
) -> list[torch.Tensor]:
    """What is seen of the difference of two images, band by band.

    Args:
        differences: the bands of prediction minus target, ``(N, orientations, h, w)``, from the highest frequency,
            each divided by ``2 ** b``.
        target: the target's bands, or those of one image for all predictions.
        noises: of every band, broadcast against it.
        masking: the version's constants.

    Returns:
        tensors like the differences; 1 is seen half of the times.
    """
    patterns = [shared_pattern(theirs + apart, theirs) for apart, theirs in zip(differences, target, strict=True)]
    seen = []
    for b, (apart, noise) in enumerate(zip(differences, noises, strict=True)):
        hidden = hiding(patterns, b, masking)
        if masking.in_noise:
            hidden.mul_(2**b).div_(noise**masking.pattern)
        seen.append(visible(apart, noise, hidden, masking))
    return seen


def shared_pattern(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """What two bands have in common: the 3 x 3 mean of the smaller magnitude."""
    return box3(torch.minimum(prediction.abs(), target.abs()))


def hiding(patterns: Sequence[torch.Tensor], band: int, masking: Masking) -> torch.Tensor:
    """How much the shared patterns hide in one band, ``k_own m ** q + k_across x ** q + k_beside n ** q``.

    x is the sum over the band's other orientations; n is the sum over the bands next to it in frequency (the
    residual is nobody's neighbour), resized to the band and not below 0.

    Args:
        patterns: :func:`shared_pattern` of every band, from the highest frequency.
        band: which one.
        masking: the version's constants.

    Returns:
        ``(N, orientations, h, w)``.
    """
    own, q = patterns[band], masking.pattern
    total = own.pow(q).mul_(masking.own)
    if masking.across and own.shape[1] > 1:
        others = (own.sum(1, keepdim=True) - own).clamp_(min=0)
        total += others.pow_(q).mul_(masking.across)
    near = [n for n in (band - 1, band + 1) if 0 <= n < len(patterns) - 1]
    if masking.beside and near:
        # A level has one orientation or as many as every other, so this takes the same or the only one.
        beside = [resized(patterns[n][:, : own.shape[1]], (own.shape[2], own.shape[3])).clamp(min=0) for n in near]
        both = beside[0] if len(beside) == 1 else beside[0] + beside[1]
        total += both.pow(q).mul_(masking.beside)
    return total


def visible(difference: torch.Tensor, noise: torch.Tensor, hidden: torch.Tensor, masking: Masking) -> torch.Tensor:
    """The part of a difference that is seen, ``sign(d) |d| ** p / sqrt(N ** (2 p) + hidden ** 2)``.

    >>> one = torch.ones(1, 1, 1, 1)
    >>> visible(-2 * one, one, 0 * one, Masking(2.0, 1.0, 3.5, 1.0, 0.0, 0.0)).item()
    -4.0
    """
    limit = hidden.square().add_(noise ** (2 * masking.difference)).sqrt_()
    return signed_power(difference, masking.difference).div_(limit)


def signed_power(values: torch.Tensor, exponent: float) -> torch.Tensor:
    """``sign(x) |x| ** e``.

    >>> signed_power(torch.tensor([-3.0, 0.0, 2.0]), 2.0).tolist()
    [-9.0, 0.0, 4.0]
    """
    return torch.copysign(values.abs().pow_(exponent), values)
