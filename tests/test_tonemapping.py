"""Tone mapping: the published formulas, OpenCV's float results, and what any curve must keep."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from exposurebench.color import REC709, srgb_to_light
from exposurebench.tonemapping import reinhard_2002, reinhard_devlin_2005, white_level

OPERATORS: dict[str, Callable[..., np.ndarray]] = {
    "reinhard_2002": reinhard_2002,
    "reinhard_devlin_2005": reinhard_devlin_2005,
}
SETTINGS = [(1, 0, 1, 0), (1.5, 0, 0, 0), (2.2, 2, 0.5, 0.5), (1, -3, 1, 0.9), (2.2, 1, 0.8, 0.2), (1, 8, 0, 1)]


def picture(seed: int = 0, stops: tuple[float, float] = (-10, 6)) -> np.ndarray:
    return np.exp2(np.random.default_rng(seed).uniform(*stops, (33, 47, 3))).astype(np.float32)


def grays(values: list[float]) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 1).repeat(3, axis=2)


@pytest.mark.parametrize("name", OPERATORS)
def test_display_values_of_the_same_shape_and_an_input_that_stays(name: str) -> None:
    light = picture()
    light.flags.writeable = False
    display = OPERATORS[name](light)
    assert display.dtype == np.float32
    assert display.shape == light.shape
    assert display.min() >= 0
    assert 1 - 1e-6 < display.max() <= 1
    assert np.array_equal(display, OPERATORS[name](light))


@pytest.mark.parametrize("name", OPERATORS)
def test_brighter_light_is_never_darker(name: str) -> None:
    display = OPERATORS[name](grays(list(np.geomspace(1e-4, 1e4, 400))))[0, :, 0]
    assert (np.diff(display) >= 0).all()
    assert np.ptp(display) > 0.9


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("gain", [1e-3, 7, 1e4])
def test_the_scale_of_light_does_not_matter(name: str, gain: float) -> None:
    light = picture()
    assert OPERATORS[name](light * np.float32(gain)) == pytest.approx(OPERATORS[name](light), abs=2e-5)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("level", [0, 0.3, 1, 5000])
def test_flat_pictures(name: str, level: float) -> None:
    for size in ((1, 1), (3, 5)):
        display = OPERATORS[name](np.full((*size, 3), level, np.float32))
        assert np.isfinite(display).all()
        assert np.ptp(display) < 1e-6
        assert (display == 0).all() or level > 0


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("wrong", [-1e-3, np.nan, np.inf])
def test_light_that_is_none(name: str, wrong: float) -> None:
    light = picture()
    light[1, 2, 0] = wrong
    with pytest.raises(ValueError, match="at or above 0"):
        OPERATORS[name](light)
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        OPERATORS[name](light[..., 0])


def test_reinhard_2002_by_hand() -> None:
    values = np.array([0.02, 0.5, 3, 40])
    scaled = values * 0.18 / np.exp(np.log(values).mean())
    for white in (None, 4.0):
        top = scaled.max() if white is None else white
        wanted = (scaled * (1 + scaled / top**2) / (1 + scaled)).clip(0, 1)
        found = reinhard_2002(grays(list(values)), white=white)
        assert srgb_to_light(found[0, :, 0].astype(np.float64)) == pytest.approx(wanted, abs=1e-6)


def test_reinhard_2002_keeps_colours_and_ignores_black() -> None:
    light = picture(1, (-4, 0))
    shown = srgb_to_light(reinhard_2002(light, white=1e6).astype(np.float64))
    ratio = shown / light
    assert (ratio.max(axis=2) / ratio.min(axis=2)).max() == pytest.approx(1, abs=1e-3)
    padded = np.concatenate([light, np.zeros_like(light)])
    assert np.array_equal(reinhard_2002(padded)[:33], reinhard_2002(light))
    assert not reinhard_2002(padded)[33:].any()


def test_reinhard_2002_settings() -> None:
    light = picture(2)
    middle = [srgb_to_light(reinhard_2002(light, key=key) @ np.array(REC709)).mean() for key in (0.09, 0.18, 0.72)]
    assert middle == sorted(middle)
    assert (reinhard_2002(light, transfer="gamma22") != reinhard_2002(light)).any()
    for wrong in ({"key": 0}, {"white": 0}, {"transfer": "log"}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            reinhard_2002(light, **wrong)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("stops", [(-10, 6), (-3, 0)], ids=str)
def test_reinhard_devlin_agrees_with_opencv(settings: tuple, stops: tuple) -> None:
    gamma, intensity, light_adaptation, color_adaptation = settings
    light = picture(3, stops)
    theirs = cv2.createTonemapReinhard(*settings).process(light)
    ours = reinhard_devlin_2005(
        light,
        gamma=gamma,
        intensity=intensity,
        light_adaptation=light_adaptation,
        color_adaptation=color_adaptation,
    )
    known = np.isfinite(theirs)
    assert known.mean() > 0.999, "a pixel at the least value may be NaN, by rounding"
    assert np.abs(ours - theirs)[known].max() < 1e-5


def test_reinhard_devlin_where_opencv_divides_nothing_by_nothing() -> None:
    light = picture(3)
    theirs = cv2.createTonemapReinhard(1, 0, 1, 1).process(light)
    ours = reinhard_devlin_2005(light, light_adaptation=1, color_adaptation=1)
    least = np.unravel_index(light.argmin(), light.shape)
    assert np.isnan(theirs[least])
    assert ours[least] == 0
    rest = np.isfinite(theirs)
    again = (ours - ours[rest].min()) / (1 - ours[rest].min())
    assert np.abs(again - theirs)[rest].max() < 1e-5, "OpenCV's second scaling starts from the next value"


def test_reinhard_devlin_has_opencvs_defaults_and_limits() -> None:
    light = picture(4)
    theirs = cv2.createTonemapReinhard().process(light)
    assert np.nanmax(np.abs(reinhard_devlin_2005(light) - theirs)) < 1e-5
    for wrong in ({"gamma": 0}, {"intensity": 9}, {"light_adaptation": 1.1}, {"color_adaptation": -0.1}):
        with pytest.raises(ValueError, match="must be"):
            reinhard_devlin_2005(light, **wrong)
    brighter = [reinhard_devlin_2005(light, intensity=i, light_adaptation=0).mean() for i in (-2, 0, 2)]
    assert brighter == sorted(brighter)


def test_the_white_level_is_the_quantile_of_the_brightest_channel() -> None:
    light = picture(5)
    for share in (0.5, 0.95, 0.99):
        above = (light.max(axis=2) > white_level(light, share)).mean()
        assert above == pytest.approx(1 - share, abs=2 / light[..., 0].size)
    assert white_level(light, 1) == light.max()
    night = np.zeros((20, 20, 3), np.float32)
    assert white_level(night) == 1
    night[3, 4] = 2, 1, 0
    assert white_level(night) == 2
    with pytest.raises(ValueError, match="share"):
        white_level(night, 0)
