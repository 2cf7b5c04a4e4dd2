"""FSIM and FSIMc, which share everything but colour."""

import math

import piq
import pytest
import torch

from exposurebench.metrics.fsim import decimated, fsim
from exposurebench.metrics.fsimc import fsimc

both = pytest.mark.parametrize("score", [fsim, fsimc])


@pytest.fixture
def noisy(images, noise):
    return (images + 0.1 * noise).clamp(0, 1)


@both
def test_agrees_with_piq(images, noisy, score):
    """But for opposite colours, of which the noisiest images have a few, and medians of an even number."""
    noisy = 0.5 * images + 0.5 * noisy
    expected = piq.fsim(noisy, images, chromatic=score is fsimc, reduction="none")
    torch.testing.assert_close(score(noisy, images), expected, atol=3e-5, rtol=0)


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_images_are_exactly_one(images, score, dtype):
    assert (score(images.to(dtype), images.to(dtype)) == 1).all()


@both
def test_symmetric(images, noisy, score):
    torch.testing.assert_close(score(images, noisy), score(noisy, images), atol=1e-14, rtol=0)


@both
def test_falls_as_noise_grows(images, noise, score):
    scores = torch.stack([score((images + s * noise).clamp(0, 1), images) for s in (0.01, 0.03, 0.1, 0.3)])
    assert (scores.diff(dim=0) < 0).all()


@both
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 3), (5, 4), (1, 40), (17, 9)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_size_has_a_score(score, size, dtype):
    target = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert (score(target, target) == 1).all()
    worse = score(0.5 * target, target)
    assert ((worse > 0) & (worse <= 1)).all()
    assert (worse < 1).all() or (score is fsim and 1 in size), "a line of pixels has no gradient and no features"


@both
def test_images_without_features_are_pooled_without_weights(score):
    gray = torch.full((2, 3, 40, 50), 0.5)
    assert (score(gray, gray) == 1).all()
    mask = torch.zeros(2, 1, 40, 50)
    mask[0, :, 10:20, 10:20] = 1
    found = score(0.8 * gray, gray, mask=mask)
    assert found[0] == 1, "neither has a gradient there, nor a colour"
    assert found[1].isnan()


def test_color_counts_in_fsimc_alone(images):
    gray = images.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
    torch.testing.assert_close(fsim(0.8 * gray, gray), fsimc(0.8 * gray, gray), atol=1e-6, rtol=0)
    # red and blue swapped for green so that luma stays
    turned = gray * 0.5
    turned[:, 0] += 0.1 / 0.299
    turned[:, 1] -= 0.1 / 0.587
    turned = turned.clamp(0, 1)
    assert (fsimc(turned, 0.5 * gray) < fsim(turned, 0.5 * gray) - 0.02).all()


def test_opposite_colors_count_by_the_real_part():
    """One flat colour against another on the other side of I, but not of Q."""
    target = torch.tensor([0.8, 0.3, 0.3], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 9, 9)
    prediction = torch.tensor([0.3, 0.5, 0.7], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 9, 9)
    rows = torch.tensor([[0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], dtype=torch.float64)
    ours, theirs = (255 * rows @ side[0, :, 0, 0] for side in (prediction, target))
    product = ((2 * ours * theirs + 200) / (ours**2 + theirs**2 + 200)).prod().item()
    assert product < 0
    expected = abs(product) ** 0.03 * math.cos(0.03 * math.pi)
    middle = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    middle[..., 2:-2, 2:-2] = 1
    assert fsimc(prediction, target, mask=middle).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("size", "factor"),
    [((383, 400), 1), ((384, 401), 2), ((640, 642), 3), ((643, 644), 3), ((900, 901), 4), ((902, 903), 4)],
)
def test_decimates_like_a_filter_with_zeros_around(size, factor):
    """A full convolution with a flat window, its middle part, of which every f-th value is kept."""
    images = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    window = torch.full((1, 1, factor, factor), 1 / factor**2, dtype=torch.float64)
    whole = torch.nn.functional.conv2d(images, window, padding=factor - 1)
    start = factor // 2
    middle = whole[..., start : start + size[0], start : start + size[1]]
    torch.testing.assert_close(decimated(images), middle[..., ::factor, ::factor], atol=1e-14, rtol=0)


@both
def test_gradient(images, score):
    target = images[:1, :, :12, :13]
    prediction = (0.8 * target + 0.1).requires_grad_()
    # steps this small seldom cross a bend of the larger of two or of an absolute value
    assert torch.autograd.gradcheck(lambda x: score(x, target), (prediction,), eps=1e-7, atol=1e-6)


@both
def test_gradient_of_flat_images_is_finite(score):
    prediction = torch.full((1, 3, 30, 31), 0.5, requires_grad=True)
    score(prediction, torch.full((1, 3, 30, 31), 0.4)).sum().backward()
    assert prediction.grad.isfinite().all()


def test_what_inference_mode_cached_serves_training():
    target = torch.rand(1, 3, 23, 29, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = fsim(0.5 * target, target)
    prediction = (0.5 * target).requires_grad_()
    found = fsim(prediction, target)
    found.backward()
    assert found.item() == expected.item()
    assert prediction.grad.isfinite().all()
