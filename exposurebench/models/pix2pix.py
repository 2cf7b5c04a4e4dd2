"""Convolutional networks for image exposure correction (paper 1): pix2pix on badly exposed photographs.

The network, for 256 x 256 photographs and ``width=64``; every arrow down is a 4 x 4 convolution with stride 2, every
arrow up its transpose, and the numbers are channels::

    size  128   64   32   16    8    4    2    1
     3 ->  64  128  256  512  512  512  512  512
            |    |    |    |    |    |    |   |
     3 <- 128  256  512 1024 1024 1024 1024  <-      (what came up beside what went down)

LeakyReLU 0.2 on the way down, ReLU at the bottom and on the way up, tanh at the end; batch norm in between, but for the
first and last convolution and the bottom, and where it stands there is no bias; reflection around convolutions; dropout
of a half after the first three steps up. Display values come in and go out in [0, 1]; inside they are in [-1, 1].

The report gives sizes, losses and rates, and its settings are those of a widely copied PyTorch program, whose counts of
parameters this file reproduces. Where the report does not fit what it describes:

- "Six layers down" leave 4 x 4 of 256; its 1 x 1 needs eight. (It counts those between the first and the bottom.)
- The network has no "max-pooling" and is not "fully connected"; the "blur" of its inputs is a normalisation seen
  without being undone; the probability in its binary cross-entropy comes from the discriminator.
- "For the generator an L1 loss" beside a discriminator that teaches: both, as in pix2pix, L1 times 100.
- It flips the input alone, so that half of the pairs it learns from do not match. That is ``pix2pix/as_published``,
  trained with ``augment = "paper1"``; ``paper1/corrected`` flips both sides. The network is the same.

An image whose sides are no multiples of 256 is reflected at its right and lower border until they are, and the output
cut: nothing is resized. Larger images have more than one unit at the bottom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import instance_norm

from exposurebench.layers import PatchDiscriminator, normal_noise, padded
from exposurebench.losses import bce

TITLE = "pix2pix: a U-Net of eight levels and a patch discriminator"
PAPER = "Paper 1: Investigation into the use of convolutional neural networks for the purpose of image exposure correction, 2022"
TAKES = "srgb"
GIVES = "srgb"
PARAMETERS = 54_414_531
FIELD_OF_VIEW = "whole image"
OUTPUT_FIELD_OF_VIEW = "whole image"
MULTIPLE = 256
DISCRIMINATOR_PARAMETERS = 2_768_705
DISCRIMINATOR_FIELD_OF_VIEW = 70
NOISY = True
VARIANTS = {"as_published": {}}  # type: ignore[var-annotated] # a literal, read without importing
VARIANT_FACTS = {
    "as_published": {"TITLE": "pix2pix trained as published: a U-Net of eight levels, only its input was flipped"}
}

LEVELS = 8
DROPPED = 3
"""Steps up that have dropout."""
LEAK = 0.2

NormMode = Literal["running", "batch"]
Batch = Mapping[str, torch.Tensor]


class _Norm(nn.BatchNorm2d):
    """Batch norm that may keep to the statistics of what it is given: in use, of each image by itself."""

    def __init__(self, channels: int, mode: NormMode) -> None:
        super().__init__(channels)
        self.mode = mode

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        if self.training or self.mode == "running":
            return super().forward(input)
        return instance_norm(input, weight=self.weight, bias=self.bias, eps=self.eps)


class Pix2Pix(nn.Module):
    """The network; its picture is at the top of this file."""

    def __init__(self, width: int, norm_mode: NormMode, dropout_at_eval: bool) -> None:
        super().__init__()
        self.dropout_at_eval = dropout_at_eval
        channels = [width * 2 ** min(level, 3) for level in range(LEVELS)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (inputs, outputs) in enumerate(zip([3, *channels], channels, strict=False)):
            normed = 0 < level < LEVELS - 1
            convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not normed, padding_mode="reflect")
            activation = nn.LeakyReLU(LEAK) if level < LEVELS - 1 else nn.ReLU()
            norm = [_Norm(outputs, norm_mode)] if normed else []
            self.down.append(nn.Sequential(convolution, *norm, activation))
        for level in reversed(range(LEVELS)):
            inputs, outputs = channels[level] * (1 if level == LEVELS - 1 else 2), channels[level - 1] if level else 3
            raised = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=not level)
            self.up.append(nn.Sequential(raised, *([_Norm(outputs, norm_mode), nn.ReLU()] if level else [nn.Tanh()])))

    def forward(
        self, images: torch.Tensor, seeds: Sequence[int] | None = None, origin: tuple[int, int] = (0, 0)
    ) -> torch.Tensor:
        """``(N, 3, H, W)`` display values in [0, 1] to the same, any H and W.

        Args:
            images: the input.
            seeds: of what each image's dropout drops where ``dropout_at_eval`` is on, 0 for all where none are given.
            origin: of no meaning here: the network sees the whole image.
        """
        height, width = images.shape[2:]
        seen, kept = padded(images, MULTIPLE) * 2 - 1, []
        for block in self.down:
            seen = block(seen)
            kept.append(seen)
        for number, block in enumerate(self.up):
            seen = block(seen if number == 0 else torch.cat((seen, kept[-1 - number]), 1))
            if number < DROPPED:
                seen = self._dropped(seen, number, seeds or [0] * len(images))
        return ((seen + 1) / 2)[..., :height, :width]

    def _dropped(self, seen: torch.Tensor, number: int, seeds: Sequence[int]) -> torch.Tensor:
        if self.training:
            return nn.functional.dropout(seen, 0.5)
        if not self.dropout_at_eval:
            return seen
        shape = (seen.shape[1], seen.shape[2], seen.shape[3])
        return 2 * seen * (normal_noise(seeds, number, shape, device=seen.device) > 0)


def network(*, width: int = 64, norm_mode: NormMode = "running", dropout_at_eval: bool = False) -> nn.Module:
    """The network.

    Args:
        width: channels of the first level.
        norm_mode: what batch norm goes by in use: ``running`` averages of the training, or the image itself
            (``batch``: pix2pix was used so, with batches of one).
        dropout_at_eval: whether dropout stays on in use, as pix2pix had it; each image's seed says what is dropped.

    Returns:
        A module from (N, 3, H, W) display-encoded images in [0, 1] to the same shape, any H and W.

    Raises:
        ValueError: a width that is not positive, or no such mode.

    >>> network(width=2).eval()(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 3, 5, 7])
    """
    if not 1 <= width <= 4096:
        raise ValueError(f"width must be in 1 to 4096, not {width}")
    if norm_mode not in ("running", "batch"):
        raise ValueError(f"norm_mode must be running or batch, not {norm_mode!r}")
    return Pix2Pix(width, norm_mode, dropout_at_eval)


def discriminator(*, width: int = 64) -> nn.Module:
    """The discriminator: patches of 70 x 70 pixels, batch norm, given the input.

    Raises:
        ValueError: a width that is not positive.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width}")
    return PatchDiscriminator(width=width)


def loss(
    output: torch.Tensor,
    batch: Batch,
    *,
    discriminator: nn.Module | None = None,
    adversarial: float = 1.0,
    l1: float = 100.0,
) -> dict[str, torch.Tensor]:
    """The network's terms, weighted; their sum is minimised.

    ``adversarial * BCE(D(x, y), 1) + l1 * mean |y - t|`` with output y, target t and input x; differences are those
    of values in [-1, 1], where the paper's weight holds.

    Args:
        output: of the network, ``(N, 3, H, W)``.
        batch: ``input`` and ``target``, of that shape.
        discriminator: what :func:`discriminator` gave; without it there is no adversarial term.
        adversarial: weight.
        l1: weight of the content loss.

    Source: section 5 of the report; Isola et al. 2017, eq. 4.
    """
    terms = {"l1": l1 * 2 * (output - batch["target"]).abs().mean()}
    if discriminator is not None and adversarial:
        terms["adversarial"] = adversarial * bce(discriminator(batch["input"], output), 1)
    return terms


def discriminator_loss(discriminator: nn.Module, output: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
    """The discriminator's terms, ``BCE(D(x, t), 1) / 2`` and ``BCE(D(x, y), 0) / 2``.

    Source: section 5.1 of the report.
    """
    return {
        "real": bce(discriminator(batch["input"], batch["target"]), 1) / 2,
        "fake": bce(discriminator(batch["input"], output), 0) / 2,
    }
