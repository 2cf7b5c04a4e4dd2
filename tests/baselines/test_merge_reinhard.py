"""Paper 2's reference must be OpenCV's pipeline, with a bracket's frames and without its NaN."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench.baselines.merge_reinhard import merge_reinhard
from exposurebench.scene import Evidence, ExposedFrame


def bracket(levels: list[np.ndarray], evs: list[float | None]) -> Evidence:
    frames = tuple(ExposedFrame(f.astype(np.float32) / 255, ev) for f, ev in zip(levels, evs, strict=True))
    return Evidence(frames[0].pixels, frames=frames)


def shots(evs: list[float], size: tuple[int, int] = (40, 60)) -> list[np.ndarray]:
    light = np.exp2(np.random.default_rng(0).uniform(-8, 2, (*size, 3)))
    return [np.rint(255 * (light * 2.0**ev).clip(0, 1) ** (1 / 2.2)).astype(np.uint8) for ev in evs]


def opencv(levels: list[np.ndarray], evs: list[float]) -> np.ndarray:
    times = np.exp2(evs).astype(np.float32)
    light = cv2.createMergeDebevec().process(levels, times, cv2.createCalibrateDebevec().process(levels, times))
    return cv2.createTonemapReinhard(1.5, 0, 0, 0).process(light)


def test_is_opencvs_pipeline() -> None:
    evs = [-2.0, 0.0, 2.0]
    levels = shots(evs)
    theirs = opencv(levels, evs)
    known = np.isfinite(theirs)
    assert known.mean() > 0.99
    output = merge_reinhard(bracket(levels, evs))
    assert np.abs(output - theirs)[known].max() < 1e-5
    assert np.isfinite(output).all()


def test_is_opencvs_pipeline_on_a_real_bracket(shared: Path) -> None:
    folder = shared / "data" / "brackets" / "gegl_parliament"
    levels = [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(folder.glob("*.png"))]
    evs = np.log2([1 / 50, 1 / 13, 0.4]).tolist()
    output, theirs = merge_reinhard(bracket(levels, evs)), opencv(levels, evs)
    assert np.nanmax(np.abs(output - theirs)) < 1e-5
    shown = np.mean((output > 5 / 255) & (output < 250 / 255))
    assert shown > max(np.mean((frame > 5) & (frame < 250)) for frame in levels), "more is shown than any frame shows"


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (3000, 2), (15, 1200)], ids=str)
def test_sizes_that_opencv_refuses(size: tuple[int, int]) -> None:
    evs = [-1.0, 0.0, 1.0]
    output = merge_reinhard(bracket(shots(evs, size), evs))
    assert output.shape == (*size, 3)
    assert np.isfinite(output).all()


def test_the_input_is_not_looked_at() -> None:
    given = bracket(shots([-1.0, 1.0]), [-1.0, 1.0])
    assert np.array_equal(merge_reinhard(given), merge_reinhard(replace(given, input=np.zeros((1, 1, 3), np.float32))))


def test_settings_are_the_tone_mappings() -> None:
    given = bracket(shots([-1.0, 1.0]), [-1.0, 1.0])
    assert merge_reinhard(given, intensity=2).mean() > merge_reinhard(given).mean()
    assert merge_reinhard(given, gamma=1) ** np.float32(1 / 1.5) == pytest.approx(merge_reinhard(given), abs=1e-6)


@pytest.mark.parametrize(
    ("evs", "message"),
    [([1.0, 1.0], "at least two different exposures"), ([0.0, None], "frame 1 is unknown"), ([0.0], "at least two")],
)
def test_brackets_that_cannot_be_merged(evs: list[float | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merge_reinhard(bracket(shots([0.0] * len(evs)), evs))
    with pytest.raises(ValueError, match="not none"):
        merge_reinhard(Evidence(np.zeros((2, 2, 3), np.float32)))
