"""Deep reciprocating HDR transformation: one auto-encoder from a picture to its light, one from the light back (paper 4).

The first network estimates light S as ``e = alpha S^gamma``, values near a display's; the second sees
``log(S + 1 / 255)`` and gives the corrected picture. Both have, for a width of 64, at 256 x 256:

    3 -> 9 x 9 64 x 256 -> 5 x 5 64 x 128 -> 3 x 3 128 x 64 -> 3 x 3 256 x 32 -> 3 x 3 256 x 16 -> 3 x 3 512 x 8
    -> up 3 x 3 256 x 16 -> 3 x 3 256 x 32 -> 3 x 3 128 x 64 -> 5 x 5 64 x 128 -> 9 x 9 64 x 256 -> 1 x 1 3 x 256

Batch norm and ELU follow every layer, the output's too; what comes up meets the encoder's features of its size as
``a + b + a b``; the second network adds e to its output before the last ELU. The "latent representation 1 x 512" is a
map of 512 channels at 1/32 of the size: as a vector it would fit one size of image, and the counts say that it is a
map. They are trained jointly, ``L = L_ldr + 90 L_hdr``; the weight is ours, the article has none. With light whose white
is 1, white is e = 0.03, so that a weight near 1 is next to nothing, and the light in between becomes whatever serves the
second network. 90 is 0.1 / alpha^2, a tenth for errors on a display's scale; the variant ``literal`` has 0.1 for e itself.

The first network's last batch norm begins with a scale of alpha, so that its values begin at their size.

Batch norm uses running statistics outside training, so that an image's result is its own. The released program used
the statistics of the test batch, and its numbers move with it.

The variant ``released`` is what the authors published as an approximation: its second network has kernels of 1, 7, 5,
3, 3, 3 on the way down and 3, 3, 3, 5, 7 up, and batch norm without a scale; its first is the network of Eilertsen et
al. 2017 (VGG-16's convolutions, transposed ones, skips in the logarithmic domain, light predicted where the picture
is clipped), written after that paper and not made to the weight like theirs. ``separate`` trains the second network on
the true light, ``radiance`` is the same network and training but gives the light of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.functional import elu

from exposurebench.layers import padded
from exposurebench.pretrained import CONVOLUTIONS

TITLE = "two auto-encoders, picture to light and light to picture"
PAPER = "Paper 4: Yang et al. 2018, Image correction via deep reciprocating HDR transformation (CVPR)"
TAKES = "srgb"
GIVES = "srgb"
PARAMETERS = 9_726_738
FIELD_OF_VIEW = 201
OUTPUT_FIELD_OF_VIEW = 265
MULTIPLE = 32
VARIANTS = {
    "released": {"layout": "released"},
    "literal": {"hdr": 0.1},
    "separate": {"training": "separate"},
    "radiance": {"gives": "light"},
}
VARIANT_FACTS = {
    "released": {"PARAMETERS": 34_387_620, "FIELD_OF_VIEW": 436, "OUTPUT_FIELD_OF_VIEW": 500},
    "radiance": {"GIVES": "linear", "FIELD_OF_VIEW": 73, "OUTPUT_FIELD_OF_VIEW": 137},
}
ALPHA, GAMMA = 1 / 30, 1 / 2.2
"""Of ``alpha S^gamma``; the article rounds them to 0.03 and 0.45."""
EPS = 1 / 255
"""Light that is added before a logarithm: one level of 255."""
KERNELS = {"article": (9, 5, 3, 3, 3, 3), "released": (1, 7, 5, 3, 3, 3)}
UP_KERNELS = {"article": (3, 3, 3, 5, 9), "released": (3, 3, 3, 5, 7)}
WIDTHS = (1, 1, 2, 4, 4, 8)
"""Channels on the way down, in units of the first layer's; the first has stride 1, the others 2."""


def encoded(light: torch.Tensor) -> torch.Tensor:
    """``alpha S^gamma``: light as the first network predicts it.

    >>> encoded(torch.tensor([1.0, 30**2.2])).tolist()
    [0.03333333507180214, 1.0]
    """
    return ALPHA * light.clamp(min=1e-6) ** GAMMA  # the slope at 0 is infinite


def decoded(values: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`encoded`; values below 0 are no light."""
    return (values.clamp(min=0) / ALPHA) ** (1 / GAMMA)


class _AutoEncoder(nn.Module):
    """Either network of the article, and the second of the released program."""

    def __init__(self, width: int, layout: str) -> None:
        super().__init__()
        scaled = layout == "article"
        channels = [width * times for times in WIDTHS]
        strides = (1, 2, 2, 2, 2, 2)
        self.down = nn.ModuleList(
            _normed(nn.Conv2d(before, after, kernel, stride, kernel // 2), after, scaled)
            for (before, after), kernel, stride in zip(pairwise([3, *channels]), KERNELS[layout], strides, strict=True)
        )
        rising = channels[::-1]
        self.up = nn.ModuleList(
            _normed(nn.ConvTranspose2d(before, after, kernel, 2, kernel // 2, output_padding=1), after, scaled)
            for (before, after), kernel in zip(pairwise(rising), UP_KERNELS[layout], strict=True)
        )
        self.output = _normed(nn.Conv2d(width, 3, 1), 3, scaled)

    def begin(self, scale: float) -> None:
        """Let the values that come out be of this size at first."""
        nn.init.constant_(self.output[1].weight, scale)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor, shortcut: torch.Tensor | None = None) -> torch.Tensor:
        features, skips = images, []
        for layer in self.down:
            features = elu(layer(features))
            skips.append(features)
        skips.pop()
        for layer in self.up:
            features, skip = elu(layer(features)), skips.pop()
            features = features + skip + features * skip
        output: torch.Tensor = self.output(features)
        return elu(output if shortcut is None else output + shortcut)


def _normed(convolution: nn.Module, channels: int, scaled: bool) -> nn.Sequential:
    norm = nn.BatchNorm2d(channels)
    if not scaled:
        norm.register_parameter("weight", None)
    return nn.Sequential(convolution, norm)


class _Expansion(nn.Module):
    """The first network of the released program: Eilertsen et al. 2017, from a picture to ``alpha S^gamma``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [width * times for times in (1, 2, 4, 8, 8)]
        blocks = zip(pairwise([3, *channels]), CONVOLUTIONS["vgg16"], strict=True)
        self.encoder = nn.ModuleList(_vgg_block(before, after, count) for (before, after), count in blocks)
        self.pool = nn.MaxPool2d(2)
        rising = channels[::-1]
        self.latent = _normed(nn.Conv2d(rising[0], rising[0], 3, padding=1), rising[0], True)
        self.up = nn.ModuleList(
            _normed(nn.ConvTranspose2d(before, after, 4, 2, 1), after, True)
            for before, after in pairwise([rising[0], *rising])
        )
        self.fuse = nn.ModuleList(nn.Conv2d(2 * after, after, 1) for after in rising)
        self.colors = _normed(nn.Conv2d(width, 3, 1), 3, True)
        self.output = nn.Conv2d(6, 3, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features, skips = images, []
        for block in self.encoder:
            features = block(features)
            skips.append(features)
            features = self.pool(features)
        features = self.latent(features).relu()
        for up, fuse in zip(self.up, self.fuse, strict=True):
            features = up(features).relu()
            features = fuse(torch.cat((features, _in_logarithms(skips.pop())), 1)).relu()
        logarithm = self.output(torch.cat((self.colors(features).relu(), _in_logarithms(images)), 1))
        mask = ((images.amax(1, keepdim=True) - 0.95) / 0.05).clamp(0, 1)
        return encoded((1 - mask) * images.square() + mask * logarithm.exp())


def _vgg_block(before: int, after: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(count):
        layers += [nn.Conv2d(after if number else before, after, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def _in_logarithms(features: torch.Tensor) -> torch.Tensor:
    return (features.square() + EPS).log()


class _Reciprocating(nn.Module):
    """Both networks; ``stages`` gives what each of them says, ``light`` takes the first one's place before the second."""

    def __init__(self, width: int, layout: str, training: str, gives: str) -> None:
        super().__init__()
        self.separate, self.gives_light = training == "separate", gives == "light"
        self.estimation = _AutoEncoder(width, layout) if layout == "article" else _Expansion(width)
        self.correction = _AutoEncoder(width, layout)
        if isinstance(self.estimation, _AutoEncoder):
            self.estimation.begin(ALPHA)

    def forward(self, images: torch.Tensor, light: torch.Tensor | None = None, stages: bool = False) -> Any:
        shape = (..., slice(images.shape[2]), slice(images.shape[3]))
        estimate = self.estimation(padded(images, MULTIPLE))
        if self.gives_light and not stages:
            return decoded(estimate[shape])
        given = encoded(padded(light, MULTIPLE)) if self.separate and light is not None else estimate
        picture = self.correction((decoded(given) + EPS).log(), given)[shape]
        return {"picture": picture, "light": estimate[shape]} if stages else picture


def network(
    *,
    width: int = 64,
    layout: Literal["article", "released"] = "article",
    training: Literal["joint", "separate"] = "joint",
    gives: Literal["picture", "light"] = "picture",
) -> nn.Module:
    """The two networks, one behind the other.

    Args:
        width: channels of the first layer of each.
        layout: of the networks; see the head of this file.
        training: ``joint``, or ``separate``: the second network learns from the true light, not from the first's.
        gives: the corrected ``picture``, or the ``light`` in between (relative, at or above 0). The variant
            ``radiance`` sets it, and says so in its facts.

    Returns:
        A module from (N, 3, H, W) display-encoded images in [0, 1] to the same shape, any H and W.

    Raises:
        ValueError: a setting out of its range.

    Source: paper 4; Yang et al. 2018, sections 3.1 and 3.2.

    >>> with torch.device("meta"):
    ...     net = network()
    >>> [sum(p.numel() for p in part.parameters()) for part in net.children()]
    [4863369, 4863369]
    """
    if not 1 <= width <= 512:
        raise ValueError(f"width must be in 1 to 512, not {width}")
    choices = {"layout": (layout, tuple(KERNELS)), "training": (training, ("joint", "separate")),
               "gives": (gives, ("picture", "light"))}  # fmt: skip
    for name, (value, known) in choices.items():
        if value not in known:
            raise ValueError(f"{name} must be {' or '.join(known)}, not {value!r}")
    return _Reciprocating(width, layout, training, gives)


def forward(
    network: nn.Module, batch: Mapping[str, torch.Tensor], *, discriminator: nn.Module | None = None
) -> dict[str, torch.Tensor]:
    """What the loss looks at: the ``picture`` that the second network gives, and the ``light``, encoded, of the first."""
    stages: dict[str, torch.Tensor] = network(batch["input"], light=batch["radiance"], stages=True)
    return stages


def loss(
    output: Mapping[str, torch.Tensor], batch: Mapping[str, torch.Tensor], *, ldr: float = 1.0, hdr: float = 90.0
) -> dict[str, torch.Tensor]:
    """``ldr mean(picture - target)^2 / 2 + hdr mean(e - alpha radiance^gamma)^2 / 2``.

    Args:
        output: what :func:`forward` gave.
        batch: ``target``, display values, and ``radiance``, linear light of the input's exposure.
        ldr: weight of the corrected picture.
        hdr: weight of the estimated light.

    Returns:
        The terms by name; their sum is minimised.

    Source: paper 4, the networks' sections; the halves and the constants are those of Yang et al. 2018.

    >>> output = {"picture": torch.ones(1, 3, 2, 2), "light": torch.full((1, 3, 2, 2), ALPHA)}
    >>> loss(output, {"target": torch.zeros(1, 3, 2, 2), "radiance": torch.ones(1, 3, 2, 2)})
    {'ldr': tensor(0.5000), 'hdr': tensor(0.)}
    """
    return {
        "ldr": ldr * (output["picture"] - batch["target"]).square().mean() / 2,
        "hdr": hdr * (output["light"] - encoded(batch["radiance"])).square().mean() / 2,
    }
