"""Colour arithmetic: the standards' numbers, and arrays against tensors on the same lines."""

import colorsys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exposurebench import color, exposure

GRID = np.linspace(0, 1, 4097)
RGB = np.random.default_rng(5).random((3, 500))
RGB[:, :4] = [[0, 1, 0.5, 0.2], [0, 1, 0.5, 0.2], [0, 1, 0.5, 0.9]]


@pytest.mark.parametrize(
    "function",
    [
        color.gamma22_to_light,
        color.gamma22_to_display,
        color.srgb_to_light,
        color.srgb_to_display,
        lambda x: color.to_light(x, "srgb"),
        lambda x: color.to_display(x),
        lambda x: exposure.overexpose(x, 0.37),
        lambda x: exposure.overexpose(x, 0.37, "srgb"),
        lambda x: exposure.underexpose(x, 0.37),
        lambda x: exposure.underexpose(x, 0.37, "srgb"),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 3e-7)])
def test_arrays_and_tensors_agree(function: Callable[[Any], Any], dtype: type, tolerance: float) -> None:
    values = GRID.astype(dtype)
    array, tensor = function(values), function(torch.from_numpy(values.copy()))
    assert array.dtype == dtype
    assert tensor.numpy().dtype == dtype
    np.testing.assert_allclose(array, tensor.numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(values, GRID.astype(dtype), err_msg="the input is untouched")


@pytest.mark.parametrize("function", [color.weighted, color.brightest, color.darkest, color.hls_saturation])
def test_arrays_and_tensors_agree_over_channels(function: Callable[..., Any]) -> None:
    array, tensor = function(*RGB), function(*torch.from_numpy(RGB.copy()))
    np.testing.assert_allclose(array, tensor.numpy(), rtol=1e-14, atol=1e-14)


def test_lab_of_arrays_and_tensors_agrees_with_scikit_image() -> None:
    """Its matrix and white are rounded to six digits, which is 0.015 of a unit."""
    from skimage.color import rgb2lab

    arrays, tensors = color.srgb_to_lab(*RGB), color.srgb_to_lab(*torch.from_numpy(RGB.copy()))
    np.testing.assert_allclose(np.stack(arrays), torch.stack(tensors).numpy(), rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(np.stack(arrays, -1), rgb2lab(RGB.T), atol=0.016)


def test_lab_of_grays_has_no_color_and_the_right_lightness() -> None:
    lightness, a, b = color.srgb_to_lab(GRID, GRID, GRID)
    assert np.abs([a, b]).max() < 1e-12
    assert lightness[[0, -1]].tolist() == pytest.approx([0, 100], abs=1e-12)
    assert (np.diff(lightness) > 0).all()
    # L* of 18 % gray, above the bend, and of a thousandth, below it: 903.2963 Y (CIE 15)
    samples = color.srgb_to_display(np.array([0.18, 0.001]))
    assert color.srgb_to_lab(samples, samples, samples)[0] == pytest.approx([49.4961, 0.9032963], abs=1e-4)


@pytest.mark.parametrize(
    ("display", "light"),
    [(0.0, 0.0), (0.02, 0.02 / 12.92), (0.04045, 0.04045 / 12.92), (0.5, 0.21404114), (0.735357, 0.5), (1.0, 1.0)],
)
def test_srgb_has_the_standards_values(display: float, light: float) -> None:
    assert color.srgb_to_light(np.array([display]))[0] == pytest.approx(light, abs=1e-6)
    assert color.srgb_to_display(np.array([light]))[0] == pytest.approx(display, abs=1e-6)


def test_gamma22_has_its_values() -> None:
    assert color.gamma22_to_light(0.5) == 0.5**2.2
    assert color.gamma22_to_display(0.5) == pytest.approx(0.729740, abs=1e-6)


@pytest.mark.parametrize("transfer", ["gamma22", "srgb"])
def test_transfers_return_and_grow(transfer: color.Transfer) -> None:
    light = color.to_light(GRID, transfer)
    assert (np.diff(light) > 0).all()
    assert light[[0, -1]].tolist() == [0, 1]
    tolerance = 1e-12 if transfer == "gamma22" else 2e-7  # the standard rounds its two thresholds
    np.testing.assert_allclose(color.to_display(light, transfer), GRID, atol=tolerance)


def test_every_level_returns_through_srgb_in_single_precision() -> None:
    for top in (255, 65535):
        levels = np.arange(top + 1)
        values = (levels / top).astype(np.float32)
        again = color.srgb_to_display(color.srgb_to_light(values))
        np.testing.assert_array_equal(np.rint(again * top), levels)


def test_unknown_transfer() -> None:
    for function in (color.to_light, color.to_display):
        with pytest.raises(ValueError, match="gamma22, srgb"):
            function(GRID, "rec709")  # type: ignore[arg-type]


def test_weights_add_up_and_are_the_standards() -> None:
    for weights in (color.REC709, color.REC601, color.HU2018):
        assert sum(weights) == pytest.approx(1, abs=1e-12)
    luma = cv2.cvtColor(np.float32(RGB.T[None]), cv2.COLOR_RGB2GRAY)[0]
    np.testing.assert_allclose(color.weighted(*RGB, color.REC601), luma, atol=1e-6)
    assert color.weighted(1.0, 0.0, 0.0) == 0.2126
    assert color.weighted(0.0, 1.0, 0.0) == 0.7152
    assert color.weighted(0.0, 0.0, 1.0) == 0.0722


def test_brightest_and_darkest_of_any_dtype() -> None:
    for values in (RGB, (RGB * 255).astype(np.uint8), (RGB * 65535).astype(np.uint16), RGB.astype(np.float32)):
        np.testing.assert_array_equal(color.brightest(*values), np.max(values, axis=0))
        np.testing.assert_array_equal(color.darkest(*values), np.min(values, axis=0))


@given(st.tuples(*[st.floats(0, 1, width=32)] * 3))
def test_saturation_is_that_of_the_standard_library(rgb: tuple[float, float, float]) -> None:
    _, _, expected = colorsys.rgb_to_hls(*rgb)
    found = color.hls_saturation(*(np.array([v]) for v in rgb))[0]
    assert found == pytest.approx(expected, abs=1e-9)


def test_saturation_is_that_of_opencv() -> None:
    expected = cv2.cvtColor(np.float32(RGB.T[None]), cv2.COLOR_RGB2HLS)[0, :, 2]
    np.testing.assert_allclose(color.hls_saturation(*RGB), expected, atol=1e-4)


# ------------------------------------------------------------------------------------ primaries and whites


def test_the_matrix_of_rec709_is_the_published_one() -> None:
    """The fractions are those of CSS Color Module Level 4; the standard itself (IEC 61966-2-1) gives four digits."""
    published = [
        [506752 / 1228815, 87881 / 245763, 12673 / 70218],
        [87098 / 409605, 175762 / 245763, 12673 / 175545],
        [7918 / 409605, 87881 / 737289, 1001167 / 1053270],
    ]
    np.testing.assert_allclose(color.rgb_to_xyz(), published, rtol=1e-13)
    standard = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(color.rgb_to_xyz(), standard, atol=5e-5)
    np.testing.assert_allclose(color.rgb_to_xyz()[1], color.REC709, atol=5e-5)


def test_the_matrix_of_rec2020_is_the_published_one() -> None:
    rec2020 = color.Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290))
    np.testing.assert_allclose(color.rgb_to_xyz(rec2020)[1], (0.2627, 0.6780, 0.0593), atol=5e-5)  # ITU-R BT.2020
    to_709 = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]  # ITU-R BT.2087
    np.testing.assert_allclose(color.to_rec709(rec2020), to_709, atol=5e-5)


def test_xyz_is_itself() -> None:
    np.testing.assert_allclose(color.rgb_to_xyz(color.XYZ_PRIMARIES), np.eye(3), atol=1e-15)


def test_bradford_is_the_published_one() -> None:
    d50_to_d65 = [
        [0.9555766, -0.0230393, 0.0631636],
        [-0.0282895, 1.0099416, 0.0210077],
        [0.0122982, -0.020483, 1.3299098],
    ]
    d50, d65 = (0.34567, 0.35850), (0.31271, 0.32902)
    np.testing.assert_allclose(color.adapt_white(d50, d65), d50_to_d65, atol=5e-4)  # Lindbloom, whites of ASTM E308
    np.testing.assert_allclose(color.adapt_white(d50, d65) @ color.adapt_white(d65, d50), np.eye(3), atol=1e-12)


@given(
    st.tuples(*[st.floats(0.2, 0.45)] * 2),
    st.sampled_from([((0.7347, 0.2653), (0.0, 1.0), (0.0001, -0.077)), ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))]),
)
def test_white_goes_to_white(white: tuple[float, float], corners: Any) -> None:
    matrix = color.to_rec709(color.Primaries(*corners, white))
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-9)
    neutral = np.linalg.solve(color.rgb_to_xyz(color.Primaries(*corners, white)), color.rgb_to_xyz().sum(axis=1))
    seen = color.to_rec709(color.Primaries(*corners, white), neutral=(0.3127, 0.3290)) @ neutral
    np.testing.assert_allclose(seen, 1, atol=1e-9)


@pytest.mark.parametrize(
    "primaries",
    [
        color.Primaries((0.3, 0.3), (0.3, 0.3), (0.3, 0.3), (0.3, 0.3)),
        color.Primaries((0.1, 0.1), (0.2, 0.2), (0.3, 0.3), (0.3127, 0.3290)),
        color.REC709_PRIMARIES._replace(white=(0.3, 0.0)),
        color.REC709_PRIMARIES._replace(white=(0.64, 0.33)),
        color.REC709_PRIMARIES._replace(white=(float("nan"), 0.3)),
    ],
    ids=["one-point", "one-line", "dark-white", "white-on-red", "nan"],
)
def test_primaries_that_span_no_space(primaries: color.Primaries) -> None:
    with pytest.raises(ValueError, match=r"span no colour space|has no luminance"):
        color.rgb_to_xyz(primaries)
    with pytest.raises(ValueError, match=r"span no colour space|has no luminance|cannot be adapted"):
        color.to_rec709(primaries)
