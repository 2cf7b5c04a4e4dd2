"""RAW files: a DNG made by hand, where every value is known, and real cameras' files."""

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rawpy

from exposurebench.errors import ImageError
from exposurebench.images import read_raw

REC709_FROM_XYZ = (
    3.2404542,
    -1.5371385,
    -0.4985314,
    -0.9692660,
    1.8760108,
    0.0415560,
    0.0556434,
    -0.2040259,
    1.0572252,
)
"""XYZ to linear Rec. 709: a camera with this matrix sees linear sRGB."""
BLACK, WHITE = 256, 4096


def mosaic(light: np.ndarray, black: int = BLACK, white: int = WHITE) -> np.ndarray:
    """What an RGGB sensor records of ``(H, W, 3)`` light, where 1 is the white level of every channel."""
    sites = np.empty(light.shape[:2])
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        sites[row::2, column::2] = light[row::2, column::2, channel]
    return np.rint(black + sites.clip(0, 1) * (white - black)).astype(np.uint16)


def dng(
    sites: np.ndarray,
    *,
    neutral: tuple[float, float, float] | None = (0.5, 1.0, 0.625),
    matrix: tuple[float, ...] = REC709_FROM_XYZ,
    black: int | tuple[int, int, int, int] = BLACK,
    white: int = WHITE,
    orientation: int = 1,
    margins: tuple[int, int, int, int] | None = None,
    linear_limit: float | None = None,
    exposure: tuple[tuple[int, int], int, tuple[int, int]] | None = ((1, 50), 200, (2, 1)),
) -> bytes:
    """An uncompressed 16-bit DNG: RGGB for ``(H, W)`` sites, linear for ``(H, W, 3)``.

    Args:
        margins: the active area as top, left, bottom, right.
        linear_limit: LinearResponseLimit, the share of the range that is linear.
        exposure: time and f-number as rationals, ISO between.
    """

    def rationals(values: tuple[float, ...]) -> bytes:
        return b"".join(struct.pack("<ii", round(value * 1_000_000), 1_000_000) for value in values)

    blacks = (black,) * 4 if isinstance(black, int) else black
    data = sites.astype("<u2").tobytes()
    channels = 1 if sites.ndim == 2 else 3
    tags: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", sites.shape[1])),
        (257, 4, 1, struct.pack("<I", sites.shape[0])),
        (258, 3, channels, struct.pack(f"<{channels}H", *[16] * channels)),
        (259, 3, 1, struct.pack("<H", 1)),
        (262, 3, 1, struct.pack("<H", 32803 if channels == 1 else 34892)),
        (271, 2, 5, b"Made\0"),
        (272, 2, 8, b"By hand\0"),
        (274, 3, 1, struct.pack("<H", orientation)),
        (277, 3, 1, struct.pack("<H", channels)),
        (278, 4, 1, struct.pack("<I", sites.shape[0])),
        (279, 4, 1, struct.pack("<I", len(data))),
        (50706, 1, 4, bytes((1, 4, 0, 0))),
        (50708, 2, 13, b"Made By hand\0"),
        (50717, 4, channels, struct.pack(f"<{channels}I", *[white] * channels)),
        (50721, 10, 9, rationals(matrix)),
        (50778, 3, 1, struct.pack("<H", 21)),
    ]
    if channels == 1:
        tags += [
            (33421, 3, 2, struct.pack("<HH", 2, 2)),
            (33422, 1, 4, bytes((0, 1, 1, 2))),
            (50713, 3, 2, struct.pack("<HH", 2, 2)),
            (50714, 4, 4, struct.pack("<4I", *blacks)),
        ]
    if neutral is not None:
        tags.append((50728, 5, 3, rationals(neutral)))
    if margins is not None:
        tags.append((50829, 4, 4, struct.pack("<4I", *margins)))
    if linear_limit is not None:
        tags.append((50734, 5, 1, rationals((linear_limit,))))
    return _file(tags, exposure, data)


def _file(tags: list[tuple[int, int, int, bytes]], exposure: Any, data: bytes) -> bytes:
    exif: list[tuple[int, int, int, bytes]] = []
    if exposure is not None:
        time, iso, f_number = exposure
        exif = [
            (33434, 5, 1, struct.pack("<II", *time)),
            (33437, 5, 1, struct.pack("<II", *f_number)),
            (34855, 3, 1, struct.pack("<H", iso)),
            (36867, 2, 20, b"2026:03:04 05:06:07\0"),
        ]
    count = len(tags) + 1 + bool(exif)
    extra = 8 + 2 + 12 * count + 4  # where values of more than four bytes begin
    values, body = b"", b""
    exif_at = extra + sum(len(v) + len(v) % 2 for *_, v in tags if len(v) > 4)
    exif_size = (2 + 12 * len(exif) + 4 + sum(len(v) for *_, v in exif if len(v) > 4)) if exif else 0
    tags = [*tags, (273, 4, 1, struct.pack("<I", exif_at + exif_size))]
    if exif:
        tags.append((34665, 4, 1, struct.pack("<I", exif_at)))
    for tag, kind, number, value in sorted(tags):
        long = len(value) > 4
        body += struct.pack("<HHI", tag, kind, number)
        body += struct.pack("<I", extra + len(values)) if long else value.ljust(4, b"\0")
        values += value + bytes(len(value) % 2) if long else b""
    head = b"II*\0" + struct.pack("<IH", 8, count) + body + bytes(4) + values
    second, long_values = struct.pack("<H", len(exif)), b""
    for tag, kind, number, value in exif:
        where = exif_at + 2 + 12 * len(exif) + 4 + len(long_values)
        second += struct.pack("<HHI", tag, kind, number)
        second += struct.pack("<I", where) if len(value) > 4 else value.ljust(4, b"\0")
        long_values += value if len(value) > 4 else b""
    return head + (second + bytes(4) + long_values if exif else b"") + data


LIGHT = np.zeros((64, 96, 3))
LIGHT[:, :48] = (0.1, 0.2, 0.125)
LIGHT[:32, 48:] = (0.05, 0.5, 0.3)
LIGHT[32:, 48:] = 1
"""Two flat colours and a clipped corner; the first is gray under the multipliers (2, 1, 1.6)."""
GRAY, COLOUR, CLIPPED = (10, 10), (10, 80), (50, 80)
STEP = 1 / 3840 + 2 / 65535
"""One level of the sensor, and what LibRaw's 16 bits round away."""


def near(pixel: np.ndarray, expected: tuple[float, ...], tolerance: float = STEP) -> None:
    np.testing.assert_allclose(pixel, expected, rtol=0, atol=tolerance)


# --------------------------------------------------------------------------------------- known values


@pytest.mark.parametrize("demosaic", ["linear", "vng", "ppg", "ahd", "dcb", "dht", "aahd"])
def test_known_light_comes_out(demosaic: Any) -> None:
    image = read_raw(dng(mosaic(LIGHT)), demosaic=demosaic)
    assert image.encoding == "linear"
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == LIGHT.shape
    near(image.pixels[GRAY], (0.2, 0.2, 0.2))
    near(image.pixels[COLOUR], (0.1, 0.5, 0.48))
    near(image.pixels[CLIPPED], (1, 1, 1))
    assert image.facts == {
        "libraw": ".".join(map(str, rawpy.libraw_version)),
        "demosaic": demosaic,
        "white_balance": (2.0, 1.0, 1.6, 1.0),
        "black_level": 256,
        "white_level": 4096,
        "exposure_ev": 0.0,
        "exposure_time_s": 0.02,
        "iso": 200.0,
        "f_number": 2.0,
        "camera": "By hand",
    }
    assert not image.notes


def test_the_cameras_matrix_is_undone() -> None:
    """Camera = M XYZ; its rows are scaled so that white is (1, 1, 1), and light is what the inverse gives."""
    mix = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.05, 0.25, 0.7]])
    matrix = tuple((mix @ np.reshape(REC709_FROM_XYZ, (3, 3))).ravel())
    light = np.broadcast_to([0.2, 0.4, 0.3], LIGHT.shape)
    data = dng(mosaic(light @ mix.T), neutral=(1, 1, 1), matrix=matrix)
    near(read_raw(data).pixels[GRAY], (0.2, 0.4, 0.3), 4 * STEP)
    near(read_raw(data, output_color="raw").pixels[GRAY], tuple(mix @ [0.2, 0.4, 0.3]))


def test_a_bracket_under_one_white_balance_shares_a_scale() -> None:
    """A frame four times darker is four times darker, though its brightest value is far below white."""
    frames = [dng(mosaic(LIGHT / gain), neutral=(1 / gain, 1, 1)) for gain in (1, 4)]
    bright, dark = (read_raw(frame, white_balance=(4, 2, 3.2)) for frame in frames)
    assert bright.facts["white_balance"] == dark.facts["white_balance"] == (2.0, 1.0, 1.6, 1.0)
    for where in (GRAY, COLOUR):
        near(4 * dark.pixels[where], tuple(bright.pixels[where]), 5 * STEP)
    near(dark.pixels[CLIPPED], (0.5, 0.25, 0.4))


def test_four_multipliers_tell_the_greens_apart() -> None:
    light = np.ones_like(LIGHT) * 0.2
    pixels = read_raw(dng(mosaic(light)), white_balance=(1, 1, 1, 1.5), demosaic="vng", output_color="raw").pixels
    assert 0.2 < pixels[GRAY][1] < 0.3


def test_no_white_balance_is_said() -> None:
    image = read_raw(dng(mosaic(LIGHT), neutral=None))
    assert image.notes == ("no camera white balance: daylight used",)
    np.testing.assert_allclose(image.facts["white_balance"], (1, 1, 1, 1), atol=1e-4)
    near(image.pixels[GRAY], (0.1, 0.2, 0.125), 2 * STEP)
    daylight = read_raw(dng(mosaic(LIGHT)), white_balance="daylight")
    np.testing.assert_array_equal(daylight.pixels, image.pixels)
    assert not daylight.notes


def test_black_levels_of_each_channel() -> None:
    image = read_raw(dng(mosaic(LIGHT), black=(256, 256, 256, 300)))
    top = 4096 - 300  # the least room of any channel is what reaches 1
    near(image.pixels[GRAY], (768 / top, 768 / top, (0.125 * 3840 - 44) * 1.6 / top))
    near(image.pixels[CLIPPED], (1, 1, 1))


# ------------------------------------------------------------------------------------------ saturation


def used_by_linear(sites: np.ndarray) -> np.ndarray:
    """Which pixels use a true photosite: their own for its colour, all neighbours of the other two colours."""
    colours = np.tile([[0, 1], [1, 2]], (sites.shape[0] // 2, sites.shape[1] // 2))
    out = sites.copy()
    for y, x in np.ndindex(*sites.shape):
        near_by = np.s_[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        out[y, x] |= (sites[near_by] & (colours[near_by] != colours[y, x])).any()
    return out


def test_the_mask_is_what_linear_interpolation_touches() -> None:
    sites = mosaic(LIGHT)
    sites[8, 8] = sites[21, 14] = sites[40, 15] = WHITE  # a red, a blue and a green photosite alone
    sites[20, 30] = WHITE - 1
    mask = read_raw(dng(sites)).saturated
    assert mask is not None
    np.testing.assert_array_equal(mask[1:-1, 1:-1], used_by_linear(sites >= WHITE)[1:-1, 1:-1])
    assert mask[7:10, 7:10].all()
    assert not mask[18:23, 28:33].any()


def test_the_mask_knows_the_lower_limit_that_the_camera_states() -> None:
    """Half of the range is linear: the green of 0.5 is at its limit, and 1.0 is there."""
    image = read_raw(dng(mosaic(LIGHT), linear_limit=0.5))
    assert image.facts["white_level"] == 256 + 3840 // 2
    assert image.saturated is not None
    assert image.saturated[COLOUR]
    assert not image.saturated[GRAY]
    near(image.pixels[GRAY], (0.4, 0.4, 0.4), 2 * STEP)
    near(image.pixels[CLIPPED], (1, 1, 1))


@pytest.mark.parametrize("half_size", [False, True], ids=["whole", "half"])
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_upright_without_margins(orientation: int, turns: int, half_size: bool) -> None:
    """Pixels and mask are cut to the active area and turned alike; saturated margins do not count."""
    sites = np.full((64, 96), WHITE, np.uint16)
    sites[4:60, 8:90] = mosaic(LIGHT)[4:60, 8:90]
    image = read_raw(dng(sites, orientation=orientation, margins=(4, 8, 60, 90)), half_size=half_size)
    plain = read_raw(dng(mosaic(LIGHT)[4:60, 8:90]), half_size=half_size)
    assert plain.pixels.shape == ((28, 41, 3) if half_size else (56, 82, 3))
    assert plain.saturated is not None
    assert image.saturated is not None
    np.testing.assert_array_equal(image.pixels, np.rot90(plain.pixels, turns))
    np.testing.assert_array_equal(image.saturated, np.rot90(plain.saturated, turns))
    assert 0.2 < image.saturated.mean() < 0.35
    degrees = {1: (), 3: (180,), 6: (90,), 8: (270,)}[orientation]
    assert image.notes == tuple(f"rotated as the camera says ({d} degrees clockwise)" for d in degrees)


def test_half_size_is_the_four_photosites() -> None:
    image = read_raw(dng(mosaic(LIGHT)), half_size=True)
    near(image.pixels[5, 5], (0.2, 0.2, 0.2))
    near(image.pixels[5, 40], (0.1, 0.5, 0.48))
    assert image.saturated is not None
    np.testing.assert_array_equal(image.saturated, (LIGHT == 1).all(axis=2)[::2, ::2])


def test_linear_dng_without_a_mosaic() -> None:
    levels = np.rint(LIGHT * 4096).astype(np.uint16)
    levels[3, 5, 2] = 4096
    image = read_raw(dng(levels))
    near(image.pixels[GRAY], (0.2, 0.2, 0.2), 2 * STEP)
    near(image.pixels[CLIPPED], (1, 1, 1))
    np.testing.assert_array_equal(image.saturated, (levels == 4096).any(axis=2))


@pytest.mark.parametrize(
    ("mode", "clipped"),
    [("clip", (1, 1, 1)), ("blend", None), ("reconstruct", (2, 2, 2)), ("ignore", (2, 1, 1.6))],
)
def test_every_highlight_mode_keeps_the_scale(mode: Any, clipped: tuple[float, ...] | None) -> None:
    pixels = read_raw(dng(mosaic(LIGHT)), highlight_mode=mode).pixels
    near(pixels[GRAY], (0.2, 0.2, 0.2), 2 * STEP)
    near(pixels[COLOUR], (0.1, 0.5, 0.48), 2 * STEP)
    if clipped:
        near(pixels[CLIPPED], clipped, 2 * STEP)
    if mode != "ignore":
        assert np.ptp(pixels[CLIPPED]) < 1e-4


# ----------------------------------------------------------------------------------- refused and void


def test_void_exposure_is_left_out() -> None:
    facts = read_raw(dng(mosaic(LIGHT), exposure=((0, 1_000_000), 0, (0, 10)))).facts
    assert not {"exposure_ev", "exposure_time_s", "iso", "f_number"} & set(facts)
    assert read_raw(dng(mosaic(LIGHT), exposure=((1, 8), 0, (0, 0)))).facts["exposure_time_s"] == 0.125


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(share: float) -> None:
    whole = dng(mosaic(LIGHT))
    with pytest.raises(ImageError, match=r"truncated|its end is missing") as caught:
        read_raw(whole[: int(len(whole) * share)])
    assert "\n" not in str(caught.value)


def test_a_jpeg_stream_that_ends_early_is_refused() -> None:
    """LibRaw would give gray for the rest; the directory says how long the stream is."""
    compressed = dng(mosaic(LIGHT)).replace(struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, 7))
    with pytest.raises(ImageError, match="is truncated: "):
        read_raw(compressed[:-100])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xff\xd8\xff\xe1rest", "is JPEG data under a RAW name: rename it to .jpg"),
        (b"P6 2 2 255 ............", "no RAW file"),
        (b"II*\0\x08\0\0\0" + bytes(64), "no RAW file"),
    ],
    ids=["empty", "jpeg", "ppm", "empty-tiff"],
)
def test_what_is_no_raw_file_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.nef"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        with pytest.raises(ImageError, match=message):
            read_raw(source)


def test_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is not a regular file"):
        read_raw(tmp_path)
    with pytest.raises(ImageError, match="does not exist"):
        read_raw(tmp_path / "none.dng")


@pytest.mark.parametrize("black", [4096, 5000, 4_000_000_000])
def test_levels_that_make_no_sense_are_refused(black: int) -> None:
    with pytest.raises(ImageError, match="is damaged: its white level 4096 does not fit its black level"):
        read_raw(dng(mosaic(LIGHT), black=black))


def test_large_files_are_refused_from_the_header() -> None:
    with pytest.raises(ImageError, match="holds 96 x 64 photosites, over the limit of 6,143"):
        read_raw(dng(mosaic(LIGHT)), pixel_limit=96 * 64 - 1)
    assert read_raw(dng(mosaic(LIGHT)), pixel_limit=96 * 64).pixels.size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"white_balance": "auto"}, "white_balance must be camera, daylight or multipliers"),
        ({"white_balance": (1, 2)}, "three or four positive multipliers"),
        ({"white_balance": (1, 0, 1)}, "three or four positive multipliers"),
        ({"white_balance": (1, float("nan"), 1)}, "three or four positive multipliers"),
        ({"output_color": "adobe"}, "output_color must be one of srgb, raw"),
        ({"highlight_mode": "magic"}, "highlight_mode must be one of clip, blend"),
        ({"demosaic": "amaze"}, "demosaic must be one of linear, vng"),
    ],
    ids=["auto", "two", "zero", "nan", "colour", "highlight", "demosaic"],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_raw(dng(mosaic(LIGHT)), **settings)


# ------------------------------------------------------------------------------------------ real files

NEUTRAL = (2.22, 1.56, 1, 0.53, 0.26, 0.094)
"""The ColorChecker's neutral patches: reflectance relative to the third."""
CORNERS = np.array([[168, 165], [2128, 162], [2133, 1436], [180, 1450]])
"""The crosses in the corners of g2_full's chart, (x, y), from the top left clockwise."""


def neutral_patches(pixels: np.ndarray) -> np.ndarray:
    """Mean green of the six patches of the lowest row, relative to the third."""
    top_left, top_right, bottom_right, bottom_left = CORNERS * pixels.shape[1] / 2312
    half = pixels.shape[1] // 46
    means = []
    for across in 0.0776 + 0.1692 * np.arange(6):
        top = (1 - across) * top_left + across * top_right
        bottom = (1 - across) * bottom_left + across * bottom_right
        x, y = np.rint(0.115 * top + 0.885 * bottom).astype(int)
        means.append(pixels[y - half : y + half, x - half : x + half, 1].mean())
    return np.array(means) / means[2]


@pytest.mark.parametrize("half_size", [False, True], ids=["whole", "half"])
def test_the_chart_is_linear(shared: Path, half_size: bool) -> None:
    """Within 5 % asked; within 1 % measured (colour matrix included)."""
    image = read_raw(shared / "data/raw_pairs/g2_full/CRW_0304.CRW", half_size=half_size)
    assert image.pixels.shape == ((860, 1156, 3) if half_size else (1720, 2312, 3))
    np.testing.assert_allclose(neutral_patches(image.pixels), NEUTRAL, rtol=0.012)
    assert image.facts["exposure_time_s"] == pytest.approx(1 / 52, rel=0.01)
    assert image.facts["f_number"] == pytest.approx(3.9, abs=0.05)
    assert image.facts["camera"] == "Canon PowerShot G2"


def test_the_close_chart_is_linear_but_for_its_uneven_light(shared: Path) -> None:
    """Nearer, the lens darkens the corners and the light falls off: four patches, within 10 %."""
    green = read_raw(shared / "data/raw_pairs/g2_close/CRW_0313.CRW").pixels[1053:1253, :, 1]
    means = np.array([green[:, x - 100 : x + 100].mean() for x in (508, 1073, 1634, 2130)])
    np.testing.assert_allclose(means / means[2], NEUTRAL[:4], rtol=0.1)


def test_real_highlights_clip_to_neutral_white(shared: Path) -> None:
    """The chart, two stops brighter on the same sensor: paper and white patch clip, and are white, not magenta."""
    path = shared / "data/raw_pairs/g2_full/CRW_0304.CRW"
    with rawpy.imread(str(path)) as raw:
        black, white = raw.black_level_per_channel[0], raw.white_level
        sites = raw.raw_image_visible.astype(np.float64)
        neutral = tuple(1.0 / m for m in raw.camera_whitebalance[:3])
        matrix = tuple(float(v) for v in raw.rgb_xyz_matrix[:3].ravel())
        assert raw.raw_colors_visible[:2, :2].tolist() == [[0, 1], [3, 2]]
    brighter = np.rint(((sites - black) * 4 + black).clip(0, white)).astype(np.uint16)
    neutral = tuple(value / max(neutral) for value in neutral)
    image = read_raw(dng(brighter, neutral=neutral, matrix=matrix, black=black, white=white))
    assert image.saturated is not None
    assert 0.3 < image.saturated.mean() < 0.9
    whole = image.pixels[cv2.erode((brighter >= white).astype(np.uint8), np.ones((9, 9))) > 0]
    assert len(whole) > 900_000
    np.testing.assert_allclose(whole, 1, atol=1e-3)
    patch = image.pixels[1250:1350, 250:400]
    np.testing.assert_allclose(patch, 1, atol=1e-3)
    ignored = read_raw(dng(brighter, neutral=neutral, matrix=matrix, black=black, white=white), highlight_mode="ignore")
    magenta = ignored.pixels[1250:1350, 250:400].mean(axis=(0, 1))
    assert magenta[0] > 1.2 * magenta[1], "the test can see magenta"


def test_photosites_at_white_level(shared: Path) -> None:
    """Two photosites of this file hold 1023; everything beside them is below its limit."""
    image = read_raw(shared / "data/raw/s40_CRW_0117.CRW")
    assert image.saturated is not None
    assert 2 <= image.saturated.sum() <= 18
    assert image.facts["exposure_ev"] == pytest.approx(np.log2(0.25 * 50 / 2.9**2), abs=0.06)


def test_non_square_pixels_and_no_white_balance(shared: Path) -> None:
    image = read_raw(shared / "data/raw/dc120_P003911.KDC")
    assert image.pixels.shape == (976, 1301, 3)
    assert image.saturated is not None
    assert image.saturated.shape == (976, 1301)
    assert image.notes == (
        "no camera white balance: daylight used",
        "non-square pixels: stretched to 1301x976",
        "no colour matrix: the camera's own primaries kept",
    )


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95, 0.999])
@pytest.mark.parametrize(
    "name", ["raw/dc120_P003911.KDC", "raw/dc50_DC0009L.KDC", "raw/colorchart.dng", "raw/s40_CRW_0117.CRW"]
)
def test_real_files_cut_short(shared: Path, name: str, share: float) -> None:
    data = (shared / "data" / name).read_bytes()
    with pytest.raises(ImageError, match=r"truncated|its end is missing"):
        read_raw(data[: int(share * len(data))])


def test_jpeg_data_under_a_raw_name(shared: Path) -> None:
    with pytest.raises(ImageError, match=r"is JPEG data under a RAW name: rename it to \.jpg"):
        read_raw(shared / "data/quirks/jpeg_named_1.nef")
