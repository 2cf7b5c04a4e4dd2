"""HDR-VDP-2: a model of the eye that says how well a prediction keeps what its target shows (2.2.2 and 2.2.0)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch

from exposurebench.metrics.hdrvdp import detection, masking, optics, pooling, pyramid, receptors, sensitivity
from exposurebench.metrics.hdrvdp.light import GRAY, absolute, catches, differs, through
from exposurebench.metrics.hdrvdp.target import Prepared

TITLE = "HDR-VDP-2.2.2: quality, and whether a difference is seen"
TAKES = "nits"
UNIT = ""
RANGE = {"Q": (None, 100.0), "P_det": (0.0, 1.0), "C_max": (0.0, None)}
BETTER = {"Q": "higher", "P_det": "lower", "C_max": "lower"}
REFERENCE = "Mantiuk et al. 2011, HDR-VDP-2: a calibrated visual metric; released programs 2.2.2 and 2.2.0"
VERSION = 1
MAP = "probability that a difference is seen"
PROTOCOL = {
    "release": "2.2.2",
    "encoding": "rgb-bt.709",
    "pixels_per_degree": 30.0,
    "surround": 1e-5,
    "luminance_scale": 1.0,
    "light": "cd/m2",
    "display": "ccfl-lcd; D65 where there is one channel",
    "precision": "input",
}
VARIANTS = {
    "2.2.0": {"release": "2.2.0"},
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}
VARIANT_FACTS = {
    "2.2.0": {
        "TITLE": "HDR-VDP-2.2.0: quality, and whether a difference is seen",
        "RANGE": {"Q": (None, None), "Q_MOS": (0.0, None), "P_det": (0.0, 1.0), "C_max": (0.0, None)},
        "BETTER": {"Q": "lower", "Q_MOS": "higher", "P_det": "lower", "C_max": "lower"},
    }
}

Encoding = Literal["rgb-bt.709", "rgb-native", "XYZ", "luminance", "sRGB-display", "luma-display"]
Release = Literal["2.2.2", "2.2.0"]

ENCODINGS = ("rgb-bt.709", "rgb-native", "XYZ", "luminance", "sRGB-display", "luma-display")

_XYZ_TO_RGB = ((3.240708, -1.537259, -0.498570), (-0.969257, 1.875995, 0.041555), (0.055636, -0.203996, 1.057069))
_RECEPTORS = receptors.Receptors(
    joint=(30.162, 4.0627, 1.6596, 0.2712),
    rod=(1.1732, 1.1478, 1.2167, 0.5547, 2.9899, 1.1414),
    gain=0.006894596 / 10**-2.4,
)
_SENSITIVITY: sensitivity.Rows = (
    (0.002, 0.991265, 3.74038, 0.50722, 4.46044),
    (0.02, 0.800889, 3.54104, 0.682505, 4.94958),
    (0.2, 0.476505, 4.37453, 0.750315, 5.28678),
    (2.0, 0.405782, 4.40602, 0.935314, 5.61425),
    (20.0, 0.334278, 3.79542, 1.07327, 6.4635),
    (150.0, 0.394533, 2.7755, 1.16577, 7.45665),
)
_MASKING = masking.Masking(
    difference=10**0.544068,
    pattern=10**0.49576,
    slope=3.5,
    own=10**0.189065,
    across=10**0.449199,
    beside=10**1.52512,
    in_noise=True,
)
_WEIGHTS: dict[str, pooling.Weights] = {
    "2.2.2": (
        (60.0, 30.0, 15.0, 7.5, 3.75, 1.875, 0.9375, 0.4688, 0.2344, 0.1172),
        (0.0, 0.2832, 0.2832, 0.2142, 0.2690, 0.0398, 0.0003, 0.0003, 0.0, 0.0),
    ),
    "2.2.0": (
        (15.0, 7.5, 3.75, 1.875, 0.9375, 0.4688, 0.2344),
        (0.2832, 0.2142, 0.2690, 0.0398, 0.0003, 0.0003, 0.0002),
    ),
}


@torch.no_grad()
def hdrvdp2(
    prediction: torch.Tensor,
    target: torch.Tensor | Prepared,
    *,
    release: Release = "2.2.2",
    encoding: Encoding = "rgb-bt.709",
    pixels_per_degree: float = 30.0,
    surround: float | Literal["mean"] = 1e-5,
    luminance_scale: float = 1.0,
    with_map: bool = False,
) -> dict[str, torch.Tensor]:
    """How well a prediction keeps the quality of its target, and whether any difference is seen at all.

    Both go through the glare of the eye, the answer of its receptors and a steerable pyramid; differences in
    the bands are divided by the noise of the nerves and by what the images' common pattern hides. ``Q`` sums
    the logarithms of what remains, ``Q = 100 - sum w(f) (log(|D| / n + 1e-12) - log 1e-12)``. It falls with
    the number n of pixels, so it compares only between images of one size.

    Args:
        prediction: ``(N, 3, H, W)`` in absolute light, float32 or float64; ``(N, 1, H, W)`` for the encodings
            ``luminance`` and ``luma-display``.
        target: the same, or one image against which all predictions are scored: its half of the work is then
            done once. Or what :func:`prepared` made of it, for predictions that come one after the other.
        release: 2.2.2, or 2.2.0 with its other Q (lower is better) and ``Q_MOS``.
        encoding: what the numbers are: linear Rec. 709 or a display's own RGB in cd/m2, XYZ with Y in cd/m2,
            luminance in cd/m2, or display values in [0, 1] of a display of 1 to 100 cd/m2.
        pixels_per_degree: of visual angle; :func:`exposurebench.metrics.hdrvdp.optics.pixels_per_degree`
            gives it for a display.
        surround: the light around the image in cd/m2, or ``mean``, the geometric mean of the target.
        luminance_scale: cd/m2 for a value of 1, where light is relative.
        with_map: also give ``P_map``.

    Returns:
        Columns of ``(N,)`` in the input's dtype, without unit: ``Q``, at most 100 and exactly 100 for equal
        images; ``P_det``, the largest probability in the map, in [0, 1]; ``C_max``, the largest visible
        contrast, from 0. With the map, ``P_map`` of ``(N, 1, H, W)``: the probability that a difference is
        seen there. No gradient.

    Raises:
        TypeError: integers or half precision.
        ValueError: wrong or unequal shapes, a side under 8 px, NaN, infinity, light that is not above 0 or
            nowhere above 1 cd/m2 (unless a scale is stated), display values outside [0, 1], a setting that
            is not known or not positive.

    Source: Mantiuk et al. 2011; Narwaria et al. 2015 for Q of 2.2; constants of the released programs.

    >>> light = torch.linspace(1, 200, 32).expand(1, 3, 24, 32)
    >>> hdrvdp2(light, light)["Q"].item()
    100.0
    >>> hdrvdp2(light.clamp(max=150), light)["Q"].item() < 100
    True
    """
    if release not in _WEIGHTS:
        raise ValueError(f"release must be one of {', '.join(_WEIGHTS)}, not {release!r}")
    settings: dict[str, Any] = {
        "encoding": encoding,
        "pixels_per_degree": pixels_per_degree,
        "surround": surround,
        "luminance_scale": luminance_scale,
    }
    ppd = optics.checked_ppd(pixels_per_degree)
    light = _light(prediction, "prediction", encoding, luminance_scale)
    theirs = target if isinstance(target, Prepared) else prepared(target, **settings)
    theirs.check(prediction, light, settings)
    answer, adapted = _received(light, encoding, ppd, theirs.surround, prediction.dtype)
    seen = _seen(answer, adapted, theirs, ppd)

    mask = differs(light, theirs.light).to(prediction.dtype)
    errors = pooling.log_errors([band * 2**b for b, band in enumerate(seen)], mask)
    frequencies = _frequencies(ppd, len(seen))
    if release == "2.2.2":
        columns = {"Q": pooling.quality_2_2_2(errors, frequencies, _WEIGHTS[release])}
    else:
        Q = pooling.quality_2_2_0(errors, frequencies, _WEIGHTS[release])
        columns = {"Q": Q, "Q_MOS": 100 / (1 + torch.exp(3.455 * (Q + 0.8886)))}
    contrast = detection.summed(detection.contrast(seen, _MASKING, "sp3"))
    found = detection.probability(contrast)
    columns |= {"P_det": found.amax((1, 2, 3)), "C_max": contrast.amax((1, 2, 3))}
    return {**columns, "P_map": found} if with_map else columns


@torch.no_grad()
def prepared(
    target: torch.Tensor,
    *,
    encoding: Encoding = "rgb-bt.709",
    pixels_per_degree: float = 30.0,
    surround: float | Literal["mean"] = 1e-5,
    luminance_scale: float = 1.0,
) -> Prepared:
    """The target's half of :func:`hdrvdp2`, whose arguments these are: more than a third of the work on a pair.

    >>> light = torch.linspace(1, 200, 32).expand(1, 3, 24, 32)
    >>> half = prepared(light)
    >>> [hdrvdp2(each, half)["Q"].item() == hdrvdp2(each, light)["Q"].item() for each in (light, light / 2)]
    [True, True]
    """
    ppd = optics.checked_ppd(pixels_per_degree)
    light = _light(target, "target", encoding, luminance_scale)
    around = optics.around(light, surround, ("mean",))
    answer, adapted = _received(light, encoding, ppd, around, target.dtype)
    bands = _analysed(answer.to(target.dtype))
    residual = bands[-1]
    bands[-1] = _filtered(residual, adapted, residual, ppd, len(bands))
    settings: dict[str, Any] = {
        "encoding": encoding,
        "pixels_per_degree": pixels_per_degree,
        "surround": surround,
        "luminance_scale": luminance_scale,
    }
    return Prepared(settings, target.dtype, light, around, answer, adapted, _divided(bands), residual)


def _light(batch: torch.Tensor, name: str, encoding: str, scale: float) -> torch.Tensor:
    """A batch as light of the display's own channels."""
    light = absolute(batch, name, encoding, scale, ENCODINGS)
    return through(light, _XYZ_TO_RGB) if encoding == "XYZ" else light


def _received(
    light: torch.Tensor, encoding: str, ppd: float, around: torch.Tensor | None, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the receptors answer to light, without its mean, and the light that they are adapted to.

    The answers in double precision: single precision would lose their small differences.
    """
    catch = catches(optics.on_retina(light, ppd, around), "2.2.2", "d65" if encoding in GRAY else "ccfl-lcd")
    answer = receptors.response(catch, _RECEPTORS)
    return answer - answer.mean((2, 3), keepdim=True), (catch[:, 0:1] + catch[:, 1:2]).to(dtype)


def _frequencies(ppd: float, bands: int) -> list[float]:
    return [ppd / 2 / 2**b for b in range(bands)]


def _analysed(answer: torch.Tensor) -> list[torch.Tensor]:
    return pyramid.analysed(answer, "sp3", pyramid.levels((answer.shape[2], answer.shape[3]), "sp3"))


def _divided(bands: list[torch.Tensor]) -> list[torch.Tensor]:
    for b, band in enumerate(bands):
        band /= 2**b
    return bands


def _filtered(
    residual: torch.Tensor, adapted: torch.Tensor, target: torch.Tensor, ppd: float, bands: int
) -> torch.Tensor:
    """A residual as it is seen in the mean light of its image, on a sheet filled with the mean of the target's."""
    outside = target.mean((2, 3), keepdim=True)
    residual_ppd = 2 * math.sqrt(2) * _frequencies(ppd, bands)[-1]
    return sensitivity.filtered(residual, adapted.mean((1, 2, 3)), outside, residual_ppd, _SENSITIVITY)


def _seen(answer: torch.Tensor, adapted: torch.Tensor, theirs: Prepared, ppd: float) -> list[torch.Tensor]:
    """The visible difference in every band."""
    differences = _analysed((answer - theirs.answer).to(theirs.dtype))
    height = len(differences)
    ours = _filtered(differences[-1] + theirs.residual, adapted, theirs.residual, ppd, height)
    differences[-1] = ours - theirs.bands[-1] * 2 ** (height - 1)
    _divided(differences)
    frequencies = _frequencies(ppd, height)
    both = sensitivity.adaptation(adapted, theirs.adapted)
    noises = sensitivity.noises(both, differences[:-1], frequencies[:-1], _SENSITIVITY, without_optics=False)
    noises.append(both.new_ones((1, 1, 1, 1)))  # the residual has been through the sensitivity already
    return masking.visible_bands(differences, theirs.bands, noises, _MASKING)
