"""What is special about paper 0's system: presets, noise, adversarial labels, and its outlook."""

import copy

import pytest
import torch
from torch import nn

from exposurebench.errors import MissingError
from exposurebench.layers import field_of_view, normal_noise
from exposurebench.losses import perceptual
from exposurebench.metrics.histogram_similarity import statistics
from exposurebench.models import noise_unet
from exposurebench.models.noise_unet import LAYERS, SHAPES, STRIDES, discriminator, discriminator_loss, fields, network


def noisy(**settings) -> nn.Module:
    """A small network whose noise has an effect."""
    torch.manual_seed(0)
    made = network(width=4, **settings).eval()
    for name, parameter in made.named_parameters():
        if name.endswith("scale"):
            parameter.data += 0.5
    return made


def batch(side: int = 64) -> dict[str, torch.Tensor]:
    target = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(2))
    return {"input": (target / 0.73).clamp(0, 1), "target": target}


# ------------------------------------------------------------------------------------------------------ presets


@pytest.mark.parametrize(("preset", "bottom", "output"), [(47, 46, 78), (70, 70, 102), (140, 140, 204)])
def test_presets_see_what_they_say(preset, bottom, output, measured_fields):
    """A bottleneck unit's field by arithmetic and by gradient; that of the output beside it."""
    made = network(width=1, field_of_view=preset)
    assert fields(SHAPES[preset]) == (bottom, output)
    assert made.output_field_of_view == output
    assert measured_fields(made, made.multiple, (16, 512)) == (bottom, output)
    print(f"{preset}-class ({bottom}): the output sees {output}")


@pytest.mark.parametrize("field", STRIDES)
def test_discriminators_see_what_they_say(field):
    judges = discriminator(field_of_view=field, width=1, spectral_norm=False).double()
    assert field_of_view(judges.judges[0].windows) == field
    for parameter in judges.parameters():
        parameter.data = parameter.data.abs() + 0.01
    side = 64 * -(-(field + 80) // 64)
    image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    (scores,) = judges(image, image)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    seen = (image.grad[0].abs().sum(0) > 0).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [field, field]


@pytest.mark.parametrize(
    ("settings", "convolutions", "noisy_ones", "batch_norms"),
    [
        ({}, 22, 22, 20),
        ({"noise": "decoder"}, 22, 12, 20),
        ({"noise": "none"}, 22, 0, 20),
        ({"field_of_view": 70}, 19, 19, 17),
        ({"field_of_view": 47, "batch_norm": False}, 12, 12, 0),
    ],
)
def test_what_follows_a_convolution(settings, convolutions, noisy_ones, batch_norms):
    made = network(width=2, **settings)
    layers = [m for m in made.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == convolutions
    assert all(hasattr(layer, "parametrizations") for layer in layers)
    assert sum(name.endswith("scale") for name, _ in made.named_parameters()) == noisy_ones
    assert sum(isinstance(module, nn.BatchNorm2d) for module in made.modules()) == batch_norms


# -------------------------------------------------------------------------------------------------------- noise


def test_the_seed_decides_the_noise():
    made, images = noisy(), torch.rand(2, 3, 37, 53)
    with torch.no_grad():
        one, other = made(images, [1, 2]), made(images, [1, 3])
        assert torch.equal(made(images, [1, 2]), one)
        assert torch.equal(one[0], other[0])
        assert (one[1] - other[1]).abs().mean() > 1e-3
        assert torch.equal(made(images), made(images, [0, 0]))
        state = torch.get_rng_state()
        made(images)
    assert torch.equal(torch.get_rng_state(), state), "in use nothing is drawn from torch's generator"


def test_every_layer_has_noise_of_its_own():
    made = noisy()
    numbers = [module.number for module in made.modules() if isinstance(module, noise_unet._Layer)]
    assert sorted(numbers) == list(range(22))
    first = made.down[0][0]
    with torch.no_grad():
        seen = first(torch.zeros(1, 3, 8, 8), [5], (16, 32))
        plain = first.convolution(torch.zeros(1, 3, 8, 8))
    expected = plain + 0.5 * normal_noise([5], first.number, (4, 8, 8), origin=(16, 32))
    assert torch.equal(seen, expected.relu())


@pytest.mark.parametrize("settings", [{}, {"field_of_view": 70}, {"field_of_view": 47, "mask": 34, "mask_width": 2}])
def test_a_tile_is_a_part_of_the_whole(settings):
    """Where nothing that a pixel sees is cut off, tile and whole agree, noise and all."""
    made = noisy(**settings)
    reach = -(-made.output_field_of_view // 32) * 16
    columns = 2 * reach + 64
    image = torch.rand(1, 3, 32, columns + 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        whole = made(image, [9])
        tile = made(image[..., 64 : 64 + columns], [9], (0, 64))
    inside = slice(reach, columns - reach)
    torch.testing.assert_close(tile[..., inside], whole[..., 64 : 64 + columns][..., inside], atol=1e-5, rtol=0)
    elsewhere = made(image[..., 64 : 64 + columns], [9])[..., inside].detach()
    assert (elsewhere - tile[..., inside]).abs().max() > 1e-3, "noise goes with the place"


def test_training_draws_from_torchs_generator():
    made, images = noisy().train(), torch.rand(1, 3, 32, 32)
    outputs = []
    for seed in (1, 1, 2):
        again = copy.deepcopy(made)
        torch.manual_seed(seed)
        outputs.append(again(images))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


# ------------------------------------------------------------------------------------------------------- losses


class Turned(nn.Module):
    """``1 - D``."""

    def __init__(self, judges: nn.Module) -> None:
        super().__init__()
        self.turned = judges

    def forward(self, given: torch.Tensor, images: torch.Tensor) -> list[torch.Tensor]:
        return [1 - score for score in self.turned(given, images)]


def test_labels_are_symmetric(monkeypatch):
    """Real 0 and made 1 for D is the problem of real 1 and made 0 for 1 - D, gradients included."""
    torch.manual_seed(0)
    judges, output = discriminator(width=4).eval(), torch.rand(2, 3, 64, 64, requires_grad=True)

    def found(judging):
        judges.zero_grad()
        output.grad = None
        own = noise_unet.loss(output, batch(), discriminator=judging, l1=0.0)["adversarial"]
        theirs = discriminator_loss(judging, output.detach(), batch())
        (own + theirs["real"] + theirs["fake"]).backward()
        return [own, theirs["real"], theirs["fake"], output.grad, *(p.grad.clone() for p in judges.parameters())]

    straight = found(judges)
    monkeypatch.setattr(noise_unet, "REAL", 1.0)
    monkeypatch.setattr(noise_unet, "FAKE", 0.0)
    for ours, turned in zip(straight, found(Turned(judges)), strict=True):
        torch.testing.assert_close(ours, turned)


def test_a_discriminator_learns_0_for_real_and_1_for_made():
    class Says(nn.Module):
        def forward(self, given, images):
            return [images.mean().view(1, 1, 1, 1)]

    real, made = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    right = discriminator_loss(Says(), made, {"input": real, "target": real})
    wrong = discriminator_loss(Says(), real, {"input": real, "target": made})
    assert [term.item() for term in right.values()] == [0, 0]
    assert [term.item() for term in wrong.values()] == [0.5, 0.5]
    assert noise_unet.loss(real, {"input": real, "target": real}, discriminator=Says())["adversarial"].item() == 0


def test_the_terms_and_their_weights(vggs):
    features = noise_unet.frozen()["features"]
    pair = batch()
    output = (pair["input"] * 0.8).requires_grad_()
    terms = noise_unet.loss(output, pair, features=features, contrast=2.0)
    assert set(terms) == {"l1", "perceptual", "contrast"}
    assert terms["l1"].item() == pytest.approx(50 * (output - pair["target"]).abs().mean().item(), rel=1e-6)
    seen = perceptual(features, output, pair["target"], layers=LAYERS)
    assert terms["perceptual"].item() == pytest.approx(100 * seen.item(), rel=1e-6)
    ours, theirs = (statistics(images.detach())["contrast"] for images in (output, pair["target"]))
    assert terms["contrast"].item() == pytest.approx(2 * (ours - theirs).abs().mean().item(), rel=1e-4)
    before = noise_unet.loss(output, pair, features=features, before_relu=True)
    assert before["perceptual"].item() > terms["perceptual"].item(), "what a ReLU cuts off counts too"
    for term in terms.values():
        (gradient,) = torch.autograd.grad(term, output, retain_graph=True)
        assert gradient.isfinite().all() and gradient.any()


def test_contrast_of_a_constant_picture_has_a_gradient():
    output = torch.full((1, 3, 8, 8), 0.8, requires_grad=True)
    noise_unet.loss(output, batch(8) | {"target": torch.rand(1, 3, 8, 8)}, contrast=1.0)["contrast"].backward()
    assert output.grad.isfinite().all()


def test_no_weight_no_vgg(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert noise_unet.frozen(perceptual=0.0) == {}
    with pytest.raises(MissingError, match=r"--set loss\.vgg=PATH .*; --set loss\.perceptual=0 trains without"):
        noise_unet.frozen()


# ------------------------------------------------------------------------------------------------------ outlook


def test_three_scales_look_at_halves():
    torch.manual_seed(0)
    judges = discriminator(field_of_view=34, width=2, scales=3).eval()
    given, images = torch.rand(2, 1, 3, 96, 64)
    scores = judges(given, images)
    assert [tuple(score.shape[2:]) for score in scores] == [(22, 14), (10, 6), (4, 2)]
    smaller = (nn.functional.interpolate(each, scale_factor=0.25, mode="area") for each in (given, images))
    torch.testing.assert_close(scores[2], judges.judges[2](*smaller))


def test_a_mask_says_which_patches_look_made():
    class Judge(nn.Module):
        stride, smallest = 8, 24

        def forward(self, given, images):
            return torch.tensor([[[[0.4, 0.6], [0.9, -1.0]]]])

    mask = noise_unet.made_patches(Judge(), torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32))
    expected = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat_interleave(16, 0).repeat_interleave(16, 1)
    assert torch.equal(mask[0, 0], expected), "patches of 8 pixels around their centres, the border with the nearest"
    small = torch.zeros(1, 3, 16, 32)
    assert not noise_unet.made_patches(Judge(), small, small).any()


def test_the_network_learns_what_the_discriminator_says():
    torch.manual_seed(0)
    made, judges = network(width=2, mask=34, mask_width=4), discriminator(field_of_view=34, width=4)
    made.train(), judges.train()
    with torch.no_grad():
        judges.judges[0].layers[-1].bias += 3  # everything looks made to it
    noise_unet.forward(made, batch(), discriminator=judges)
    taught = judges.judges[0].state_dict()
    assert all(torch.equal(tensor, taught[name]) for name, tensor in made.judge.state_dict().items())
    assert not any(parameter.requires_grad for parameter in made.judge.parameters())
    made.eval()
    images = batch()["input"]
    assert noise_unet.made_patches(made.judge, images, images).all()
    with torch.no_grad():
        masked = made(images)
        made.judge.layers[-1].bias -= 6
        assert not torch.equal(made(images), masked)


def test_a_mask_needs_its_discriminator():
    made = network(width=2, mask=34, mask_width=4)
    with pytest.raises(ValueError, match=r"needs a discriminator: set loss\.adversarial, or network\.mask to 0"):
        noise_unet.forward(made, batch())
    for other in (discriminator(field_of_view=70, width=4), discriminator(field_of_view=34, width=8)):
        with pytest.raises(ValueError, match="must be the discriminator's field_of_view and width"):
            noise_unet.forward(made, batch(), discriminator=other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"field_of_view": 94}, "field_of_view must be one of 47, 70, 140, not 94"),
        ({"noise": "encoder"}, "noise must be none, decoder or everywhere, not 'encoder'"),
        ({"mask": 140}, "must be one of 34, 70, 94, 142, not 140"),
    ],
)
def test_nonsense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        network(width=2, **settings)


@pytest.mark.slow
def test_overfits_eight_real_pairs(decibels_above_the_input):
    assert decibels_above_the_input("noise_unet", steps=60, learning_rate=4e-3, width=8) >= 5
