"""HDR-VDP-3: a model of the eye that says how well a prediction keeps what its target shows (3.0.7)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch

from exposurebench.metrics.hdrvdp import detection, masking, optics, pooling, pyramid, receptors, sensitivity
from exposurebench.metrics.hdrvdp.light import GRAY, absolute, catches, differs, receptor_facts, through
from exposurebench.metrics.hdrvdp.target import Prepared

TITLE = "HDR-VDP-3.0.7: quality, and whether a difference is seen"
TAKES = "nits"
UNIT = {"Q": "", "Q_JOD": "JOD", "P_det": "", "C_max": ""}
RANGE = {"Q": (None, 10.0), "Q_JOD": (None, 10.0), "P_det": (None, 1.0), "C_max": (0.0, None)}
BETTER = {"Q": "higher", "Q_JOD": "higher", "P_det": "lower", "C_max": "lower"}
REFERENCE = "Mantiuk et al. 2023, HDR-VDP-3: a multi-metric for predicting image differences; released program 3.0.7"
VERSION = 1
MAP = "probability that a difference is seen"
PROTOCOL = {
    "release": "3.0.7",
    "task": "quality",
    "encoding": "rgb-bt.709",
    "pixels_per_degree": 30.0,
    "surround": "none",
    "luminance_scale": 1.0,
    "light": "cd/m2",
    "display": "led-lcd-srgb; oled for Rec. 2020 and XYZ; D65 where there is one channel",
    "age": "24 years",
    "precision": "input",
}
VARIANTS = {
    "side_by_side": {"task": "side-by-side"},
    "flicker": {"task": "flicker"},
    "detection": {"task": "detection"},
    "plain": {"alignment": "none", "crf_correction": False},
    "percentile": {"alignment": "percentile", "crf_correction": False},
}
VARIANT_FACTS = {
    "side_by_side": {"TITLE": "HDR-VDP-3.0.7, seen side by side"},
    "flicker": {"TITLE": "HDR-VDP-3.0.7, flickering in one place"},
    "detection": {"TITLE": "HDR-VDP-3.0.7, detection of any difference"},
}

Task = Literal["quality", "side-by-side", "flicker", "detection"]
Encoding = Literal["rgb-bt.709", "rgb-bt.2020", "rgb-native", "XYZ", "luminance", "sRGB-display", "luma-display"]

ENCODINGS = ("rgb-bt.709", "rgb-bt.2020", "rgb-native", "XYZ", "luminance", "sRGB-display", "luma-display")

_JOINT = (315.98, 6.7977, 1.6008, 0.25534)
_ROD = (1.1732, 1.32, 1.095, 0.5547, 2.9899, 1.8)
_SENSITIVITY: sensitivity.Rows = (
    (0.0002, 1.26181, 4.27832, 0.361902, 3.11914),
    (0.002, 0.893585, 4.27832, 0.361902, 2.18938),
    (0.02, 0.84864, 3.57253, 0.530355, 3.12486),
    (0.2, 0.699243, 3.94545, 0.68608, 4.41846),
    (2.0, 0.530826, 4.25337, 0.866916, 4.65117),
    (20.0, 0.459297, 3.78765, 0.981028, 4.33546),
    (150.0, 0.312626, 4.15264, 0.952367, 3.22389),
)


@dataclass(frozen=True)
class _Fit:
    """The constants that were fitted to one task; ``around`` is the reach in degrees of a seen difference."""

    receptors: receptors.Receptors
    masking: masking.Masking
    filters: pyramid.Filters
    around: float | None


_QUALITY = _Fit(
    receptors.Receptors(_JOINT, _ROD, gain=10**0.203943775672),
    masking.Masking(
        difference=10**0.3424,
        pattern=10**0.108934275615,
        slope=10**0.34,
        own=10**1.41846291721,
        across=0.0,
        beside=10**0.136877512403,
    ),
    "sp0",
    10**-0.502280453708,
)
_FLICKER = _Fit(
    receptors.Receptors(_JOINT, _ROD, gain=10**0.501007998611),
    masking.Masking(
        difference=10**0.3424,
        pattern=10**0.11339123107,
        slope=10**0.591472024776,
        own=10**1.48041073222,
        across=0.0,
        beside=10**0.00886149078207,
    ),
    "sp0",
    10**-0.511779476487,
)
_DETECTION = _Fit(
    receptors.Receptors(_JOINT, _ROD, gain=10**-1),
    masking.Masking(difference=2.2, pattern=10**0.290256, slope=3.5, own=10**1.73128, across=10**0.816109, beside=0.0),
    "sp3",
    None,
)
_TASKS = {"quality": _QUALITY, "side-by-side": _QUALITY, "flicker": _FLICKER, "detection": _DETECTION}


@torch.no_grad()
def hdrvdp3(
    prediction: torch.Tensor,
    target: torch.Tensor | Prepared,
    *,
    task: Task = "quality",
    encoding: Encoding = "rgb-bt.709",
    pixels_per_degree: float = 30.0,
    surround: float | Literal["none", "mean"] = "none",
    luminance_scale: float = 1.0,
    with_map: bool = False,
) -> dict[str, torch.Tensor]:
    """How well a prediction keeps the quality of its target, and whether any difference is seen at all.

    Both go through the glare of the eye, its local adaptation, the answer of its receptors and a steerable
    pyramid; differences in the bands are divided by the noise of the nerves and by what the images' common
    pattern hides. ``Q = 10 - log(1 + exp(4) e)`` with e the mean over bands of ``(mean |D| ** 0.8) ** 1.25``;
    ``Q_JOD = 10 - 0.52 max(10 - Q, 0) ** 1.2812``.

    Args:
        prediction: ``(N, 3, H, W)`` in absolute light, float32 or float64; ``(N, 1, H, W)`` for the encodings
            ``luminance`` and ``luma-display``.
        target: the same, or one image against which all predictions are scored: its half of the work is then
            done once. Or what :func:`prepared` made of it, for predictions that come one after the other.
        task: what the constants were fitted to: ``quality`` and ``side-by-side`` (the same computation),
            ``flicker`` between the two in one place, or ``detection`` of any difference.
        encoding: what the numbers are: linear Rec. 709, Rec. 2020 or a display's own RGB in cd/m2, XYZ with Y
            in cd/m2, luminance in cd/m2, or display values in [0, 1] of a display of 1 to 100 cd/m2.
        pixels_per_degree: of visual angle; :func:`exposurebench.metrics.hdrvdp.optics.pixels_per_degree`
            gives it for a display.
        surround: ``none`` mirrors the image, ``mean`` is the geometric mean of the target, a number is light
            in cd/m2.
        luminance_scale: cd/m2 for a value of 1, where light is relative.
        with_map: also give ``P_map``.

    Returns:
        Columns of ``(N,)`` in the input's dtype: ``Q`` and ``Q_JOD``, at most 10 and exactly 10 for equal
        images; ``P_det``, the largest probability in the map (at most 1; about -1e-4 for equal images, as in
        the released program); ``C_max``, the largest visible contrast, from 0. With the map, ``P_map`` of
        ``(N, 1, H, W)``: the probability that a difference is seen there. No gradient.

    Raises:
        TypeError: integers or half precision.
        ValueError: wrong or unequal shapes, a side under 8 px, NaN, infinity, light that is not above 0 or
            nowhere above 1 cd/m2 (unless a scale is stated), display values outside [0, 1], a setting that
            is not known or not positive.

    Source: Mantiuk et al. 2023; constants of the released program 3.0.7.

    >>> light = torch.linspace(1, 200, 32).expand(1, 3, 24, 32)
    >>> hdrvdp3(light, light)["Q_JOD"].item()
    10.0
    >>> hdrvdp3(light.clamp(max=150), light)["Q_JOD"].item() < 10
    True
    """
    settings: dict[str, Any] = {
        "task": task,
        "encoding": encoding,
        "pixels_per_degree": pixels_per_degree,
        "surround": surround,
        "luminance_scale": luminance_scale,
    }
    fit, ppd = _checked(task, pixels_per_degree)
    light = _light(prediction, "prediction", encoding, luminance_scale)
    theirs = target if isinstance(target, Prepared) else prepared(target, **settings)
    theirs.check(prediction, light, settings)
    answer, adapted = _received(light, encoding, ppd, theirs.surround, fit, prediction.dtype)
    seen = _seen(answer, adapted, theirs, ppd, fit)

    Q = pooling.quality_3(seen, differs(light, theirs.light).to(prediction.dtype))
    contrast = detection.contrast(seen, fit.masking, fit.filters)
    if fit.around is None:
        contrast = detection.summed(contrast)
        found = detection.probability(contrast)
        strongest = found, contrast
    else:
        found = detection.pooled_nearby(detection.probability(contrast), fit.around * ppd)
        strongest = detection.smoothed(found, 0.25 * ppd), detection.smoothed(contrast, 0.25 * ppd)
    P_det, C_max = (values.amax((1, 2, 3)) for values in strongest)
    columns = {"Q": Q, "Q_JOD": pooling.just_objectionable(Q), "P_det": P_det, "C_max": C_max}
    return {**columns, "P_map": found} if with_map else columns


@torch.no_grad()
def prepared(
    target: torch.Tensor,
    *,
    task: Task = "quality",
    encoding: Encoding = "rgb-bt.709",
    pixels_per_degree: float = 30.0,
    surround: float | Literal["none", "mean"] = "none",
    luminance_scale: float = 1.0,
) -> Prepared:
    """The target's half of :func:`hdrvdp3`, whose arguments these are: about a third of the work on a pair.

    >>> light = torch.linspace(1, 200, 32).expand(1, 3, 24, 32)
    >>> half = prepared(light)
    >>> [hdrvdp3(each, half)["Q"].item() == hdrvdp3(each, light)["Q"].item() for each in (light, light / 2)]
    [True, True]
    """
    fit, ppd = _checked(task, pixels_per_degree)
    light = _light(target, "target", encoding, luminance_scale)
    around = optics.around(light, surround, ("none", "mean"))
    answer, adapted = _received(light, encoding, ppd, around, fit, target.dtype)
    bands = _bands(answer.to(target.dtype), ppd, fit)
    settings: dict[str, Any] = {
        "task": task,
        "encoding": encoding,
        "pixels_per_degree": pixels_per_degree,
        "surround": surround,
        "luminance_scale": luminance_scale,
    }
    return Prepared(settings, target.dtype, light, around, answer, adapted, bands, bands[-1])


def _checked(task: str, pixels_per_degree: float) -> tuple[_Fit, float]:
    if task not in _TASKS:
        raise ValueError(f"task must be one of {', '.join(_TASKS)}, not {task!r}")
    return _TASKS[task], optics.checked_ppd(pixels_per_degree)


def _light(batch: torch.Tensor, name: str, encoding: str, scale: float) -> torch.Tensor:
    """A batch as light of the display's own channels."""
    light = absolute(batch, name, encoding, scale, ENCODINGS)
    known = receptor_facts("3.0.7", _spectrum(encoding))
    native = known.get("rgb-bt.709" if encoding == "sRGB-display" else encoding)
    return through(light, native).clamp_(min=1e-6) if native else light


def _spectrum(encoding: str) -> str:
    if encoding in GRAY:
        return "d65"
    return "oled" if encoding in ("rgb-bt.2020", "XYZ") else "led-lcd-srgb"


def _received(
    light: torch.Tensor, encoding: str, ppd: float, around: torch.Tensor | None, fit: _Fit, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the receptors answer to light, and the light that they are adapted to.

    The answers in double precision: single precision would lose their small differences.
    """
    rows, columns = light.shape[2:]
    catch = catches(optics.on_retina(light, ppd, around), "3.0.7", _spectrum(encoding)).clamp_(1e-8, 1e10)
    log_adapted = receptors.local_adaptation((catch[:, 0:1] + catch[:, 1:2]).to(dtype), ppd)
    catch *= receptors.pupil_gain(log_adapted, rows * columns / ppd**2)
    return receptors.response(catch, fit.receptors), log_adapted.exp_()


def _bands(answer: torch.Tensor, ppd: float, fit: _Fit) -> list[torch.Tensor]:
    """An image's bands, each divided by ``2 ** b``, the last one without its mean."""
    most = pyramid.levels((answer.shape[2], answer.shape[3]), fit.filters)
    bands = pyramid.analysed(answer, fit.filters, min(max(math.ceil(math.log2(ppd)) - 2, 0), most))
    bands[-1] = bands[-1] - bands[-1].mean((2, 3), keepdim=True)
    for b, band in enumerate(bands):
        band /= 2**b
    return bands


def _seen(answer: torch.Tensor, adapted: torch.Tensor, theirs: Prepared, ppd: float, fit: _Fit) -> list[torch.Tensor]:
    """The visible difference in every band."""
    differences = _bands((answer - theirs.answer).to(theirs.dtype), ppd, fit)
    frequencies = [ppd / 2 / 2**b for b in range(len(differences))]
    both = sensitivity.adaptation(adapted, theirs.adapted)
    noises = sensitivity.noises(both, differences[:-1], frequencies[:-1], _SENSITIVITY, without_optics=True)
    noises.append(sensitivity.residual_noise(differences[-1], both, 4 * frequencies[-1], _SENSITIVITY))
    return masking.visible_bands(differences, theirs.bands, noises, fit.masking)
