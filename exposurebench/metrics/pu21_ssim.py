"""Structural similarity of light as the eye tells it apart."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn.functional import pad

from exposurebench.alignment import checked_light
from exposurebench.metrics.pu21_psnr import PEAK
from exposurebench.metrics.ssim import WINDOW_PX, ssim_maps
from exposurebench.perception import pu21_luminance

TITLE = "structural similarity of PU21 luminance"
TAKES = "nits"
UNIT = ""
RANGE = (-1.0, 1.0)
BETTER = "higher"
REFERENCE = "Mantiuk and Azimi 2021, PU21: a novel perceptually uniform encoding for adapting existing quality metrics"
VERSION = 1
PROTOCOL = {
    "encoding": "PU21 banding_glare, constants 5fd274d2",
    "color": "luminance",
    "border": "valid",
    "window": "gaussian 11 x 11, sigma 1.5",
    "peak": 256.0,
    "k1": 0.01,
    "k2": 0.03,
    "covariance": "population",
    "pooling": "mean over windows",
    "precision": "input",
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}


def pu21_ssim(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    border: Literal["valid", "replicate"] = "valid",
) -> torch.Tensor:
    """How alike two images are in local luminance, contrast and structure, in PU21 values.

    SSIM (see :mod:`exposurebench.metrics.ssim`) of the encoded luminance with a peak of 256.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        border: ``valid`` takes every place where the whole window fits; ``replicate`` every pixel, with the
            pixels at the border repeated, as MATLAB's ``ssim`` does.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [-1, 1]; exactly 1 for equal images.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.checked_light` refuses; a side under 11 px; an unknown border.

    Source: Mantiuk and Azimi 2021; Wang et al. 2004.

    >>> ramp = torch.linspace(1, 500, 24).expand(1, 3, 16, 24)
    >>> pu21_ssim(ramp, ramp).item()
    1.0
    >>> round(pu21_ssim(ramp.flip(3), ramp).item(), 2)
    -0.42
    """
    if border not in ("valid", "replicate"):
        raise ValueError(f"border must be valid or replicate, not {border!r}")
    sides = (side.double() for side in checked_light(prediction, target))
    ours, theirs = (pu21_luminance(side).to(prediction.dtype) for side in sides)
    if border == "replicate":
        ours, theirs = (pad(side, [WINDOW_PX // 2] * 4, mode="replicate") for side in (ours, theirs))
    luminance, structure = ssim_maps(ours, theirs, peak=PEAK)
    return (luminance * structure).mean((1, 2, 3))
