"""ColorVideoVDP: how far apart two images look on a display, by its authors' own package."""

from __future__ import annotations

import functools
from typing import Any

import torch

from exposurebench.alignment import DISPLAY_PEAK, checked_light
from exposurebench.errors import MissingError

TITLE = "ColorVideoVDP, by its own package (extra cvvdp)"
TAKES = "nits"
UNIT = "JOD"
RANGE = (None, 10.0)
BETTER = "higher"
REFERENCE = "Mantiuk et al. 2024, ColorVideoVDP: a visual difference predictor for image, video and display distortions"
VERSION = 1
PROTOCOL = {
    "peak_nits": 1000.0,
    "display": "linear, Rec. 709, contrast 1,000,000, no ambient light",
    "pixels_per_degree": 30.0,
    "precision": "float32",
}
VARIANTS = {
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}

CONTRAST = 1_000_000


def cvvdp(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    peak_nits: float = DISPLAY_PEAK,
    pixels_per_degree: float = 30.0,
) -> torch.Tensor:
    """The quality of a prediction in just-objectionable differences, as ColorVideoVDP predicts it.

    10 is no visible difference; where one of two images scores 1 more, three in four people choose it. Every
    image is scored by itself.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        peak_nits: the display's peak in cd/m2, above 1; light beyond it is clipped.
        pixels_per_degree: how finely the display is seen.

    Returns:
        ``(N,)`` in the input's dtype (computed in float32), in JOD, at most 10.

    Raises:
        MissingError: the package is not installed, or cannot be imported.
        TypeError: integers or half precision.
        ValueError: what :func:`exposurebench.alignment.checked_light` refuses; pixels_per_degree not positive.

    Source: Mantiuk et al. 2024.

    >>> light = torch.full((1, 3, 64, 64), 100.0)
    >>> cvvdp(light, light)  # doctest: +SKIP
    tensor([10.])
    """
    if not pixels_per_degree > 0:
        raise ValueError(f"pixels_per_degree must be positive, not {pixels_per_degree}")
    sides = checked_light(prediction, target)
    ours, theirs = (side.float() for side in sides)
    score = _predictor(peak_nits, pixels_per_degree, prediction.device)
    scores = [score(*pair, dim_order="CHW")[0] for pair in zip(ours, theirs, strict=True)]
    return torch.stack(scores).to(prediction.dtype)


@functools.cache
def _predictor(peak_nits: float, pixels_per_degree: float, device: torch.device) -> Any:
    try:
        import pycvvdp
    # torchvision of another build than torch raises RuntimeError when it is imported
    except (ImportError, RuntimeError) as error:
        raise MissingError(
            f"the metric cvvdp needs the package cvvdp ({error}): pip install 'exposurebench[cvvdp]'"
        ) from error
    display = pycvvdp.vvdp_display_photo_eotf(
        peak_nits, contrast=CONTRAST, source_colorspace="BT.709", EOTF="linear", E_ambient=0
    )
    # the resolution decides nothing where the pixels per degree are given
    geometry = pycvvdp.vvdp_display_geometry((3840, 2160), ppd=pixels_per_degree)
    model = pycvvdp.cvvdp(display_photometry=display, display_geometry=geometry, quiet=True, device=device)
    return model.predict
