"""The steerable pyramid: an image as bands of frequency and orientation, and back."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from exposurebench.metrics.hdrvdp.light import constants

Filters = Literal["sp0", "sp3"]
"""``sp0`` has one band without orientation at every level, ``sp3`` four of 45 degrees."""

_BLOCK = 16


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

    Overlapping blocks of rows are multiplied by a matrix that holds the filters in every column. On a
    processor this is faster than a convolution of one channel, by far in float64.

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
    blocks = -(-columns // _BLOCK)
    window = (_BLOCK - 1) * step + side
    missing = (blocks - 1) * _BLOCK * step + window - width - 2 * (side // 2)
    padded = pad(images, (side // 2,) * 4, mode="reflect")[:, 0]
    padded = pad(padded, (0, max(missing, 0)))
    pieces = padded.unfold(2, window, _BLOCK * step).transpose(1, 2).contiguous()
    down, across = pieces.stride(1), pieces.stride(2)
    windows = pieces.as_strided(
        (count, blocks, rows, side * window), (pieces.stride(0), down, across * step, 1)
    )
    matrix = _block_matrix(filters.tobytes(), len(filters), side, step, images.dtype, images.device)
    result = windows.reshape(-1, side * window) @ matrix
    result = result.view(count, blocks, rows, len(filters), _BLOCK).permute(0, 3, 2, 1, 4)
    return result.reshape(count, len(filters), rows, blocks * _BLOCK)[..., :columns]


@functools.lru_cache(maxsize=64)
def _block_matrix(
    data: bytes, count: int, side: int, step: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    filters = np.frombuffer(data).reshape(count, side, side)
    matrix = np.zeros((side, (_BLOCK - 1) * step + side, count, _BLOCK))
    for column in range(_BLOCK):
        matrix[:, column * step : column * step + side, :, column] = filters.transpose(1, 2, 0)
    return torch.from_numpy(matrix.reshape(-1, count * _BLOCK)).to(device, dtype)
