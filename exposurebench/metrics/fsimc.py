"""Feature similarity with colour."""

from __future__ import annotations

import math

import torch

from exposurebench.color import REC601, Weights
from exposurebench.metrics.fsim import alike, decimated, feature_similarity, levels, pooled
from exposurebench.tensors import checked_mask, checked_pair

TITLE = "feature similarity with colour (FSIMc)"
TAKES = "srgb"
UNIT = ""
RANGE = (0.0, 1.0)
BETTER = "higher"
REFERENCE = "Zhang et al. 2011, FSIM: a feature similarity index for image quality assessment"
VERSION = 1
PROTOCOL = {
    "color": "YIQ on 0..255: (0.299 0.587 0.114) (0.596 -0.274 -0.322) (0.211 -0.523 0.312)",
    "decimation": "f x f mean, f = max(1, round(short side / 256)), zeros beyond the border",
    "encoding": "display",
    "peak": 1.0,
    "phase_congruency": "4 scales from 6 px, factor 2, sigma 0.55; 4 orientations, spread 1.2; noise k 2, / 1.7",
    "gradient": "scharr / 16, zeros beyond the border",
    "t1": 0.85,
    "t2": 160.0,
    "t3": 200.0,
    "t4": 200.0,
    "lambda": 0.03,
    "border": "all pixels, periodic in the wavelets",
    "pooling": "mean weighted by the larger phase congruency; plain where there is none",
    "precision": "input",
}

IN_PHASE: Weights = (0.596, -0.274, -0.322)
QUADRATURE: Weights = (0.211, -0.523, 0.312)
CHROMA_CONSTANT = 200.0
CHROMA_POWER = 0.03


def fsimc(prediction: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
    """How alike two images are in features and in colour.

    :func:`exposurebench.metrics.fsim.fsim` with ``(S_I S_Q) ** 0.03`` as a further factor at every pixel,
    where S_I and S_Q compare the I and Q of YIQ as FSIM compares gradients (T 200). Where the product is
    negative the real part of its complex power counts, ``|S_I S_Q| ** 0.03 cos(0.03 pi)``.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        mask: ``(N, 1, H, W)``, 1 for the pixels that count, as in FSIM. All pixels where it is None.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [0, 1]; exactly 1 for equal images, NaN where the mask
        is empty.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, 1], a mask of another shape or
            outside [0, 1].

    Source: Zhang et al. 2011, eqs. 9 to 13; negative products are as in the authors' program.

    >>> gray = torch.full((1, 3, 48, 64), 0.5)
    >>> fsimc(gray, gray).item()
    1.0
    >>> red = gray * torch.tensor([1.5, 0.5, 0.5]).view(1, 3, 1, 1)
    >>> round(fsimc(red, gray).item(), 3)
    0.861
    """
    checked_pair(prediction, target)
    weights = None if mask is None else decimated(checked_mask(mask, prediction))
    sides = [decimated(images) for images in (prediction, target)]
    similarity, features = feature_similarity(*(levels(side, REC601) for side in sides))
    chroma = [alike([levels(side, axis) for side in sides], CHROMA_CONSTANT) for axis in (IN_PHASE, QUADRATURE)]
    product = chroma[0] * chroma[1]
    colors = product.abs() ** CHROMA_POWER
    colors = torch.where(product < 0, math.cos(CHROMA_POWER * math.pi) * colors, colors)
    return pooled(similarity * colors, features, weights)
