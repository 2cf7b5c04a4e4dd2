"""Pictures of any size through a network: whole where the memory is there, else in tiles that leave no seam.

An output pixel depends on the input pixels within some distance. A tile that reaches past its part of the picture by
that distance gives the very numbers that the whole picture would; where a tile ends with the picture it ends
as the picture does, so that whatever a network does at borders is done there and nowhere else. Tiles begin at multiples
of what the network pads to, so that its grids (of pooling, of strides) lie where they would.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from exposurebench.cost import peak_bytes
from exposurebench.errors import ImageError
from exposurebench.reach import reach

CPU_BUDGET = 1 << 30
"""How much memory a tile may take on its way through a network, in bytes. It does not follow what is free at the
moment, so that the same photograph is cut in the same way, and rounded in the same way, each time."""
ACCELERATOR_SHARE = 4
"""On an accelerator it is one part of so many of all its memory."""
SMALL_PX = 512
"""Pictures of this side and smaller ones go whole, unasked; memory for each pixel of larger ones is that of this side."""


class Tiled:
    """A network for pictures of any size.

    Args:
        network: from (N, 3, H, W) to the same shape, in eval mode, on its device.
        multiple: what the network pads sides to.
        whole: its output depends on the whole image, so it takes no tiles.
        noisy: it also takes ``seeds`` and ``origin``.
        budget: bytes that a batch or a tile may take; by default ``CPU_BUDGET``, or a part of an accelerator's memory.

    >>> blurred = Tiled(nn.AvgPool2d(3, 1, 1, count_include_pad=False), budget=4_000_000)
    >>> picture = torch.rand(1, 3, 700, 600)
    >>> len(list(blurred.tiles(700, 600))), torch.allclose(blurred(picture), blurred.network(picture))
    (4, True)
    """

    def __init__(
        self,
        network: nn.Module,
        multiple: int = 1,
        *,
        whole: bool = False,
        noisy: bool = False,
        budget: int | None = None,
    ) -> None:
        self.device = next((p.device for p in network.parameters()), torch.device("cpu"))
        # A processor's convolutions want the order in which pictures come from files: channels last.
        self.order = torch.channels_last if self.device.type == "cpu" else torch.contiguous_format
        self.network = network.to(memory_format=self.order)
        self.multiple, self.whole, self.noisy = multiple, whole, noisy
        self.budget = budget or _budget(self.device)

    def __call__(self, images: torch.Tensor, seeds: Sequence[int] | None = None) -> torch.Tensor:
        """What the network makes of a batch.

        Args:
            images: ``(N, 3, H, W)`` float32, on the processor.
            seeds: one for each image, for a network with noise; by default 0.

        Returns:
            The same shape, on the processor. It differs from what the network makes of the whole batch by no more
            than the rounding of float32.

        Raises:
            ImageError: the output depends on the whole image, for which there is not enough memory.
        """
        number, _, height, width = images.shape
        seeds = seeds or [0] * number
        output = torch.empty_like(images, memory_format=torch.channels_last)
        small = number * height * width <= SMALL_PX**2
        together = number if small else max(1, self.budget // self.needs(height, width))
        with torch.inference_mode():
            for first in range(0, number, together):
                some = slice(first, first + together)
                for down, across in self.tiles(height, width):
                    tile = images[some, :, down.seen, across.seen]
                    made = self._run(tile, seeds[some], (down.seen.start, across.seen.start))
                    output[some, :, down.kept, across.kept] = made[:, :, down.core, across.core]
        return output

    def _run(self, images: torch.Tensor, seeds: Sequence[int], origin: tuple[int, int]) -> torch.Tensor:
        images = images.to(self.device).contiguous(memory_format=self.order)
        settings = {"seeds": seeds, "origin": origin} if self.noisy else {}
        made: torch.Tensor = self.network(images, **settings)
        return made.cpu()

    @functools.cached_property
    def bytes_per_pixel(self) -> float:
        """The memory that a picture takes on its way through the network."""
        side = _up(SMALL_PX, self.multiple)
        return peak_bytes(self.network, (1, 3, side, side)) / side**2

    @functools.cached_property
    def margin(self) -> int | None:
        """How far tiles reach past their part; None where there are no tiles."""
        distance = None if self.whole else reach(self.network, self.multiple)
        return None if distance is None else _up(distance, self.multiple)

    def needs(self, height: int, width: int) -> int:
        """About how many bytes one picture takes on its way through the network, whole."""
        return round(self.bytes_per_pixel * _up(height, self.multiple) * _up(width, self.multiple))

    def tiles(self, height: int, width: int) -> Iterator[tuple[Cut, Cut]]:
        """How a picture is cut, row by row; into one tile where the memory is there."""
        margin, core = 0, (height, width)
        if height * width > SMALL_PX**2 and self.needs(height, width) > self.budget:
            if self.margin is None:
                self._check_memory(height, width)
            else:
                margin, core = self.margin, self._core(height, width, self.margin)
        for down in cuts(height, core[0], margin):
            for across in cuts(width, core[1], margin):
                yield down, across

    def _core(self, height: int, width: int, margin: int) -> tuple[int, int]:
        """The sides of what a tile is for: tiles are as square as the picture lets them be, and of about one size."""
        pixels = self.budget / self.bytes_per_pixel
        rows = min(height, math.sqrt(pixels))
        columns = min(width, pixels / rows)
        rooms = min(height, pixels / columns), columns
        core = []
        for side, room in zip((height, width), rooms, strict=True):
            parts = 1 if room >= side else math.ceil(side / max(room - 2 * margin, margin, self.multiple))
            core.append(_up(math.ceil(side / parts), self.multiple))
        return core[0], core[1]

    def _check_memory(self, height: int, width: int) -> None:
        needed, free = self.needs(height, width), _free(self.device)
        if needed > free:
            scale = 0.95 * math.sqrt(free / needed)
            raise ImageError(
                f"has {width} x {height} pixels, for which the model needs about {needed / 1e9:.1f} GB at once, and "
                f"{free / 1e9:.1f} GB are free; its output depends on the whole image, so tiles would leave seams: make "
                f"it smaller ({int(width * scale)} x {int(height * scale)} pixels fit), or use a machine with more memory"
            )


@dataclass(frozen=True)
class Cut:
    """A piece of one side of a picture.

    Attributes:
        seen: the pixels that the network is given.
        kept: those of the picture that come out of it.
        core: where these lie in what it makes.
    """

    seen: slice
    kept: slice
    core: slice


def cuts(side: int, core: int, margin: int) -> Iterator[Cut]:
    """Pieces of ``core`` pixels with a margin around each, as far as there is one.

    >>> [(cut.seen, cut.core) for cut in cuts(10, 6, 2)]
    [(slice(0, 8, None), slice(0, 6, None)), (slice(4, 10, None), slice(2, 6, None))]
    """
    for start in range(0, side, core):
        end, first = min(start + core, side), max(0, start - margin)
        yield Cut(slice(first, min(side, end + margin)), slice(start, end), slice(start - first, end - first))


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _budget(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // ACCELERATOR_SHARE
    return CPU_BUDGET


def _free(device: torch.device) -> int:
    """How much memory is left, in bytes: of an accelerator, or of this machine and the container that it may be."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with contextlib.suppress(OSError, ValueError, IndexError):  # Linux alone says what is free
        found.append(1024 * int(Path("/proc/meminfo").read_text("ascii").partition("MemAvailable:")[2].split()[0]))
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text("ascii")) for name in ("max", "current"))
        found.append(max(0, limit - used))
    return min(found)
