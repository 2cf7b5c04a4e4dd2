"""Multi-scale structural similarity."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d, pad

from exposurebench.metrics.ssim import WINDOW_PX, Color, in_color, ssim_maps
from exposurebench.tensors import checked_pair

TITLE = "multi-scale structural similarity"
TAKES = "srgb"
UNIT = ""
RANGE = (0.0, 1.0)
BETTER = "higher"
REFERENCE = "Wang et al. 2003, Multiscale structural similarity for image quality assessment"
VERSION = 1
PROTOCOL = {
    "color": "luma",
    "luma": "0.298936 R + 0.587043 G + 0.114021 B",
    "scales": "5, weights 0.0448 0.2856 0.3001 0.2363 0.1333",
    "decimation": "2 x 2 mean, the last row and column repeated where a side is odd",
    "encoding": "display",
    "peak": 1.0,
    "window": "gaussian 11 x 11, sigma 1.5",
    "k1": 0.01,
    "k2": 0.03,
    "border": "valid windows only",
    "covariance": "population",
    "negative": "0 where the mean of a scale is not positive",
    "pooling": "product over scales of means over windows, then mean over channels",
    "precision": "input",
}
VARIANTS = {"luma8": {"color": "luma8"}, "rgb": {"color": "rgb"}}
VARIANT_FACTS = {
    "luma8": {"TITLE": "multi-scale structural similarity of luma rounded to 8 bits, as gray files hold it"},
    "rgb": {"TITLE": "multi-scale structural similarity, mean over RGB"},
}

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_PX = WINDOW_PX * 2 ** (len(SCALES) - 1)


def ms_ssim(prediction: torch.Tensor, target: torch.Tensor, *, color: Color = "luma") -> torch.Tensor:
    """How alike two images are in structure at five scales, and in luminance at the coarsest.

    ``MS-SSIM = mean(l5 cs5) ** w5 * product over j < 5 of mean(cs_j) ** w_j`` with the luminance ``l`` and the
    contrast with structure ``cs`` of :func:`exposurebench.metrics.ssim.ssim_maps`; every scale halves the one
    before by 2 x 2 means. A mean that is not positive (structure turned into its opposite) has no real power:
    the score is then 0. There is no mask: a window of the coarsest scale sees 176 pixels across, which is no
    region any more.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        color: ``luma`` scores a float BT.601 luma; ``luma8`` rounds it to 8 bits first, as gray files do (no
            gradient); ``rgb`` scores the three channels and takes their mean.

    Returns:
        ``(N,)`` in the input's dtype, without unit, in [0, 1]; exactly 1 for equal images.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, a side under 176 px, NaN, infinity, values outside [0, 1], an
            unknown color.

    Source: Wang et al. 2003, eq. 7 and section 3.2; the border of the decimation is of the authors' program.

    >>> ramp = torch.linspace(0, 1, 200).expand(1, 3, 180, 200)
    >>> ms_ssim(ramp, ramp).item()
    1.0
    >>> round(ms_ssim(0.5 * ramp, ramp).item(), 2)
    0.86
    """
    checked_pair(prediction, target)
    return similarity_over_scales(in_color(prediction, color), in_color(target, color)).mean(1)


def similarity_over_scales(prediction: torch.Tensor, target: torch.Tensor, *, peak: float = 1.0) -> torch.Tensor:
    """MS-SSIM of each channel by itself. Values are not checked, so that other encodings can be scored.

    Args:
        prediction: ``(N, C, H, W)``, any number of channels.
        target: the same shape and dtype.
        peak: the largest value of the encoding.

    Returns:
        ``(N, C)`` in [0, 1].

    Raises:
        ValueError: a side is under 176 px.

    >>> similarity_over_scales(torch.zeros(2, 1, 176, 180), torch.ones(2, 1, 176, 180)).shape
    torch.Size([2, 1])
    """
    if min(prediction.shape[2:]) < SMALLEST_PX:
        height, width = prediction.shape[2:]
        raise ValueError(f"MS-SSIM needs {SMALLEST_PX} px for its five scales, and {width} x {height} px is smaller")
    means = []
    for scale in range(len(SCALES)):
        if scale:
            prediction, target = _halved(prediction), _halved(target)
        luminance, structure = ssim_maps(prediction, target, peak=peak)
        last = scale == len(SCALES) - 1
        means.append((luminance * structure if last else structure).mean((2, 3)))
    factors = torch.stack(means, -1)
    positive = factors > 0
    weights = factors.new_tensor(SCALES)
    product = torch.where(positive, factors, 1.0).pow(weights).prod(-1)
    return torch.where(positive.all(-1), product, 0.0)


def _halved(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[2:]
    return avg_pool2d(pad(images, (0, width % 2, 0, height % 2), mode="replicate"), 2)
