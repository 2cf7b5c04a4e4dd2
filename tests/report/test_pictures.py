"""Small pictures, and which of many are shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposurebench.images import Image
from exposurebench.report.pictures import spread, thumbnail


@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (1000, 3), (3, 1000), (20, 30), (1, 1)])
def test_thumbnails_fit_their_box_and_are_never_enlarged(shape: tuple[int, int]) -> None:
    small = thumbnail(Image(np.zeros((*shape, 3), np.uint16), 16), 60, 50)
    assert small.dtype == np.uint8
    assert 1 <= small.shape[0] <= min(50, shape[0])
    assert 1 <= small.shape[1] <= min(60, shape[1])


def test_an_image_that_fits_is_given_as_it_is() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert np.array_equal(thumbnail(Image(levels), 60, 50), levels)
    assert np.array_equal(thumbnail(Image(levels), 30, 20), levels)


@pytest.mark.parametrize(("depth", "level", "expected"), [(8, 77, 77), (16, 77 * 257, 77), (16, 65535, 255)])
def test_a_thumbnail_keeps_the_brightness_whatever_the_depth(depth: int, level: int, expected: int) -> None:
    levels = np.full((90, 120, 3), level, np.uint8 if depth == 8 else np.uint16)
    assert set(thumbnail(Image(levels, depth), 40, 40).ravel().tolist()) == {expected}


@given(st.integers(0, 5000), st.integers(0, 400))
def test_spread_gives_one_position_of_each_stretch(number: int, wanted: int) -> None:
    positions = spread(number, wanted)
    count = min(number, wanted)
    assert len(positions) == count
    for place, position in enumerate(positions):
        assert place * number // count <= position < (place + 1) * number // count


@pytest.mark.parametrize("period", [2, 3, 4, 5, 14])
def test_spread_does_not_meet_a_period_always_at_the_same_phase(period: int) -> None:
    assert {position % period for position in spread(100 * period, 100)} == set(range(period))
