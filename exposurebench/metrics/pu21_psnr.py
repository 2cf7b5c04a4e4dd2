"""Peak signal-to-noise ratio of light as the eye tells it apart."""

from __future__ import annotations

from typing import Literal

import torch

from exposurebench.alignment import DISPLAY_PEAK, Alignment, align
from exposurebench.perception import pu21_encode, pu21_luminance

TITLE = "peak signal-to-noise ratio of PU21 values"
TAKES = "nits"
UNIT = "dB"
RANGE = (None, None)
BETTER = "higher"
REFERENCE = "Mantiuk and Azimi 2021, PU21: a novel perceptually uniform encoding for adapting existing quality metrics"
VERSION = 1
MEAN_CAP = 100.0
PROTOCOL = {
    "alignment": "gain",
    "gain": "one a pair, least squares of log luminance over pixels that are not clipped in the input",
    "crf_correction": True,
    "crf": "cubic in PQ luminance; u'v' by cubics and a cross term, ridge 0.01",
    "peak_nits": 1000.0,
    "encoding": "PU21 banding_glare, constants 5fd274d2",
    "color": "rgb",
    "peak": 256.0,
    "pooling": "one squared error over pixels and channels",
    "precision": "float64",
    "mean_cap": 100.0,
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}

PEAK = 256.0
"""The PU21 value of 100 cd/m2, about: the white of an ordinary display."""


def pu21_psnr(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    alignment: Alignment = "gain",
    crf_correction: bool = True,
    peak_nits: float = DISPLAY_PEAK,
    unclipped: torch.Tensor | None = None,
    color: Literal["rgb", "luminance"] = "rgb",
) -> torch.Tensor:
    """The ratio of the power of an ordinary display's white to the power of the error, in PU21 values.

    ``PSNR = 10 log10(256 ** 2 / MSE)`` with the MSE of :func:`exposurebench.perception.pu21_encode` values,
    after the steps of :func:`exposurebench.alignment.align`.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        alignment: ``gain``, ``percentile`` or ``none``.
        crf_correction: whether one tone and colour curve is fitted before.
        peak_nits: the display's peak in cd/m2; PU21 ends at 10,000.
        unclipped: ``(N, 1, H, W)`` weights, 0 where the pair's input is clipped; None: nowhere.
        color: ``rgb`` encodes the three channels; ``luminance`` encodes the luminance (PSNR-Y).

    Returns:
        ``(N,)`` float64, in dB, infinite where the images are equal, and below 0 where an error beyond 256
        is everywhere. Means over images count an infinite value as ``MEAN_CAP``.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.align` refuses; an unknown color.

    Source: Mantiuk and Azimi 2021; the steps before are Hanji et al. 2022 and ours.

    >>> gray = torch.full((1, 3, 4, 5), 100.0)
    >>> round(pu21_psnr(gray * 0.9, gray, alignment="none", crf_correction=False).item(), 2)
    31.5
    >>> pu21_psnr(gray, gray).item()
    inf
    """
    if color not in ("rgb", "luminance"):
        raise ValueError(f"color must be rgb or luminance, not {color!r}")
    ours, theirs = align(
        prediction,
        target,
        alignment=alignment,
        crf_correction=crf_correction,
        peak_nits=peak_nits,
        unclipped=unclipped,
    )
    encode = pu21_encode if color == "rgb" else pu21_luminance
    error = (encode(ours) - encode(theirs)).square().mean((1, 2, 3))
    return 10 * torch.log10(PEAK**2 / error)
