"""How far an output pixel sees: what the gradient says, and nothing where that is not known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from exposurebench.reach import reach


def conv(kernel: int, stride: int = 1, padding: int | None = None, **more: object) -> nn.Module:
    return nn.Conv2d(3, 3, kernel, stride, kernel // 2 if padding is None else padding, **more)  # type: ignore[arg-type]


NETWORKS = {
    "convolutions": [conv(3), nn.BatchNorm2d(3), nn.ReLU(), conv(5), nn.ELU(), conv(3, dilation=4, padding=4)],
    "borders": [conv(5, padding_mode="replicate"), nn.ReflectionPad2d(2), conv(5, padding=0), nn.ZeroPad2d(1)],
    "strides": [conv(4, 2, 1), conv(4, 2, 1), nn.ConvTranspose2d(3, 3, 4, 2, 1), nn.ConvTranspose2d(3, 3, 4, 2, 1)],
    "pooling": [nn.AvgPool2d(2), conv(3), nn.AvgPool2d(2), conv(3), nn.Upsample(scale_factor=4), conv(3)],
    "transposed": [nn.AvgPool2d(2), conv(3), nn.ConvTranspose2d(3, 3, 2, 2)],
    "bilinear": [nn.AvgPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear"), conv(3)],
}


def by_gradient(network: nn.Module, side: int = 96) -> int:
    """Positive weights and no clipping, so that no path is cut or cancelled; every phase of a block of 16."""
    for parameter in network.parameters():
        parameter.data = parameter.data.abs() + 0.01
    distance = 0
    for place in range(side // 2, side // 2 + 16):
        image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
        network(image)[0, 0, place, place].backward()
        assert image.grad is not None
        seen = (image.grad[0].abs().sum(0) > 0).nonzero()
        distance = max(distance, place - int(seen.min()), int(seen.max()) - place)
    return distance


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_what_the_gradient_says(name: str) -> None:
    network = nn.Sequential(*NETWORKS[name]).eval()
    found, true = reach(network, 16), by_gradient(network.double())
    assert found is not None
    assert true <= found <= true + (name == "bilinear"), "a bilinear weight may be 0 where the widest phase is counted"


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = conv(3), conv(9)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mask = images.amax(1, keepdim=True).clamp(0, 1)
        both = torch.cat((self.near(images), self.far(images)), 1)
        first, second = both.chunk(2, 1)
        return mask * first + second.sigmoid() * images[:, :, :, :]


def test_branches_are_joined() -> None:
    assert reach(Branches()) == 4


@pytest.mark.parametrize(
    "layer",
    [
        nn.InstanceNorm2d(3),
        nn.GroupNorm(1, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.Upsample(scale_factor=2, mode="bicubic"),
        nn.BatchNorm2d(3).train(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_sees_everything_or_is_not_known_has_none(layer: nn.Module) -> None:
    assert reach(nn.Sequential(conv(3), layer)) is None


def test_weights_and_the_network_stay() -> None:
    network = conv(3)
    before = network.weight.clone()
    reach(network)
    assert torch.equal(network.weight, before)
    assert network.weight.device.type == "cpu"
