"""Sides of any length, fields of view, noise that can be repeated, the patch discriminator."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from exposurebench.layers import PatchDiscriminator, Window, field_of_view, normal_noise, padded, spectrally_normed


@pytest.mark.parametrize(("mode", "numpys"), [("reflect", "reflect"), ("replicate", "edge")])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (16, 9), (40, 3)])
def test_padding_is_numpys(size, mode, numpys):
    images = torch.rand(2, 3, *size)
    grown = padded(images, 16, mode)
    more = [(0, -side % 16) for side in size]
    assert np.array_equal(grown.numpy(), np.pad(images.numpy(), [(0, 0), (0, 0), *more], mode=numpys))


def test_nothing_is_padded_where_nothing_is_missing():
    images = torch.rand(1, 3, 32, 16)
    assert padded(images, 16) is images


def test_gradients_flow_through_padding():
    images = torch.rand(1, 3, 5, 7, requires_grad=True)
    padded(images, 4)[..., :5, :7].sum().backward()
    assert torch.equal(images.grad, torch.ones_like(images))


# ---------------------------------------------------------------------------------------------- fields of view


@pytest.mark.parametrize(
    ("windows", "period", "expected"),
    [
        ([Window(3)], 1, 3),
        ([Window(5, 2)] * 6, 1, 253),  # paper 3's discriminator
        ([*[Window(3), Window(3), Window(2, 2, 0)] * 4, Window(3), Window(3)], 1, 140),
        ([*[Window(3), Window(3), Window(2, 2, 0)] * 3, Window(3), Window(3)], 1, 68),
        ([Window(2, 2, 0), Window(2, 2, 0, up=True)], 2, 2),
        ([Window(4, 2, 1), Window(4, 2, 1, up=True)], 2, 6),
    ],
)
def test_arithmetic_of_fields(windows, period, expected):
    assert field_of_view(windows, period) == expected


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (4, 2, 1), (5, 3, 2), (3, 1, 1)])
def test_a_transposed_convolution_sees_what_its_gradient_says(kernel, stride, padding):
    image = torch.zeros(1, 1, 1, 12, requires_grad=True)
    weight = torch.ones(1, 1, 1, kernel)
    out = torch.nn.functional.conv_transpose2d(image, weight, stride=(1, stride), padding=(0, padding))
    for unit in range(6, 6 + stride):
        image.grad = None
        out[0, 0, 0, unit].backward(retain_graph=True)
        seen = image.grad[0, 0, 0].nonzero().flatten()
        assert Window(kernel, stride, padding, up=True).seen(unit, unit) == (seen[0], seen[-1])


# --------------------------------------------------------------------------------------------------------- noise


def test_noise_is_normal():
    noise = normal_noise([0], 0, (16, 256, 256)).double().flatten()
    count = noise.numel()
    assert abs(noise.mean()) < 4 / count**0.5
    assert abs(noise.var() - 1) < 4 * (2 / count) ** 0.5
    ordered = noise.sort().values
    expected = 0.5 * (1 + torch.erf(ordered / math.sqrt(2)))
    steps = torch.arange(1, count + 1) / count
    assert (expected - steps).abs().max() < 1.63 / count**0.5, "Kolmogorov and Smirnov's test at 1 %"


def test_neighbours_know_nothing_of_each_other():
    noise = normal_noise([3, 4], 5, (8, 128, 128)).double()
    pairs = {
        "columns": (noise[..., 1:], noise[..., :-1]),
        "rows": (noise[..., 1:, :], noise[..., :-1, :]),
        "diagonal": (noise[..., 1:, 1:], noise[..., :-1, :-1]),
        "transposed": (noise.triu(1), noise.transpose(2, 3).triu(1)),
        "channels": (noise[:, 1:], noise[:, :-1]),
        "images": (noise[:1], noise[1:]),
        "layers": (noise, normal_noise([3, 4], 6, (8, 128, 128)).double()),
        "seeds": (noise[:1], normal_noise([4], 5, (8, 128, 128)).double()),
    }
    for name, (ours, theirs) in pairs.items():
        correlation = (ours * theirs).mean().item()
        assert abs(correlation) < 5 / ours.numel() ** 0.5, name


def test_noise_of_a_tile_and_of_an_image_in_a_batch():
    whole = normal_noise([7, 8], 2, (3, 40, 30))
    assert torch.equal(normal_noise([8], 2, (3, 8, 16), origin=(24, 8)), whole[1:, :, 24:32, 8:24])
    assert torch.equal(normal_noise([8, 7], 2, (3, 40, 30)), whole.flip(0))
    assert not torch.equal(normal_noise([9], 2, (3, 40, 30)), whole[:1])


def test_noise_stays_what_it_is():
    """A change of these numbers would change the pictures of every checkpoint that has noise."""
    pinned = [-0.6465989, -0.1968702, 0.8756315, 1.0614953]
    assert normal_noise([0, -1], 3, (1, 1, 2)).flatten().tolist() == pytest.approx(pinned, abs=1e-6)


# ------------------------------------------------------------------------------------------------ spectral norm


@pytest.mark.parametrize("kind", [torch.nn.Conv2d, torch.nn.ConvTranspose2d])
def test_spectral_norm_is_torchs_and_the_largest_singular_value(kind):
    torch.manual_seed(0)
    ours, theirs = (kind(5, 7, 3).double() for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    weight = ours.weight.detach().clone()
    spectrally_normed(ours)
    torch.nn.utils.parametrizations.spectral_norm(theirs)
    images = torch.rand(2, 5, 9, 9, dtype=torch.float64)
    for _ in range(1500):
        ours(images), theirs(images)
    matrix = weight.transpose(0, 1).flatten(1) if kind is torch.nn.ConvTranspose2d else weight.flatten(1)
    largest = torch.linalg.matrix_norm(matrix, 2)
    torch.testing.assert_close(ours.weight, weight / largest)
    torch.testing.assert_close(ours(images), theirs(images))
    for made in (ours, theirs):
        made(images).square().sum().backward()
    gradients = [made.parametrizations.weight.original.grad for made in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_spectral_norm_passes_twice_before_the_gradient_and_ignores_autocast():
    torch.manual_seed(0)
    layer = spectrally_normed(torch.nn.Conv2d(4, 8, 3))
    images = torch.rand(1, 4, 8, 8)
    (layer(images) + layer(images)).sum().backward()
    layer.eval()
    with torch.autocast("cpu", torch.bfloat16):
        inside = layer.weight
    assert torch.equal(inside, layer.weight)


def test_spectral_norm_costs_nothing_on_the_meta_device():
    with torch.device("meta"):
        made = spectrally_normed(torch.nn.Conv2d(4, 8, 3))
    made.load_state_dict(spectrally_normed(torch.nn.Conv2d(4, 8, 3)).state_dict(), assign=True)
    assert made(torch.rand(1, 4, 8, 8)).isfinite().all()


# ----------------------------------------------------------------------------------------- patch discriminator


def test_a_score_depends_on_its_patch_alone():
    torch.manual_seed(0)
    judge = PatchDiscriminator(width=4).double().eval()
    for parameter in judge.parameters():
        parameter.data = parameter.data.abs() + 0.01
    image = torch.rand(1, 3, 128, 128, dtype=torch.float64, requires_grad=True)
    scores = judge(image, image)
    assert scores.shape == (1, 1, 14, 14)
    scores[0, 0, 7, 7].backward()
    seen = (image.grad[0].abs().sum(0) > 0).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [field_of_view(judge.windows)] * 2 == [70, 70]


@pytest.mark.parametrize("strides", [(2, 2, 1, 1), (2, 2, 2, 1, 1), (2, 2, 2, 2, 1, 1)])
def test_the_smallest_patch_has_one_score(strides):
    judge = PatchDiscriminator(strides, width=2)
    image = torch.rand(2, 3, judge.smallest, judge.smallest)
    assert judge(image, image).shape == (2, 1, 1, 1)
    small = pad(image, (0, -1))
    with pytest.raises(ValueError, match=f"needs patches of {judge.smallest} px or more, not {judge.smallest - 1} x"):
        judge(small, small)


def test_every_convolution_is_normed_and_eval_leaves_it_alone():
    torch.manual_seed(0)
    judge = PatchDiscriminator(width=4, batch_norm=False, spectral_norm=True)
    image = torch.rand(2, 3, 64, 64)
    for _ in range(60):
        judge(image, image)
    convolutions = [layer for layer in judge.layers if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == 5
    for layer in convolutions:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
    before = {name: tensor.clone() for name, tensor in judge.eval().state_dict().items()}
    judge(image, image)
    assert all(torch.equal(tensor, before[name]) for name, tensor in judge.state_dict().items())
