import numpy as np
import pytest

from exposurebench.baselines.auto_exposure import auto_exposure
from exposurebench.scene import Evidence


def dim(tint: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    values = np.random.default_rng(0).uniform(0.1, 0.5, (20, 30, 3))
    return (values * np.array(tint)).astype(np.float32)


def mean_light(image: np.ndarray) -> np.ndarray:
    return (image.astype(np.float64) ** 2.2).mean(axis=(0, 1))


def test_mean_luminance_is_middle_gray_when_nothing_clips() -> None:
    output = auto_exposure(Evidence(dim()))
    assert output.max() < 1
    assert mean_light(output) @ (0.2126, 0.7152, 0.0722) == pytest.approx(0.18, rel=1e-4)


def test_one_gain_keeps_the_ratios_of_light() -> None:
    image = dim((1, 0.8, 0.6))
    ratio = (auto_exposure(Evidence(image)) / image).astype(np.float64)
    assert np.ptp(ratio) < 1e-5
    assert ratio.mean() > 1.1


def test_too_bright_becomes_darker_and_white_gray() -> None:
    assert np.allclose(auto_exposure(Evidence(np.ones((4, 4, 3), np.float32))), 0.18 ** (1 / 2.2))


def test_balanced_takes_a_cast_away() -> None:
    image = dim((1, 0.8, 0.6))
    assert mean_light(auto_exposure(Evidence(image), balanced=True)) == pytest.approx([0.18] * 3, rel=1e-4)
    assert np.ptp(mean_light(auto_exposure(Evidence(image)))) > 0.05


def test_light_above_white_is_clipped() -> None:
    image = np.full((10, 10, 3), 0.05, np.float32)
    image[0, 0] = 1
    output = auto_exposure(Evidence(image))
    assert output[0, 0].tolist() == [1, 1, 1]
    assert output[5, 5, 0] > 0.1


@pytest.mark.parametrize("balanced", [False, True])
def test_black_stays_black(balanced: bool) -> None:
    assert not auto_exposure(Evidence(np.zeros((3, 3, 3), np.float32)), balanced=balanced).any()
    red = np.zeros((3, 3, 3), np.float32)
    red[..., 0] = 0.4
    assert not auto_exposure(Evidence(red), balanced=balanced)[..., 1:].any()


def test_srgb_curve() -> None:
    output = auto_exposure(Evidence(np.full((2, 2, 3), 0.8, np.float32)), transfer="srgb")
    assert np.allclose(output, 1.055 * 0.18 ** (1 / 2.4) - 0.055, atol=1e-5)
