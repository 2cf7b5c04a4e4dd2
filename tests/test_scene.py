"""Scenes: where the pixels of a frame come from."""

from __future__ import annotations

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
from exposurebench.images import Image, read_image
from exposurebench.scene import Frame, Scene


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
