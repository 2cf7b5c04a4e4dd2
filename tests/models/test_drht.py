import math
from pathlib import Path

import pytest
import torch
from torch import nn

from exposurebench import catalog
from exposurebench.images import Image
from exposurebench.models import drht
from exposurebench.models.drht import ALPHA, GAMMA, decoded, encoded, forward, loss, network
from exposurebench.pairing import triplet
from exposurebench.scene import Frame, Scene
from exposurebench.tensors import to_tensor


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def batch(side: int = 32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    radiance = torch.rand(2, 3, side, side, generator=generator) * 3
    return {"input": radiance.clamp(max=1) ** (1 / 2.2), "radiance": radiance, "target": radiance / (1 + radiance)}


def test_counts_of_both_layouts() -> None:
    with torch.device("meta"):
        article, released = network(), network(layout="released")
    assert (count(article.estimation), count(article.correction)) == (4_863_369, 4_863_369)
    assert count(released.correction) == 4_944_262
    norms = [module for module in released.correction.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 12 and all(norm.weight is None and norm.bias is not None for norm in norms)


def test_sizes_on_the_way_down_end_at_a_32nd() -> None:
    net = network(width=1).estimation
    seen, sizes = torch.rand(1, 3, 64, 96), []
    for layer in net.down:
        seen = layer.eval()(seen)
        sizes.append(tuple(seen.shape[1:]))
    assert sizes == [(1, 64, 96), (1, 32, 48), (2, 16, 24), (4, 8, 12), (4, 4, 6), (8, 2, 3)]


def test_light_is_coded_as_the_data_set_says() -> None:
    assert (ALPHA, GAMMA) == (triplet.ALPHA, triplet.GAMMA)
    assert round(ALPHA, 2) == 0.03 and round(GAMMA, 2) == 0.45
    light = torch.tensor([0.001, 1.0, 500.0])
    assert encoded(light).tolist() == pytest.approx([value ** (1 / 2.2) / 30 for value in (0.001, 1, 500)], rel=1e-5)
    assert torch.allclose(decoded(encoded(light)), light, rtol=1e-4)
    assert decoded(torch.tensor(-0.5)).item() == 0


def constant(layer: nn.Sequential, value: float) -> None:
    layer[1].weight.data.zero_()
    layer[1].bias.data.fill_(value)


def test_what_comes_up_meets_the_skip_as_a_plus_b_plus_ab() -> None:
    net = network(width=2).eval().correction
    constant(net.down[0], 0.7)
    constant(net.up[-1], -0.4)
    net.output[0].weight.data.fill_(0.5)  # the mean of two channels
    net.output[0].bias.data.zero_()
    a, b = math.expm1(-0.4), 0.7
    output = net(torch.rand(1, 3, 32, 32))
    assert torch.allclose(output, nn.functional.elu(torch.tensor(a + b + a * b)).expand_as(output), atol=1e-4)


def test_the_estimate_is_added_before_the_last_elu() -> None:
    net = network(width=2).eval()
    constant(net.estimation.output, 0.2)
    constant(net.correction.output, -0.5)
    output = net(torch.rand(1, 3, 32, 32))
    assert torch.allclose(output, torch.tensor(math.expm1(-0.3)).expand_as(output))


def test_the_second_network_sees_the_logarithm_of_the_light() -> None:
    net, seen = network(width=2).eval(), []
    constant(net.estimation.output, ALPHA * 4**GAMMA)
    net.correction.register_forward_pre_hook(lambda _, given: seen.append(given))
    net(torch.rand(1, 3, 32, 32))
    logarithm, estimate = seen[0]
    assert torch.allclose(logarithm, torch.tensor(math.log(4 + 1 / 255)).expand_as(logarithm), atol=1e-4)
    assert torch.allclose(estimate, torch.tensor(ALPHA * 4**GAMMA).expand_as(estimate))


@pytest.mark.parametrize(("training", "reaches"), [("joint", True), ("separate", False)])
def test_joint_training_teaches_the_first_network_by_the_picture(training: str, reaches: bool) -> None:
    torch.manual_seed(0)
    net = network(width=2, training=training)
    loss(forward(net, batch()), batch())["ldr"].backward()
    reached = any(p.grad is not None and p.grad.any() for p in net.estimation.parameters())
    assert reached is reaches
    assert all(p.grad is not None for p in net.correction.parameters())


def test_separate_training_shows_the_second_network_the_true_light() -> None:
    other = {**batch(), "radiance": batch()["radiance"] * 4}
    for training, same in (("joint", True), ("separate", False)):
        net = network(width=2, training=training).eval()
        assert torch.equal(forward(net, batch())["picture"], forward(net, other)["picture"]) is same
        images = batch()["input"]
        assert torch.equal(net(images), network_of(net, "joint")(images))  # in use, both go the whole way


def network_of(net: nn.Module, training: str, gives: str = "picture") -> nn.Module:
    again = network(width=2, training=training, gives=gives).eval()
    again.load_state_dict(net.state_dict())
    return again


def test_the_radiance_variant_gives_the_light_of_the_same_weights() -> None:
    entry = catalog.load("models", "drht/radiance")
    assert (entry.fact("GIVES"), catalog.load("models", "drht").fact("GIVES")) == ("linear", "srgb")
    net, images = network(width=2).eval(), batch()["input"]
    light = network_of(net, "joint", "light")(images)
    assert torch.equal(light, decoded(forward(net, batch())["light"]))
    assert light.min() >= 0 and light.max() > 0
    assert forward(network_of(net, "joint", "light"), batch()).keys() == {"picture", "light"}


def test_the_released_first_network_keeps_light_that_was_not_clipped() -> None:
    net = network(width=2, layout="released", gives="light").eval()
    images = batch()["input"]
    kept = (images.amax(1, keepdim=True) <= 0.95).expand_as(images)
    assert 0 < kept.sum() < kept.numel()
    assert torch.allclose(net(images)[kept], images.square()[kept], rtol=1e-3, atol=1e-6)
    black = torch.zeros(1, 3, 32, 32)
    loss(forward(net, {**batch(), "input": black.expand(2, 3, 32, 32)}), batch())["hdr"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_running_statistics_serve_outside_training() -> None:
    net = network(width=2).train()
    images = batch()["input"]
    net(images)
    together, alone = net.eval()(images), net(images[:1])
    assert torch.allclose(together[:1], alone, rtol=1e-4, atol=1e-5)


def test_losses_by_hand() -> None:
    output = {"picture": torch.full((1, 3, 2, 2), 0.5), "light": torch.zeros(1, 3, 2, 2)}
    terms = loss(output, {"target": torch.zeros(1, 3, 2, 2), "radiance": torch.ones(1, 3, 2, 2)}, ldr=3.0)
    assert terms["ldr"].item() == pytest.approx(3 * 0.25 / 2)
    assert terms["hdr"].item() == pytest.approx(0.1 / 2)
    literal = catalog.load("models", "drht/literal").function("loss")
    assert literal(output, {"target": output["picture"], "radiance": torch.ones(1, 3, 2, 2)})["hdr"].item() == (
        pytest.approx(0.1 / 900 / 2)
    )


def triplets(lights: list[Image]) -> dict[str, torch.Tensor]:
    scenes = (
        Scene(str(n), (Frame(Path("view.exr"), image=light, encoding="linear"),)) for n, light in enumerate(lights)
    )
    pairs = [pair for scene in scenes for pair in triplet.triplet(scene, ev="2")]
    sides = {side: [getattr(pair, side) for pair in pairs] for side in ("input", "target", "radiance")}
    return {side: torch.cat([to_tensor(image.as_float()) for image in images]) for side, images in sides.items()}


def learned(triplets: dict[str, torch.Tensor], **settings: float) -> tuple[float, float]:
    """Decibels of the picture above the input's, and the error of the coded light as a part of black's."""
    torch.manual_seed(0)
    net = network(width=8)
    optimizer = torch.optim.Adam(net.parameters(), drht_rate)
    for _ in range(300):
        optimizer.zero_grad()
        torch.stack(list(loss(forward(net, triplets), triplets, **settings).values())).sum().backward()
        optimizer.step()
    made = forward(net.eval(), triplets)
    errors = [(shown - triplets["target"]).square().mean() for shown in (triplets["input"], made["picture"])]
    light = encoded(triplets["radiance"])
    return 10 * torch.log10(errors[0] / errors[1]).item(), (
        (made["light"] - light).square().mean() / light.square().mean()
    ).item()


drht_rate = 1e-2
"""The article's."""


@pytest.mark.slow
def test_it_learns_eight_real_triplets_by_heart_and_the_light_too(lights_64: list[Image]) -> None:
    known = triplets(lights_64)
    assert len(known["input"]) == 8
    joint, light = learned(known, hdr=drht.VARIANTS["literal"]["hdr"])
    assert joint > 5
    assert light > 1, "with a weight of 0.1 the light in between is farther from the truth than black"
    joint, light = learned(known)
    assert joint > 5
    assert light < 0.5
