"""Re-exposure: a method's light, rendered darker and brighter, against what the true light gives there."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from exposurebench.alignment import align_gain
from exposurebench.crf import parse_curve
from exposurebench.metrics.psnr import psnr
from exposurebench.metrics.ssim import ssim
from exposurebench.tensors import checked_pair

TITLE = "re-exposure: light rendered 1, 2 and 3 EV darker and brighter, against the true renders"
TAKES = "linear"
UNIT = {
    "psnr_-3": "dB",
    "psnr_-2": "dB",
    "psnr_-1": "dB",
    "psnr_+1": "dB",
    "psnr_+2": "dB",
    "psnr_+3": "dB",
    "ssim_-3": "",
    "ssim_-2": "",
    "ssim_-1": "",
    "ssim_+1": "",
    "ssim_+2": "",
    "ssim_+3": "",
}
RANGE = {
    "psnr_-3": (0.0, None),
    "psnr_-2": (0.0, None),
    "psnr_-1": (0.0, None),
    "psnr_+1": (0.0, None),
    "psnr_+2": (0.0, None),
    "psnr_+3": (0.0, None),
    "ssim_-3": (-1.0, 1.0),
    "ssim_-2": (-1.0, 1.0),
    "ssim_-1": (-1.0, 1.0),
    "ssim_+1": (-1.0, 1.0),
    "ssim_+2": (-1.0, 1.0),
    "ssim_+3": (-1.0, 1.0),
}
BETTER = "higher"
REFERENCE = "definition of this project, of what paper 3 (re-exposure by radiance maps) shows in pictures"
VERSION = 1
MEAN_CAP = 100.0
PROTOCOL = {
    "alignment": "gain",
    "gain": "one a pair, least squares of log luminance over pixels that are not clipped in the input",
    "crf": "sqrt",
    "ev": "-3, -2, -1, +1, +2, +3, from the exposure of the input, at which light 1 is white",
    "render": "light * 2 ** ev, clipped to [0, 1], then the response; not quantised",
    "precision": "float64",
    "mean_cap": 100.0,
}
VARIANTS = {"plain": {"alignment": "none"}}
VARIANT_FACTS = {"plain": {"TITLE": "re-exposure of the light as it is, without a gain"}}

EXPOSURES_EV = (-3, -2, -1, 1, 2, 3)
DARKEST = 0.005 / 100
"""Light below the black of a display has no logarithm worth fitting."""


def reexposure(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    alignment: Literal["gain", "none"] = "gain",
    crf: str = "sqrt",
    unclipped: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """PSNR and SSIM of renders of the light at other exposures: ``crf(clip(g H 2^k))`` against ``crf(clip(T 2^k))``.

    With H the prediction and T the target. At k below 0 the highlights come back, which the input had clipped: what a
    method put there is seen. At k above 0 the shadows do, and with them what quantisation had left of them.

    Relative luminance is known up to a factor, and so is the response that made the input; g is the one number that
    brings H nearest to T in log luminance where the input shows the light (``none``: 1). Light that is wrong by a
    factor alone is therefore not wrong; under ``plain`` it is.

    Args:
        prediction: ``(N, 3, H, W)`` linear light at or above 0, in which 1 is what was white in the input, float32 or
            float64.
        target: the same shape and dtype.
        alignment: ``gain`` or ``none``.
        crf: the response that renders, by :mod:`exposurebench.crf`; paper 3 takes ``sqrt``.
        unclipped: ``(N, 1, H, W)`` weights, 0 where the pair's input is clipped; None: nowhere.

    Returns:
        Columns of ``(N,)`` float64: ``psnr_-3`` to ``psnr_+3`` in dB, infinite where the renders are equal (means count
        that as ``MEAN_CAP``), and ``ssim_-3`` to ``ssim_+3``.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, a side below SSIM's 11 pixels, NaN, infinity, negative light, an unknown
            alignment or response, weights that are 0 all over an image.

    >>> light = torch.linspace(0, 4, 768).view(1, 3, 16, 16)
    >>> reexposure(0.5 * light, light)["psnr_-2"].item() > 100
    True
    >>> round(reexposure(light.clamp(max=1), light, alignment="none")["psnr_-3"].item(), 2)
    14.38
    """
    if alignment not in get_args(Literal["gain", "none"]):
        raise ValueError(f"alignment must be gain or none, not {alignment!r}")
    curve = parse_curve(crf)
    checked_pair(prediction, target, peak=None)
    ours, theirs = prediction.double(), target.double()
    if alignment == "gain":
        seen = ours.clamp(min=DARKEST)
        gain = align_gain(seen, theirs.clamp(min=DARKEST), unclipped=unclipped) / seen
        ours = ours * gain[:, :1, :1, :1]
    columns: dict[str, torch.Tensor] = {}
    for score in (psnr, ssim):
        for ev in EXPOSURES_EV:
            renders = (curve.to_display((light * 2.0**ev).clamp(0, 1)) for light in (ours, theirs))
            columns[f"{score.__name__}_{ev:+d}"] = score(*renders).double()
    return columns
