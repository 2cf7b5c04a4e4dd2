import math

import pytest
import torch

from exposurebench.color import srgb_to_display, srgb_to_light
from exposurebench.exposure import overexpose
from exposurebench.metrics.exposure_error import FLOOR, exposure_error


@pytest.mark.parametrize("stops", [-3.0, -1.0, 0.5, 2.0])
def test_light_times_two_is_a_stop(stops):
    light = torch.linspace(0.01, 0.24, 60, dtype=torch.float64).view(1, 3, 4, 5)
    brighter = srgb_to_display(2**stops * light)
    assert exposure_error(brighter, srgb_to_display(light)).item() == pytest.approx(stops, abs=1e-12)


def test_clipping_at_tau_is_its_exposure_where_nothing_clips():
    """tau 0.5 is +1 EV, plus for too bright."""
    target = torch.linspace(0.1, 0.7, 60, dtype=torch.float64).view(1, 3, 4, 5)
    assert exposure_error(overexpose(target, 0.5, "srgb"), target).item() == pytest.approx(1, abs=1e-12)


def test_is_the_mean_over_pixels_of_the_ratio_of_luminance(images):
    prediction = 0.7 * images + 0.1
    weights = torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64).view(3, 1, 1)
    sides = [(weights * srgb_to_light(side)).sum(1).clamp(min=FLOOR) for side in (prediction, images)]
    torch.testing.assert_close(exposure_error(prediction, images), (sides[0] / sides[1]).log2().mean((1, 2)))


def test_swapped_images_change_the_sign(images):
    assert torch.equal(exposure_error(images, 0.5 * images), -exposure_error(0.5 * images, images))


def test_below_level_one_there_is_no_ratio():
    black = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    assert srgb_to_light(black + 1 / 255).max().item() == pytest.approx(FLOOR, rel=1e-12)
    assert exposure_error(black + 1 / 255, black).item() == pytest.approx(0, abs=1e-12)
    assert exposure_error(black + 2 / 255, black).item() == pytest.approx(1, abs=1e-12)
    assert exposure_error(black + 1, black).item() == pytest.approx(math.log2(255 * 12.92), abs=1e-12)


def test_gradient(images):
    target = images[:1, :, :3, :4]
    prediction = (0.8 * target + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: exposure_error(x, target), (prediction,))
    black = torch.zeros(1, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    exposure_error(black, target).sum().backward()
    assert (black.grad == 0).all()
