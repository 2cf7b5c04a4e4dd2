"""What networks of more than one paper are built of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

Padding = Literal["reflect", "replicate"]


# ----------------------------------------------------------------------------------------- any height and width


def padded(images: torch.Tensor, multiple: int, mode: Padding = "reflect") -> torch.Tensor:
    """Images whose sides are multiples of a number, grown to the right and below.

    Args:
        images: ``(N, C, H, W)``.
        multiple: of the sides.
        mode: ``reflect`` mirrors at the border, over and over where the image is smaller than what is missing;
            ``replicate`` repeats the last row and column.

    Returns:
        The images themselves where nothing is missing; ``[..., :H, :W]`` of the result is the input.

    >>> padded(torch.arange(3.0).view(1, 1, 1, 3), 8)[0, 0, 0].tolist()
    [0.0, 1.0, 2.0, 1.0, 0.0, 1.0, 2.0, 1.0]
    """
    for axis in (2, 3):
        size = images.shape[axis]
        grown = -(-size // multiple) * multiple
        if grown > size:
            places = torch.arange(grown, device=images.device)
            if mode == "reflect":
                period = max(2 * (size - 1), 1)
                places = torch.minimum(places % period, period - places % period)
            images = images.index_select(axis, places.clamp(max=size - 1))
    return images


# ---------------------------------------------------------------------------------------------- fields of view


class Window(NamedTuple):
    """What one layer looks at along an axis.

    Attributes:
        kernel: of a convolution or a pooling; ``dilation * (kernel - 1) + 1`` where it is dilated.
        stride: its stride; the factor of a layer that goes up.
        padding: before the first pixel; None for half the kernel, rounded down.
        up: a transposed convolution (or, with a kernel as wide as its stride, repeated pixels).
    """

    kernel: int
    stride: int = 1
    padding: int | None = None
    up: bool = False

    def seen(self, first: int, last: int) -> tuple[int, int]:
        """The first and last pixel of the layer's input that output pixels from first to last depend on."""
        padding = (self.kernel - 1) // 2 if self.padding is None else self.padding
        if self.up:
            return -((self.kernel - 1 - padding - first) // self.stride), (last + padding) // self.stride
        return first * self.stride - padding, last * self.stride - padding + self.kernel - 1


def field_of_view(windows: Sequence[Window], period: int = 1) -> int:
    """How many pixels in a row one unit of the last layer depends on, at most.

    Args:
        windows: the layers from the input on.
        period: units see fields of other sizes where layers go up; after so many they repeat.

    >>> field_of_view([Window(4, 2)] * 3 + [Window(4)] * 2)  # pix2pix's discriminator
    70
    """
    widest = 0
    for unit in range(period):
        first = last = unit
        for window in reversed(windows):
            first, last = window.seen(first, last)
        widest = max(widest, last - first + 1)
    return widest


# ------------------------------------------------------------------------------------ noise that can be repeated


def normal_noise(
    seeds: Sequence[int],
    layer: int,
    shape: tuple[int, int, int],
    *,
    origin: tuple[int, int] = (0, 0),
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Normal random numbers, each a function of its image's seed, layer, channel, row and column alone.

    A hash of the five, of 24 bits, through the inverse of the normal distribution; so a tile has the numbers of the
    whole image, an image those it has in any batch, and devices agree to float32's rounding.

    Args:
        seeds: one for each image.
        layer: which of a network's layers.
        shape: channels, rows and columns.
        origin: the row and column of the first pixel in the whole image, at the layer's resolution.
        device: where.

    Returns:
        ``(N, C, H, W)`` float32, mean 0, deviation 1, within 5.4.

    >>> whole = normal_noise([1], 0, (2, 8, 8))
    >>> torch.equal(normal_noise([1], 0, (2, 4, 8), origin=(4, 0)), whole[:, :, 4:])
    True
    """
    channels, rows, columns = shape
    keys = [hashlib.shake_128(f"{seed} {layer}".encode()).digest(4 * channels) for seed in seeds]
    channel_keys = torch.from_numpy(np.frombuffer(b"".join(keys), "<i4").astype(np.int32)).to(device)
    row, column = (
        _mixed(torch.arange(start, start + count, dtype=torch.int32, device=device) + 1)
        for start, count in zip(origin, (rows, columns), strict=True)
    )
    row_keys = _mixed(channel_keys.view(len(seeds), channels, 1, 1) ^ row.view(-1, 1))
    signed = _mixed(row_keys ^ column) >> 8  # 24 bits, so that adding a half is exact
    return torch.erfinv((signed.float() + 0.5) * 2.0**-23) * math.sqrt(2)


def _mixed(bits: torch.Tensor) -> torch.Tensor:
    """A bijection of 32 bits that leaves no pattern; the multiplications wrap around.

    Shifts, masks and odd factors in turn, after Wellons' search for integer hash functions.
    """
    bits = bits.clone()
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        bits ^= (bits >> shift) & ((1 << (32 - shift)) - 1)
        bits *= factor
    bits ^= (bits >> 16) & 0xFFFF
    return bits


# ------------------------------------------------------------------------------------------------ spectral norm


def spectrally_normed(convolution: nn.Module) -> nn.Module:
    """The convolution, its weight divided by the largest singular value of its matrix (output channels by the rest).

    One power iteration for each pass in training follows that value, in float32 under autocast too; in use nothing
    changes. On the meta device nothing is computed, where torch's own takes seconds for a network.

    Source: Miyato et al. 2018, Spectral normalization for generative adversarial networks, algorithm 1.
    """
    axis = 1 if isinstance(convolution, nn.ConvTranspose2d) else 0
    weight = convolution.get_parameter("weight")
    parametrize.register_parametrization(convolution, "weight", _SpectralNorm(weight.detach(), axis), unsafe=True)
    return convolution


class _SpectralNorm(nn.Module):
    """The division, and the singular vectors of the value it divides by."""

    u: torch.Tensor
    v: torch.Tensor

    def __init__(self, weight: torch.Tensor, axis: int) -> None:
        super().__init__()
        self.axis = axis
        matrix = self._matrix(weight)
        for name, size in zip(("u", "v"), matrix.shape, strict=True):
            self.register_buffer(name, torch.empty(size, device=weight.device))
        if not weight.is_meta:
            self.u.normal_()
            for _ in range(15):
                self._follow(matrix)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        matrix = self._matrix(weight)
        if self.training:
            self._follow(matrix.detach())
        # Sums of products, as autocast would round those of matrices.
        return weight / (self.u * (matrix * self.v).sum(1)).sum()

    def _matrix(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.transpose(0, self.axis).flatten(1)

    def _follow(self, matrix: torch.Tensor) -> None:
        # New tensors, as a pass whose gradient is still wanted holds the old ones.
        self.v = normalize((matrix * self.u[:, None]).sum(0), dim=0)
        self.u = normalize((matrix * self.v).sum(1), dim=0)


# ------------------------------------------------------------------------------------------ patch discriminator


class PatchDiscriminator(nn.Module):
    """Says of every patch of an image whether it is real, given the input it was made from.

    4 x 4 convolutions with padding 1 and LeakyReLU 0.2 between them, from the input and the image side by side, in
    [-1, 1], to one score for each patch; widths double up to eight times the first.

    Args:
        strides: of the convolutions, 2s before 1s.
        width: channels after the first.
        batch_norm: after every convolution but the first and the last, which then have no bias.
        spectral_norm: of every convolution.
        padding_mode: of every convolution.

    Source: Isola et al. 2017, Image-to-image translation with conditional adversarial networks, section 6.1.2.
    """

    def __init__(
        self,
        strides: Iterable[int] = (2, 2, 2, 1, 1),
        *,
        width: int = 64,
        batch_norm: bool = True,
        spectral_norm: bool = False,
        padding_mode: Literal["zeros", "reflect"] = "reflect",
    ) -> None:
        super().__init__()
        self.windows = [Window(4, stride) for stride in strides]
        last = len(self.windows) - 1
        layers: list[nn.Module] = []
        channels = 6
        for index, window in enumerate(self.windows):
            wide = 1 if index == last else width * 2 ** min(index, 3)
            normed = batch_norm and 0 < index < last
            layer: nn.Module = nn.Conv2d(
                channels, wide, 4, window.stride, 1, bias=not normed, padding_mode=padding_mode
            )
            layers.append(spectrally_normed(layer) if spectral_norm else layer)
            if normed:
                layers.append(nn.BatchNorm2d(wide))
            if index < last:
                layers.append(nn.LeakyReLU(0.2))
            channels = wide
        self.layers = nn.Sequential(*layers)
        self.stride = math.prod(window.stride for window in self.windows)
        self.smallest = self.stride * (1 + sum(window.stride == 1 for window in self.windows))

    def forward(self, given: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """``(N, 3, H, W)`` inputs and images, display values in [0, 1], to ``(N, 1, h, w)`` scores.

        Raises:
            ValueError: the images are too small for a single patch.
        """
        if min(images.shape[2:]) < self.smallest:
            size = " x ".join(str(side) for side in reversed(images.shape[2:]))
            raise ValueError(f"the discriminator needs patches of {self.smallest} px or more, not {size}")
        scores: torch.Tensor = self.layers(torch.cat((given, images), 1) * 2 - 1)
        return scores
