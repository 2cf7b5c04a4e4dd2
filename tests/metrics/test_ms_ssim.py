import piq
import pytest
import torch
from torch.nn.functional import avg_pool2d

from exposurebench.metrics.ms_ssim import SCALES, ms_ssim
from exposurebench.metrics.ssim import ssim_maps


@pytest.fixture
def large(images):
    """The images with their mirror images, so that they are wide enough, of odd size."""
    wide = torch.cat((images, images.flip(3)), 3)
    return torch.cat((wide, wide.flip(2)), 2)[..., :181, :203]


@pytest.fixture
def noisy(large):
    generator = torch.Generator().manual_seed(4)
    return (large + 0.1 * torch.randn(large.shape, generator=generator, dtype=torch.float64)).clamp(0, 1)


def test_agrees_with_piq_on_even_sizes(large, noisy):
    """It drops odd rows, so that sizes must be multiples of 16; it scores the three channels."""
    sides = noisy[..., :176, :192], large[..., :176, :192]
    torch.testing.assert_close(
        ms_ssim(*sides, color="rgb"), piq.multi_scale_ssim(*sides, reduction="none"), atol=1e-5, rtol=0
    )


def test_is_the_product_over_scales(large, noisy):
    sides = [noisy[:1, :, :176, :176], large[:1, :, :176, :176]]
    expected = torch.ones(3, dtype=torch.float64)
    for scale, weight in enumerate(SCALES):
        luminance, structure = ssim_maps(*sides)
        factor = luminance * structure if scale == 4 else structure
        expected *= factor.mean((0, 2, 3)) ** weight
        sides = [avg_pool2d(side, 2) for side in sides]
    assert ms_ssim(noisy[:1, :, :176, :176], large[:1, :, :176, :176], color="rgb").item() == pytest.approx(
        expected.mean().item(), abs=1e-12
    )


@pytest.mark.parametrize("color", ["luma", "luma8", "rgb"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_images_are_exactly_one(large, color, dtype):
    assert (ms_ssim(large.to(dtype), large.to(dtype), color=color) == 1).all()


def test_symmetric(large, noisy):
    assert torch.equal(ms_ssim(large, noisy), ms_ssim(noisy, large))


def test_opposite_structure_scores_zero_and_has_a_gradient(large):
    prediction = (1 - large[:1]).requires_grad_()
    score = ms_ssim(prediction, large[:1])
    assert score.item() == 0
    score.sum().backward()
    assert (prediction.grad == 0).all()


def test_gradient_is_the_slope(large, noisy):
    prediction, target = noisy[:1], large[:1]
    direction = torch.randn(prediction.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moving = prediction.clone().clamp(0.01, 0.99).requires_grad_()
    (slope,) = torch.autograd.grad(ms_ssim(moving, target).sum(), moving)
    step = 1e-6
    ends = [ms_ssim(moving.detach() + sign * step * direction.clamp(-3, 3), target) for sign in (1, -1)]
    numeric = (ends[0] - ends[1]).item() / (2 * step)
    assert (slope * direction.clamp(-3, 3)).sum().item() == pytest.approx(numeric, rel=1e-5)


def test_smallest_size():
    smallest = torch.rand(1, 3, 176, 177, generator=torch.Generator().manual_seed(0))
    assert 0 < ms_ssim(0.5 * smallest, smallest).item() < 1
    with pytest.raises(ValueError, match="176 px"):
        ms_ssim(smallest[:, :, :175], smallest[:, :, :175])


def test_refuses_an_unknown_color(large):
    with pytest.raises(ValueError, match="color"):
        ms_ssim(large, large, color="lab")
