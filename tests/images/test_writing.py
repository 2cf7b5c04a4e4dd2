"""Encoding: the bytes decode to the pixels, everywhere."""

import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from exposurebench.images import FORMATS, encode_image, quantize, read_image

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))


@settings(max_examples=50)
@given(levels=st.one_of(arrays(np.uint8, SHAPES), arrays(np.uint16, SHAPES)))
def test_png_keeps_every_level(levels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "lossless.png"
    path.write_bytes(encode_image(levels))
    image = read_image(path)
    assert image.pixels.dtype == levels.dtype
    np.testing.assert_array_equal(image.pixels, levels)


def test_png_is_rgb_for_others_too() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(io.BytesIO(encode_image(levels)))), levels)


def test_jpeg_keeps_colours_apart() -> None:
    """One red pixel column between blue ones survives 4:4:4; halved chroma would smear it."""
    levels = np.zeros((16, 16, 3), np.uint8)
    levels[..., 2] = 200
    levels[:, 8] = (200, 0, 0)
    data = encode_image(levels, "jpg", 100)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        assert np.abs(np.asarray(picture).astype(int) - levels).max() <= 6


def test_jpeg_quality_is_used() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    sizes = [len(encode_image(levels, "jpg", quality)) for quality in (10, 50, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] * 2 < sizes[2]


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_pixels_give_the_same_bytes_and_stay_untouched(file_format: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    before = levels.copy()
    assert encode_image(levels, file_format) == encode_image(levels, file_format)
    assert encode_image(levels[:, ::-1], file_format) == encode_image(levels[:, ::-1].copy(), file_format)
    np.testing.assert_array_equal(levels, before)


@pytest.mark.parametrize(
    ("levels", "file_format", "message"),
    [
        (np.zeros((4, 4), np.uint8), "png", "expected"),
        (np.zeros((4, 4, 4), np.uint8), "png", "expected"),
        (np.zeros((4, 4, 3), np.float32), "png", "expected"),
        (np.zeros((4, 4, 3), np.uint16), "jpg", "use png"),
        (np.zeros((4, 4, 3), np.uint8), "tiff", "png, jpg"),
    ],
)
def test_misuse(levels: np.ndarray, file_format: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_image(levels, file_format)


def test_quantize_rounds_to_the_nearest_and_saturates() -> None:
    for depth, top, dtype in ((8, 255, np.uint8), (16, 65535, np.uint16)):
        levels = np.arange(top + 1)
        for precision in (np.float32, np.float64):
            values = (levels / top).astype(precision)
            np.testing.assert_array_equal(quantize(values, depth), levels)
        shifted = (levels[1:-1] + np.array([[-0.49], [0.49]])) / top
        np.testing.assert_array_equal(quantize(shifted, depth), np.stack([levels[1:-1]] * 2))
        outside = quantize(np.array([-1e9, -0.1, 1.1, 1e9]), depth)
        assert outside.tolist() == [0, 0, top, top]
        assert outside.dtype == dtype
