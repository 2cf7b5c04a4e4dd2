import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from exposurebench import crf
from exposurebench.errors import MissingError
from exposurebench.images import Image
from exposurebench.models.gated_radiance import (
    _Gated,
    clipped,
    discriminator,
    discriminator_loss,
    frozen,
    loss,
    network,
    rendered,
)
from exposurebench.pairing.relative_luminance import relative_luminance
from exposurebench.scene import Frame, Scene
from exposurebench.tensors import to_tensor


def picture(side: int = 32) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 1.3 % 1.0


def test_light_that_was_not_clipped_is_kept_and_the_rest_only_grows() -> None:
    images = picture()
    images[:, :, 8:16, 8:16] = 1.0
    output = network(width=4)(images)
    unclipped = (clipped(images) == 0).expand_as(images)
    assert 0 < unclipped.sum() < images.numel()
    assert torch.equal(output[unclipped], images.square()[unclipped])
    assert (output[~unclipped] > images.square()[~unclipped]).all()


def test_it_begins_near_doing_nothing_in_channels_that_are_not_clipped_too() -> None:
    images = picture()
    images[:, :, 8:16, 8:16] = 1.0
    images[:, 0, 8:12] = 0.1  # a channel that is not clipped, beside two that are
    factor = network(width=4)(images) / images.square()
    assert torch.allclose(factor, 1 + 0.1269 * clipped(images), atol=1e-4)


def test_the_mask_is_soft_and_of_the_brightest_channel() -> None:
    images = torch.zeros(1, 3, 1, 3)
    images[0, 1, 0] = torch.tensor([0.88, 0.94, 1.0])
    assert torch.allclose(clipped(images, threshold=0.12).flatten(), torch.tensor([0.0, 0.5, 1.0]), atol=1e-5)


def test_a_gate_is_half_of_a_convolution() -> None:
    layer = _Gated(1, 1, kernel=1)
    layer.convolution.weight.data = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1)
    layer.convolution.bias.data = torch.tensor([-1.0, 0.5])
    expected = math.expm1(2 * 0.2 - 1) / (1 + math.exp(-(-0.2 + 0.5)))
    assert layer(torch.full((1, 1, 1, 1), 0.2)).item() == pytest.approx(expected)


def test_skips_are_a_setting() -> None:
    with torch.device("meta"):
        counts = [sum(p.numel() for p in network(skips=skips).parameters()) for skips in (True, False)]
    assert counts[0] - counts[1] == 9 * (48 * 2 * 48 + 24 * 2 * 12)


def test_the_discriminator_sees_253_pixels() -> None:
    net = discriminator(width=1)
    layers = [layer for layer in net if isinstance(layer, nn.Conv2d)]
    assert [parametrize.is_parametrized(layer, "weight") for layer in layers] == [True] * 6
    for layer in layers:
        parametrize.remove_parametrizations(layer, "weight")
        layer.weight.data.fill_(1 / 25)
        layer.bias.data.zero_()
    net.double()
    images = torch.ones(1, 3, 64, 640, dtype=torch.float64, requires_grad=True)
    net(images)[0, 0, 0, 5].backward()
    columns = images.grad[0].abs().sum((0, 1)).nonzero().flatten()
    assert columns[-1] - columns[0] + 1 == 253


def test_the_rendering_is_what_the_data_set_has(lights_64: list[Image]) -> None:
    """The camera of the pairs and the one in the loss give the same 8-bit picture of the same light."""
    for curve in ("sqrt", "sigmoid:n=0.9,sigma=0.6"):
        scene = Scene("view", (Frame(Path("view.exr"), image=lights_64[0], encoding="linear"),))
        for pair in relative_luminance(scene, ev="-3,0,3", crf=curve):
            shown = rendered(to_tensor(pair.target.pixels.astype(np.float64), torch.float64), crf=curve)
            levels = (shown * 255).round()
            assert torch.equal(levels, torch.from_numpy(pair.input.pixels).permute(2, 0, 1)[None].double())


def test_a_measured_response_renders_and_has_gradients(tmp_path: Path) -> None:
    table = tmp_path / "curves.txt"
    table.write_text("film\ngraph\nI =\n0 0.25 1\nB =\n0 0.5 1\n", encoding="ascii")
    light = torch.tensor([0.125, 0.5, 3.0], requires_grad=True)
    shown = rendered(light, crf=f"dorf:{table}#film")
    assert torch.allclose(shown, torch.tensor([0.25, 2 / 3, 1.0]))
    shown.sum().backward()
    assert torch.allclose(light.grad, torch.tensor([2.0, 2 / 3, 0.0]))
    curve = crf.parse_curve(f"dorf:{table}#film")
    assert np.allclose(curve.to_display(np.array([0.125, 0.5, 3.0])), shown.detach().numpy())


@pytest.mark.parametrize(("ev", "taught"), [(0.0, False), (-3.0, True)], ids=["published", "reexposed"])
def test_at_the_inputs_exposure_nothing_is_taught_where_it_is_clipped(
    ev: float, taught: bool, vggs: dict[str, Path]
) -> None:
    """White is white: the published rendering has no gradient there, the variant's has."""
    light = torch.full((1, 3, 64, 64), 0.25)
    light[..., 32:] = 4.0  # two stops above white
    for term in ("adversarial", "perceptual"):
        output = light.clone().requires_grad_()
        seen = {"discriminator": discriminator(width=2)} if term == "adversarial" else frozen()
        terms = loss(output, {"target": light * 1.1}, rendering_ev=ev, log_mse=0.0, **seen)
        terms[term].backward()
        assert bool(output.grad[..., 32:].any()) is taught
        assert output.grad[..., :32].any()


def test_the_discriminator_looks_at_pictures_or_at_light() -> None:
    """A sum in place of the discriminator tells what it was shown."""
    batch, output = {"target": torch.full((1, 3, 2, 2), 4.0)}, torch.full((1, 3, 2, 2), 0.25)
    shown = nn.Identity()
    assert loss(output, batch, discriminator=shown, adversarial=2.0)["adversarial"].item() == -1.0  # sqrt(1 / 4)
    assert loss(output, batch, discriminator=shown, adversarial=2.0, sees="linear")["adversarial"].item() == -0.5
    assert discriminator_loss(shown, output, batch)["hinge"].item() == pytest.approx(0 + 1.5)
    assert discriminator_loss(shown, output, batch, sees="linear")["hinge"].item() == pytest.approx(0 + 1.25)
    assert discriminator_loss(shown, output, batch, sees="linear", rendering_ev=-3.0)["hinge"].item() == pytest.approx(
        0.5 + 1 + 0.25 / 8
    )
    with pytest.raises(ValueError, match="ldr or linear"):
        discriminator_loss(shown, output, batch, sees="hdr")


def test_log_mse_by_hand() -> None:
    terms = loss(torch.full((1, 3, 2, 2), 2.0), {"target": torch.zeros(1, 3, 2, 2)}, log_mse=3.0)
    assert terms["log_mse"].item() == pytest.approx(3 * math.log(2 * 255 + 1) ** 2, rel=1e-5)


def test_the_perceptual_term_looks_before_or_after_the_relu(vggs: dict[str, Path]) -> None:
    features = frozen()
    output, target = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    before, after = (
        loss(output, {"target": target}, before_relu=relu, **features)["perceptual"].item() for relu in (True, False)
    )
    assert before > 1.5 * after > 0  # what a ReLU cuts off is a difference, too
    assert frozen(perceptual=0) == {}


def test_without_vgg_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingError, match=r"loss\.perceptual=0"):
        frozen()


def batch_of(lights: list[Image]) -> dict[str, torch.Tensor]:
    scenes = (
        Scene(str(n), (Frame(Path("view.exr"), image=light, encoding="linear"),)) for n, light in enumerate(lights)
    )
    pairs = [pair for scene in scenes for pair in relative_luminance(scene, ev="2")]
    sides = {"input": [pair.input for pair in pairs], "target": [pair.target for pair in pairs]}
    return {side: torch.cat([to_tensor(image.as_float()) for image in images]) for side, images in sides.items()}


@pytest.mark.slow
def test_it_learns_eight_real_lights_by_heart(lights_64: list[Image]) -> None:
    """At + 2 EV half of the pixels are clipped; the squared error of their logarithms falls to a quarter."""
    batch = batch_of(lights_64)
    torch.manual_seed(0)
    net = network(width=8)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    errors = [loss(batch["input"].square(), batch)["log_mse"].item()]
    for _ in range(300):
        terms = loss(net(batch["input"]), batch)
        optimizer.zero_grad()
        terms["log_mse"].backward()
        optimizer.step()
    errors.append(terms["log_mse"].item())
    assert len(batch["input"]) == 8
    assert errors[1] < errors[0] / 4
