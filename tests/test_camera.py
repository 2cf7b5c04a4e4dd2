"""The virtual camera: levels as the formula has them, noise by its law, JPEG as stored, draws that return."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from exposurebench.camera import Camera, draw_camera, expose, preview
from exposurebench.crf import parse_curve
from exposurebench.images import Image, encode_image, quantize, read_image

CURVES = ("linear", "sqrt", "gamma:2.2", "gamma:0.5", "srgb", "sigmoid:n=0.9,sigma=0.6", "sigmoid:n=1.4,sigma=0.1")
RNG = np.random.default_rng(11)
LIGHT = (RNG.random((61, 83, 3)) ** 4 * 3).astype(np.float32)
"""Light of a bright scene: dark mostly, a sixth of it above 1."""


def table(folder: Path, display: np.ndarray) -> str:
    """A DoRF file of one curve over evenly spaced light."""
    rows = [" ".join(f"{v:.9f}" for v in row) for row in (np.linspace(0, 1, len(display)), display)]
    (folder / "dorf.txt").write_text(f"one\ngraph\nI =\n{rows[0]}\nB =\n{rows[1]}\n", "ascii")
    return f"dorf:{folder}/dorf.txt#one"


def formula(light: np.ndarray, crf: str, ev: float = 0.0, bit_depth: int = 8) -> np.ndarray:
    """The levels in float64, rounded once: what the camera must give."""
    return quantize(parse_curve(crf).to_display(light.astype(np.float64) * 2.0**ev), bit_depth)


def flat(value: float, size: int = 400) -> np.ndarray:
    return np.full((size, size, 3), value, np.float32)


# ------------------------------------------------------------------------------------------- levels


@pytest.mark.parametrize("crf", CURVES)
@pytest.mark.parametrize("ev", [0, -3, 3, 1.5, -0.3])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_levels_are_the_formulas_in_float64(crf: str, ev: float, bit_depth: Any) -> None:
    before = LIGHT.copy()
    picture = expose(LIGHT, draw_camera(crf=crf, bit_depth=bit_depth), ev=ev)
    np.testing.assert_array_equal(picture.pixels, formula(LIGHT, crf, ev, bit_depth))
    np.testing.assert_array_equal(LIGHT, before, err_msg="the input is untouched")
    assert picture.pixels.dtype == (np.uint8 if bit_depth == 8 else np.uint16)
    assert (picture.bit_depth, picture.encoding, picture.file) == (bit_depth, "srgb", None)


@pytest.mark.parametrize("crf", CURVES)
def test_levels_begin_at_the_very_float(crf: str) -> None:
    """At each level's first light, and at its neighbours three floats down and up."""
    edges = parse_curve(crf).to_light((np.arange(255) + 0.5) / 255).astype(np.float32).view(np.int32)
    values = (edges + np.arange(-3, 4)[:, None]).astype(np.int32).view(np.float32)
    light = np.resize(values, (7, 85, 3))
    levels = expose(light, draw_camera(crf=crf)).pixels
    np.testing.assert_array_equal(levels, formula(light, crf))
    assert len(np.unique(levels)) == 256


@given(st.lists(st.floats(0, 1e4, width=32), min_size=1, max_size=20), st.floats(-8, 8), st.sampled_from(CURVES))
def test_any_light_at_any_exposure(values: list[float], ev: float, crf: str) -> None:
    light = np.array(values, np.float32)[None, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(expose(light, draw_camera(crf=crf), ev=ev).pixels, formula(light, crf, ev))


def test_a_curve_of_steps_is_exact_too(tmp_path: Path) -> None:
    """Many levels begin at nearly one light: a table that jumps, and one that stays."""
    crf = table(tmp_path, np.interp(np.linspace(0, 1, 4000), [0, 0.5, 0.50025, 0.7, 1], [0, 0.1, 0.9, 0.9, 1]))
    values = np.concatenate((np.linspace(0, 1, 3000), np.linspace(0.4999, 0.5004, 3000))).astype(np.float32)
    light = values.reshape(20, 100, 3)
    np.testing.assert_array_equal(expose(light, draw_camera(crf=crf)).pixels, formula(light, crf))


def test_a_first_level_that_begins_at_a_power_of_two() -> None:
    """Nothing darker falls into the cell that begins there."""
    ev = math.log2(64 / 255 * (1 + 1e-9))
    edge = np.float32(1 / 128)
    light = np.array([0, 1e-6, 1e-3, np.nextafter(edge, np.float32(0)), edge, 0.5], np.float32).reshape(1, 2, 3)
    levels = expose(light, draw_camera(crf="linear"), ev=ev).pixels
    assert levels.ravel().tolist() == [0, 0, 0, 0, 1, 32]
    np.testing.assert_array_equal(levels, formula(light, "linear", ev))


def test_what_no_sensor_sees_is_black_or_white() -> None:
    light = np.array([-np.inf, -1, -1e-30, -0.0, 0, 1e-45, 1, 1e30, np.inf], np.float32).reshape(1, 3, 3)
    for crf in CURVES:
        assert expose(light, draw_camera(crf=crf)).pixels.ravel().tolist() == [0] * 6 + [255] * 3


def test_an_exposure_is_a_factor() -> None:
    camera = draw_camera(crf="srgb")
    np.testing.assert_array_equal(expose(LIGHT, camera, ev=2).pixels, expose(LIGHT * 4, camera).pixels)
    assert expose(flat(0.25, 4), draw_camera(crf="sqrt")).pixels[0, 0].tolist() == [128] * 3
    assert expose(flat(0.25, 4), draw_camera(crf="sqrt"), ev=2).pixels[0, 0].tolist() == [255] * 3


def test_doubles_and_slices_are_taken_as_they_are() -> None:
    camera = draw_camera(crf="gamma")
    np.testing.assert_array_equal(
        expose(LIGHT[::2, ::-1].astype(np.float64), camera).pixels, expose(LIGHT, camera).pixels[::2, ::-1]
    )


@pytest.mark.parametrize("ev", [0, 1, -2, 0.3])
def test_the_clipped_share_counts_pixels_with_a_channel_at_the_limit(ev: float) -> None:
    share = (LIGHT.astype(np.float64) * 2.0**ev >= 1).any(axis=2).mean()
    assert expose(LIGHT, draw_camera(), ev=ev).facts == {"clipped_share": share}
    light = np.array([[[1, 0, 0], [np.nextafter(np.float32(1), 0), 0, 0], [0, 0, 9], [0.5, 0.5, 0.5]]], np.float32)
    assert expose(light, draw_camera()).facts == {"clipped_share": 0.5}


# -------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize(
    ("signal", "constant", "value", "ev"),
    [(0.02, 0, 0.5, 0), (0, 0.01, 0.5, 0), (0.02, 0.01, 0.5, 0), (0.02, 0.003, 0.2, 1), (0.02, 0.01, 0.9, -2)],
)
def test_noise_has_its_spread_in_light(signal: float, constant: float, value: float, ev: float) -> None:
    """On a flat field, far from both limits, through 16 bits; five standard errors."""
    camera = draw_camera(crf="linear", noise_signal=signal, noise_constant=constant, bit_depth=16)
    found = expose(flat(value), camera, ev=ev, seed=3).pixels.astype(np.float64) / 65535
    light, count = value * 2.0**ev, 400 * 400 * 3
    spread = math.hypot(signal * light, constant)
    assert found.mean() == pytest.approx(light, abs=5 * spread / math.sqrt(count))
    assert found.std() == pytest.approx(spread, rel=5 / math.sqrt(2 * count))
    neighbours = np.corrcoef(found[:, :-1, 0].ravel(), found[:, 1:, 0].ravel())[0, 1]
    channels = np.corrcoef(found[..., 0].ravel(), found[..., 1].ravel())[0, 1]
    assert max(abs(neighbours), abs(channels)) < 5 / 400, "independent in place and channel"


def test_noise_comes_before_clipping_and_response() -> None:
    """Half of the noise at the limit is cut off; dark noise goes through the response and is no longer even."""
    white = expose(flat(1.0), draw_camera(crf="linear", noise_constant=0.1), seed=1)
    assert (white.pixels == 255).mean() == pytest.approx(0.5, abs=0.02)
    assert white.facts["clipped_share"] == pytest.approx(1 - 0.5**3, abs=0.01)
    dark = expose(flat(0.01), draw_camera(crf="sqrt", noise_constant=0.003, bit_depth=16), seed=1)
    display = dark.pixels / 65535
    assert display.std() == pytest.approx(0.003 / (2 * math.sqrt(0.01)), rel=0.1)
    assert np.mean(display**2) == pytest.approx(0.01, rel=1e-3)
    assert display.mean() < 0.1 - 1e-4


def test_black_has_no_noise_of_the_signal() -> None:
    assert not expose(flat(0.0, 8), draw_camera(noise_signal=0.5), seed=2).pixels.any()


def test_the_seed_is_the_noise() -> None:
    camera = draw_camera(noise_signal=0.01, noise_constant=0.002)
    first = expose(LIGHT, camera, seed=4).pixels
    np.testing.assert_array_equal(expose(LIGHT, camera, seed=4).pixels, first)
    for other in (5, (4, 1), (4, 2)):
        assert (expose(LIGHT, camera, seed=other).pixels != first).mean() > 0.1
    quiet = draw_camera()
    np.testing.assert_array_equal(expose(LIGHT, quiet, seed=4).pixels, expose(LIGHT, quiet, seed=5).pixels)


# --------------------------------------------------------------------------------------------- JPEG


def quantisation(data: bytes) -> list[int]:
    """The first quantisation table of a JPEG file."""
    start = data.index(b"\xff\xdb") + 5
    return list(data[start : start + 64])


def scaled(quality: int) -> int:
    """The first entry of the standard's luminance table (16) at a quality, as libjpeg scales it."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return min(max((16 * percent + 50) // 100, 1), 255)


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 90, 100])
def test_a_jpeg_is_stored_at_its_quality_and_pixels_are_what_it_decodes_to(tmp_path: Path, quality: int) -> None:
    picture = expose(LIGHT, draw_camera(crf="srgb", jpeg_quality=quality))
    assert picture.file is not None
    data, suffix = picture.file
    assert suffix == ".jpg"
    assert quantisation(data)[0] == scaled(quality)
    assert simplejpeg.decode_jpeg_header(data)[3] == "444"
    assert data == encode_image(formula(LIGHT, "srgb"), "jpg", quality)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    again = read_image(path)
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert again.file == picture.file, "the store can write these very bytes"


def test_the_clipped_share_is_taken_before_the_jpeg() -> None:
    plain, jpeg = (expose(LIGHT, draw_camera(jpeg_quality=quality)) for quality in (None, 5))
    assert plain.facts == jpeg.facts
    assert (plain.pixels != jpeg.pixels).any()


# -------------------------------------------------------------------------------------------- draws


RANGES: dict[str, Any] = {
    "crf": "sigmoid",
    "noise_signal": "0:0.0133",
    "noise_constant": "0.001:0.005",
    "jpeg_quality": "90:100",
}


def test_drawn_cameras_have_their_laws() -> None:
    cameras = [draw_camera(**RANGES, seed=seed) for seed in range(3000)]
    for values, low, high in (
        ([c.noise_signal for c in cameras], 0, 0.0133),
        ([c.noise_constant for c in cameras], 0.001, 0.005),
    ):
        assert low <= min(values) < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=5 * (high - low) / math.sqrt(12 * 3000))
    qualities = [c.jpeg_quality for c in cameras]
    counts = [qualities.count(quality) for quality in range(90, 101)]
    assert sum(counts) == 3000
    assert max(abs(count - 3000 / 11) for count in counts) < 5 * math.sqrt(3000 / 11)
    drawn = np.array([(c.noise_signal, c.noise_constant, c.jpeg_quality) for c in cameras], float)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 5 / math.sqrt(3000), "streams of their own"


def test_a_draw_does_not_depend_on_the_other_settings() -> None:
    whole = draw_camera(**RANGES, seed=8)
    assert draw_camera(noise_constant=RANGES["noise_constant"], seed=8).noise_constant == whole.noise_constant
    assert draw_camera(crf="sigmoid", seed=8).curve == whole.curve == parse_curve("sigmoid", seed=8)


@pytest.mark.parametrize(
    "settings", [{}, {"crf": "srgb", "bit_depth": 16}, RANGES, {"jpeg_quality": 75}, {"noise_signal": "0.01"}]
)
def test_the_recorded_settings_make_the_same_picture(settings: dict[str, Any]) -> None:
    """Through JSON and through text, whatever the seed of the second drawing."""
    camera = draw_camera(**settings, seed=21)
    assert all(isinstance(value, int | float | str) for value in camera.settings.values())
    again = draw_camera(**json.loads(json.dumps(camera.settings)), seed=0)
    assert again == camera
    pictures = [expose(LIGHT, c, ev=0.7, seed=21) for c in (camera, again)]
    np.testing.assert_array_equal(pictures[0].pixels, pictures[1].pixels)
    assert pictures[0].file == pictures[1].file


def test_different_seeds_draw_different_cameras() -> None:
    assert len({draw_camera(**RANGES, seed=seed) for seed in range(50)}) == 50
    assert draw_camera(**RANGES, seed=3) == draw_camera(**RANGES, seed=3)
    assert draw_camera(**RANGES, seed=(3, 1)) != draw_camera(**RANGES, seed=(3, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise_signal": -0.1}, r"noise_signal must be in \[0, 1\], not -0.1"),
        ({"noise_constant": "0:1.5"}, r"noise_constant must be in \[0, 1\], not 0:1.5"),
        ({"noise_constant": "0.2:0.1"}, "noise_constant '0.2:0.1' must be a range low:high"),
        ({"noise_signal": "a lot"}, "noise_signal must be a number or a range such as 0.5:1, not 'a lot'"),
        ({"noise_signal": math.nan}, "noise_signal nan must be a range"),
        ({"jpeg_quality": 0}, "jpeg_quality must be a whole number in 1 to 100"),
        ({"jpeg_quality": "90:101"}, "jpeg_quality must be a whole number in 1 to 100"),
        ({"jpeg_quality": "90.5"}, "jpeg_quality must be a whole number in 1 to 100"),
        ({"jpeg_quality": "inf"}, "jpeg_quality must be a whole number in 1 to 100"),
        ({"bit_depth": 10}, "bit_depth must be 8 or 16, not 10"),
        ({"bit_depth": 16, "jpeg_quality": 90}, "JPEG holds 8 bits"),
        ({"crf": "foo"}, "unknown camera response 'foo'"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_camera(**settings)


@pytest.mark.parametrize(
    "light", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.float32), np.zeros((4, 4, 3), np.uint8)]
)
def test_what_is_no_light_is_refused(light: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"light must be \(H, W, 3\) of floats"):
        expose(light, draw_camera())


@pytest.mark.parametrize("ev", [math.nan, math.inf, 65, -100])
def test_exposures_beyond_reason_are_refused(ev: float) -> None:
    with pytest.raises(ValueError, match="ev must be within 64 stops"):
        expose(LIGHT, draw_camera(), ev=ev)


def test_a_camera_can_be_made_by_hand() -> None:
    picture = expose(LIGHT, Camera(parse_curve("srgb")))
    assert isinstance(picture, Image)
    np.testing.assert_array_equal(picture.pixels, formula(LIGHT, "srgb"))


def test_a_preview_cuts_a_twentieth_or_what_is_asked() -> None:
    light = np.exp2(np.random.default_rng(5).uniform(-10, 6, (33, 47, 3))).astype(np.float32)
    assert (preview(light).pixels == 255).any(axis=2).mean() == pytest.approx(0.05, abs=0.01)
    assert (preview(light, 4.0).pixels == 255).any(axis=2).mean() == pytest.approx((light.max(2) >= 4).mean(), abs=0.01)
    night = np.zeros((20, 20, 3), np.float32)
    night[3, 4] = 2, 1, 0
    assert preview(night).pixels[3, 4].tolist() == [255, 188, 0]
    assert np.count_nonzero(preview(night).pixels) == 2
