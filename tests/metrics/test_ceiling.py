import numpy as np
import pytest
import torch

from exposurebench.exposure import overexpose, underexpose
from exposurebench.metrics.ceiling import ceiling

WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("size", [(93, 121), (1, 1), (1, 2), (3, 333), (40, 50)])
def test_is_numpys_percentile_of_luma(size):
    prediction, target = torch.rand(2, 3, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = ceiling(prediction, target)
    assert list(found) == ["prediction", "target"]
    for side, images in zip(found, (prediction, target), strict=True):
        luma = np.einsum("c,nchw->nhw", WEIGHTS, images.numpy())
        expected = np.percentile(luma.reshape(3, -1), 99.9, axis=1)
        np.testing.assert_allclose(found[side].numpy(), expected, atol=1e-14)


def test_the_inverse_of_clipping_has_its_threshold_for_a_ceiling():
    """Nothing brighter can come out of light clipped at tau 0.5 than 0.5 ** (1 / 2.2)."""
    target = torch.linspace(0, 1, 10000, dtype=torch.float64).expand(1, 3, 1, 10000)
    found = ceiling(underexpose(overexpose(target, 0.5), 0.5), target)
    assert found["prediction"].item() == pytest.approx(0.5 ** (1 / 2.2), abs=1e-12)
    assert found["target"].item() == pytest.approx(0.999, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_white_is_one(dtype):
    assert ceiling(torch.ones(1, 3, 5, 7, dtype=dtype), torch.zeros(1, 3, 5, 7, dtype=dtype)) == {
        "prediction": 1,
        "target": 0,
    }


def test_large_images_have_one():
    """More values than torch's own quantile takes."""
    prediction = torch.zeros(1, 3, 4100, 4100)
    prediction[..., :5, :] = 1
    assert ceiling(prediction, prediction)["prediction"].item() == pytest.approx(1)
