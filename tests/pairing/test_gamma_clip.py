"""Clipping in light: the literal table, the camera form, drawn thresholds, settings."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposurebench.images import Image
from exposurebench.pairing.gamma_clip import gamma_clip, overexposure_table
from exposurebench.scene import Frame, Pair, Scene

EVERY_LEVEL = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(40, axis=0)
"""A ramp, 40 x 256, every level forty times."""


def scene(*images: Image) -> Scene:
    return Scene("scene", tuple(Frame(Path(f"{i}.png"), image=image) for i, image in enumerate(images)))


def clip(pixels: np.ndarray, bit_depth: int = 8, **options: Any) -> Pair:
    (pair,) = gamma_clip(scene(Image(pixels, bit_depth)), **options)
    return pair


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("tau", [0.2, 0.5, 0.69, 0.75, 0.8, 1.0, 1 / 3])
def test_the_table_is_the_closed_form_to_the_last_bit(tau: float, bit_depth: int) -> None:
    """Level by level in Python's own float64: ``round(top * min(y, t) / t)`` with ``t = tau ** (1 / 2.2)``."""
    top = 2**bit_depth - 1
    threshold = math.pow(tau, 1 / 2.2)
    expected = [round(min(level / top, threshold) / threshold * top) for level in range(top + 1)]
    assert overexposure_table(tau, bit_depth=bit_depth).tolist() == expected


@pytest.mark.parametrize("tau", [0.2, 0.5, 0.8])
def test_the_table_is_the_papers_long_form(tau: float) -> None:
    long = [round(255 * (min((level / 255) ** 2.2, tau) / tau) ** (1 / 2.2)) for level in range(256)]
    assert overexposure_table(tau).tolist() == long


def test_half_the_light_leaves_187_levels_and_a_comb() -> None:
    pair = clip(EVERY_LEVEL)
    assert pair.settings["form"] == "literal"
    assert len(np.unique(pair.input.pixels)) == 187
    np.testing.assert_array_equal(pair.input.pixels, overexposure_table(0.5)[EVERY_LEVEL])


def test_the_camera_form_leaves_no_comb() -> None:
    for tau in (0.2, 0.5, 0.8):
        pixels = clip(EVERY_LEVEL, tau=tau, form="camera").input.pixels
        counts = np.bincount(pixels.ravel(), minlength=256)
        assert (counts[pixels.min() :] > 0).all(), f"empty levels at tau {tau}: {np.flatnonzero(counts == 0)}"


def test_the_camera_form_is_the_clipped_light_give_or_take_its_dither() -> None:
    """Half a level of dither, magnified by the gain, and half a level of rounding; no bias."""
    for tau, transfer in ((0.5, "gamma22"), (0.3, "gamma22"), (0.5, "srgb")):
        found = clip(EVERY_LEVEL, tau=tau, form="camera", transfer=transfer).input.pixels.astype(float)
        exact = overexposure_table(tau, transfer, 16)[EVERY_LEVEL.astype(np.uint16) * 257] / 257  # type: ignore[arg-type]
        gain = np.gradient(exact, axis=1)[..., 0].max()
        assert np.abs(found - exact).max() <= 0.5 * gain + 0.51
        assert abs((found - exact)[:, 10:150].mean()) < 0.03


def test_a_float_image_is_not_quantised_on_the_way() -> None:
    smooth = np.repeat(np.linspace(0, 1, 4001, dtype=np.float32)[None, :, None], 3, axis=2)
    pair = clip(smooth, tau=0.5, form="camera")
    assert pair.input.pixels.dtype == np.uint8
    assert len(np.unique(pair.input.pixels)) == 256
    np.testing.assert_array_equal(pair.target.pixels, np.rint(smooth * 255))


def test_all_the_light_is_identity_for_the_table() -> None:
    np.testing.assert_array_equal(clip(EVERY_LEVEL, tau=1).input.pixels, EVERY_LEVEL)
    np.testing.assert_array_equal(clip(EVERY_LEVEL, tau=1, transfer="srgb").input.pixels, EVERY_LEVEL)
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(clip(deep, 16, tau=1).input.pixels, deep)


@settings(max_examples=30)
@given(tau=st.floats(0.05, 1), seed=st.integers(0, 2**63 - 1), form=st.sampled_from(["literal", "camera"]))
def test_brighter_everywhere_and_in_order(tau: float, seed: int, form: str) -> None:
    pair = clip(EVERY_LEVEL, tau=tau, seed=seed, form=form)
    assert (pair.input.pixels.astype(int) >= EVERY_LEVEL.astype(int) - 1).all()
    threshold = tau ** (1 / 2.2) * 255
    assert (pair.input.pixels[:, math.ceil(threshold) + 1 :] == 255).all()


def test_drawn_thresholds_stay_in_range_and_fill_it() -> None:
    drawn = [clip(EVERY_LEVEL[:2, :4], tau="0.5:1", seed=seed).settings["tau"] for seed in range(400)]
    assert 0.5 <= min(drawn) < 0.52
    assert 0.98 < max(drawn) <= 1
    counts = np.histogram(drawn, 5, (0.5, 1))[0]
    assert (np.abs(counts - 80) < 35).all(), counts
    assert len(set(drawn)) == 400


def test_drawn_thresholds_take_the_camera_form_and_record_the_number() -> None:
    pair = clip(EVERY_LEVEL, tau="0.5:1", seed=3)
    assert pair.settings["form"] == "camera"
    assert isinstance(pair.settings["tau"], float)
    twin = clip(EVERY_LEVEL, **pair.settings)
    np.testing.assert_array_equal(twin.input.pixels, pair.input.pixels)
    assert twin.settings == pair.settings


def test_seeds_change_the_dither_and_nothing_else() -> None:
    one, same, other = (clip(EVERY_LEVEL, form="camera", seed=seed).input.pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert np.abs(one.astype(int) - other).max() <= 2
    literal = [clip(EVERY_LEVEL, form="literal", seed=seed).input.pixels for seed in (1, 2)]
    np.testing.assert_array_equal(*literal)


def test_noise_is_as_strong_as_asked() -> None:
    gray = np.full((64, 64, 3), 100, np.uint8)
    quiet = clip(gray, form="camera").input.pixels.std()
    loud = clip(gray, form="camera", noise=0.02).input.pixels.std()
    assert math.sqrt(loud**2 - quiet**2) == pytest.approx(0.02 * 255, rel=0.05)


@pytest.mark.parametrize("tau", ["0.2,0.5,0.8,1", [0.2, 0.5, 0.8, 1]])
def test_lists_give_one_pair_each_with_one_target(tau: Any) -> None:
    image = Image(EVERY_LEVEL, file=(b"bytes", ".png"))
    pairs = list(gamma_clip(scene(image), tau=tau))
    assert [pair.settings["tau"] for pair in pairs] == [0.2, 0.5, 0.8, 1]
    assert [pair.name for pair in pairs] == ["tau0p2", "tau0p5", "tau0p8", "tau1"]
    assert all(pair.target is image for pair in pairs), "shared, and the file's own bytes with it"
    resized = Image(EVERY_LEVEL.astype(np.float32) / 255)
    targets = {id(pair.target) for pair in gamma_clip(scene(resized), tau=tau)}
    assert len(targets) == 1


def test_every_frame_has_its_pair_and_its_own_dither() -> None:
    image = Image(EVERY_LEVEL)
    first, second = gamma_clip(scene(image, image), form="camera")
    assert (first.name, second.name) == ("frame0", "frame1")
    assert (first.input.pixels != second.input.pixels).any()


def test_close_thresholds_have_names_of_their_own() -> None:
    pairs = list(gamma_clip(scene(Image(EVERY_LEVEL)), tau=[0.5, 0.50000001, 0.5000001]))
    assert len({pair.name for pair in pairs}) == 3


def test_facts() -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:3, :, 1] = 187  # 0.7333, just above the threshold 0.7297
    pixels[3:5] = 186  # 0.7294, just below
    facts = clip(pixels, tau=0.5).facts
    assert facts["clipped_share"] == 0.3
    assert facts["exposure_ev"] == 1
    assert round(facts["display_threshold"], 4) == 0.7297
    assert clip(pixels, tau=1).facts["clipped_share"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"tau": 0},
        {"tau": -1},
        {"tau": 1.01},
        {"tau": math.nan},
        {"tau": "bright"},
        {"tau": ""},
        {"tau": []},
        {"tau": [0.5, 0.5]},
        {"tau": [0.5, 2]},
        {"tau": "0.5,"},
        {"tau": "1:0.5"},
        {"tau": "0:1"},
        {"tau": "0.5:1.5"},
        {"tau": "0.5:nan"},
        {"tau": "0.2:0.5:1"},
        {"transfer": "linear"},
        {"transfer": "linear", "form": "camera"},
        {"form": "film"},
        {"noise": 0.1},
        {"noise": -0.1, "form": "camera"},
        {"noise": math.nan, "form": "camera"},
        {"seed": -1, "form": "camera"},
    ],
)
def test_misuse(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        clip(EVERY_LEVEL, **wrong)
