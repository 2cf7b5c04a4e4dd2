"""Writing light: what is read again is what was written, everywhere."""

import io
import math
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from exposurebench.images import LIGHT_FORMATS, encode_radiance, read_image
from exposurebench.images.radiance import read_radiance

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))
HALVES = st.floats(0, 65504, width=16)
RADIANCE_END = 255.5 * 2.0**119


def light_of(largest: float) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, SHAPES, elements=st.floats(0, largest, width=32, allow_nan=False))


def read(data: bytes) -> np.ndarray:
    return read_radiance(data, 10**6).pixels


@settings(max_examples=60)
@given(light=arrays(np.float16, SHAPES, elements=HALVES))
def test_halves_return_exactly(light: np.ndarray) -> None:
    data = encode_radiance(light.astype(np.float32))
    np.testing.assert_array_equal(read(data), light)
    assert read_radiance(data, 100).bit_depth == 16


@settings(max_examples=60)
@given(light=light_of(65504))
def test_other_values_become_the_nearest_half(light: np.ndarray) -> None:
    returned = read(encode_radiance(light))
    np.testing.assert_allclose(returned, light, rtol=2**-11, atol=2**-25)
    np.testing.assert_array_equal(returned, light.astype(np.float16))


def test_what_is_too_small_for_a_half_becomes_0_and_what_is_too_large_is_refused() -> None:
    light = np.zeros((2, 2, 3), np.float32)
    light[0, 0] = (2**-24, 2**-25, 2**-30)
    np.testing.assert_array_equal(read(encode_radiance(light))[0, 0], (2**-24, 0, 0))
    light[1, 1, 2] = 65504
    assert read(encode_radiance(light)).max() == 65504
    for value in (65504.004, 65519.0, 65520.0, 1e30):
        light[1, 1, 2] = value
        with pytest.raises(ValueError, match=r"over a half's 65,504: use exr32"):
            encode_radiance(light)
        assert read(encode_radiance(light, "exr32"))[1, 1, 2] == np.float32(value)


@settings(max_examples=60)
@given(light=light_of(float(np.finfo(np.float32).max)))
def test_floats_return_exactly(light: np.ndarray) -> None:
    data = encode_radiance(light, "exr32")
    np.testing.assert_array_equal(read(data), light)
    assert read_radiance(data, 100).bit_depth == 32
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(encode_radiance(light, "tiff"))), light)


@settings(max_examples=120)
@given(light=light_of(float(np.nextafter(np.float32(RADIANCE_END), np.float32(0)))))
def test_radiance_pictures_return_within_their_precision(light: np.ndarray) -> None:
    returned = read(encode_radiance(light, "hdr"))
    allowed = np.maximum(light.max(axis=2, keepdims=True).astype(np.float64) / 256, 2.0**-128)
    assert (np.abs(returned - light.astype(np.float64)) <= allowed).all()


def test_radiance_pictures_carry_into_the_next_exponent() -> None:
    light = np.float32([[[1.0, 0.5, 0.25], [255.4 / 256, 0, 0], [255.6 / 256, 0.5, 0]]])
    np.testing.assert_array_equal(read(encode_radiance(light, "hdr"))[0, :, 0], (1, 255 / 256, 1))
    assert encode_radiance(light, "hdr")[-12:] == bytes((128, 64, 32, 129, 255, 0, 0, 128, 128, 64, 0, 129))
    light[0, 0, 1] = RADIANCE_END
    with pytest.raises(ValueError, match="a Radiance picture ends below"):
        encode_radiance(light, "hdr")


def test_others_read_the_same(tmp_path: Path) -> None:
    light = np.exp2(np.random.default_rng(0).uniform(-12, 12, (33, 47, 3))).astype(np.float32)
    for name in LIGHT_FORMATS:
        (tmp_path / name).write_bytes(encode_radiance(light, name))
    (tmp_path / "a.hdr").write_bytes(encode_radiance(light, "hdr"))
    other = cv2.imread(str(tmp_path / "a.hdr"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(other[..., ::-1], read_image(tmp_path / "hdr", encoding="linear").pixels)
    np.testing.assert_array_equal(OpenEXR.File(str(tmp_path / "exr32")).channels()["RGB"].pixels, light)
    other = cv2.imdecode(np.fromfile(tmp_path / "tiff", np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(other[..., ::-1], light)


@pytest.mark.parametrize("file_format", LIGHT_FORMATS)
def test_the_same_light_gives_the_same_bytes_and_stays_untouched(file_format: str) -> None:
    light = np.random.default_rng(0).random((9, 11, 3), np.float32)
    before = light.copy()
    data = encode_radiance(light, file_format)
    assert data == encode_radiance(light, file_format)
    assert encode_radiance(light[:, ::-1], file_format) == encode_radiance(light[:, ::-1].copy(), file_format)
    np.testing.assert_array_equal(light, before)


def test_the_header_holds_nothing_but_the_picture() -> None:
    light = np.ones((4, 5, 3), np.float32)
    header = OpenEXR.File(io.BytesIO(encode_radiance(light)), header_only=True).header()
    assert set(header) == {
        *("channels", "chromaticities", "compression", "dataWindow", "displayWindow", "lineOrder"),
        *("pixelAspectRatio", "screenWindowCenter", "screenWindowWidth", "type"),
    }
    assert header["compression"] == OpenEXR.ZIP_COMPRESSION
    np.testing.assert_allclose(header["chromaticities"], (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329), rtol=1e-6)
    with tifffile.TiffFile(io.BytesIO(encode_radiance(light, "tiff"))) as file:
        assert not {"DateTime", "Software", "HostComputer", "ImageDescription"} & {
            tag.name for tag in file.pages[0].tags
        }


@pytest.mark.parametrize(
    ("light", "file_format", "message"),
    [
        (np.zeros((4, 4), np.float32), "exr", "expected"),
        (np.zeros((4, 4, 4), np.float32), "exr", "expected"),
        (np.zeros((0, 4, 3), np.float32), "exr", "expected"),
        (np.zeros((4, 4, 3), np.float64), "exr", "expected"),
        (np.zeros((4, 4, 3), np.uint8), "exr", "expected"),
        (np.full((4, 4, 3), math.nan, np.float32), "exr", "finite and at or above 0"),
        (np.full((4, 4, 3), math.inf, np.float32), "exr32", "finite and at or above 0"),
        (np.full((4, 4, 3), -1e-9, np.float32), "hdr", "finite and at or above 0"),
        (np.zeros((4, 4, 3), np.float32), "png", "exr, exr32, hdr, tiff"),
    ],
)
def test_misuse(light: np.ndarray, file_format: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_radiance(light, file_format)
