"""How the field measures: what is done to a prediction and its target before a metric, beside what this project does.

Two numbers under one name often differ by what happened before the metric, and papers seldom say it. Each of these
was read in released code or stated by its authors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch.nn.functional import interpolate

from exposurebench.color import REC601, weighted

Sides = tuple[torch.Tensor, torch.Tensor]
"""A prediction and its target, ``(N, 3, H, W)``, display-encoded, in [0, 1]."""

BORDER_PX = 4
"""What metric programs that come from super-resolution cut off."""


def as_they_are(prediction: torch.Tensor, target: torch.Tensor) -> Sides:
    """Full size, RGB, no border: what this project measures."""
    return prediction, target


def cropped(prediction: torch.Tensor, target: torch.Tensor) -> Sides:
    """Without four pixels at every edge; a side of at most eight keeps them.

    >>> cropped(torch.zeros(1, 3, 20, 30), torch.zeros(1, 3, 20, 30))[0].shape
    torch.Size([1, 3, 12, 22])
    """
    height, width = (BORDER_PX if side > 2 * BORDER_PX else 0 for side in target.shape[2:])
    window = (..., slice(height, target.shape[2] - height), slice(width, target.shape[3] - width))
    return prediction[window], target[window]


def resized_1200x900(prediction: torch.Tensor, target: torch.Tensor) -> Sides:
    """Both resized to 1200 x 900, whatever their shape; portraits are laid on their side first."""
    if target.shape[2] > target.shape[3]:
        prediction, target = prediction.transpose(2, 3), target.transpose(2, 3)
    return _resized(prediction, 900, 1200), _resized(target, 900, 1200)


def resized_512(prediction: torch.Tensor, target: torch.Tensor) -> Sides:
    """Both resized to 512 x 512, whatever their shape."""
    return _resized(prediction, 512, 512), _resized(target, 512, 512)


def luma(prediction: torch.Tensor, target: torch.Tensor) -> Sides:
    """The Y of YCbCr as television has it, from 16 to 235 of 255, in all three channels.

    It alone is worth some 1.3 dB, for it spans 219 levels and PSNR's peak stays 255.

    Source: ITU-R BT.601.

    >>> white = torch.ones(1, 3, 1, 1, dtype=torch.float64)
    >>> round(luma(white, white)[0][0, 0, 0, 0].item() * 255, 3)
    235.0
    """
    weights = (65.481 / 255, 128.553 / 255, 24.966 / 255)

    def only_y(images: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = 16 / 255 + weighted(images[:, 0:1], images[:, 1:2], images[:, 2:3], weights)
        return y.expand_as(images)

    return only_y(prediction), only_y(target)


def cropped_luma(prediction: torch.Tensor, target: torch.Tensor) -> Sides:
    """Both of super-resolution's habits: the Y channel without four pixels at every edge."""
    return luma(*cropped(prediction, target))


def gt_mean(prediction: torch.Tensor, target: torch.Tensor) -> Sides:
    """The prediction multiplied so that its mean luma is the target's, then clipped: the target tells the exposure."""

    def mean(images: torch.Tensor) -> torch.Tensor:
        gray: torch.Tensor = weighted(images[:, 0], images[:, 1], images[:, 2], REC601)
        return gray.mean((1, 2))[:, None, None, None]

    return (prediction * (mean(target) / mean(prediction).clamp(min=1e-9))).clamp(0, 1), target


def _resized(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Straight lines between the four nearest pixels, as OpenCV does it when nobody says otherwise."""
    found: torch.Tensor = interpolate(images, (height, width), mode="bilinear", align_corners=False)
    return found.clamp(0, 1)


@dataclass(frozen=True)
class Protocol:
    """A way to measure.

    Attributes:
        title: what it does, in words.
        before: what is done to both sides before the metric.
        metrics: variants that stand for some metrics; where there are any, only those metrics differ from ours.
        ranks: whether its numbers say which method is better.
    """

    title: str
    before: Callable[[torch.Tensor, torch.Tensor], Sides] = as_they_are
    metrics: Mapping[str, str] = field(default_factory=dict)
    ranks: bool = True

    def variant(self, metric: str) -> str:
        """The metric that measures where ``metric`` is named; empty where this way is no other for it than ours."""
        return self.metrics.get(metric, "") if self.metrics else metric


OURS = "ours"
PROTOCOLS = {
    OURS: Protocol("full size, RGB, no border, per image"),
    "crop4": Protocol("4 pixels cropped at every edge", cropped),
    "resize_1200x900": Protocol("both resized to 1200 x 900", resized_1200x900),
    "resize_512": Protocol("both resized to 512 x 512", resized_512),
    "y": Protocol("the Y channel, 16 to 235", luma),
    "crop4_y": Protocol("4 pixels cropped, the Y channel", cropped_luma),
    "gt_mean": Protocol("the prediction scaled to the target's mean (GT-mean)", gt_mean),
    "wang": Protocol("Wang's program: gray, downsampled", metrics={"ssim": "ssim/wang"}),
    "uint8_wrap": Protocol("differences wrap at 256 (uint8)", metrics={"psnr": "psnr/paper2_literal"}, ranks=False),
}
"""Every way by its name; ours is the first."""
