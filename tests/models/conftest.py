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
        falling, rising = (seen_columns(network, multiple, shape, falling=falling) for falling in (True, False))
        fields = [last - first + 1 for (first, _), (_, last) in zip(falling, rising, strict=True)]
        return fields[0], max(fields[1:])

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
                module.bias.data.fill_(0.3)  # no unit falls asleep on the way through logarithms
    return network.double().eval()


def seen_columns(network: nn.Module, multiple: int, shape: tuple[int, int], *, falling: bool) -> list[tuple[int, int]]:
    """The first and last column that units depend on: the middle one of the smallest map, then columns of the output.

    A pooling that keeps the largest looks where it is, so that a falling image shows the first and a rising one the
    last.
    """
    ramp = torch.linspace(0.96, 0.99, shape[1], dtype=torch.float64)
    image = (ramp.flip(0) if falling else ramp).expand(1, 3, *shape).clone().requires_grad_()
    maps: list[torch.Tensor] = []

    def keep(_: nn.Module, given: Any, made: torch.Tensor) -> None:
        maps.extend((given[0], made))

    hooks = [m.register_forward_hook(keep) for m in network.modules() if isinstance(m, CONVOLUTIONS)]
    output = network(image)
    for hook in hooks:
        hook.remove()
    smallest = min(seen.shape[3] for seen in maps)
    bottom = [seen for seen in maps if seen.shape[3] == smallest][-1]
    middle = shape[1] // 2
    units = [bottom[..., smallest // 2], *(output[..., at] for at in range(middle, min(middle + multiple, shape[1])))]
    found = []
    for unit in units:
        (gradient,) = torch.autograd.grad(unit.sum(), image, retain_graph=True)
        columns = gradient[0].abs().sum((0, 1)).nonzero().flatten()
        found.append((int(columns[0]), int(columns[-1])))
    return found


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
        network = entry.function()(**settings).train()
        own, given = torch.optim.Adam(network.parameters(), learning_rate, (0.5, 0.999)), {}
        if hasattr(entry.module, "discriminator"):
            given["discriminator"] = judge = entry.function("discriminator")(width=8).train()
            theirs = torch.optim.Adam(judge.parameters(), learning_rate, (0.5, 0.999))
        forward = entry.function("forward") if hasattr(entry.module, "forward") else None
        for _ in range(steps):
            output = forward(network, batch) if forward else network(batch["input"])
            if given:
                verdict = entry.function("discriminator_loss")(judge, output.detach(), batch)
                theirs.zero_grad()
                torch.stack(list(verdict.values())).sum().backward()
                theirs.step()
            terms = entry.function("loss")(output, batch, **given)
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


@pytest.fixture(scope="session")
def lights_64(shared: Path) -> list[Any]:
    """Two views of each of four real radiance maps, 64 x 64."""
    import cv2
    import numpy as np

    from exposurebench.images import Image, read_image

    found = []
    for path in sorted((shared / "data" / "hdr").glob("ph_*.hdr")):
        whole = read_image(path, encoding="linear").as_float()
        rows, columns = whole.shape[:2]
        for left in (0, columns // 2):
            view = np.ascontiguousarray(whole[rows // 4 : rows // 4 * 3, left : left + rows // 2])
            small = cv2.resize(view, (64, 64), interpolation=cv2.INTER_AREA)
            found.append(Image(small.clip(1e-5, None), 16, "linear"))
    return found
