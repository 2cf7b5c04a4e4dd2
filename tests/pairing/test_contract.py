"""What every way of making pairs promises: input untouched, same seed same bytes, settings rebuild the pair."""

from pathlib import Path

import numpy as np
import pytest

from exposurebench import catalog
from exposurebench.images import Image
from exposurebench.scene import Frame, Scene

NAMES = catalog.names("pairing")


def scene(takes: str, dtype: type = np.uint8, finished: str = "") -> Scene:
    """Two exposures of one picture, of odd sizes, with one constant corner: every level, or six decades of light.

    With ``finished`` there is a finished picture of that kind, and all are of one size.
    """
    rng = np.random.default_rng(1)
    if takes == "linear":
        whole = (10 ** rng.uniform(-3, 3, (82, 101, 3))).astype(np.float32)
        whole[:5, :5] = 1000
    else:
        whole = rng.integers(0, np.iinfo(dtype).max, (82, 101, 3), dtype, endpoint=True)
        whole[:5, :5] = np.iinfo(dtype).max
    frames = []
    for number in range(2):
        pixels = whole[: 81 if finished else 81 + number].copy()
        if takes == "linear":
            image = Image(pixels * np.float32(2**number), 16, takes)
        else:
            pixels -= pixels // 4 * np.array(1 - number, dtype)
            image = Image(pixels, np.dtype(dtype).itemsize * 8, "srgb", file=(b"the file's bytes", ".png"))
        frames.append(Frame(Path(f"{number}.png"), exposure_ev=float(number), image=image, encoding=image.encoding))
    if finished:
        picture = scene(finished, dtype).frames[0].pixels
        frames.append(Frame(Path("target.png"), image=picture, encoding=picture.encoding, role="target"))
    return Scene("odd", tuple(frames))


def needs(name: str) -> str:
    """What kind of finished picture a pairing cannot do without."""
    return catalog.load("pairing", name).fact("GIVES") if name.startswith("paired") else ""


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_stated(name: str) -> None:
    entry = catalog.load("pairing", name)
    for fact in ("TITLE", "TAKES", "GIVES", "REFERENCE"):
        assert entry.fact(fact), fact
    assert entry.fact("TAKES") in ("srgb", "linear", "nits")
    assert all(p.default is not p.empty for p in entry.parameters().values()), "every setting has a default"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, dtype: type) -> None:
    entry = catalog.load("pairing", name)
    given = scene(entry.fact("TAKES"), dtype, needs(name))
    before = [frame.pixels.pixels.copy() for frame in given.frames]
    pairs = list(entry.function()(given))
    again = list(entry.function()(scene(entry.fact("TAKES"), dtype, needs(name))))
    assert pairs
    assert len({pair.name for pair in pairs}) == len(pairs), "names tell the pairs of a scene apart"
    for frame, pixels in zip(given.frames, before, strict=True):
        np.testing.assert_array_equal(frame.pixels.pixels, pixels, err_msg="the scene is untouched")
    for pair, twin in zip(pairs, again, strict=True):
        np.testing.assert_array_equal(pair.input.pixels, twin.input.pixels)
        np.testing.assert_array_equal(pair.target.pixels, twin.target.pixels)
        assert pair.settings == twin.settings
        assert pair.input.encoding == "srgb", "what is to be corrected is what a camera wrote"
        assert pair.target.encoding == entry.fact("GIVES")
        if pair.radiance is not None:
            assert pair.radiance.encoding == "linear"
            assert pair.radiance.pixels.shape == pair.input.pixels.shape
        assert pair.input.pixels.shape == pair.target.pixels.shape
        assert all(isinstance(value, int | float | str | bool) for value in pair.settings.values())
        rebuilt = catalog.load("pairing", name.partition("/")[0]).function()(given, **pair.settings)
        same = [
            p
            for p in rebuilt
            if np.array_equal(p.input.pixels, pair.input.pixels) and np.array_equal(p.target.pixels, pair.target.pixels)
        ]
        assert same, "the recorded settings rebuild the pair"
        assert same[0].settings == pair.settings


@pytest.mark.parametrize("name", NAMES)
def test_images_of_another_kind_are_refused(name: str) -> None:
    entry = catalog.load("pairing", name)
    other = "linear" if entry.fact("TAKES") == "srgb" else "srgb"
    with pytest.raises(ValueError, match=entry.fact("TAKES")):
        list(entry.function()(scene(other, finished=needs(name))))


@pytest.mark.parametrize("name", NAMES)
def test_an_unread_scene_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not read yet"):
        list(catalog.load("pairing", name).function()(Scene("a", (Frame(Path("a.png")), Frame(Path("b.png"))))))
