"""Structural similarity of light as the eye tells it apart."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn.functional import pad

from exposurebench.alignment import DISPLAY_PEAK, Alignment, align
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
    "alignment": "gain",
    "gain": "one a pair, least squares of log luminance over pixels that are not clipped in the input",
    "crf_correction": True,
    "crf": "cubic in PQ luminance; u'v' by cubics and a cross term, ridge 0.01",
    "peak_nits": 1000.0,
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
    alignment: Alignment = "gain",
    crf_correction: bool = True,
    peak_nits: float = DISPLAY_PEAK,
    unclipped: torch.Tensor | None = None,
    border: Literal["valid", "replicate"] = "valid",
) -> torch.Tensor:
    """How alike two images are in local luminance, contrast and structure, in PU21 values.

    SSIM (see :mod:`exposurebench.metrics.ssim`) of the encoded luminance with a peak of 256, after the steps
    of :func:`exposurebench.alignment.align`.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        alignment: ``gain``, ``percentile`` or ``none``.
        crf_correction: whether one tone and colour curve is fitted before.
        peak_nits: the display's peak in cd/m2; PU21 ends at 10,000.
        unclipped: ``(N, 1, H, W)`` weights, 0 where the pair's input is clipped; None: nowhere.
        border: ``valid`` takes every place where the whole window fits; ``replicate`` every pixel, with the
            pixels at the border repeated, as MATLAB's ``ssim`` does.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [-1, 1]; exactly 1 for equal images.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.align` refuses; a side under 11 px; an unknown border.

    Source: Mantiuk and Azimi 2021; Wang et al. 2004; the steps before are Hanji et al. 2022 and ours.

    >>> ramp = torch.linspace(1, 500, 24).expand(1, 3, 16, 24)
    >>> pu21_ssim(ramp, ramp).item()
    1.0
    >>> round(pu21_ssim(ramp.flip(3), ramp, alignment="none", crf_correction=False).item(), 2)
    -0.42
    """
    if border not in ("valid", "replicate"):
        raise ValueError(f"border must be valid or replicate, not {border!r}")
    sides = align(
        prediction,
        target,
        alignment=alignment,
        crf_correction=crf_correction,
        peak_nits=peak_nits,
        unclipped=unclipped,
    )
    ours, theirs = (pu21_luminance(side).to(prediction.dtype) for side in sides)
    if border == "replicate":
        ours, theirs = (pad(side, [WINDOW_PX // 2] * 4, mode="replicate") for side in (ours, theirs))
    luminance, structure = ssim_maps(ours, theirs, peak=PEAK)
    return (luminance * structure).mean((1, 2, 3))
