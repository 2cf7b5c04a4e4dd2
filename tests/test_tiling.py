"""Tiles: the same numbers as the whole picture, wherever it is cut, and no more memory than there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d, pad

from exposurebench import catalog, tiling
from exposurebench.errors import ImageError
from exposurebench.tiling import Tiled, cuts

SIZES = [(531, 647), (512, 700), (523, 1300)]
MULTIPLE = 8


class UNet(nn.Module):
    """Three poolings with skips, all weights at work; pads to 8 as the models do."""

    def __init__(self, padding: str = "zeros", up: str = "transposed") -> None:
        super().__init__()
        width = [6, 8, 10, 12]
        self.down = nn.ModuleList(
            nn.Conv2d(i, o, 3, padding=1, padding_mode=padding) for i, o in zip([3, *width], width, strict=False)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 4, 2, 1)
            if up == "transposed"
            else nn.Sequential(
                nn.Upsample(scale_factor=2, mode=up), nn.Conv2d(i, o, 3, padding=1, padding_mode=padding)
            )
            for i, o in zip(width[:0:-1], width[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(width[0], 3, 3, padding=1, padding_mode=padding)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        x = pad(images, (0, -width % MULTIPLE, 0, -height % MULTIPLE), "replicate")
        skips = []
        for number, convolution in enumerate(self.down):
            x = convolution(x if number == 0 else max_pool2d(x, 2)).relu()
            skips.append(x)
        skips.pop()
        for convolution in self.up:
            x = (convolution(x) + skips.pop()).relu()
        return self.last(x)[..., :height, :width]


class Noisy(nn.Module):
    """Adds what depends on the seed and the absolute place, and blurs it."""

    def forward(
        self, images: torch.Tensor, seeds: Sequence[int] | None = None, origin: tuple[int, int] = (0, 0)
    ) -> torch.Tensor:
        rows = torch.arange(images.shape[2], device=images.device)[:, None] + origin[0]
        columns = torch.arange(images.shape[3], device=images.device)[None] + origin[1]
        noise = torch.stack([((rows * 131 + columns * 71 + seed * 37) % 101) / 101 for seed in seeds or [0]])
        return nn.functional.avg_pool2d(images + noise[:, None], 3, 1, 1, count_include_pad=False)


def seeded(make: Any) -> nn.Module:
    torch.manual_seed(1)
    network = make().eval()
    for weight in network.parameters():
        if weight.ndim == 4:  # as they come, the deeper half of the network would hardly be heard
            nn.init.kaiming_normal_(weight)
    return network


def picture(height: int, width: int, number: int = 1) -> torch.Tensor:
    return torch.rand(number, 3, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", ["zeros", "reflect", "replicate"])
def test_tiles_give_the_numbers_of_the_whole_picture(size: tuple[int, int], padding: str) -> None:
    network = seeded(lambda: UNet(padding))
    tiled = Tiled(network, MULTIPLE, budget=12_000_000)
    assert len(list(tiled.tiles(*size))) >= 4
    image = picture(*size)
    with torch.no_grad():
        whole = network(image)
    assert whole.std((2, 3)).min() > 0.1, "something to see, in every channel"
    torch.testing.assert_close(tiled(image), whole, atol=2e-5, rtol=0)


@pytest.mark.parametrize("up", ["nearest", "bilinear"])
def test_so_they_do_with_other_ways_up(up: str) -> None:
    network = seeded(lambda: UNet("zeros", up))
    image = picture(600, 520)
    with torch.no_grad():
        whole = network(image)
    torch.testing.assert_close(Tiled(network, MULTIPLE, budget=12_000_000)(image), whole, atol=2e-5, rtol=0)


def test_a_smaller_margin_would_show() -> None:
    """The distance is not generous: a multiple less, and the seams are there."""
    network = seeded(UNet)
    tiled = Tiled(network, MULTIPLE, budget=12_000_000)
    image = picture(600, 520)
    with torch.no_grad():
        whole = network(image)
    assert tiled.margin is not None
    tiled.margin -= 2 * MULTIPLE
    assert (tiled(image) - whole).abs().max() > 1e-3


@pytest.mark.parametrize("name", catalog.names("models"))
def test_every_model_leaves_no_seam_or_takes_no_tiles(name: str) -> None:
    entry = catalog.load("models", name)
    small = {"width": 4} if "width" in entry.parameters() else {}
    network = seeded(lambda: entry.function()(**small))
    whole, multiple = entry.fact("OUTPUT_FIELD_OF_VIEW") == "whole image", entry.fact("MULTIPLE")
    tiled = Tiled(network, multiple, whole=whole, noisy=bool(getattr(entry.module, "NOISY", False)))
    if whole:
        assert tiled.margin is None
        return
    assert tiled.margin is not None
    assert tiled.margin >= entry.fact("OUTPUT_FIELD_OF_VIEW") // 2
    side = 2 * tiled.margin + 3 * multiple + 5
    height = width = max(side, tiling.SMALL_PX + 1)
    tiled.budget = round(tiled.bytes_per_pixel) * height * width // 2
    assert len(list(tiled.tiles(height, width))) > 1
    image = picture(height, width)
    everything = Tiled(network, multiple, noisy=tiled.noisy, budget=1 << 40)
    torch.testing.assert_close(tiled(image, [7]), everything(image, [7]), atol=1e-4, rtol=1e-4)


def test_noise_is_that_of_the_place_and_the_images_own() -> None:
    network = Noisy()
    images = picture(520, 530, 2)
    tiled = Tiled(network, noisy=True, budget=4_000_000)
    assert len(list(tiled.tiles(520, 530))) > 1
    torch.testing.assert_close(tiled(images, [3, 4]), network(images, [3, 4]), atol=1e-6, rtol=0)
    assert (network(images, [3, 4]) - network(images, [4, 3])).abs().max() > 0.1


def test_batches_are_as_large_as_the_memory_allows() -> None:
    seen = []

    class Counting(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if images.device.type != "meta":
                seen.append(tuple(images.shape))
            return images * 2

    images = picture(600, 500, 5)
    tiled = Tiled(Counting(), budget=3 * 600 * 500 * 24)
    assert torch.equal(tiled(images), images * 2)
    assert seen == [(3, 3, 600, 500), (2, 3, 600, 500)]


def test_a_network_is_not_asked_for_more_than_a_tile() -> None:
    """Measured while it runs, nothing having been looked at before."""
    sizes = []

    class Watched(UNet):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if images.device.type != "meta":
                sizes.append(images.shape[2] * images.shape[3])
            return super().forward(images)

    Tiled(seeded(Watched), MULTIPLE, budget=12_000_000)(picture(600, 700))
    assert len(sizes) > 3
    assert max(sizes) < 600 * 700 / 2


def test_small_pictures_go_whole_unasked() -> None:
    tiled = Tiled(seeded(UNet), MULTIPLE, budget=1)
    assert len(list(tiled.tiles(512, 512))) == 1
    assert len(list(tiled.tiles(512, 513))) > 1


def test_a_tile_takes_no_more_than_it_may() -> None:
    network = seeded(UNet)
    tiled = Tiled(network, MULTIPLE, budget=40_000_000)
    for size in ((3000, 4000), (700, 9000)):
        largest = max((d.seen.stop - d.seen.start) * (a.seen.stop - a.seen.start) for d, a in tiled.tiles(*size))
        assert 0.5 < largest * tiled.bytes_per_pixel / tiled.budget < 1.05


def test_what_depends_on_the_whole_image_is_refused_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 3, 1), nn.Upsample((600, 700)))
    tiled = Tiled(network.eval(), budget=1_000_000)
    image = picture(600, 700)
    torch.testing.assert_close(tiled(image), network(image).detach(), atol=1e-6, rtol=0)
    monkeypatch.setattr(tiling, "_free", lambda device: 8_000_000)
    with pytest.raises(
        ImageError, match=r"has 700 x 600 pixels.*about 0\.0 GB at once.*tiles would leave seams.*fit\)"
    ):
        tiled(image)


@pytest.mark.parametrize(("side", "core", "margin"), [(10, 4, 2), (8, 8, 0), (9, 4, 100), (1, 1, 0)])
def test_cuts_cover_a_side_once(side: int, core: int, margin: int) -> None:
    kept = [p for cut in cuts(side, core, margin) for p in range(side)[cut.kept]]
    inside = [p for cut in cuts(side, core, margin) for p in range(side)[cut.seen][cut.core]]
    assert kept == inside == list(range(side))
