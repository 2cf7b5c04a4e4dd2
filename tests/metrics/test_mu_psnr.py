import math

import numpy as np
import pytest
import torch

from exposurebench.alignment import align, to_nits
from exposurebench.metrics.mu_psnr import VARIANTS, mu_psnr


def aligned(**steps):
    """The metric behind the steps of a protocol."""
    return lambda prediction, target: mu_psnr(*align(prediction, target, **steps))


plain = aligned(**VARIANTS["plain"])


def test_by_numpy(light):
    prediction, target = to_nits(light.flip(3), light)
    for i, score in enumerate(plain(prediction, target)):
        ours, theirs = (side[i].numpy().clip(None, 1000) for side in (prediction, target))
        peak = np.sort(theirs, axis=None)[-(theirs.size // 1000)]
        ours, theirs = (np.log(1 + 5000 * np.minimum(side / peak, 1)) / np.log(5001) for side in (ours, theirs))
        expected = -10 * np.log10(np.square(ours - theirs).mean())
        assert score.item() == pytest.approx(expected, abs=1e-9)


def test_one_value_of_many():
    target = torch.full((1, 3, 5, 7), 100.0, dtype=torch.float64)
    prediction = target.clone()
    prediction[0, 1, 2, 3] = 100 / 5000
    error = (1 - math.log(2) / math.log(5001)) ** 2 / 105
    assert plain(prediction, target).item() == pytest.approx(-10 * math.log10(error), abs=1e-9)


def test_light_beyond_the_percentile_does_not_count(light):
    target = to_nits(light, light)[1]
    brighter = torch.where(target >= 1000, 2 * target, target)
    assert plain(brighter, target).isposinf().all()


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
