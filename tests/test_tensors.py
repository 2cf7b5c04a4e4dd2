import math

import pytest
import torch

from exposurebench.tensors import checked_batch, checked_mask, checked_pair, region_mean

GOOD = torch.full((2, 3, 4, 5), 0.5)


def test_gives_back_what_it_got():
    prediction, target = checked_pair(GOOD, GOOD)
    assert prediction is GOOD
    assert target is GOOD


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e-6, 1 + 1e-6])
@pytest.mark.parametrize("side", ["prediction", "target"])
def test_refuses_values(value, side):
    bad = GOOD.clone()
    bad[1, 2, 3, 4] = value
    with pytest.raises(ValueError, match=side):
        checked_pair(**({"prediction": GOOD, "target": GOOD} | {side: bad}))


def test_light_has_no_ceiling():
    assert checked_batch(GOOD * 1e6, peak=None).max() == 5e5
    with pytest.raises(ValueError, match="at or above 0"):
        checked_batch(-GOOD, peak=None)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.float16, torch.bfloat16])
def test_refuses_dtypes(dtype):
    with pytest.raises(TypeError, match="float32 or float64"):
        checked_pair(GOOD.to(dtype), GOOD.to(dtype))


def test_refuses_arrays():
    with pytest.raises(TypeError, match="ndarray"):
        checked_pair(GOOD.numpy(), GOOD)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 1, 4, 5), (2, 4, 5, 3), (0, 3, 4, 5), (2, 3, 0, 5), (1, 2, 3, 4, 5)])
def test_refuses_shapes(shape):
    with pytest.raises(ValueError, match="shape"):
        checked_pair(torch.zeros(shape), torch.zeros(shape))


@pytest.mark.parametrize("other", [GOOD[:1], GOOD[..., :4], GOOD.double()])
def test_refuses_unequal_pairs(other):
    with pytest.raises(ValueError, match="differ in"):
        checked_pair(GOOD, other)


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.float64])
def test_a_mask_becomes_weights_of_the_images_dtype(dtype):
    mask = torch.ones(2, 1, 4, 5, dtype=dtype)
    assert checked_mask(mask, GOOD).dtype == torch.float32
    assert checked_mask(mask, GOOD.double()).dtype == torch.float64


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-6, 1 + 1e-6])
def test_refuses_mask_values(value):
    mask = torch.zeros(2, 1, 4, 5)
    mask[1, 0, 3, 4] = value
    with pytest.raises(ValueError, match="mask must lie"):
        checked_mask(mask, GOOD)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 4, 5), (2, 4, 5), (2, 1, 4, 4)])
def test_refuses_mask_shapes(shape):
    with pytest.raises(ValueError, match="mask must have the shape"):
        checked_mask(torch.zeros(shape), GOOD)


def test_refuses_masks_that_are_no_tensors_of_weights():
    with pytest.raises(TypeError, match="uint8"):
        checked_mask(torch.zeros(2, 1, 4, 5, dtype=torch.uint8), GOOD)
    with pytest.raises(TypeError, match="list"):
        checked_mask([[1]], GOOD)


def test_region_mean_weighs_and_knows_the_empty_region():
    values = torch.arange(24.0).view(2, 3, 2, 2)
    mask = torch.tensor([[[[1.0, 0.5], [0, 0]]], [[[0.0, 0], [0, 0]]]])
    found = region_mean(values, mask)
    assert found[0].item() == pytest.approx((0 + 4 + 8 + 0.5 * (1 + 5 + 9)) / 4.5)
    assert found[1].isnan()
    torch.testing.assert_close(region_mean(values, torch.ones_like(mask)), region_mean(values, None))
