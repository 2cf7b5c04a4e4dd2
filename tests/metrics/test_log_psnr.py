import math

import pytest
import torch

from exposurebench.alignment import align, near_peak, to_nits
from exposurebench.metrics.log_psnr import VARIANTS, log_psnr


def aligned(**steps):
    """The metric behind the steps of a protocol."""
    return lambda prediction, target: log_psnr(*align(prediction, target, **steps))


plain = aligned(**VARIANTS["plain"])


@pytest.mark.parametrize("factor", [1.01, 2.0, 10.0])
def test_closed_form(light, factor):
    """A constant ratio is a constant error of its logarithm: 20 log10(6 / log10 factor)."""
    target = to_nits(light, light)[1].clamp(max=500)
    expected = 20 * math.log10(6 / math.log10(factor))
    torch.testing.assert_close(plain(target / factor, target), torch.full((4,), expected, dtype=torch.float64))


def test_twice_as_bright_and_half_as_bright_are_alike(light):
    target = to_nits(light, light)[1].clamp(max=400)
    torch.testing.assert_close(plain(2 * target, target), plain(target / 2, target))


def test_light_below_six_decades_counts_as_their_end(light):
    target = to_nits(light, light)[1].clamp(max=1000)
    end = 1e-6 * near_peak(target)
    dark = torch.rand(target.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    darker, at_the_end = (log_psnr(torch.where(dark, value, target), target) for value in (1e-3 * end, end))
    assert torch.equal(darker, at_the_end)
    assert (log_psnr(torch.where(dark, 2 * end, target), target) > at_the_end).all()


def test_scale_of_both_does_not_matter(light):
    target = to_nits(light, light)[1].clamp(max=500)
    prediction = target.flip(3)
    torch.testing.assert_close(plain(prediction / 7, target / 7), plain(prediction, target))


def test_sparkle_gains_nothing_in_the_headline(light, unclipped, sparkling):
    honest, cheat = (to_nits(side, light) for side in (light.clamp(max=1), sparkling))
    headline = aligned(unclipped=unclipped)
    legacy = aligned(**VARIANTS["percentile"])
    assert (headline(*cheat) < headline(*honest)).all()
    assert (legacy(*cheat) - legacy(*honest) > 12).all()


def test_gradient(light):
    target = to_nits(light, light)[1][:1, :, ::20, ::20].contiguous()
    prediction = (0.5 * target.flip(3) + 1).clamp(max=90).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: aligned()(x, target), (prediction,), atol=1e-4)
