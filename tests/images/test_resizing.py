"""Shrinking and cropping, in float, without a second quantisation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposurebench.errors import ImageError
from exposurebench.images import Image, resize


def picture(height: int, width: int, dtype: type = np.uint8) -> Image:
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng((height, width)).integers(0, top, (height, width, 3), dtype, endpoint=True)
    return Image(pixels, np.dtype(dtype).itemsize * 8, file=(b"the file", ".png"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_whole_factor_is_the_mean_of_blocks(dtype: type) -> None:
    image = picture(24, 36, dtype)
    small = resize(image, 8)
    expected = image.pixels.reshape(8, 3, 12, 3, 3).mean(axis=(1, 3)) / np.iinfo(dtype).max
    assert small.pixels.dtype == np.float32
    np.testing.assert_allclose(small.pixels, expected, atol=2e-6)
    assert small.bit_depth == image.bit_depth
    assert small.file is None


@settings(max_examples=60)
@given(height=st.integers(2, 60), width=st.integers(2, 60), data=st.data())
def test_shape_mean_and_range(height: int, width: int, data: st.DataObject) -> None:
    image = picture(height, width)
    size = data.draw(st.integers(1, min(height, width)))
    small = resize(image, size)
    rows, columns = small.pixels.shape[:2]
    assert min(rows, columns) == size
    assert abs(rows / columns - height / width) <= 0.5 * max(height / width, 1) * (1 / size + 1e-9) * 2
    assert small.as_float().min() >= 0
    assert small.as_float().max() <= 1 + 1e-6
    if height * size % min(height, width) == 0 and width * size % min(height, width) == 0:
        np.testing.assert_allclose(small.as_float().mean((0, 1)), image.as_float().mean((0, 1)), atol=1e-3)


def test_nothing_to_do_gives_the_image_itself() -> None:
    image = picture(20, 30)
    assert resize(image, None) is image
    assert resize(image, 20) is image
    square = picture(20, 20)
    assert resize(square, 20, "center") is square
    assert resize(square, None, "random", 7) is square


def test_a_crop_alone_keeps_the_levels() -> None:
    image = picture(20, 33)
    cut = resize(image, None, "center")
    np.testing.assert_array_equal(cut.pixels, image.pixels[:, 6:26])
    assert cut.pixels.dtype == np.uint8
    assert cut.file is None
    tall = picture(33, 20)
    np.testing.assert_array_equal(resize(tall, None, "center").pixels, tall.pixels[6:26])


def test_random_crops_follow_the_seed_and_reach_both_ends() -> None:
    image = picture(8, 12)
    offsets = set()
    for seed in range(60):
        cut = resize(image, None, "random", seed).pixels
        np.testing.assert_array_equal(cut, resize(image, None, "random", seed).pixels)
        offsets |= {left for left in range(5) if np.array_equal(cut, image.pixels[:, left : left + 8])}
    assert offsets == {0, 1, 2, 3, 4}


def test_resize_then_crop() -> None:
    image = picture(40, 64)
    whole, cut = resize(image, 10).pixels, resize(image, 10, "center").pixels
    np.testing.assert_array_equal(cut, whole[:, 3:13])
    assert cut.flags["C_CONTIGUOUS"]


def test_nothing_is_enlarged() -> None:
    with pytest.raises(ImageError, match="is 30 x 20, smaller than the asked 21"):
        resize(picture(20, 30), 21)


def test_the_input_is_untouched() -> None:
    image = picture(20, 30)
    before = image.pixels.copy()
    resize(image, 7, "random", 3)
    np.testing.assert_array_equal(image.pixels, before)
