import math

import pytest
import torch

from exposurebench.metrics.hdrvdp import pooling

WEIGHTS = ((16.0, 8.0, 4.0), (1.0, 0.5, 0.0))


def test_weights_between_and_beyond():
    assert [pooling.weight(f, WEIGHTS) for f in (100, 16, 12, 6, 1)] == [1.0, 1.0, 0.75, 0.25, 0.0]


def test_errors_are_not_a_root_mean_square():
    band = torch.full((1, 2, 5, 4), 3.0, dtype=torch.float64)
    (error,) = pooling.log_errors([band], torch.ones(1, 1, 5, 4, dtype=torch.float64))
    assert error[0].tolist() == pytest.approx([math.log(3 * math.sqrt(20) / 20)] * 2)


def test_nothing_seen_is_best():
    none = [torch.zeros(2, 4, 6, 6), torch.zeros(2, 1, 3, 3)]
    mask = torch.zeros(2, 1, 6, 6)
    errors = pooling.log_errors(none, mask)
    assert pooling.quality_2_2_2(errors, (16.0, 8.0), WEIGHTS).tolist() == [100.0, 100.0]
    quality = pooling.quality_3(none, mask)
    assert quality.tolist() == [10.0, 10.0]
    assert pooling.just_objectionable(quality).tolist() == [10.0, 10.0]


def test_release_2_2_0_divides_by_the_bands():
    errors = [torch.full((1, 4), -2.0), torch.full((1, 1), -6.0)]
    assert pooling.quality_2_2_0(errors, (16.0, 8.0), WEIGHTS).item() == pytest.approx((4 * -2 + 0.5 * -6) / 5)


def test_quality_3_by_hand():
    band = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    expected = 6 - math.log(math.exp(-4) + 0.5 / 2)
    found = pooling.quality_3([band, 0 * band], torch.ones(1, 1, 4, 4, dtype=torch.float64))
    assert found.item() == pytest.approx(expected)
    jod = 10 - 0.52 * (10 - expected) ** 1.2812
    assert pooling.just_objectionable(found).item() == pytest.approx(jod)


def test_pixels_that_agree_count_nothing():
    band = torch.ones(1, 1, 8, 8)
    mask = torch.ones(1, 1, 8, 8)
    mask[..., 4:] = 0
    (kept,) = pooling.where_different([band], mask)
    assert torch.equal(kept, mask)
