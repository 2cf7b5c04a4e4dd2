"""Exposure arithmetic: the paper's numbers and the long way round."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposurebench.exposure import (
    camera_exposure_ev,
    clipping_regions,
    display_threshold,
    exposure_ev,
    overexpose,
    underexpose,
)

LEVELS = np.arange(256) / 255
TAUS = st.floats(0.01, 1)


@pytest.mark.parametrize(
    ("tau", "threshold"), [(0.2, 0.4812), (0.5, 0.7297), (0.69, 0.8448), (0.75, 0.8774), (0.8, 0.9035), (1.0, 1.0)]
)
def test_thresholds(tau: float, threshold: float) -> None:
    assert round(display_threshold(tau), 4) == threshold
    np.testing.assert_allclose(overexpose(np.array([1e-3]), tau) / 1e-3, 1 / display_threshold(tau), rtol=1e-12)


@given(TAUS)
def test_the_closed_form_is_the_long_form(tau: float) -> None:
    """Display to light, clip, rescale, back: the same to the last digits of float64."""
    long = (np.minimum(LEVELS**2.2, tau) / tau) ** (1 / 2.2)
    np.testing.assert_allclose(overexpose(LEVELS, tau), long, rtol=8 * np.finfo(float).eps, atol=0)


@given(TAUS)
def test_srgb_is_clipped_in_its_own_light(tau: float) -> None:
    light = np.where(LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4)
    light = np.minimum(light, tau) / tau
    long = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(overexpose(LEVELS, tau, "srgb"), long, rtol=1e-12, atol=1e-15)
    assert overexpose(np.array([display_threshold(tau, "srgb")]), tau, "srgb")[0] == pytest.approx(1, abs=1e-6)


def test_half_the_light_leaves_187_levels() -> None:
    assert len(np.unique(np.rint(overexpose(LEVELS, 0.5) * 255))) == 187


def test_all_the_light_changes_nothing() -> None:
    np.testing.assert_array_equal(overexpose(LEVELS, 1.0), LEVELS)
    np.testing.assert_allclose(overexpose(LEVELS, 1.0, "srgb"), LEVELS, atol=2e-7)


def test_the_two_transfers_differ_where_the_text_says() -> None:
    """By up to 4.3 of 255 levels at tau 0.5 and 12.2 at tau 0.2, in the shadows."""
    for tau, most in ((0.5, 4.3), (0.2, 12.2)):
        difference = 255 * np.abs(overexpose(LEVELS, tau) - overexpose(LEVELS, tau, "srgb"))
        assert difference.max() == pytest.approx(most, abs=0.06)
        assert LEVELS[difference.argmax()] < 0.25


@given(TAUS, st.sampled_from(["gamma22", "srgb"]))
def test_range_order_and_inverse(tau: float, transfer: str) -> None:
    bright = overexpose(LEVELS, tau, transfer)  # type: ignore[arg-type]
    threshold = display_threshold(tau, transfer)  # type: ignore[arg-type]
    assert bright.min() >= 0
    assert bright.max() <= 1 + 1e-12
    assert (np.diff(bright) >= 0).all()
    assert (bright >= LEVELS - 1e-6).all()
    back = underexpose(bright, tau, transfer)  # type: ignore[arg-type]
    np.testing.assert_allclose(back, np.minimum(LEVELS, threshold), atol=1e-6)


@pytest.mark.parametrize(("tau", "ev"), [(1, 0), (0.5, 1), (0.25, 2), (0.2, math.log2(5))])
def test_ev_is_positive_for_brighter(tau: float, ev: float) -> None:
    assert exposure_ev(tau) == pytest.approx(ev, abs=1e-15)


@pytest.mark.parametrize("tau", [0, -0.5, 1.0001, math.nan, math.inf])
def test_a_threshold_outside_is_refused(tau: float) -> None:
    for function in (exposure_ev, display_threshold):
        with pytest.raises(ValueError, match="tau must be in"):
            function(tau)
    for change in (overexpose, underexpose):
        with pytest.raises(ValueError, match="tau must be in"):
            change(LEVELS, tau)


def test_an_unknown_transfer_is_refused() -> None:
    for change in (overexpose, underexpose):
        with pytest.raises(ValueError, match="transfer must be one of"):
            change(LEVELS, 0.5, "linear")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="transfer must be one of"):
        display_threshold(0.5, "linear")  # type: ignore[arg-type]


def test_the_cameras_ev_is_positive_for_brighter() -> None:
    """Each doubling of time or ISO and each stop of aperture is 1 EV; APEX's EV has the opposite sign."""
    assert camera_exposure_ev(1, 1, 1) == 0
    assert camera_exposure_ev(1 / 50, 200, 2) == 0
    assert camera_exposure_ev(0.5, 100, 4) - camera_exposure_ev(0.25, 100, 4) == pytest.approx(1)
    assert camera_exposure_ev(0.5, 400, 4) - camera_exposure_ev(0.5, 100, 4) == pytest.approx(2)
    assert camera_exposure_ev(0.5, 100, 2.8) - camera_exposure_ev(0.5, 100, 5.6) == pytest.approx(2)


@pytest.mark.parametrize("nominal", [1 / 15, 1 / 30, 1 / 60, 15, 30])
def test_nominal_times_miss_by_up_to_93_thousandths(nominal: float) -> None:
    """Shutters step by powers of two; the numbers engraved on them do not."""
    true = 2.0 ** round(math.log2(nominal))
    assert abs(camera_exposure_ev(nominal, 100, 8) - camera_exposure_ev(true, 100, 8)) == pytest.approx(
        0.0931, abs=1e-4
    )


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf])
def test_a_void_exposure_is_refused(wrong: float) -> None:
    for arguments in ((wrong, 100, 8), (1, wrong, 8), (1, 100, wrong)):
        with pytest.raises(ValueError, match="must be positive and finite"):
            camera_exposure_ev(*arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_level_is_in_one_region(dtype: type) -> None:
    levels = (np.arange(256) / 255).astype(dtype)
    regions = clipping_regions(levels * 0, levels, levels / 2)
    assert sum(mask.astype(int) for mask in regions.values()).tolist() == [1] * 256
    starts = {name: int(mask.argmax()) for name, mask in regions.items()}
    assert starts == {"unclipped": 0, "near_clipped": 230, "clipped": 250}
