import numpy as np
import pytest

from exposurebench.baselines.brightness import brightness
from exposurebench.crf import parse_curve
from exposurebench.scene import Evidence

PICTURE = np.random.default_rng(0).random((9, 7, 3), dtype=np.float32)


@pytest.mark.parametrize("ev", [-3, -1, 2])
def test_another_exposure_is_another_brightness(ev: int) -> None:
    light = brightness(Evidence(PICTURE)).astype(np.float64)
    shown = parse_curve("sqrt").to_display(light * 2.0**ev)
    assert np.allclose(shown, (PICTURE * 2 ** (ev / 2)).clip(0, 1), atol=1e-6)


@pytest.mark.parametrize("curve", ["sqrt", "gamma:2.2", "srgb", "sigmoid:n=0.9,sigma=0.6"])
def test_at_its_own_exposure_it_is_the_input(curve: str) -> None:
    light = brightness(Evidence(PICTURE), crf=curve)
    assert light.dtype == np.float32
    assert np.allclose(parse_curve(curve).to_display(light), PICTURE, atol=1e-5)


def test_white_shows_nothing_however_dark_it_is_made() -> None:
    light = brightness(Evidence(np.ones((2, 2, 3), np.float32)))
    assert np.unique(light).tolist() == [1.0]


def test_an_unknown_response_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'sqrt'"):
        brightness(Evidence(PICTURE), crf="sqr")
