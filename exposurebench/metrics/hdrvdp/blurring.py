"""Two blurs: a Gaussian, and the mean of a pixel and its eight neighbours."""

from __future__ import annotations

import functools
import math
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import pad

Border = Literal["replicate", "zero"]

_BLOCK = 32


def blurred(images: torch.Tensor, sigma: float, border: Border) -> torch.Tensor:
    """A Gaussian blur along both axes.

    From a sigma of 4.3 px up it is the product of spectra on a sheet of twice the size, filled at the bottom
    and the right and wrapped around. So a repeated border brings the far edge's pixel to the near edge, as it
    does in the released program; below, it is a kernel of about six sigma with the border on both sides.

    Args:
        images: ``(N, C, H, W)``.
        sigma: in pixels.
        border: what lies outside, the edge's own pixel or nothing.

    >>> blurred(torch.ones(1, 1, 4, 6), 5.0, "replicate").round(decimals=4).unique()
    tensor([1.])
    """
    kernel = _kernel(sigma, 8.5 if images.dtype == torch.float64 else 5.7)
    for axis in (3, 2):
        images = _along(images, axis, kernel, border, wraps=sigma >= 4.3)
    return images


@functools.lru_cache(maxsize=8)
def _kernel(sigma: float, end: float) -> tuple[float, ...]:
    """Weights that add up to 1; a wide kernel ends where the precision of the numbers does."""
    if sigma >= 4.3:
        reach = math.ceil(end * sigma)
    else:
        reach = math.floor(0.5 * (math.floor(6 * sigma + 0.5) - 1) + 0.5) if sigma > 0.5 else 1
    bell = [math.exp(-0.5 * (x / sigma) ** 2) for x in range(-reach, reach + 1)]
    return tuple(value / math.fsum(bell) for value in bell)


def _along(images: torch.Tensor, axis: int, kernel: tuple[float, ...], border: Border, wraps: bool) -> torch.Tensor:
    """One axis: overlapping blocks of the padded rows times a matrix that holds the kernel in every column."""
    count, reach = images.shape[axis], len(kernel) // 2
    blocks = -(-count // _BLOCK)
    places = np.arange(-reach, blocks * _BLOCK + reach)
    if wraps:
        places = places % (2 * count)
    inside = (places >= 0) & (places < count)
    index = torch.from_numpy(np.clip(places, 0, count - 1)).to(images.device)
    rows = images.movedim(axis, -1).index_select(-1, index)
    if border == "zero":
        rows = rows * torch.from_numpy(inside).to(images.device, images.dtype)
    windows = rows.unfold(-1, _BLOCK + 2 * reach, _BLOCK)
    # As one matrix: a product of batches would copy the kernel's matrix for every row.
    smooth = windows.reshape(-1, _BLOCK + 2 * reach) @ _toeplitz(kernel, images.dtype, images.device)
    return smooth.view(*rows.shape[:-1], blocks * _BLOCK)[..., :count].movedim(-1, axis)


@functools.lru_cache(maxsize=16)
def _toeplitz(kernel: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    matrix = np.zeros((_BLOCK + len(kernel) - 1, _BLOCK))
    for column in range(_BLOCK):
        matrix[column : column + len(kernel), column] = kernel
    return torch.from_numpy(matrix).to(device, dtype)


def box3(images: torch.Tensor) -> torch.Tensor:
    """The sum over 3 x 3 pixels, with nothing outside, divided by 9 everywhere.

    >>> box3(torch.ones(1, 1, 3, 3)).mul(9).round().int().tolist()
    [[[[4, 6, 4], [6, 9, 6], [4, 6, 4]]]]
    """
    height, width = images.shape[2:]
    rows = pad(images, (1, 1, 1, 1))
    across = rows[..., :width] + rows[..., 1 : width + 1]
    across += rows[..., 2:]
    total = across[..., :height, :] + across[..., 1 : height + 1, :]
    total += across[..., 2:, :]
    return total.mul_(1 / 9)
