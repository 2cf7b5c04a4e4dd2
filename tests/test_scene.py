"""Scenes and pairs: where pixels come from, what is read, resized and seen, and that nothing is changed on the way."""

from __future__ import annotations

import dataclasses
import functools
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from exposurebench import scene as scene_module
from exposurebench.errors import ImageError
from exposurebench.images import Image, encode_image, read_image
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
    with pytest.raises(ImageError, match=f"^'{tmp_path.name}/1.png' is empty"):
        found.read()
    with pytest.raises(ImageError, match=r"^is empty"):
        replace(found, frames=found.frames[1:]).read()
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


def flat(level: float, size: int) -> Image:
    return Image(np.full((size, size, 3), level, np.float32), bit_depth=16, encoding="linear")


def corner(image: Image, /, *, size: int) -> Image:
    return replace(image, pixels=image.pixels[:size, :size])


def refused(image: Image, /) -> Image:
    raise ImageError("is not what it should be")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    levels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    path.write_bytes(cv2.imencode(".png", levels)[1].tobytes())
    return path


def test_a_frame_with_a_file_is_read(photograph: Path) -> None:
    given = Scene("a", (Frame(photograph, exposure_ev=-1.0),))
    (frame,) = given.read().frames
    assert np.array_equal(frame.pixels.pixels, read_image(photograph).pixels)
    assert frame.exposure_ev == -1
    with pytest.raises(ValueError, match="read"):
        _ = given.frames[0].pixels


def test_a_frame_without_a_file_is_computed_wherever_it_travels() -> None:
    given = Scene("a", (Frame(Path("nowhere/a"), encoding="linear", make=functools.partial(flat, 2.5, 4)),))
    (frame,) = pickle.loads(pickle.dumps(given)).read().frames  # noqa: S301 - our own bytes
    assert frame.pixels.encoding == "linear"
    assert (frame.pixels.pixels == 2.5).all()
    assert frame.pixels.pixels.shape == (4, 4, 3)


def test_views_of_one_file_decode_it_once(photograph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def counting(path: Path, **settings: Any) -> Image:
        decoded.append(path)
        return read_image(path, **settings)

    monkeypatch.setattr(scene_module, "read_image", counting)
    frames = tuple(Frame(photograph, view=functools.partial(corner, size=size)) for size in (2, 3, 5))
    first = Scene("a", frames).read()
    assert [frame.pixels.pixels.shape[0] for frame in first.frames] == [2, 3, 5]
    assert decoded == [photograph]
    Scene("a", frames).read()
    assert decoded == [photograph] * 2, "nothing is kept from one scene to the next"


def test_what_the_source_says_of_the_encoding_reaches_the_reader(
    photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def reader(path: Path, **settings: Any) -> Image:
        asked.append(settings)
        return flat(1, 2)

    monkeypatch.setattr(scene_module, "read_image", reader)
    Scene("a", (Frame(photograph), Frame(photograph, encoding="linear"), Frame(photograph, encoding="nits"))).read()
    assert asked == [{"encoding": "srgb"}, {"encoding": "linear"}, {"encoding": "nits"}]


def test_what_a_view_refuses_is_an_image_error(photograph: Path) -> None:
    with pytest.raises(ImageError, match="not what it should be"):
        Scene("a", (Frame(photograph, view=refused),)).read()
