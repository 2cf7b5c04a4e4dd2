"""Multi-scale structural similarity of light as the eye tells it apart."""

from __future__ import annotations

import torch

from exposurebench.alignment import DISPLAY_PEAK, Alignment, align
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
    "alignment": "gain",
    "gain": "one a pair, least squares of log luminance over pixels that are not clipped in the input",
    "crf_correction": True,
    "crf": "cubic in PQ luminance; u'v' by cubics and a cross term, ridge 0.01",
    "peak_nits": 1000.0,
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


def pu21_ms_ssim(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    alignment: Alignment = "gain",
    crf_correction: bool = True,
    peak_nits: float = DISPLAY_PEAK,
    unclipped: torch.Tensor | None = None,
) -> torch.Tensor:
    """How alike two images are in structure at five scales, and in luminance at the coarsest, in PU21 values.

    MS-SSIM (see :mod:`exposurebench.metrics.ms_ssim`) of the encoded luminance with a peak of 255, after the
    steps of :func:`exposurebench.alignment.align`.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        alignment: ``gain``, ``percentile`` or ``none``.
        crf_correction: whether one tone and colour curve is fitted before.
        peak_nits: the display's peak in cd/m2; PU21 ends at 10,000.
        unclipped: ``(N, 1, H, W)`` weights, 0 where the pair's input is clipped; None: nowhere.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [0, 1]; exactly 1 for equal images.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.align` refuses; a side under 176 px.

    Source: Mantiuk and Azimi 2021; Wang et al. 2003; the steps before are Hanji et al. 2022 and ours.

    >>> ramp = torch.linspace(1, 500, 200).expand(1, 3, 180, 200)
    >>> pu21_ms_ssim(ramp, ramp).item()
    1.0
    """
    sides = align(
        prediction,
        target,
        alignment=alignment,
        crf_correction=crf_correction,
        peak_nits=peak_nits,
        unclipped=unclipped,
    )
    ours, theirs = (pu21_luminance(side).to(prediction.dtype) for side in sides)
    return similarity_over_scales(ours, theirs, peak=PEAK).squeeze(1)
