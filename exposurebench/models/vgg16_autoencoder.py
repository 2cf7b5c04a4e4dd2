"""VGG-16 as an encoder, a mirrored decoder and six skips, from one exposure to a finished picture (paper 2).

Shapes at 224 x 224, for a width of 64; every skip is laid beside what comes up and fused by a 1 x 1 convolution:

    input 3 x 224 -> conv1_2 64 x 224 -> conv2_2 128 x 112 -> conv3_3 256 x 56 -> conv4_3 512 x 28 -> conv5_3 512 x 14
    -> pooled 512 x 7 -> 1 x 1 latent 512 x 7 -> up 512 x 14 (+ conv5_3) -> up 512 x 28 (+ conv4_3) -> up 256 x 56
    (+ conv3_3) -> up 128 x 112 (+ conv2_2) -> up 64 x 224 (+ conv1_2) -> 3 x 224 (+ input) -> sigmoid 3 x 224

Trained, where the encoder begins with ImageNet's weights: the decoder and the five layers that a skip leaves from,
13,247,512 of 22,467,992 weights, 58.96 % as the paper says. Its Adam has Keras's defaults, batches of 32, 20 epochs.

Where the document and its numbers differ: the slope of the leaky units is 0.4 (text) and not 0.3 (figure 2); the
smoothness is of the prediction (its formula has the target, a constant) and a mean, with an exponent of 2.5 / 2;
the "7 x 7 x 512 convolution" is 1 x 1.

Departures: sides that 32 does not divide are mirrored on and cut again; the ImageNet weights are
torchvision's, where the paper had Keras's, and meet values in [0, 1] as theirs did, no mean taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from torch import nn

from exposurebench.errors import MissingError
from exposurebench.layers import padded
from exposurebench.pretrained import CONVOLUTIONS
from exposurebench.pretrained import vgg as imagenet

TITLE = "auto-encoder on VGG-16 with six skips"
PAPER = "Paper 2: Wang, Aggarwal and Bay, Deep learning for exposure normalization on regions of interest (CS230)"
TAKES = "srgb"
GIVES = "srgb"
PARAMETERS = 22_467_992
FIELD_OF_VIEW = 212
OUTPUT_FIELD_OF_VIEW = 244
MULTIPLE = 32
VARIANTS = {"frozen": {"freeze": "all"}}

Freeze = Literal["paper", "all", "none"]
WIDTHS = (1, 2, 4, 8, 8)
"""Channels of VGG-16's blocks, in units of the first."""


class _Autoencoder(nn.Module):
    """The network; ``with_squares`` gives its regularised weights' sum of squares beside the images."""

    def __init__(
        self, width: int, skips: int, output: str, slope: float, dropout: float, batch_norm: bool, bilinear: bool
    ) -> None:
        super().__init__()

        def layer(convolution: nn.Module, channels: int) -> nn.Sequential:
            norm = [nn.BatchNorm2d(channels)] if batch_norm else []
            drop = [nn.Dropout(dropout)] if dropout else []
            return nn.Sequential(convolution, *norm, nn.LeakyReLU(slope), *drop)

        def up(before: int, after: int) -> nn.Module:
            if bilinear:
                return nn.Sequential(
                    nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(before, after, 3, padding=1)
                )
            return nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)

        channels = [width * times for times in WIDTHS]
        self.encoder = nn.ModuleList(
            _block(before, after, count)
            for (before, after), count in zip(pairwise([3, *channels]), CONVOLUTIONS["vgg16"], strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        down = channels[::-1]
        self.latent = layer(nn.Conv2d(down[0], down[0], 1), down[0])
        self.ups = nn.ModuleList(layer(up(a, b), b) for a, b in pairwise([down[0], *down]))
        self.fuses = nn.ModuleList(layer(nn.Conv2d(2 * c, c, 1), c) for c in down[:skips])
        self.colors = layer(nn.Conv2d(width, 3, 1), 3) if skips > len(down) else nn.Identity()
        self.output = nn.Conv2d(6 if skips > len(down) else width, 3, 1)
        self.last = nn.Sigmoid() if output == "sigmoid" else nn.ReLU()
        for module in (self.latent, self.ups, self.fuses, self.colors, self.output):
            module.apply(_glorot)

    def forward(self, images: torch.Tensor, with_squares: bool = False) -> Any:
        inputs = padded(images, MULTIPLE)
        features, skips = inputs, []
        for block in self.encoder:
            features = block(features)
            skips.append(features)
            features = self.pool(features)
        features = self.latent(features)
        for number, up in enumerate(self.ups):
            features = up(features)
            if number < len(self.fuses):
                features = self.fuses[number](torch.cat((features, skips.pop()), 1))
        features = self.colors(features)
        if not isinstance(self.colors, nn.Identity):
            features = torch.cat((features, inputs), 1)
        images = self.last(self.output(features))[..., : images.shape[2], : images.shape[3]]
        return (images, self.squares()) if with_squares else images

    def squares(self) -> torch.Tensor:
        """The sum of squares of what Keras's regulariser holds: the decoder's kernels and biases but the output's."""
        layers = [m for part in (self.latent, self.ups, self.fuses, self.colors) for m in part.modules()]
        weights = [p for m in layers if isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for p in m.parameters()]
        return torch.stack([weight.square().sum() for weight in weights]).sum()


def _block(before: int, after: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(count):
        convolution = nn.Conv2d(after if number else before, after, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers)


def _glorot(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def network(
    *,
    width: int = 64,
    pretrained: Literal["imagenet", "none"] = "imagenet",
    freeze: Freeze = "paper",
    skips: int = 6,
    output: Literal["sigmoid", "relu"] = "sigmoid",
    slope: float = 0.4,
    dropout: float = 0.0,
    batch_norm: bool = False,
    upsampling: Literal["transposed", "bilinear"] = "transposed",
) -> nn.Module:
    """The auto-encoder, with random weights; :func:`start` fills the encoder where ``pretrained`` says so.

    Args:
        width: channels of VGG's first block; ImageNet's weights fit 64 alone.
        pretrained: what the encoder begins with; with ``none`` nothing is frozen.
        freeze: what of the encoder is not trained: ``paper`` all but the layers that a skip leaves from, ``all``
            (the paper's first model), or ``none``.
        skips: 0 to 6, the deepest first as the paper added them: conv5_3, conv4_3, conv3_3, conv2_2, conv1_2, input.
        output: the last unit. Under ``relu`` nothing bounds the values above.
        slope: of the decoder's leaky units below 0; 0 makes them ReLU.
        dropout: the share of the decoder's units left out of a step.
        batch_norm: normalise every layer of the decoder but the output, before its unit.
        upsampling: ``transposed`` convolutions of stride 2, or ``bilinear`` doubling and a convolution.

    Returns:
        A module from (N, 3, H, W) display-encoded images in [0, 1] to the same shape, any H and W.

    Raises:
        ValueError: a setting out of its range.

    Source: paper 2, section 4.2 and figure 2.

    >>> net = network()
    >>> sum(p.numel() for p in net.parameters()), sum(p.numel() for p in net.parameters() if p.requires_grad)
    (22467992, 13247512)
    """
    if not 1 <= width <= 512:
        raise ValueError(f"width must be in 1 to 512, not {width}")
    if not 0 <= skips <= 6:
        raise ValueError(f"skips must be in 0 to 6, not {skips}")
    if not 0 <= dropout < 1 or not 0 <= slope <= 1:
        raise ValueError(f"dropout must be in [0, 1) and slope in [0, 1], not {dropout} and {slope}")
    choices = {"pretrained": (pretrained, ("imagenet", "none")), "freeze": (freeze, get_args(Freeze)),
               "output": (output, ("sigmoid", "relu")), "upsampling": (upsampling, ("transposed", "bilinear"))}  # fmt: skip
    for name, (value, known) in choices.items():
        if value not in known:
            raise ValueError(f"{name} must be {' or '.join(known)}, not {value!r}")
    net = _Autoencoder(width, skips, output, slope, dropout, batch_norm, upsampling == "bilinear")
    if pretrained == "imagenet" and freeze != "none":
        net.encoder.requires_grad_(False)
        if freeze == "paper":
            for block in list(net.encoder)[max(0, 5 - skips) :]:
                _convolutions(block)[-1].requires_grad_(True)
    return net


def start(network: nn.Module, *, vgg: str = "") -> tuple[dict[str, Any], str]:
    """Put ImageNet's weights into a new network's encoder; where there are none, let all of it train.

    Args:
        network: what :func:`network` gave with ``pretrained="imagenet"``; changed in place.
        vgg: the file of torchvision's VGG-16; "" looks into torch's cache.

    Returns:
        The settings of :func:`network` that now describe it, and what is to be told: "" where all is as the paper
        has it.

    Raises:
        MissingError: the file that ``vgg`` names is not there.
        InputError: it holds other weights.
    """
    encoder = network.get_submodule("encoder")
    ours = _convolutions(encoder)
    if ours[0].out_channels != 64:
        note = f"ImageNet's weights of VGG-16 fit a width of 64, not {ours[0].out_channels}"
    else:
        try:
            theirs = _convolutions(imagenet("vgg16", vgg, otherwise="set pretrained=none, and nothing is frozen"))
        except MissingError as error:
            if vgg:
                raise
            note = str(error)
        else:
            with torch.no_grad():
                for mine, other in zip(ours, theirs, strict=True):
                    for name, weight in mine.named_parameters():
                        weight.copy_(other.get_parameter(name))
            return {"pretrained": "imagenet"}, ""
    encoder.requires_grad_(True)
    return {"pretrained": "none"}, f"{note}; the encoder begins with random weights, and all of it is trained"


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


def forward(
    network: nn.Module, batch: Mapping[str, torch.Tensor], *, discriminator: nn.Module | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the loss looks at: the images, and the sum of squares of the weights that are held small."""
    images, squares = network(batch["input"], with_squares=True)
    return images, squares


def loss(
    output: tuple[torch.Tensor, torch.Tensor],
    batch: Mapping[str, torch.Tensor],
    *,
    l1: float = 1.0,
    l2: float = 0.0,
    total_variation: float = 1.0,
    weight_decay: float = 1e-4,
) -> dict[str, torch.Tensor]:
    """``l1 mean|y - t| + l2 mean(y - t)^2 + total_variation mean((dx^2 + dy^2)^1.25) + weight_decay sum(w^2)``.

    Args:
        output: what :func:`forward` gave.
        batch: ``target``, (N, 3, H, W) display values.
        l1: weight of the mean absolute difference.
        l2: weight of the mean squared difference.
        total_variation: weight of the prediction's squared differences to its neighbours, to the power 2.5 / 2.
        weight_decay: weight of the squares of the decoder's kernels and biases, the output layer's apart. Keras adds
            this sum to the loss, which is not what an optimiser's own weight decay does under Adam's rescaling.

    Returns:
        The terms whose weight is not 0, by name; their sum is minimised.

    Source: paper 2, section 4.1, with the mean, the exponent and the prediction of its code.

    >>> flat = torch.full((1, 3, 4, 4), 0.5)
    >>> [(name, round(term.item(), 6)) for name, term in loss((flat, torch.tensor(2.0)), {"target": flat - 0.25}).items()]
    [('l1', 0.25), ('total_variation', 0.0), ('weight_decay', 0.0002)]
    """
    images, squares = output
    terms = {}
    if l1:
        terms["l1"] = l1 * (images - batch["target"]).abs().mean()
    if l2:
        terms["l2"] = l2 * (images - batch["target"]).square().mean()
    if total_variation:
        terms["total_variation"] = total_variation * _roughness(images)
    if weight_decay:
        terms["weight_decay"] = weight_decay * squares
    return terms


def _roughness(images: torch.Tensor) -> torch.Tensor:
    """``mean((dx^2 + dy^2)^(beta / 2))`` with beta = 2.5, over the pixels that have both neighbours."""
    here = images[..., :-1, :-1]
    squared = (images[..., :-1, 1:] - here).square() + (images[..., 1:, :-1] - here).square()
    return (squared**1.25).mean()
