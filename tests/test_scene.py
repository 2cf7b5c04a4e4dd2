"""Scenes and pairs: what is read, resized and seen, and that nothing is changed on the way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from exposurebench.errors import ImageError
from exposurebench.images import Image, encode_image
from exposurebench.scene import Evidence, Frame, Scene


def levels(seed: int, height: int = 12, width: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def scene(folder: Path, count: int = 2) -> Scene:
    frames = []
    for number in range(count):
        path = folder / f"{number}.png"
        path.write_bytes(encode_image(levels(number)))
        frames.append(Frame(path, exposure_ev=float(number)))
    return Scene("a/b.png", tuple(frames), split="val", license="CC0")


def test_reading_fills_in_the_pixels_and_nothing_else(tmp_path: Path) -> None:
    found = scene(tmp_path)
    read = found.read()
    assert found.frames[0].image is None, "the scene that was asked is left alone"
    assert [np.array_equal(frame.pixels.pixels, levels(n)) for n, frame in enumerate(read.frames)] == [True, True]
    assert (read.name, read.split, read.license) == ("a/b.png", "val", "CC0")
    assert [(frame.path, frame.exposure_ev) for frame in read.frames] == [
        (frame.path, frame.exposure_ev) for frame in found.frames
    ]


def test_pixels_that_were_not_read_are_an_error_and_not_a_guess(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"0\.png was not read yet: call Scene\.read\(\) first"):
        _ = scene(tmp_path).frames[0].pixels
    with pytest.raises(ValueError, match="was not read yet"):
        scene(tmp_path).resize(8, "none", 0)


def test_one_frame_that_cannot_be_read_is_an_error_of_the_scene(tmp_path: Path) -> None:
    found = scene(tmp_path)
    found.frames[1].path.write_bytes(b"")
    with pytest.raises(ImageError, match="is empty"):
        found.read()
    found.frames[1].path.unlink()
    with pytest.raises(ImageError, match="No such file"):
        found.read()


def test_all_frames_are_cut_at_the_same_place(tmp_path: Path) -> None:
    path = tmp_path / "same.png"
    path.write_bytes(encode_image(levels(7)))
    read = Scene("same", (Frame(path), Frame(path))).read()
    cuts = {seed: read.resize(6, "random", seed) for seed in range(6)}
    for cut in cuts.values():
        one, other = (frame.pixels.pixels for frame in cut.frames)
        assert one.shape == (6, 6, 3)
        assert np.array_equal(one, other)
    assert len({cut.frames[0].pixels.pixels.tobytes() for cut in cuts.values()}) > 1
    assert np.array_equal(read.frames[0].pixels.pixels, levels(7)), "the input is unchanged"


def test_a_frame_that_is_too_small_is_refused() -> None:
    small = Scene("a", (Frame(Path("a.png"), image=Image(levels(0))), Frame(Path("b.png"), image=Image(levels(1, 5)))))
    assert small.resize(5, "none", 0).frames[1].pixels.pixels.shape == (5, 20, 3)
    with pytest.raises(ImageError, match="smaller than the asked 6"):
        small.resize(6, "none", 0)


def test_what_a_method_sees_is_what_it_was_given() -> None:
    evidence = Evidence(np.zeros((2, 2, 3), np.float32))
    others = [field.name for field in dataclasses.fields(Evidence) if field.name != "input"]
    assert [getattr(evidence, name) for name in others] == [None] * len(others)
    with pytest.raises(dataclasses.FrozenInstanceError):
        evidence.tau = 0.5  # type: ignore[misc]
