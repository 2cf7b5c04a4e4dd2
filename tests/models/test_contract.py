"""What every model promises, checked of every file in the folder."""

import pytest
import torch

from exposurebench import catalog

NAMES = catalog.names("models")


def build(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return catalog.load("models", name).function()().eval()


@pytest.mark.parametrize("name", NAMES)
def test_facts(name: str) -> None:
    entry = catalog.load("models", name)
    assert all(str(entry.fact(fact)).strip() for fact in ("TITLE", "PAPER", "TAKES", "GIVES"))
    assert sum(p.numel() for p in build(name).parameters()) == entry.fact("PARAMETERS")


@pytest.mark.parametrize("name", NAMES)
def test_field_of_view_is_what_the_gradient_says(name: str) -> None:
    side = catalog.load("models", name).fact("FIELD_OF_VIEW") + 10
    network = build(name).double()
    for parameter in network.parameters():  # positive weights: no path can cancel another or be cut by a ReLU
        parameter.data = parameter.data.abs() + 0.01
    image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    network(image)[0, 0, side // 2, side // 2].backward()
    seen = (image.grad[0].abs().sum(0) > 0).nonzero()
    spans = (seen.max(0).values - seen.min(0).values + 1).tolist()
    assert spans == [catalog.load("models", name).fact("FIELD_OF_VIEW")] * 2


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (64, 33)])
@pytest.mark.parametrize("name", NAMES)
def test_any_size(name: str, size: tuple[int, int]) -> None:
    assert build(name)(torch.rand(1, 3, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    images = torch.rand(3, 3, 17, 19, generator=torch.Generator().manual_seed(1))
    network = build(name)
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_lowers_the_loss(name: str) -> None:
    entry = catalog.load("models", name)
    network = build(name).train()
    target = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    batch = {"input": (target / 0.73).clamp(0, 1), "target": target}
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)
    before = sum(entry.function("loss")(network(batch["input"]), batch).values())
    before.backward()
    optimizer.step()
    assert sum(entry.function("loss")(network(batch["input"]), batch).values()).item() < before.item()


@pytest.mark.parametrize("name", NAMES)
def test_nonsense_settings_are_refused(name: str) -> None:
    entry = catalog.load("models", name)
    if "width" in entry.parameters():
        with pytest.raises(ValueError, match="width"):
            entry.function()(width=0)
