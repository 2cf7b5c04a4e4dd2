"""Costs that can be counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from exposurebench import catalog
from exposurebench.cost import megapixel_macs, models_table, multiply_adds, peak_bytes


def test_multiply_adds_are_those_of_the_layers() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2, 2))
    assert multiply_adds(network.eval(), 8, 6) == 4 * 3 * (4 * 3 * 9) + 4 * 3 * (4 * 3 * 4)


def test_memory_is_what_is_alive_at_once() -> None:
    pixels = 20 * 30
    chain = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(5)))
    assert peak_bytes(chain, (2, 3, 20, 30)) == 2 * pixels * (3 + 3 + 3) * 4, "the input, one layer and the next"
    assert peak_bytes(nn.Conv2d(3, 16, 3, padding=1), (1, 3, 20, 30)) == pixels * 19 * 4

    class Kept(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images + sum(images * k for k in range(4))

    assert peak_bytes(Kept(), (1, 3, 20, 30)) == pixels * 3 * 4 * 4


def test_a_network_of_any_width_is_measured_at_once() -> None:
    with torch.device("meta"):
        wide = nn.Conv2d(30_000, 30_000, 3)  # 32 GB, if it were there
        first = nn.Conv2d(3, 30_000, 3)
    assert multiply_adds(nn.Sequential(first, wide), 5, 5) == 9 * 30_000**2 + 9 * 9 * 3 * 30_000


def test_the_table_has_a_row_for_every_model() -> None:
    rows = models_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == catalog.names("models")
    assert f"| {megapixel_macs('small_cnn') / 1e9:,.2f} |" in next(row for row in rows if "`small_cnn`" in row)


@pytest.mark.parametrize("name", catalog.names("models"))
def test_every_model_has_a_cost(name: str) -> None:
    assert megapixel_macs(name) > 0
