"""Image enhancement with generative adversarial networks (Le Jeune): a U-Net with noise, judged patch by patch.

The network, ``field_of_view=140``, shown with the channels that ``width=64`` gives::

    3 -> [conv conv] 64 -> [pool conv conv] 128 -> [..] 256 -> [..] 512 -> [pool conv conv] 512 at 1/16
                 \\ concatenated         \\            \\           \\            |
    3 <- [conv conv] 64 <- [up conv conv] 128 <- [..] 256 <- [up conv conv] 512 <-

Every convolution is 3 x 3 with stride 1, every ``up`` a transposed one of 2 x 2 with stride 2. After each of both:
normal noise times a learned number for each channel, batch norm and ReLU; the first and the last have no batch norm,
the last ends in tanh, and all have spectral norm. Display values come in and go out in [0, 1]; inside they are in
[-1, 1].

Where the paper is silent, decided here: max pooling, widths that double up to eight times the first (as in the
networks the paper follows), tanh, zeros around the image, noise that begins with a scale of 0, a discriminator without
batch norm. Where it speaks otherwise than it computes:

- Its fields of view are those of a bottleneck unit. 140 and 70 come out exactly (70 with one more convolution at full
  size); 47 cannot, with 2 x 2 pools and 3 x 3 convolutions every field is even: the 47-class network has one
  convolution a block and a field of 46. A discriminator "of 140" has one of 142.
- Its equations 7 and 8 teach the discriminator 0 for real and 1 for made, its section 2.2 says so too; equations 1 to
  3 say the opposite. With least squares both are the same problem, with ``1 - D`` for ``D``. Here real is 0.
- Batch norm in a network voids the Lipschitz bound that spectral norm is there for (equation 6). Both can be turned
  off.

From its outlook, all off by default: ``contrast`` holds the picture's contrast to the target's, against the ceiling of
about 0.8 that its pictures kept under; ``scales=3`` has three discriminators look at the picture, at a half and at a
quarter of its size; ``mask`` lets a discriminator of that field of view say which patches look made, and the network
run once more knowing them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

from exposurebench import losses, pretrained
from exposurebench.color import HU2018, weighted
from exposurebench.layers import PatchDiscriminator, Window, field_of_view, normal_noise, padded, spectrally_normed

TITLE = "U-Net with noise, spectral norm and a patch discriminator"
PAPER = "Paper 0: Le Jeune, Image enhancement with generative adversarial networks"
TAKES = "srgb"
GIVES = "srgb"
PARAMETERS = 20_521_158
FIELD_OF_VIEW = 140
OUTPUT_FIELD_OF_VIEW = 204
MULTIPLE = 16
DISCRIMINATOR_PARAMETERS = 2_767_809
DISCRIMINATOR_FIELD_OF_VIEW = 70
NOISY = True

REAL, FAKE = 0.0, 1.0
"""What the discriminator is taught to say."""
LAYERS = ("conv1_1", "conv3_1", "conv3_4", "conv4_4", "conv5_4")
"""Five of VGG-19's sixteen convolutions at even distances: the 1st, 5th, 8th, 12th and 16th."""

Noise = Literal["none", "decoder", "everywhere"]
Batch = Mapping[str, torch.Tensor]


class Shape(NamedTuple):
    """How many convolutions there are: in a block, before the first pooling, at the bottom; and how many blocks."""

    blocks: int
    convolutions: int
    first: int
    bottom: int


SHAPES = {47: Shape(4, 1, 1, 0), 70: Shape(3, 2, 3, 2), 140: Shape(4, 2, 2, 2)}
STRIDES = {34: (2, 2, 1, 1), 70: (2, 2, 2, 1, 1), 94: (2, 2, 2, 1, 1, 1), 142: (2, 2, 2, 2, 1, 1)}


def fields(shape: Shape) -> tuple[int, int]:
    """How many pixels in a row a unit at the bottom of such a network sees, and how many one of the output does.

    >>> [fields(SHAPES[name]) for name in (47, 70, 140)]
    [(46, 78), (70, 102), (140, 204)]
    """
    conv, pool, up = Window(3), Window(2, 2, 0), Window(2, 2, 0, up=True)
    down = [conv] * shape.first + ([pool] + [conv] * shape.convolutions) * (shape.blocks - 1) + [pool]
    back = ([up] + [conv] * shape.convolutions) * (shape.blocks - 1) + [up] + [conv] * shape.first
    bottom = [conv] * shape.bottom
    return field_of_view(down + bottom), field_of_view(down + bottom + back, 2**shape.blocks)


# -------------------------------------------------------------------------------------------------------- blocks


class _Layer(nn.Module):
    """A convolution, its noise, batch norm and ReLU; the first has no batch norm, the last neither, and tanh."""

    number = 0
    """Which of the network's layers it is: its noise is its own."""

    def __init__(
        self, inputs: int, outputs: int, level: int, norms: _Norms, *, up: bool = False, noisy: bool, edge: str = ""
    ) -> None:
        super().__init__()
        bias = bool(edge) or not norms.batch
        make = nn.ConvTranspose2d(inputs, outputs, 2, 2, bias=bias) if up else None
        convolution = make or nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
        self.convolution = spectrally_normed(convolution) if norms.spectral else convolution
        self.scale = nn.Parameter(torch.zeros(outputs, 1, 1)) if noisy else None
        self.norm = None if bias else nn.BatchNorm2d(outputs)
        self.stride, self.last = 2**level, edge == "last"

    def forward(self, seen: torch.Tensor, seeds: Sequence[int], origin: tuple[int, int]) -> torch.Tensor:
        seen = self.convolution(seen)
        if self.scale is not None:
            seen = seen + self.scale.to(seen.dtype) * self._noise(seen, seeds, origin)
        if self.norm is not None:
            seen = self.norm(seen)
        return seen.tanh() if self.last else seen.relu()

    def _noise(self, seen: torch.Tensor, seeds: Sequence[int], origin: tuple[int, int]) -> torch.Tensor:
        if self.training:
            return torch.randn_like(seen)
        first = (origin[0] // self.stride, origin[1] // self.stride)
        shape = (seen.shape[1], seen.shape[2], seen.shape[3])
        return normal_noise(seeds, self.number, shape, origin=first, device=seen.device).to(seen.dtype)


class _Norms(NamedTuple):
    spectral: bool
    batch: bool


# ------------------------------------------------------------------------------------------------------ network


class NoiseUNet(nn.Module):
    """The network; its picture is at the top of this file."""

    def __init__(self, width: int, shape: Shape, noise: Noise, norms: _Norms, judge: PatchDiscriminator | None) -> None:
        super().__init__()
        self.multiple = max(2**shape.blocks, judge.stride if judge else 1)
        self.output_field_of_view = fields(shape)[1]
        self.judge = judge.requires_grad_(False) if judge else None
        if judge:  # a pixel, its patches and their pixels, each seen through the network
            patches = field_of_view(judge.windows) + judge.stride - 1
            self.output_field_of_view = 2 * (self.output_field_of_view - 1) + patches
        channels = [width * 2 ** min(level, 3) for level in range(shape.blocks + 1)]
        channels[-1] = channels[-1] if shape.bottom else channels[-2]
        self.down, self.rise, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        encoding, decoding = noise == "everywhere", noise != "none"
        inputs = 4 if judge else 3
        for level in range(shape.blocks):
            wide, count = channels[level], shape.convolutions if level else shape.first
            self.down.append(_chain([inputs] + [wide] * count, level, norms, encoding, "" if level else "first"))
            inputs = wide
        self.bottom = _chain([inputs] + [channels[-1]] * shape.bottom, shape.blocks, norms, encoding)
        for level in reversed(range(shape.blocks)):
            wide, count = channels[level], shape.convolutions if level else shape.first
            self.rise.append(_Layer(channels[level + 1], wide, level, norms, up=True, noisy=decoding))
            sizes = [2 * wide] + [wide] * (count - 1) + [wide if level else 3]
            self.up.append(_chain(sizes, level, norms, decoding, "" if level else "last"))
        for number, layer in enumerate(module for module in self.modules() if isinstance(module, _Layer)):
            layer.number = number

    def train(self, mode: bool = True) -> NoiseUNet:
        """Switch between training and use; the judge is always in use."""
        super().train(mode)
        if self.judge is not None:
            self.judge.eval()
        return self

    def forward(
        self, images: torch.Tensor, seeds: Sequence[int] | None = None, origin: tuple[int, int] = (0, 0)
    ) -> torch.Tensor:
        """``(N, 3, H, W)`` display values in [0, 1] to the same, any H and W.

        Args:
            images: the input.
            seeds: of each image's noise, 0 for all where none are given; while training, noise comes from torch's
                generator.
            origin: the first pixel's row and column in the whole image, multiples of ``MULTIPLE``.
        """
        height, width = images.shape[2:]
        seeds = [0] * len(images) if seeds is None else seeds
        seen = padded(images, self.multiple)
        if self.judge is None:
            return self._run(seen, seeds, origin)[..., :height, :width]
        with torch.no_grad():
            nothing = torch.zeros_like(seen[:, :1])
            made = self._run(torch.cat((seen, nothing), 1), seeds, origin)
            mask = made_patches(self.judge, seen, made)
        return self._run(torch.cat((seen, mask), 1), seeds, origin)[..., :height, :width]

    def _run(self, images: torch.Tensor, seeds: Sequence[int], origin: tuple[int, int]) -> torch.Tensor:
        seen, kept = images * 2 - 1, []
        for block in self.down:
            kept.append(_through(block, seen, seeds, origin))
            seen = max_pool2d(kept[-1], 2)
        seen = _through(self.bottom, seen, seeds, origin)
        for rise, block in zip(self.rise, self.up, strict=True):
            seen = torch.cat((kept.pop(), rise(seen, seeds, origin)), 1)
            seen = _through(block, seen, seeds, origin)
        return (seen + 1) / 2


def _chain(sizes: Sequence[int], level: int, norms: _Norms, noisy: bool, edge: str = "") -> nn.ModuleList:
    edges = [""] * (len(sizes) - 1)
    if edge:
        edges[0 if edge == "first" else -1] = edge
    steps = zip(sizes[:-1], sizes[1:], edges, strict=True)
    return nn.ModuleList(_Layer(a, b, level, norms, noisy=noisy, edge=edge) for a, b, edge in steps)


def _through(layers: nn.Module, seen: torch.Tensor, seeds: Sequence[int], origin: tuple[int, int]) -> torch.Tensor:
    for layer in layers.children():
        seen = layer(seen, seeds, origin)
    return seen


def made_patches(judge: PatchDiscriminator, given: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Where a discriminator takes an image for a made one: ``(N, 1, H, W)``, 1 there and 0 elsewhere.

    A score is that of the pixels around its patch's centre; those near the border go with the nearest patch. An image
    smaller than a patch is not judged.
    """
    height, width = images.shape[2:]
    if min(height, width) < judge.smallest:
        return images.new_zeros(len(images), 1, height, width)
    made = (judge(given, images) > (REAL + FAKE) / 2).to(images.dtype)
    grown = interpolate(made, scale_factor=float(judge.stride), mode="nearest")
    spare = height - grown.shape[2], width - grown.shape[3]
    sides = (spare[1] // 2, spare[1] - spare[1] // 2, spare[0] // 2, spare[0] - spare[0] // 2)
    return pad(grown, sides, mode="replicate")


def network(
    *,
    width: int = 64,
    field_of_view: Literal[47, 70, 140] = 140,
    noise: Noise = "everywhere",
    spectral_norm: bool = True,
    batch_norm: bool = True,
    mask: Literal[0, 34, 70, 94, 142] = 0,
    mask_width: int = 64,
) -> nn.Module:
    """The network.

    Args:
        width: channels of the first level.
        field_of_view: of a unit at the bottom, in pixels (46 for 47).
        noise: after which convolutions: none, those of the way up, or all.
        spectral_norm: of all convolutions.
        batch_norm: after all but the first and the last.
        mask: field of view of the discriminator whose opinion of a first run goes into a second; 0 runs once.
        mask_width: that discriminator's width.

    Returns:
        A module from (N, 3, H, W) display-encoded images in [0, 1] to the same shape, any H and W.

    Raises:
        ValueError: a width that is not positive, or no such field of view or noise.

    >>> network(width=4, field_of_view=47)(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 3, 5, 7])
    """
    if not 1 <= width <= 4096:
        raise ValueError(f"width must be in 1 to 4096, not {width}")
    if field_of_view not in SHAPES:
        raise ValueError(f"field_of_view must be one of {', '.join(map(str, SHAPES))}, not {field_of_view}")
    if noise not in ("none", "decoder", "everywhere"):
        raise ValueError(f"noise must be none, decoder or everywhere, not {noise!r}")
    judge = _discriminator(mask, mask_width, spectral_norm=True) if mask else None
    return NoiseUNet(width, SHAPES[field_of_view], noise, _Norms(spectral_norm, batch_norm), judge)


# ------------------------------------------------------------------------------------------------ discriminator


class Scales(nn.Module):
    """Discriminators that look at an image at its size, at a half of it, at a quarter, ..."""

    def __init__(self, judges: Sequence[PatchDiscriminator]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(judges)

    def forward(self, given: torch.Tensor, images: torch.Tensor) -> list[torch.Tensor]:
        """``(N, 3, H, W)`` inputs and images to the scores of each discriminator, ``(N, 1, h, w)``."""
        scores = []
        for number, judge in enumerate(self.judges):
            if number:
                given, images = avg_pool2d(given, 2), avg_pool2d(images, 2)
            scores.append(judge(given, images))
        return scores


def discriminator(
    *, field_of_view: Literal[34, 70, 94, 142] = 70, width: int = 64, spectral_norm: bool = True, scales: int = 1
) -> nn.Module:
    """The discriminator: 4 x 4 convolutions, of stride 2 at first, to one score for each patch, given the input.

    Args:
        field_of_view: side of a patch in pixels.
        width: channels after the first convolution.
        spectral_norm: of all convolutions.
        scales: how many discriminators, each at half the size of the one before.

    Raises:
        ValueError: no such field of view, or a number that is not positive.
    """
    if width < 1 or scales < 1:
        raise ValueError(f"width and scales must be at least 1, not {width} and {scales}")
    return Scales([_discriminator(field_of_view, width, spectral_norm) for _ in range(scales)])


def _discriminator(field_of_view: int, width: int, spectral_norm: bool) -> PatchDiscriminator:
    if field_of_view not in STRIDES:
        raise ValueError(
            f"a discriminator's field of view must be one of {', '.join(map(str, STRIDES))}, not {field_of_view}"
        )
    return PatchDiscriminator(
        STRIDES[field_of_view], width=width, batch_norm=False, spectral_norm=spectral_norm, padding_mode="zeros"
    )


# ------------------------------------------------------------------------------------------------------- losses


def frozen(*, perceptual: float = 100.0, vgg: str = "") -> dict[str, nn.Module]:
    """VGG-19, which the perceptual loss looks through; none where that has no weight.

    Args:
        perceptual: weight of the perceptual loss.
        vgg: the file of VGG-19's weights; by default torch's cache; ``download`` fetches it there.

    Raises:
        MissingError: the weights are not there.
        InputError: the file holds others.
    """
    if perceptual == 0:
        return {}
    otherwise = "say where it is with --set loss.vgg=PATH (loss.vgg=download fetches it); --set loss.perceptual=0 trains without"
    return {"features": pretrained.vgg("vgg19", vgg, otherwise=otherwise)}


def loss(
    output: torch.Tensor,
    batch: Batch,
    *,
    discriminator: nn.Module | None = None,
    features: nn.Sequential | None = None,
    adversarial: float = 1.0,
    l1: float = 50.0,
    perceptual: float = 100.0,
    before_relu: bool = False,
    contrast: float = 0.0,
) -> dict[str, torch.Tensor]:
    """The network's terms, weighted; their sum is minimised.

    ``adversarial * (D(x, y) - real)^2 / 2 + l1 * |y - t| + perceptual * sum_l |f_l(y) - f_l(t)|_1 / (W_l H_l) +
    contrast * |c(y) - c(t)|``, with means over pixels and images, output y, target t, input x and contrast ``c = 2
    std(L)`` of an image's ``L = 0.27 R + 0.67 G + 0.06 B``, as histogram similarity has it.

    Args:
        output: of the network, ``(N, 3, H, W)``.
        batch: ``input`` and ``target``, of that shape.
        discriminator: what :func:`discriminator` gave; without it there is no adversarial term.
        features: of :func:`frozen`; without them there is no perceptual term.
        adversarial: weight.
        l1: weight of the content loss.
        perceptual: weight.
        before_relu: look at the VGG's convolutions before their ReLU.
        contrast: weight.

    Source: equations 4, 5, 8 and 9 of the paper; contrast after its section 5.2.
    """
    target = batch["target"]
    terms = {"l1": l1 * (output - target).abs().mean()}
    if discriminator is not None and adversarial:
        scores = discriminator(batch["input"], output)
        terms["adversarial"] = adversarial * _mean(losses.lsgan(score, REAL) for score in scores)
    if features is not None and perceptual:
        difference = losses.perceptual(features, output, target, layers=LAYERS, before_relu=before_relu)
        terms["perceptual"] = perceptual * difference
    if contrast:
        terms["contrast"] = contrast * (_contrast(output) - _contrast(target)).abs().mean()
    return terms


def discriminator_loss(discriminator: nn.Module, output: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
    """The discriminator's terms, ``(D(x, t) - real)^2 / 2`` and ``(D(x, y) - fake)^2 / 2``, means over patches.

    Source: equation 7 of the paper.
    """
    real, fake = (discriminator(batch["input"], images) for images in (batch["target"], output))
    return {
        "real": _mean(losses.lsgan(score, REAL) for score in real),
        "fake": _mean(losses.lsgan(score, FAKE) for score in fake),
    }


def forward(network: nn.Module, batch: Batch, *, discriminator: nn.Module | None = None) -> torch.Tensor:
    """The network's output while training; a network with a mask is first told what the discriminator has learned.

    Raises:
        ValueError: it has a mask and there is no discriminator, or another one than its mask is made for.
    """
    judge = getattr(network, "judge", None)
    if judge is not None:
        if discriminator is None:
            raise ValueError("a network with a mask needs a discriminator: set loss.adversarial, or network.mask to 0")
        taught = discriminator.get_submodule("judges.0")
        if taught.windows != judge.windows or _shapes(taught) != _shapes(judge):
            raise ValueError("network.mask and mask_width must be the discriminator's field_of_view and width")
        judge.load_state_dict(taught.state_dict())
    output: torch.Tensor = network(batch["input"])
    return output


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


def _mean(terms: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms)).mean()


def _contrast(images: torch.Tensor) -> torch.Tensor:
    red, green, blue = images.float().unbind(1)
    luminance: torch.Tensor = weighted(red, green, blue, HU2018)
    return 2 * luminance.flatten(1).var(1, correction=0).clamp(min=1e-8).sqrt()  # the root of 0 has no slope
