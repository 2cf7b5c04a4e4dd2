"""Feature similarity of light as the eye tells it apart."""

from __future__ import annotations

import torch

from exposurebench.alignment import checked_light
from exposurebench.metrics.fsim import decimated, feature_similarity, pooled
from exposurebench.perception import pu21_luminance

TITLE = "feature similarity of PU21 luminance"
TAKES = "nits"
UNIT = ""
RANGE = (0.0, 1.0)
BETTER = "higher"
REFERENCE = "Mantiuk and Azimi 2021, PU21: a novel perceptually uniform encoding for adapting existing quality metrics"
VERSION = 1
PROTOCOL = {
    "encoding": "PU21 banding_glare, constants 5fd274d2",
    "color": "luminance",
    "decimation": "f x f mean, f = max(1, round(short side / 256)), zeros beyond the border",
    "phase_congruency": "4 scales from 6 px, factor 2, sigma 0.55; 4 orientations, spread 1.2; noise k 2, / 1.7",
    "gradient": "scharr / 16, zeros beyond the border",
    "t1": 0.85,
    "t2": 160.0,
    "border": "all pixels, periodic in the wavelets",
    "pooling": "mean weighted by the larger phase congruency; plain where there is none",
    "precision": "input",
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}


def pu21_fsim(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How alike two images are in what the eye takes for features, in PU21 values.

    FSIM (see :mod:`exposurebench.metrics.fsim`) of the encoded luminance, which is on the scale of 8-bit levels
    already.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [0, 1]; exactly 1 for equal images.

    Raises:
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.checked_light` refuses.

    Source: Mantiuk and Azimi 2021; Zhang et al. 2011.

    >>> ramp = torch.linspace(1, 500, 64).expand(1, 3, 48, 64)
    >>> pu21_fsim(ramp, ramp).item()
    1.0
    """
    sides = (side.double() for side in checked_light(prediction, target))
    ours, theirs = (decimated(pu21_luminance(side).to(prediction.dtype)) for side in sides)
    return pooled(*feature_similarity(ours, theirs), None)
