"""Exposure fusion as a baseline: the module's function, fed with a bracket's frames."""

import numpy as np
import pytest

from exposurebench import merging
from exposurebench.baselines.mertens import mertens
from exposurebench.scene import Evidence, ExposedFrame


def bracket(*evs: float | None) -> Evidence:
    picture = np.random.default_rng(0).random((33, 47, 3), dtype=np.float32)
    exposed = [(picture * np.float32(2 ** ((ev or 0) / 2.2))).clip(0, 1) for ev in evs]
    return Evidence(picture, frames=tuple(ExposedFrame(p, ev) for p, ev in zip(exposed, evs, strict=True)))


def test_is_the_fusion_of_the_frames() -> None:
    given = bracket(-1, 0, 2)
    pixels = [frame.pixels for frame in given.frames]
    assert np.array_equal(mertens(given), merging.mertens(pixels))
    other = mertens(given, contrast=0, saturation=2, exposure=0.5)
    assert np.array_equal(other, merging.mertens(pixels, contrast=0, saturation=2, exposure=0.5))
    assert not np.array_equal(other, mertens(given))


def test_needs_no_exposures_and_no_input() -> None:
    given, unknown = bracket(0, 0), bracket(None, None)
    assert np.array_equal(mertens(given), mertens(unknown))
    assert np.array_equal(mertens(given), mertens(Evidence(np.zeros((1, 1, 3), np.float32), frames=given.frames)))


def test_one_frame_twice_is_the_frame() -> None:
    given = bracket(0, 0)
    assert np.abs(mertens(given) - given.input).max() < 1e-6


def test_without_frames() -> None:
    with pytest.raises(ValueError, match="not none"):
        mertens(Evidence(np.zeros((2, 2, 3), np.float32)))
