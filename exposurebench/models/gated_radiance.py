"""A gated U-Net that continues the light where the picture is clipped, and SN-PatchGAN (paper 3).

The picture x is squared, the naive inverse of a camera's response; the network sees the light x^2 and a soft mask of
what is clipped, ``alpha = clip((max(x) - 1 + threshold) / threshold, 0, 1)``, and gives

    H = x^2 (1 + alpha softplus(net(x^2, alpha)))

so that unclipped pixels keep their light exactly and clipped ones can only become brighter. The last layer begins with
weights of 0 and a bias of -2, clipped pixels 13 % brighter: with softplus(0) they would begin farther from the truth than
x^2 is. Every layer but the last is a gated convolution, ``elu(a) sigmoid(b)`` of the two halves of one convolution's
channels. At 256 x 256, width 24:

    4 x 256 -> 5 x 5 24 x 256 -> /2 48 x 128 -> 48 x 128 -> /2 96 x 64 -> 2 of 96 x 64 -> 4 dilated by 2, 4, 8, 16
    -> 2 of 96 x 64 -> x2 48 x 128 (+ skip) -> 48 x 128 -> x2 24 x 256 (+ skip) -> 12 x 256 -> 3 x 256

The discriminator looks at what a camera would show of H: six 5 x 5 convolutions of stride 2 under spectral norm.

How the new light meets x^2 is not in the document either. A factor and not a sum, since many clipped pixels have
channels that are not: their light is x^2, the loss compares logarithms, and a sum moves it most where it is least.

Widths, skips, mask, the weights of the losses and the optimiser are not in the document. Widths are those of the
first stage of Yu et al. 2019, whose convolutions have twice the channels before the gate; so is Adam, 1e-4, betas 0.5
and 0.999.

Where the document defeats itself: rendered at the exposure of the input, a clipped pixel is white whatever light the
network gives, so that neither the discriminator nor the perceptual loss can teach it anything there. That is the
default, as published; the variant ``reexposed`` renders both sides 3 EV darker, which is what the method is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import elu, interpolate, softplus

from exposurebench import losses
from exposurebench.crf import parse_curve
from exposurebench.layers import padded, spectrally_normed
from exposurebench.pretrained import vgg as imagenet

TITLE = "gated U-Net from a picture to its light, with SN-PatchGAN"
PAPER = "Paper 3: It is enough to take only one image: re-exposure images by reconstructing radiance maps"
TAKES = "srgb"
GIVES = "linear"
PARAMETERS = 1_676_607
FIELD_OF_VIEW = 287
OUTPUT_FIELD_OF_VIEW = 303
MULTIPLE = 4
DISCRIMINATOR_PARAMETERS = 5_945_216
DISCRIMINATOR_FIELD_OF_VIEW = 253
VARIANTS = {"reexposed": {"rendering_ev": -3.0}}
BEGINNING = -2.0
"""The last layer's bias at first: a factor of 1 + softplus(-2), 1.127."""
EPS = 1 / 255
"""Light that is added before a logarithm: one level of 255."""


class _Gated(nn.Module):
    """``elu(a) * sigmoid(b)`` of the halves of one convolution."""

    def __init__(self, before: int, after: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        reach = dilation * (kernel // 2)
        self.convolution = nn.Conv2d(before, 2 * after, kernel, stride, reach, dilation)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        values, gates = self.convolution(features).chunk(2, dim=1)
        gated: torch.Tensor = elu(values) * gates.sigmoid()
        return gated


class _Radiance(nn.Module):
    def __init__(self, width: int, skips: bool, threshold: float) -> None:
        super().__init__()
        self.threshold, self.skips = threshold, skips
        one, two, four = width, 2 * width, 4 * width
        self.at_full = _Gated(4, one, 5)
        self.at_half = nn.Sequential(_Gated(one, two, stride=2), _Gated(two, two))
        dilated = [_Gated(four, four, dilation=dilation) for dilation in (1, 1, 2, 4, 8, 16, 1, 1)]
        self.at_quarter = nn.Sequential(_Gated(two, four, stride=2), *dilated)
        self.up_to_half = _Gated(four, two)
        self.join_half = _Gated(two + skips * two, two)
        self.up_to_full = _Gated(two, one)
        self.join_full = _Gated(one + skips * one, max(one // 2, 1))
        self.more = nn.Conv2d(max(one // 2, 1), 3, 3, padding=1)
        nn.init.zeros_(self.more.weight)
        nn.init.constant_(self.more.bias, BEGINNING)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        light = images.square()
        mask = clipped(images, threshold=self.threshold)
        full = self.at_full(padded(torch.cat((light, mask), 1), MULTIPLE))
        half = self.at_half(full)
        features = self.up_to_half(_doubled(self.at_quarter(half)))
        features = self.join_half(torch.cat((features, half), 1) if self.skips else features)
        features = self.up_to_full(_doubled(features))
        features = self.join_full(torch.cat((features, full), 1) if self.skips else features)
        more = softplus(self.more(features))[..., : images.shape[2], : images.shape[3]]
        return light * (1 + mask * more)


def _doubled(features: torch.Tensor) -> torch.Tensor:
    return interpolate(features, scale_factor=2, mode="nearest")


def clipped(images: torch.Tensor, *, threshold: float = 0.05) -> torch.Tensor:
    """The soft mask of what is clipped, ``clip((max(x) - 1 + threshold) / threshold, 0, 1)``.

    Args:
        images: (N, 3, H, W), display-encoded, in [0, 1].
        threshold: how far below 1 the mask begins, as Eilertsen et al. 2017 have it; Liu et al. 2020 have 0.12.

    Returns:
        (N, 1, H, W) in [0, 1].

    >>> clipped(torch.tensor([0.9, 0.975, 1.0]).expand(1, 3, 1, 3)).flatten()
    tensor([0.0000, 0.5000, 1.0000])
    """
    return ((images.amax(1, keepdim=True) - 1 + threshold) / threshold).clamp(0, 1)


def network(*, width: int = 24, skips: bool = True, threshold: float = 0.05) -> nn.Module:
    """The gated U-Net.

    Args:
        width: channels at full resolution, after the gate.
        skips: lay the encoder's features at full and half size beside the decoder's.
        threshold: of :func:`clipped`.

    Returns:
        A module from (N, 3, H, W) display-encoded images in [0, 1] to relative light at or above 0, any H and W.

    Raises:
        ValueError: a setting out of its range.

    Source: paper 3, figure 3; Yu et al. 2019, Free-form image inpainting with gated convolution, sections 3.1 and 3.3.

    >>> picture = torch.full((1, 3, 8, 8), 0.5)
    >>> network(width=4)(picture).unique()
    tensor([0.2500], grad_fn=<Unique2Backward0>)
    """
    if not 1 <= width <= 512:
        raise ValueError(f"width must be in 1 to 512, not {width}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, not {threshold}")
    return _Radiance(width, bool(skips), threshold)


def discriminator(*, width: int = 64) -> nn.Module:
    """SN-PatchGAN: six 5 x 5 convolutions of stride 2 under spectral norm, a score for every place and channel.

    Args:
        width: channels of the first layer; the others have 2, 4, 4, 4 and 4 times as many.

    Returns:
        A module from (N, 3, H, W) to (N, 4 width, H / 64, W / 64).

    Raises:
        ValueError: the width is not positive.

    Source: Yu et al. 2019, section 3.4.

    >>> net = discriminator()
    >>> sum(p.numel() for p in net.parameters()), net(torch.zeros(1, 3, 256, 256)).shape
    (5945216, torch.Size([1, 256, 4, 4]))
    """
    if not 1 <= width <= 512:
        raise ValueError(f"width must be in 1 to 512, not {width}")
    channels = [3, *(width * times for times in (1, 2, 4, 4, 4, 4))]
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [spectrally_normed(nn.Conv2d(before, after, 5, 2, 2)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def frozen(*, perceptual: float = 0.01, vgg: str = "") -> dict[str, nn.Module]:
    """VGG-19, where the loss looks through it.

    Raises:
        MissingError: its weights are not there; the message says what to get and how to do without.
    """
    return {"features": imagenet("vgg19", vgg, otherwise="set loss.perceptual=0")} if perceptual else {}


def loss(
    output: torch.Tensor,
    batch: Mapping[str, torch.Tensor],
    *,
    discriminator: nn.Module | None = None,
    features: nn.Sequential | None = None,
    log_mse: float = 1.0,
    adversarial: float = 0.1,
    perceptual: float = 0.01,
    before_relu: bool = True,
    sees: Literal["ldr", "linear"] = "ldr",
    crf: str = "sqrt",
    rendering_ev: float = 0.0,
) -> dict[str, torch.Tensor]:
    """``log_mse mean(log(H + eps) - log(T + eps))^2 - adversarial mean(D(r(H))) + perceptual |vgg(r(H)) - vgg(r(T))|``.

    ``eps = 1 / 255`` and ``r`` is :func:`rendered`.

    Args:
        output: light, (N, 3, H, W).
        batch: ``target``, linear light of the same exposure as the input.
        discriminator: what :func:`discriminator` gave; None leaves its term out.
        features: of VGG-19; None leaves the perceptual term out.
        log_mse: weight of the squared difference of logarithms.
        adversarial: weight of the discriminator's hinge loss, on the network's side.
        perceptual: weight of the mean absolute difference of conv3_4.
        before_relu: take conv3_4 before its ReLU (the paper's choice), or after.
        sees: what the discriminator looks at, the ``ldr`` rendering or ``linear`` light.
        crf: the response that renders (:mod:`exposurebench.crf`); what it leaves open is drawn from seed 0.
        rendering_ev: exposure of the rendering, relative to the input's.

    Returns:
        The terms by name; their sum is minimised.

    Source: paper 3, "Loss function".

    >>> light = torch.full((1, 3, 4, 4), 2.0)
    >>> loss(light, {"target": light})
    {'log_mse': tensor(0.)}
    """
    target = batch["target"]
    terms = {"log_mse": log_mse * ((output + EPS).log() - (target + EPS).log()).square().mean()}
    if discriminator is not None:
        seen = _seen(output, sees, crf, rendering_ev)
        terms["adversarial"] = -adversarial * discriminator(seen).mean()
    if features is not None:
        pictures = (rendered(light, crf=crf, ev=rendering_ev) for light in (output, target))
        terms["perceptual"] = perceptual * losses.perceptual(
            features, *pictures, layers=("conv3_4",), before_relu=before_relu, per="element"
        )
    return terms


def discriminator_loss(
    discriminator: nn.Module,
    output: torch.Tensor,
    batch: Mapping[str, torch.Tensor],
    *,
    sees: Literal["ldr", "linear"] = "ldr",
    crf: str = "sqrt",
    rendering_ev: float = 0.0,
) -> dict[str, torch.Tensor]:
    """Hinge loss, ``mean(max(0, 1 - D(r(T)))) + mean(max(0, 1 + D(r(H))))``; arguments as :func:`loss` has them."""
    real, fake = (discriminator(_seen(light, sees, crf, rendering_ev)) for light in (batch["target"], output))
    return {"hinge": losses.hinge(real, fake)}


def rendered(light: torch.Tensor, *, crf: str = "sqrt", ev: float = 0.0) -> torch.Tensor:
    """What a camera shows of light, ``crf(clip(H 2^ev, 0, 1))``, with gradients where it is not clipped.

    >>> rendered(torch.tensor([0.25, 4.0]), ev=-2)
    tensor([0.2500, 1.0000])
    """
    picture: torch.Tensor = parse_curve(crf).to_display(light * 2.0**ev)
    return picture


def _seen(light: torch.Tensor, sees: str, crf: str, ev: float) -> torch.Tensor:
    if sees not in ("ldr", "linear"):
        raise ValueError(f"sees must be ldr or linear, not {sees!r}")
    return rendered(light, crf=crf, ev=ev) if sees == "ldr" else light * 2.0**ev
