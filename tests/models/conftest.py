"""What tests of several models share: fields of view by gradient, and learning eight pairs by heart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

CONVOLUTIONS = nn.Conv2d | nn.ConvTranspose2d


@pytest.fixture(scope="session")
def measured_fields() -> Callable[..., tuple[int, int]]:
    """Measures what a unit at the bottom of a network sees, and what one of the output does, at most.

    Called with a network, its multiple and the size of the image to look at.
    """

    def measured(network: nn.Module, multiple: int, shape: tuple[int, int]) -> tuple[int, int]:
        network = averaging(network)
        columns = range(shape[1] // 2, min(shape[1] // 2 + multiple, shape[1]))
        outputs = [seen_from(network, lambda made, _, at=at: made[..., at], shape) for at in columns]
        return seen_from(network, at_the_bottom, shape), max(outputs)

    return measured


def averaging(network: nn.Module) -> nn.Module:
    """The network with weights that take means, so that no path cancels another and no unit is at its limit."""
    for module in network.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
        if isinstance(module, CONVOLUTIONS):
            up = isinstance(module, nn.ConvTranspose2d)
            weight = module.weight.detach().abs() + 1e-3
            total = weight.sum((0, 2, 3) if up else (1, 2, 3), keepdim=True)
            module.weight.data = weight * (module.stride[0] * module.stride[1] if up else 1) / total
            if module.bias is not None:
                module.bias.data.zero_()
    return network.double().eval()


def seen_from(network: nn.Module, units: Callable[..., torch.Tensor], shape: tuple[int, int]) -> int:
    """How many columns units of one column depend on: the first by a falling image, the last by a rising one.

    A pooling that keeps the largest looks where it is, so that both ends of the field must have it in turn.
    """
    ends = []
    for falling in (True, False):
        ramp = torch.linspace(0.96, 0.99, shape[1], dtype=torch.float64)
        image = (ramp.flip(0) if falling else ramp).expand(1, 3, *shape).clone().requires_grad_()
        maps: list[torch.Tensor] = []

        def keep(_: nn.Module, given: Any, made: torch.Tensor, maps: list[torch.Tensor] = maps) -> None:
            maps.extend((given[0], made))

        hooks = [m.register_forward_hook(keep) for m in network.modules() if isinstance(m, CONVOLUTIONS)]
        units(network(image), maps).sum().backward()
        for hook in hooks:
            hook.remove()
        assert image.grad is not None
        columns = image.grad[0].abs().sum((0, 1)).nonzero().flatten()
        ends.append(int(columns[0] if falling else columns[-1]))
    return ends[1] - ends[0] + 1


def at_the_bottom(_: torch.Tensor, maps: list[torch.Tensor]) -> torch.Tensor:
    """The middle column of the last of the smallest maps."""
    smallest = min(seen.shape[3] for seen in maps)
    return [seen for seen in maps if seen.shape[3] == smallest][-1][..., smallest // 2]


@pytest.fixture
def decibels_above_the_input(shared: Path) -> Callable[..., float]:
    """How much nearer to eight real targets a network comes than its clipped inputs were, adversary and all.

    Called with a model's name, how many steps, Adam's learning rate, and settings of the network; gives dB of PSNR.
    """
    import cv2

    from exposurebench import catalog
    from exposurebench.exposure import overexpose
    from exposurebench.images import read_image
    from exposurebench.tensors import to_tensor

    files = sorted((shared / "data" / "kodak").glob("*.png"))[:8]
    images = [cv2.resize(read_image(file).as_float(), (64, 64), interpolation=cv2.INTER_AREA) for file in files]
    target = torch.cat([to_tensor(image) for image in images])
    batch = {"input": overexpose(target, 0.5), "target": target}
    assert len(target) == 8

    def decibels(name: str, *, steps: int, learning_rate: float, **settings: Any) -> float:
        torch.manual_seed(0)
        entry = catalog.load("models", name)
        network, judge = entry.function()(**settings).train(), entry.function("discriminator")(width=8).train()
        own, theirs = (
            torch.optim.Adam(module.parameters(), learning_rate, (0.5, 0.999)) for module in (network, judge)
        )
        for _ in range(steps):
            output = network(batch["input"])
            verdict = entry.function("discriminator_loss")(judge, output.detach(), batch)
            theirs.zero_grad()
            torch.stack(list(verdict.values())).sum().backward()
            theirs.step()
            terms = entry.function("loss")(output, batch, discriminator=judge)
            own.zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            own.step()
        with torch.no_grad():
            made = network.eval()(batch["input"])
        before, after = ((shown - target).square().mean((1, 2, 3)) for shown in (batch["input"], made))
        gain = (10 * torch.log10(before / after)).mean().item()
        print(f"{name}: {gain:.2f} dB above the input after {steps} steps")
        return gain

    return decibels
