"""HDR-VDP-2: a model of the visual system that says how well an image keeps what another shows (2.2.2 and 2.2.0)."""

from __future__ import annotations

from typing import Literal

import torch

from exposurebench.metrics.hdrvdp import detection, masking, optics, pooling, pyramid, receptors, sensitivity
from exposurebench.metrics.hdrvdp.difference import Difference
from exposurebench.metrics.hdrvdp.interpolation import resized
from exposurebench.metrics.hdrvdp.light import GRAY, checked_light, differs, receptor_facts, through

TITLE = "HDR-VDP-2 quality and visibility"
TAKES = "nits"
UNIT = ""
RANGE = {"Q": (None, 100.0), "P_det": (0.0, 1.0), "C_max": (0.0, None)}
BETTER = {"Q": "higher", "P_det": "lower", "C_max": "lower"}
REFERENCE = "Mantiuk et al. 2011, HDR-VDP-2: a calibrated visual metric; released programs 2.2.2 and 2.2.0"
VERSION = 1
PROTOCOL = {
    "release": "2.2.2",
    "encoding": "rgb-bt.709",
    "pixels_per_degree": 30.0,
    "surround": 1e-5,
    "luminance_scale": 1.0,
    "unit_of_light": "cd/m2",
    "display": "ccfl-lcd; D65 where there is one channel",
    "precision": "input",
}
VARIANTS = {"2.2.0": {"release": "2.2.0"}}
VARIANT_FACTS = {
    "2.2.0": {
        "TITLE": "HDR-VDP-2.2.0 quality and visibility",
        "RANGE": {"Q": (None, None), "Q_MOS": (0.0, 100.0), "P_det": (0.0, 1.0), "C_max": (0.0, None)},
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
    difference=10**0.544068, pattern=10**0.49576, slope=3.5, own=10**0.189065, across=10**0.449199, beside=10**1.52512
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
    target: torch.Tensor,
    *,
    encoding: Encoding = "rgb-bt.709",
    pixels_per_degree: float = 30.0,
    surround: float | Literal["mean"] = 1e-5,
    luminance_scale: float = 1.0,
    release: Release = "2.2.2",
) -> dict[str, torch.Tensor]:
    """How well predictions keep the quality of their targets, and whether a difference is seen at all."""
    columns = probability_map(
        prediction,
        target,
        encoding=encoding,
        pixels_per_degree=pixels_per_degree,
        surround=surround,
        luminance_scale=luminance_scale,
        release=release,
    )
    del columns["P_map"], columns["C_map"]
    return columns


@torch.no_grad()
def probability_map(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    encoding: Encoding = "rgb-bt.709",
    pixels_per_degree: float = 30.0,
    surround: float | Literal["mean"] = 1e-5,
    luminance_scale: float = 1.0,
    release: Release = "2.2.2",
) -> dict[str, torch.Tensor]:
    seen = _seen(prediction, target, encoding, pixels_per_degree, surround, luminance_scale)
    columns = _quality(seen, release)
    C = detection.summed(detection.contrast(seen.bands, _MASKING, "sp3"))
    P = detection.probability(C)
    return {**columns, "P_det": P.amax((1, 2, 3)), "C_max": C.amax((1, 2, 3)), "P_map": P, "C_map": C}


def _quality(seen: Difference, release: Release) -> dict[str, torch.Tensor]:
    scaled = [band * 2**b for b, band in enumerate(seen.bands)]
    errors = pooling.log_errors(scaled, seen.mask)
    if release == "2.2.2":
        return {"Q": pooling.quality_2_2_2(errors, seen.frequencies, _WEIGHTS[release])}
    Q = pooling.quality_2_2_0(errors, seen.frequencies, _WEIGHTS[release])
    return {"Q": Q, "Q_MOS": 100 / (1 + torch.exp(3.455 * (Q + 0.8886)))}


def _seen(prediction, target, encoding, pixels_per_degree, surround, luminance_scale):
    sides = checked_light(prediction, target, encoding, luminance_scale, ENCODINGS)
    if encoding == "XYZ":
        sides = tuple(through(side, _XYZ_TO_RGB) for side in sides)
    facts = receptor_facts("2.2.2", "d65" if encoding in GRAY else "ccfl-lcd")
    matrix = tuple(zip(*facts["receptors"], strict=True))
    around = sides[1].log().mean((2, 3), keepdim=True).exp() if surround == "mean" else sides[1].new_full((1, 1, 1, 1), surround)
    height = pyramid.levels(tuple(sides[0].shape[2:]), "sp3")
    frequencies = [pixels_per_degree / 2 / 2**b for b in range(height + 2)]
    both, adapted = [], []
    for side in sides:
        catch = through(optics.on_retina(side, pixels_per_degree, around), matrix)
        answer = receptors.response(catch, _RECEPTORS)
        answer -= answer.mean((2, 3), keepdim=True)
        both.append(pyramid.analysed(answer, "sp3", height))
        adapted.append(catch[:, 0:1] + catch[:, 1:2])
    outside = both[1][-1].mean((2, 3), keepdim=True)
    for bands, light in zip(both, adapted, strict=True):
        bands[-1] = sensitivity.filtered(bands[-1], light.mean((1, 2, 3)), outside, 2 * 2**0.5 * frequencies[-1], _SENSITIVITY)
        for b, band in enumerate(bands):
            band /= 2**b
    log_light = ((adapted[0] + adapted[1]) / 2).clamp_(1e-5, 1e5).log10_()
    patterns = [masking.shared_pattern(p, t) for p, t in zip(*both, strict=True)]
    seen = []
    for b, (p, t) in enumerate(zip(*both, strict=True)):
        hidden = masking.hiding(patterns, b, _MASKING).mul_(2**b)
        noise = 1.0
        if b < height + 1:
            noise = sensitivity.noise(resized(log_light, tuple(p.shape[2:])), frequencies[b], _SENSITIVITY, False)
            hidden /= noise**_MASKING.pattern
        seen.append(masking.visible(p - t, noise, hidden, _MASKING))
    return Difference(seen, frequencies, differs(*sides))
