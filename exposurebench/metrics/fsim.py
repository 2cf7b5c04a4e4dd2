"""Feature similarity."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import pad

from exposurebench.color import REC601, Weights, weighted
from exposurebench.phase_congruency import phase_congruency
from exposurebench.tensors import checked_mask, checked_pair, region_mean

TITLE = "feature similarity (phase congruency and gradient of luma)"
TAKES = "srgb"
UNIT = ""
RANGE = (0.0, 1.0)
BETTER = "higher"
REFERENCE = "Zhang et al. 2011, FSIM: a feature similarity index for image quality assessment"
VERSION = 1
PROTOCOL = {
    "color": "luma 0.299 R + 0.587 G + 0.114 B on 0..255",
    "decimation": "f x f mean, f = max(1, round(short side / 256)), zeros beyond the border",
    "encoding": "display",
    "peak": 1.0,
    "phase_congruency": "4 scales from 6 px, factor 2, sigma 0.55; 4 orientations, spread 1.2; noise k 2, / 1.7",
    "gradient": "scharr / 16, zeros beyond the border",
    "t1": 0.85,
    "t2": 160.0,
    "border": "all pixels, periodic in the wavelets",
    "pooling": "mean weighted by the larger phase congruency; plain where there is none",
    "precision": "input",
}

PHASE_CONSTANT = 0.85
GRADIENT_CONSTANT = 160.0


def fsim(prediction: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
    """How alike two images are in what the eye takes for features: phase congruency and gradient.

    ``FSIM = sum(S_PC S_G PC_m) / sum(PC_m)`` with ``S = (2 a b + T) / (a^2 + b^2 + T)`` of the two images'
    phase congruency (T 0.85) and gradient (T 160), and ``PC_m`` the larger of the two phase congruencies. An
    image pair without any feature is pooled without weights.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        mask: ``(N, 1, H, W)``, 1 for the pixels that count, by which the weights are multiplied (after the
            decimation; a wavelet also sees what is around). All pixels where it is None.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [0, 1]; exactly 1 for equal images, NaN where the mask
        is empty.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, 1], a mask of another shape or
            outside [0, 1].

    Source: Zhang et al. 2011, eqs. 4 to 8; the decimation is of the authors' program.

    >>> ramp = torch.linspace(0, 1, 64).expand(1, 3, 48, 64)
    >>> fsim(ramp, ramp).item()
    1.0
    >>> fsim(ramp.roll(32, 3), ramp).item() < 0.95
    True
    """
    checked_pair(prediction, target)
    weights = None if mask is None else decimated(checked_mask(mask, prediction))
    ours, theirs = (decimated(levels(images, REC601)) for images in (prediction, target))
    return pooled(*feature_similarity(ours, theirs), weights)


def levels(images: torch.Tensor, weights: Weights) -> torch.Tensor:
    """A weighted sum of the channels on a scale of 255.

    >>> levels(torch.ones(1, 3, 1, 1), REC601).item()
    255.0
    """
    mixed: torch.Tensor = weighted(images[:, 0:1], images[:, 1:2], images[:, 2:3], weights)
    return 255 * mixed


def feature_similarity(prediction: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The similarity of features at every pixel, and the weight that it has there.

    Values are not checked, so that other encodings can be scored.

    Args:
        prediction: ``(N, 1, H, W)``, on a scale like that of 8-bit levels.
        target: the same shape and dtype.

    Returns:
        ``S_PC S_G`` in [0, 1] and ``PC_m`` in [0, 1], each ``(N, 1, H, W)``.

    Source: Zhang et al. 2011, eqs. 4 to 7.

    >>> [part.shape for part in feature_similarity(torch.zeros(1, 1, 12, 16), torch.ones(1, 1, 12, 16))]
    [torch.Size([1, 1, 12, 16]), torch.Size([1, 1, 12, 16])]
    """
    both = torch.cat((prediction, target)).squeeze(1)
    phases, slopes = (part.unsqueeze(1).chunk(2) for part in (phase_congruency(both), _gradient(both)))
    return alike(phases, PHASE_CONSTANT) * alike(slopes, GRADIENT_CONSTANT), torch.maximum(*phases)


def alike(sides: Sequence[torch.Tensor], constant: float) -> torch.Tensor:
    """``(2 a b + T) / (a^2 + b^2 + T)`` of two maps a and b, written so that it is exactly 1 where they are equal.

    >>> round(alike((torch.tensor(3.0), torch.tensor(4.0)), 1.0).item(), 6)
    0.961538
    """
    first, second = sides
    return 1 - (first - second).square() / (first.square() + second.square() + constant)


def pooled(similarity: torch.Tensor, features: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Each image's mean similarity, weighted by its features; without weights where it has none.

    >>> ones = torch.ones(1, 1, 2, 2)
    >>> pooled(0.5 * ones, 0 * ones, None).item()
    0.5
    """
    weights = features if mask is None else features * mask
    total = weights.sum((1, 2, 3))
    flat = total <= 0
    mean = (similarity * weights).sum((1, 2, 3)) / torch.where(flat, 1.0, total)
    return torch.where(flat, region_mean(similarity, mask), mean)


def decimated(images: torch.Tensor) -> torch.Tensor:
    """Every f-th value of an f x f running mean with zeros beyond the border, f = max(1, round(side / 256)).

    >>> decimated(torch.ones(1, 1, 513, 400))[0, 0, -1, 0].item()
    0.5
    """
    factor = max(1, math.floor(min(images.shape[2:]) / 256 + 0.5))
    if factor == 1:
        return images
    before = (factor - 1) // 2
    # What the last windows lack beyond the border, or what the border leaves over.
    height, width = (math.ceil(size / factor) * factor - before - size for size in images.shape[2:])
    framed = pad(images, (before, width, before, height))
    # Far faster on a CPU than avg_pool2d.
    rows = torch.stack([framed[..., start::factor, :] for start in range(factor)]).sum(0)
    return torch.stack([rows[..., start::factor] for start in range(factor)]).sum(0) / factor**2


def _gradient(images: torch.Tensor) -> torch.Tensor:
    """The length of Scharr's gradient, with zeros beyond the border; its own gradient is 0 where it is 0."""
    framed = pad(images, (1, 1, 1, 1))
    across = framed[..., 2:] - framed[..., :-2]
    down = framed[..., 2:, :] - framed[..., :-2, :]
    x = 3 * (across[..., :-2, :] + across[..., 2:, :]) + 10 * across[..., 1:-1, :]
    y = 3 * (down[..., :-2] + down[..., 2:]) + 10 * down[..., 1:-1]
    return (x.square() + y.square() + torch.finfo(images.dtype).tiny).sqrt() / 16
