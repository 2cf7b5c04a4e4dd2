"""Reading between the rows of a table, and resizing by bicubic interpolation."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray

_BLOCK = 256


def table(values: NDArray[np.float64], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Values at equal steps, ready for :func:`looked_up`: ``(2, n)`` with each value and the step to the next."""
    steps = np.append(np.diff(values), 0.0)
    return torch.from_numpy(np.stack((values, steps))).to(device, dtype)


def looked_up(position: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """A table's value at fractional positions from 0 to n - 1, linearly between its rows.

    >>> looked_up(torch.tensor([0.0, 0.5, 2.0]), table(np.array([1.0, 2.0, 8.0]), torch.float32, torch.device("cpu")))
    tensor([1.0000, 1.5000, 8.0000])
    """
    whole = position.to(torch.int32)  # positions are not negative, so this is the floor
    flat = whole.flatten()
    between = position - whole
    value = rows[0].index_select(0, flat).view_as(position)
    return value.addcmul_(between, rows[1].index_select(0, flat).view_as(position))


def resized(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bicubic interpolation (a = -0.5) to another size, with a wider kernel where it shrinks.

    Position ``u = i / s + (1 - 1 / s) / 2`` for output ``i = 1..n`` and scale ``s``; the kernel is stretched
    by ``1 / s`` where ``s < 1``, its weights add up to 1, and borders are mirrored (the edge repeated).

    Args:
        images: ``(N, C, H, W)``.
        size: height and width of the result.

    >>> [round(value, 2) for value in resized(torch.arange(9.0).view(1, 1, 1, 9), (1, 5)).flatten().tolist()]
    [0.36, 2.17, 4.0, 5.83, 7.64]
    """
    across = _applied(images, bicubic(images.shape[3], size[1], images.dtype, images.device), 3)
    return _applied(across, bicubic(images.shape[2], size[0], images.dtype, images.device), 2)


@functools.lru_cache(maxsize=64)
def bicubic(count: int, wanted: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The ``(wanted, count)`` matrix of :func:`resized` along one axis."""
    scale = wanted / count
    stretch = min(scale, 1.0)
    taps = int(np.ceil(4 / stretch)) + 2
    centre = np.arange(1, wanted + 1) / scale + 0.5 * (1 - 1 / scale)
    source = np.floor(centre - 2 / stretch)[:, None].astype(int) + np.arange(taps)
    weights = stretch * _cubic(stretch * (centre[:, None] - source))
    weights /= weights.sum(1, keepdims=True)
    folded = (source - 1) % (2 * count)
    folded = np.where(folded < count, folded, 2 * count - 1 - folded)
    matrix = np.zeros((wanted, count))
    np.add.at(matrix, (np.arange(wanted)[:, None], folded), weights)
    return torch.from_numpy(matrix).to(device, dtype)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _applied(images: torch.Tensor, matrix: torch.Tensor, axis: int) -> torch.Tensor:
    """A matrix applied along an axis, in blocks of rows that need only a part of the input."""
    wanted, count = matrix.shape
    if wanted == count:
        return images  # the same size: the matrix is the identity
    reach = 4 + 4 * -(-count // wanted)
    parts = []
    for start in range(0, wanted, _BLOCK):
        stop = min(start + _BLOCK, wanted)
        low = max(0, start * count // wanted - reach)
        high = min(count, -(-stop * count // wanted) + reach)
        piece, block = images.narrow(axis, low, high - low), matrix[start:stop, low:high]
        parts.append(piece @ block.T if axis == 3 else block @ piece)
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)
