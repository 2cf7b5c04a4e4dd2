"""Multi-scale structural similarity of light as the eye tells it apart."""

from __future__ import annotations

import torch

from exposurebench.alignment import checked_light
from exposurebench.metrics.ms_ssim import similarity_over_scales
from exposurebench.perception import pu21_luminance

TITLE = "multi-scale structural similarity of PU21 luminance"
TAKES = "nits"
UNIT = ""
RANGE = (0.0, 1.0)
BETTER = "higher"
REFERENCE = "Mantiuk and Azimi 2021, PU21: a novel perceptually uniform encoding for adapting existing quality metrics"
VERSION = 1
PROTOCOL = {
    "encoding": "PU21 banding_glare, constants 5fd274d2",
    "color": "luminance",
    "scales": "5, weights 0.0448 0.2856 0.3001 0.2363 0.1333",
    "decimation": "2 x 2 mean, the last row and column repeated where a side is odd",
    "window": "gaussian 11 x 11, sigma 1.5",
    "border": "valid windows only",
    "peak": 255.0,
    "k1": 0.01,
    "k2": 0.03,
    "covariance": "population",
    "negative": "0 where the mean of a scale is not positive",
    "pooling": "product over scales of means over windows",
    "precision": "input",
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}

PEAK = 255.0
"""The program that papers use keeps the constants of 8-bit images here, though PU21-SSIM takes 256."""


def pu21_ms_ssim(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How alike two images are in structure at five scales, and in luminance at the coarsest, in PU21 values.

    MS-SSIM (see :mod:`exposurebench.metrics.ms_ssim`) of the encoded luminance with a peak of 255.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [0, 1]; exactly 1 for equal images.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.checked_light` refuses; a side under 176 px.

    Source: Mantiuk and Azimi 2021; Wang et al. 2003.

    >>> ramp = torch.linspace(1, 500, 200).expand(1, 3, 180, 200)
    >>> pu21_ms_ssim(ramp, ramp).item()
    1.0
    """
    sides = (side.double() for side in checked_light(prediction, target))
    ours, theirs = (pu21_luminance(side).to(prediction.dtype) for side in sides)
    return similarity_over_scales(ours, theirs, peak=PEAK).squeeze(1)
