"""What every model promises, checked of every file in the folder."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from exposurebench import catalog
from exposurebench.catalog import Entry
from exposurebench.checkpoint import Checkpoint, build_network

NAMES = catalog.names("models")
ADVERSARIAL = [name for name in NAMES if hasattr(catalog.load("models", name).module, "discriminator")]
SHAPES = [
    name
    for name in NAMES
    if "/" not in name or {*(entry := catalog.load("models", name)).settings} & {*entry.parameters()}
]
"""Without the variants whose network is the plain one."""
Terms = dict[str, torch.Tensor]


def small(name: str, function: str = "network", width: int = 4) -> nn.Module:
    """A network or discriminator of few channels, with seeded weights."""
    made = catalog.load("models", name).function(function)
    torch.manual_seed(0)
    module: nn.Module = made(width=width) if "width" in catalog.keywords(made_of(made)) else made()
    return module


def made_of(function: Callable[..., Any]) -> Callable[..., Any]:
    return getattr(function, "func", function)


def seeded(name: str, count: int) -> tuple[Any, ...]:
    """What a network takes beside the images: noise has a seed for each."""
    return (list(range(count)),) if getattr(catalog.load("models", name).module, "NOISY", False) else ()


# -------------------------------------------------------------------------------------------------------- facts


@pytest.mark.parametrize("name", NAMES)
def test_facts(name: str) -> None:
    entry = catalog.load("models", name)
    assert all(str(entry.fact(fact)).strip() for fact in ("TITLE", "PAPER"))
    assert {entry.fact("TAKES"), entry.fact("GIVES")} <= {"srgb", "linear"}
    with torch.device("meta"):
        assert parameters(entry.function()()) == entry.fact("PARAMETERS")
        if name in ADVERSARIAL:
            assert parameters(entry.function("discriminator")()) == entry.fact("DISCRIMINATOR_PARAMETERS")


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", SHAPES)
def test_fields_of_view_are_what_the_gradient_says(name: str, measured_fields: Callable[..., tuple[int, int]]) -> None:
    """Of a unit at the bottom, and of the output, whose fields differ from pixel to pixel."""
    entry = catalog.load("models", name)
    multiple, output = entry.fact("MULTIPLE"), entry.fact("OUTPUT_FIELD_OF_VIEW")
    expected: tuple[Any, Any] = (entry.fact("FIELD_OF_VIEW"), output)
    network = small(name, width=1)
    if "whole image" in expected:
        found = measured_fields(network, 1, (multiple, multiple))
        assert tuple("whole image" if columns == multiple else columns for columns in found) == expected
        return
    found = measured_fields(network, multiple, (max(multiple, 8), -(-2 * output // multiple) * multiple))
    print(f"{name}: a unit at the bottom sees {found[0]}, the output {found[1]}")
    assert found == expected


# ---------------------------------------------------------------------------------------------------------- use


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (37, 53)])
@pytest.mark.parametrize("name", NAMES)
def test_any_size(name: str, size: tuple[int, int]) -> None:
    with torch.no_grad():
        output = small(name).eval()(torch.rand(1, 3, *size))
    assert output.shape == (1, 3, *size)
    assert output.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    images = torch.rand(3, 3, 37, 53, generator=torch.Generator().manual_seed(1))
    network = small(name).eval()
    for parameter in network.parameters():
        parameter.data += 0.1 * (not parameter.any())  # noise that begins without effect has one
    seeds = seeded(name, 3)
    with torch.no_grad():
        together = network(images, *seeds)
        alone = torch.cat([network(images[i : i + 1], *([s[i]] for s in seeds)) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_use_changes_nothing_and_weights_travel(name: str) -> None:
    """Spectral norm and batch norm have states of their own, which a checkpoint holds."""
    network = small(name).train()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    network(images)
    before = {key: tensor.clone() for key, tensor in network.eval().state_dict().items()}
    with torch.no_grad():
        expected = network(images)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    entry = catalog.load("models", name)
    settings = {"width": 4} if "width" in entry.parameters() else {}
    stored = io.BytesIO()
    torch.save(before, stored)
    stored.seek(0)
    again = build_network(Checkpoint(name, settings, torch.load(stored, weights_only=True)))
    assert torch.equal(again(images), expected)


# ----------------------------------------------------------------------------------------------------- training


def clipped_batch() -> Terms:
    target = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    shown = (target / 0.73).clamp(0, 1)
    return {"input": shown, "target": target, "radiance": target**2.2}


def parts(entry: Entry) -> tuple[nn.Module, nn.Module | None, Callable[[], Any], Callable[[Any], Terms]]:
    """A small network, its discriminator, its output on one batch and the loss of that."""
    network, batch = small(entry.name).train(), clipped_batch()
    judge = small(entry.name, "discriminator").train() if entry.name in ADVERSARIAL else None
    given = {"discriminator": judge} if judge else {}
    forward = entry.function("forward") if hasattr(entry.module, "forward") else None

    def output() -> Any:
        torch.manual_seed(4)  # noise and dropout are drawn again
        return forward(network, batch, discriminator=judge) if forward else network(batch["input"])

    return network, judge, output, lambda made: entry.function("loss")(made, batch, **given)


def total(terms: Terms) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_lowers_the_loss(name: str) -> None:
    network, judge, output, loss = parts(catalog.load("models", name))
    if judge:
        judge.eval()
    terms = loss(output())
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    before = total(terms)
    before.backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in trained)
    torch.optim.Adam(trained, 1e-4).step()
    assert total(loss(output())).item() < before.item()


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_step_lowers_the_loss_of_the_discriminator(name: str) -> None:
    entry = catalog.load("models", name)
    _, judge, output, _ = parts(entry)
    assert judge is not None
    with torch.no_grad():
        made = output()
    batch = clipped_batch()
    before = total(entry.function("discriminator_loss")(judge, made, batch))
    before.backward()
    torch.optim.Adam(judge.parameters(), 1e-4).step()
    assert total(entry.function("discriminator_loss")(judge, made, batch)).item() < before.item()


@pytest.mark.parametrize("name", NAMES)
def test_nonsense_settings_are_refused(name: str) -> None:
    entry = catalog.load("models", name)
    for function in ("network", *(["discriminator"] if name in ADVERSARIAL else [])):
        if "width" in catalog.keywords(getattr(entry.module, function)):
            with pytest.raises(ValueError, match="width"):
                entry.function(function)(width=0)
