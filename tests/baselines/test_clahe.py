import numpy as np
import pytest

from exposurebench.baselines.clahe import clahe
from exposurebench.scene import Evidence


def haze() -> np.ndarray:
    noise = np.random.default_rng(0).uniform(-0.03, 0.03, (96, 128)) + np.linspace(0.3, 0.8, 128)
    return noise.astype(np.float32)[..., None].repeat(3, axis=2)


def local_contrast(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image[..., 0], axis=0)).mean())


def test_contrast_grows_with_the_limit() -> None:
    contrasts = [local_contrast(clahe(Evidence(haze()), clip_limit=limit)) for limit in (1, 4, 8)]
    assert local_contrast(haze()) < contrasts[0] < contrasts[1] < contrasts[2]


def test_works_tile_by_tile() -> None:
    one, many = clahe(Evidence(haze()), tiles=1), clahe(Evidence(haze()), tiles=8)
    left, right = slice(0, 32), slice(96, 128)
    spread_one = one[:, right].mean() - one[:, left].mean()
    spread_many = many[:, right].mean() - many[:, left].mean()
    assert spread_many < spread_one, "local equalisation takes the large gradient away"


def test_keeps_the_hue() -> None:
    colour = haze() * np.float32([0.9, 0.7, 0.5])
    output = clahe(Evidence(colour))
    assert (output[..., 0] > output[..., 1]).mean() > 0.99
    assert (output[..., 1] > output[..., 2]).mean() > 0.99


def test_grays_stay_gray() -> None:
    assert np.ptp(clahe(Evidence(haze())), axis=2).max() < 0.01


@pytest.mark.parametrize("setting", ["clip_limit", "tiles"])
def test_settings_have_ranges(setting: str) -> None:
    with pytest.raises(ValueError, match=setting):
        clahe(Evidence(np.zeros((1, 1, 3), np.float32)), **{setting: 0})
