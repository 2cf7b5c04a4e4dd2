"""Structural similarity."""

from __future__ import annotations

import functools
import math
from typing import Literal

import torch
from torch.nn.functional import avg_pool2d

from exposurebench.color import Weights, weighted
from exposurebench.tensors import checked_mask, checked_pair, region_mean

TITLE = "structural similarity"
TAKES = "srgb"
UNIT = ""
RANGE = (-1.0, 1.0)
BETTER = "higher"
REFERENCE = "Wang et al. 2004, Image quality assessment: from error visibility to structural similarity"
VERSION = 1
PROTOCOL = {
    "color": "rgb",
    "downsample": False,
    "luma": "0.298936 R + 0.587043 G + 0.114021 B where color is luma",
    "decimation": "f x f mean, f = max(1, round(short side / 256)), where downsample is true",
    "encoding": "display",
    "peak": 1.0,
    "window": "gaussian 11 x 11, sigma 1.5",
    "k1": 0.01,
    "k2": 0.03,
    "border": "valid windows only",
    "covariance": "population",
    "pooling": "mean over windows, then channels",
    "precision": "input",
}
VARIANTS = {"wang": {"color": "luma", "downsample": True}}

Color = Literal["rgb", "luma", "luma8"]

WINDOW_PX = 11
SIGMA_PX = 1.5
RGB2GRAY: Weights = (0.298936021293775, 0.587043074451121, 0.114020904255103)
"""The BT.601 luma as MATLAB's rgb2gray has it: the first row of the inverse of its YIQ matrix, unrounded.
The three-digit weights move the score by up to 1e-5."""


def ssim(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    color: Color = "rgb",
    downsample: bool = False,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """How alike two images are in local luminance, contrast and structure.

    ``SSIM = mean((2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)))`` with means m and
    population (co)variances s under an 11 x 11 Gaussian window of sigma 1.5, at every place where the whole
    window fits; ``C1 = 0.01 ** 2``, ``C2 = 0.03 ** 2`` for a peak of 1.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        color: ``rgb`` scores the three channels and takes their mean; ``luma`` scores a float BT.601 luma
            (``RGB2GRAY``); ``luma8`` rounds it to 8 bits first, as gray files do (no gradient).
        downsample: first average and decimate by ``f = max(1, round(min(H, W) / 256))``, as the authors'
            program does.
        mask: ``(N, 1, H, W)``, 1 for the pixels that count: the mean is over the windows centred on them (a
            window also sees the five pixels around its centre). All windows where it is None.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [-1, 1]; exactly 1 for equal images, NaN where no
        window is centred in the mask.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, a side under 11 px (after downsampling), NaN, infinity, values
            outside [0, 1], an unknown color, a mask of another shape or outside [0, 1].

    Source: Wang et al. 2004, eq. 13 and section III-C; the downsampling is of the authors' later program.

    >>> ramp = torch.linspace(0, 1, 24).expand(1, 3, 16, 24)
    >>> ssim(ramp, ramp).item()
    1.0
    >>> round(ssim(ramp.flip(3), ramp).item(), 2)
    -0.64
    """
    checked_pair(prediction, target)
    weights = None if mask is None else checked_mask(mask, prediction)
    prediction, target = in_color(prediction, color), in_color(target, color)
    if downsample:
        prediction, target = _decimated(prediction), _decimated(target)
        weights = None if weights is None else _decimated(weights)
    luminance, structure = ssim_maps(prediction, target)
    edge = WINDOW_PX // 2
    centres = None if weights is None else weights[..., edge:-edge, edge:-edge]
    return region_mean(luminance * structure, centres)


def ssim_maps(
    prediction: torch.Tensor, target: torch.Tensor, *, peak: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two factors of SSIM at every window: luminance, and contrast with structure.

    ``l = (2 mx my + C1) / (mx^2 + my^2 + C1)`` and ``cs = (2 sxy + C2) / (sx^2 + sy^2 + C2)`` with
    ``C1 = (0.01 peak) ** 2`` and ``C2 = (0.03 peak) ** 2``. Values are not checked, so that other encodings
    can be scored.

    Args:
        prediction: ``(N, C, H, W)``, any number of channels.
        target: the same shape and dtype.
        peak: the largest value of the encoding.

    Returns:
        Two tensors of ``(N, C, H - 10, W - 10)``, both at most 1.

    Raises:
        ValueError: a side is under 11 px.

    Source: Wang et al. 2004, eqs. 6, 9 and 10 (with C3 = C2 / 2).

    >>> [part.shape[2:] for part in ssim_maps(torch.zeros(1, 1, 12, 16), torch.ones(1, 1, 12, 16))]
    [torch.Size([2, 6]), torch.Size([2, 6])]
    """
    if min(prediction.shape[2:]) < WINDOW_PX:
        height, width = prediction.shape[2:]
        raise ValueError(f"SSIM needs a window of {WINDOW_PX} px to fit, and {width} x {height} px is smaller")
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    # Sum and difference instead of the two images: 4 means' product is the difference of their squares, so four
    # filtered maps do for the five moments, and equal images are told apart by nothing, not even rounding.
    both, apart = prediction + target, prediction - target
    moments = torch.stack((both, apart, both.square(), apart.square()))
    mean_both, mean_apart, squares_both, squares_apart = _blurred(_blurred(moments, 3), 4)
    mean_both, mean_apart = mean_both.square(), mean_apart.square()
    luminance = 1 - 2 * mean_apart / (mean_both + mean_apart + 2 * c1)
    variance_both, variance_apart = squares_both - mean_both, squares_apart - mean_apart
    structure = 1 - 2 * variance_apart / (variance_both + variance_apart + 2 * c2)
    return luminance, structure


def _blurred(maps: torch.Tensor, axis: int) -> torch.Tensor:
    """The Gaussian along one axis as eleven shifted adds: far faster on a CPU than a thin convolution."""
    length = maps.shape[axis] - WINDOW_PX + 1
    first, *others = _gaussian()
    blurred = first * maps.narrow(axis, 0, length)
    for shift, weight in enumerate(others, start=1):
        blurred.add_(maps.narrow(axis, shift, length), alpha=weight)
    return blurred


@functools.cache
def _gaussian() -> tuple[float, ...]:
    bell = [math.exp(-((x - WINDOW_PX // 2) ** 2) / (2 * SIGMA_PX**2)) for x in range(WINDOW_PX)]
    return tuple(value / math.fsum(bell) for value in bell)


def in_color(images: torch.Tensor, color: Color) -> torch.Tensor:
    """The channels in which structure is compared: the three of RGB, or one of luma; see :func:`ssim`.

    Raises:
        ValueError: an unknown color.

    >>> in_color(torch.zeros(1, 3, 4, 5), "luma").shape
    torch.Size([1, 1, 4, 5])
    """
    if color == "rgb":
        return images
    if color not in ("luma", "luma8"):
        raise ValueError(f"color must be rgb, luma or luma8, not {color!r}")
    luma: torch.Tensor = weighted(images[:, 0:1], images[:, 1:2], images[:, 2:3], RGB2GRAY)
    return luma if color == "luma" else torch.floor(255 * luma + 0.5) / 255


def _decimated(images: torch.Tensor) -> torch.Tensor:
    """Every f-th value of an f x f running mean with mirrored borders (the border pixel repeated)."""
    factor = max(1, math.floor(min(images.shape[2:]) / 256 + 0.5))
    if factor == 1:
        return images
    for axis in (2, 3):
        size = images.shape[axis]
        reach = torch.arange(math.ceil(size / factor) * factor, device=images.device) - (factor - 1) // 2
        mirrored = torch.where(reach < 0, -1 - reach, torch.where(reach < size, reach, 2 * size - 1 - reach))
        images = images.index_select(axis, mirrored)
    return avg_pool2d(images, factor)
