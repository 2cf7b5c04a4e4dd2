"""HDR-VDP-3: a model of the visual system that says how well an image keeps what another shows (3.0.7)."""

from __future__ import annotations

import math
from typing import Literal

import torch

from exposurebench.metrics.hdrvdp import detection, masking, optics, pooling, pyramid, receptors, sensitivity
from exposurebench.metrics.hdrvdp.blurring import blurred
from exposurebench.metrics.hdrvdp.difference import Difference
from exposurebench.metrics.hdrvdp.interpolation import resized
from exposurebench.metrics.hdrvdp.light import GRAY, checked_light, differs, receptor_facts, through

_RODS = (1.1732, 1.32, 1.095, 0.5547, 2.9899, 1.8)
_JOINT = (315.98, 6.7977, 1.6008, 0.25534)
_SENSITIVITY: sensitivity.Rows = (
    (0.0002, 1.26181, 4.27832, 0.361902, 3.11914),
    (0.002, 0.893585, 4.27832, 0.361902, 2.18938),
    (0.02, 0.84864, 3.57253, 0.530355, 3.12486),
    (0.2, 0.699243, 3.94545, 0.68608, 4.41846),
    (2.0, 0.530826, 4.25337, 0.866916, 4.65117),
    (20.0, 0.459297, 3.78765, 0.981028, 4.33546),
    (150.0, 0.312626, 4.15264, 0.952367, 3.22389),
)
ENCODINGS = ("rgb-bt.709", "rgb-bt.2020", "rgb-native", "XYZ", "luminance", "sRGB-display", "luma-display")

_Q = (0.203943775672, masking.Masking(difference=10**0.3424, pattern=10**0.108934275615, slope=10**0.34, own=10**1.41846291721, across=0.0, beside=10**0.136877512403), -0.502280453708)
_TASKS = {
    "quality": _Q, "side-by-side": _Q,
    "flicker": (0.501007998611, masking.Masking(difference=10**0.3424, pattern=10**0.11339123107, slope=10**0.591472024776, own=10**1.48041073222, across=0.0, beside=10**0.00886149078207), -0.511779476487),
    "detection": (-1.0, masking.Masking(difference=2.2, pattern=10**0.290256, slope=3.5, own=10**1.73128, across=10**0.816109, beside=0.0), math.nan),
}

@torch.no_grad()
def probability_map(prediction, target, *, task="quality", encoding="rgb-bt.709", pixels_per_degree=30.0, surround="none", luminance_scale=1.0, want=True):
    base, mask, si = _TASKS[task]
    filters = "sp3" if task == "detection" else "sp0"
    seen = _seen(prediction, target, task, encoding, pixels_per_degree, surround, luminance_scale)
    Q = pooling.quality_3(seen.bands, seen.mask)
    out = {"Q": Q, "Q_JOD": pooling.just_objectionable(Q)}
    if not want: return out
    C = detection.contrast(seen.bands, mask, filters)
    if task == "detection":
        C = detection.summed(C)
        P = detection.probability(C)
    else:
        P = detection.pooled_nearby(detection.probability(C), 10**si * pixels_per_degree)
    G = C if task == "detection" else blurred(C, 0.25 * pixels_per_degree, "zero")
    return {**out, "P_det": (P if task == "detection" else blurred(P, 0.25 * pixels_per_degree, "zero")).amax((1, 2, 3)), "C_max": G.amax((1, 2, 3)), "P_map": P, "C_map": C}

def _seen(prediction, target, task, encoding, pixels_per_degree, surround, luminance_scale):
    base, mask, si = _TASKS[task]
    filters = "sp3" if task == "detection" else "sp0"
    sides = checked_light(prediction, target, encoding, luminance_scale, ENCODINGS)
    wide = encoding in ("rgb-bt.2020", "XYZ")
    facts = receptor_facts("3.0.7", "d65" if encoding in GRAY else "oled" if wide else "led-lcd-srgb")
    matrix = tuple(zip(*facts["receptors"], strict=True))
    change = facts.get("rgb-bt.709" if encoding == "sRGB-display" else encoding)
    m = differs(*sides)
    if change: sides = [through(s, change).clamp_(min=1e-6) for s in sides]
    if surround == "none": around = None
    elif surround == "mean": around = sides[1].log().mean((2, 3), keepdim=True).exp()
    else: around = sides[1].new_full((1, 1, 1, 1), surround)
    height = max(0, min(math.ceil(math.log2(pixels_per_degree)) - 2, pyramid.levels(tuple(sides[0].shape[2:]), filters)))
    frequencies = [pixels_per_degree / 2 / 2**b for b in range(height + 2)]
    R = receptors.Receptors(_JOINT, _RODS, 10**base)
    both, adapted = [], []
    for side in sides:
        catch = through(optics.on_retina(side, pixels_per_degree, around), matrix).clamp_(1e-8, 1e10)
        log_la = receptors.local_adaptation(catch[:, 0:1] + catch[:, 1:2], pixels_per_degree)
        catch *= receptors.pupil_gain(log_la, side.shape[2] * side.shape[3] / pixels_per_degree**2)
        answer = receptors.response(catch, R)
        bands = pyramid.analysed(answer, filters, height)
        bands[-1] = bands[-1] - bands[-1].mean((2, 3), keepdim=True)
        for b, band in enumerate(bands):
            band /= 2**b
        both.append(bands)
        adapted.append(log_la.exp())
    log_light = ((adapted[0] + adapted[1]) / 2).clamp_(1e-5, 1e5).log10_()
    patterns = [masking.shared_pattern(p, t) for p, t in zip(*both, strict=True)]
    seen = []
    for b, (p, t) in enumerate(zip(*both, strict=True)):
        hidden = masking.hiding(patterns, b, mask)
        d = p - t
        level = resized(log_light, tuple(p.shape[2:]))
        if b < height + 1:
            noise = sensitivity.noise(level, frequencies[b], _SENSITIVITY, True)
        else:
            rho = sensitivity.strongest_frequency(d, 4 * frequencies[b])
            noise = 1 / torch.from_numpy(sensitivity.sensitivity(rho.cpu().numpy(), 10 ** level.mean((1, 2, 3)).double().cpu().numpy(), _SENSITIVITY, True)).to(d)[:, None, None, None]
        seen.append(masking.visible(d, noise, hidden, mask))
    return Difference(seen, frequencies, m)
