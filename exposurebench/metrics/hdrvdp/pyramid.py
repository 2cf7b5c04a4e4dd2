"""The steerable pyramid: an image as bands of frequency and orientation, and back."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import conv2d, pad

from exposurebench.metrics.hdrvdp.light import constants

Filters = Literal["sp0", "sp3"]
"""``sp0`` has one band without orientation at every level, ``sp3`` four of 45 degrees."""


@dataclass(frozen=True, eq=False)
class Taps:
    """The filters of one pyramid: ``(count, k, k)`` each, k odd."""

    hi0: NDArray[np.float64]
    lo0: NDArray[np.float64]
    lo: NDArray[np.float64]
    bands: NDArray[np.float64]


@functools.cache
def taps(filters: Filters) -> Taps:
    """The shipped filter taps of a pyramid."""
    named = {name: np.array(values) for name, values in constants("steerable.json")[filters].items()}
    return Taps(**{name: values.reshape(-1, *values.shape[-2:]) for name, values in named.items()})


def levels(size: tuple[int, int], filters: Filters) -> int:
    """How often an image can be halved while the low-pass filter still fits.

    >>> levels((255, 257), "sp3"), levels((16, 999), "sp3")
    (4, 0)
    """
    side, count = min(size), 0
    while side >= taps(filters).lo.shape[-1]:
        side, count = side // 2, count + 1
    return count


def analysed(images: torch.Tensor, filters: Filters, height: int) -> list[torch.Tensor]:
    """The bands of images, from the highest frequency to the residual.

    Args:
        images: ``(N, 1, H, W)``.
        filters: which pyramid.
        height: how many levels; each but the first has half the size of the one before, rounded up.

    Returns:
        ``height + 2`` tensors: ``(N, 1, H, W)`` above the highest level, ``(N, orientations, h, w)`` of each
        level, and ``(N, 1, h, w)`` that is left.
    """
    kept = taps(filters)
    bands = [correlated(images, kept.hi0)]
    low = correlated(images, kept.lo0)
    for _ in range(height):
        bands.append(correlated(low, kept.bands))
        low = correlated(low, kept.lo, 2)
    return [*bands, low]


def synthesised(bands: list[torch.Tensor], filters: Filters) -> torch.Tensor:
    """The image ``(N, 1, H, W)`` that bands add up to; the inverse of :func:`analysed` but for borders."""
    kept = taps(filters)
    high, *middle, low = bands
    for band in reversed(middle):
        spread = torch.zeros_like(band[:, :1])
        spread[..., ::2, ::2] = low
        low = correlated(spread, kept.lo[:, ::-1, ::-1])
        for o, flipped in enumerate(kept.bands[:, ::-1, ::-1]):
            low += correlated(band[:, o : o + 1], flipped[None])
    return correlated(low, kept.lo0[:, ::-1, ::-1]) + correlated(high, kept.hi0[:, ::-1, ::-1])


def correlated(images: torch.Tensor, filters: NDArray[np.float64], step: int = 1) -> torch.Tensor:
    """Correlation with some filters; borders are mirrored without repeating the edge, every step-th pixel is kept.

    A block of neighbouring pixels is computed as so many channels of one wider filter each: on a processor
    this is several times as fast as the convolution of one channel with one filter.

    Args:
        images: ``(N, 1, H, W)``.
        filters: ``(F, k, k)``, k odd.
        step: of the pixels kept, along both axes.

    Returns:
        ``(N, F, ceil(H / step), ceil(W / step))``.
    """
    count, _, height, width = images.shape
    rows, columns = -(-height // step), -(-width // step)
    side = filters.shape[-1]
    block = 8 if len(filters) > 1 and images.dtype == torch.float32 else 16  # measured
    blocks = -(-columns // block)
    missing = blocks * block * step - step + side - width - 2 * (side // 2)
    padded = pad(pad(images, (side // 2,) * 4, mode="reflect"), (0, max(missing, 0)))
    weights = _block_filters(filters.tobytes(), side, block, step, images.dtype, images.device)
    # Not in tensor cores, which keep ten bits.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        result = conv2d(padded.contiguous(memory_format=torch.channels_last), weights, stride=(step, block * step))
    result = result.view(count, len(filters), block, rows, blocks).permute(0, 1, 3, 4, 2)
    return result.reshape(count, len(filters), rows, blocks * block)[..., :columns]


@functools.lru_cache(maxsize=64)
def _block_filters(
    data: bytes, side: int, block: int, step: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Each filter at each place of a block, ``(F * block, 1, side, (block - 1) * step + side)``."""
    filters = np.frombuffer(data).reshape(-1, side, side)
    placed = np.zeros((len(filters), block, side, (block - 1) * step + side))
    for place in range(block):
        placed[:, place, :, place * step : place * step + side] = filters
    weights = torch.from_numpy(placed).flatten(0, 1)[:, None].to(device, dtype)
    return weights.contiguous(memory_format=torch.channels_last)
