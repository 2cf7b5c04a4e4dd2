import numpy as np
import pytest

from exposurebench.baselines.gamma import gamma
from exposurebench.scene import Evidence

LUMA = (0.299, 0.587, 0.114)


@pytest.mark.parametrize("level", [0.02, 0.3, 0.9, 0.99])
def test_flat_gray_goes_to_mid_gray(level: float) -> None:
    image = np.full((3, 4, 3), level, np.float32)
    assert np.allclose(gamma(Evidence(image)), 0.5, atol=1e-4)
    assert np.allclose(gamma(Evidence(image), mid=0.3), 0.3, atol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.3), (0.6, 1.0), (0.1, 0.9)])
def test_mean_luma_comes_near_mid_gray(low: float, high: float) -> None:
    image = np.random.default_rng(0).uniform(low, high, (40, 50, 3)).astype(np.float32)
    assert gamma(Evidence(image)).mean(axis=(0, 1)) @ LUMA == pytest.approx(0.5, abs=0.05)


def test_one_power_of_the_mean_luma_for_every_pixel() -> None:
    image = np.random.default_rng(1).uniform(0.3, 1, (8, 9, 3)).astype(np.float32)
    power = np.log(0.5) / np.log(image.mean(axis=(0, 1)).astype(np.float64) @ LUMA)
    assert np.allclose(gamma(Evidence(image)), image.astype(np.float64) ** power, atol=1e-6)


def test_black_stays_black_and_white_white() -> None:
    for level in (0, 1):
        image = np.full((2, 2, 3), level, np.float32)
        assert np.array_equal(gamma(Evidence(image)), image)


def test_mid_has_a_range() -> None:
    with pytest.raises(ValueError, match="mid must be in"):
        gamma(Evidence(np.zeros((1, 1, 3), np.float32)), mid=1)
