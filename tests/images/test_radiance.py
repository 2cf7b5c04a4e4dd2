"""Reading light: OpenEXR and Radiance pictures of every variant, made here, real ones, and damage."""

import itertools
import math
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposurebench import color
from exposurebench.errors import ImageError
from exposurebench.images import Image, read_image
from exposurebench.images import rgbe as rgbe_pictures
from exposurebench.images.radiance import read_radiance

H, W = 36, 52
RAMPS = np.stack(np.meshgrid(np.linspace(-6, 4, W), np.linspace(-1, 1, H)), axis=-1)
LIGHT = np.exp2(np.dstack([RAMPS.sum(axis=2), RAMPS[..., 0] - 1, RAMPS[::-1, :, 0] * 0.5])).astype(np.float16)
"""A 52 x 36 picture of ten stops, its channels different, without any symmetry."""
LOSSLESS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "HTJ2K256", "HTJ2K32")
LOSSY = ("PXR24", "B44", "B44A", "DWAA", "DWAB")
REC709 = [number for corner in color.REC709_PRIMARIES for number in corner]


def planes(light: np.ndarray, layer: str = "", names: str = "RGB") -> dict[str, np.ndarray]:
    return {layer + name: np.ascontiguousarray(light[..., i]) for i, name in enumerate(names)}


def exr(channels: dict[str, Any], **header: Any) -> bytes:
    stream = BytesIO()
    OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, **header}, channels).write(
        stream
    )
    return stream.getvalue()


def read(data: bytes, pixel_limit: int = 10**6) -> Image:
    """Read, and hold the promises that every radiance map keeps."""
    image = read_radiance(data, pixel_limit)
    assert image.encoding == "linear"
    assert image.pixels.dtype == np.float32
    assert image.pixels.ndim == 3
    assert image.pixels.shape[2] == 3
    assert image.pixels.flags.c_contiguous
    assert np.isfinite(image.pixels).all()
    assert (image.pixels >= 0).all()
    assert {"negative_pixels", "nan_pixels", "infinite_pixels"} <= set(image.facts)
    return image


def refused(data: bytes, match: str | None = None, pixel_limit: int = 10**6) -> None:
    with pytest.raises(ImageError, match=match) as caught:
        read_radiance(data, pixel_limit)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------ OpenEXR: the pixels


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("packed", LOSSLESS)
def test_every_lossless_packing_is_exact(packed: str, dtype: type) -> None:
    light = LIGHT.astype(dtype)
    image = read(exr(planes(light), compression=getattr(OpenEXR, f"{packed}_COMPRESSION")))
    np.testing.assert_array_equal(image.pixels, light)
    assert image.bit_depth == (16 if dtype == np.float16 else 32)
    assert image.notes == ()
    assert dict(image.facts) == {"negative_pixels": 0, "nan_pixels": 0, "infinite_pixels": 0}


@pytest.mark.parametrize("packed", LOSSY)
def test_every_lossy_packing_is_near(packed: str) -> None:
    data = exr(planes(LIGHT.astype(np.float32)), compression=getattr(OpenEXR, f"{packed}_COMPRESSION"))
    np.testing.assert_allclose(read(data).pixels, LIGHT, rtol=0.05, atol=0.02)


def test_one_float_channel_makes_it_a_float_file() -> None:
    channels = {**planes(LIGHT), "B": np.ascontiguousarray(LIGHT[..., 2], np.float32)}
    image = read(exr(channels))
    np.testing.assert_array_equal(image.pixels, LIGHT)
    assert image.bit_depth == 32


def attribute(name: str, kind: str, value: bytes) -> bytes:
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value


def by_hand(
    size: tuple[int, int],
    channels: dict[str, tuple[int, int]],
    chunks: list[bytes],
    tiles: bytes = b"",
    chromaticities: tuple[float, ...] = (),
) -> bytes:
    """An uncompressed OpenEXR file of what the binding does not write: more levels, channels of several sizes.

    Args:
        size: height and width.
        channels: for each channel 1 for half or 2 for float, and how many pixels share a sample across and down.
        chunks: as they follow the table of their positions.
        tiles: the tile description, if it is tiled.
        chromaticities: eight numbers, if it says them.
    """
    window = struct.pack("<4i", 0, 0, size[1] - 1, size[0] - 1)
    listed = b"".join(
        name.encode() + b"\0" + struct.pack("<i4x2i", depth, step, step)
        for name, (depth, step) in sorted(channels.items())
    )
    header = b"\x76\x2f\x31\x01" + struct.pack("<I", 2 | 0x200 * bool(tiles))
    header += attribute("channels", "chlist", listed + b"\0") + attribute("compression", "compression", b"\0")
    header += attribute("dataWindow", "box2i", window) + attribute("displayWindow", "box2i", window)
    header += attribute("lineOrder", "lineOrder", b"\0") + attribute("pixelAspectRatio", "float", struct.pack("<f", 1))
    header += attribute("screenWindowCenter", "v2f", bytes(8))
    header += attribute("screenWindowWidth", "float", struct.pack("<f", 1))
    if tiles:
        header += attribute("tiles", "tiledesc", tiles)
    if chromaticities:
        header += attribute("chromaticities", "chromaticities", struct.pack("<8f", *chromaticities))
    header += b"\0"
    starts = itertools.accumulate((len(chunk) for chunk in chunks[:-1]), initial=len(header) + 8 * len(chunks))
    return header + b"".join(struct.pack("<Q", start) for start in starts) + b"".join(chunks)


def tiled_exr(light: np.ndarray, mode: int, rounded_up: bool, side: tuple[int, int] = (16, 8)) -> bytes:
    """Tiles of half RGB, of one level, mip-mapped or rip-mapped."""
    height, width = light.shape[:2]
    whole = math.ceil if rounded_up else math.floor

    def sizes(length: int) -> list[int]:
        return [max(1, whole(length / 2**level)) for level in range(whole(math.log2(length)) + 1)]

    if mode == 0:
        levels = [(0, 0, width, height)]
    elif mode == 1:
        longest = len(sizes(max(width, height)))
        across, down = ((sizes(length) + [1] * longest)[:longest] for length in (width, height))
        levels = [(i, i, across[i], down[i]) for i in range(longest)]
    else:
        levels = [(x, y, w, h) for y, h in enumerate(sizes(height)) for x, w in enumerate(sizes(width))]
    chunks = []
    for x, y, w, h in levels:
        level = light if (x, y) == (0, 0) else np.full((h, w, 3), 9, np.float16)
        for row, column in itertools.product(range(0, h, side[1]), range(0, w, side[0])):
            tile = level[row : row + side[1], column : column + side[0], ::-1].transpose(0, 2, 1).tobytes()
            chunks.append(struct.pack("<5i", column // side[0], row // side[1], x, y, len(tile)) + tile)
    tiles = struct.pack("<2IB", *side, mode | rounded_up << 4)
    return by_hand((height, width), dict.fromkeys("RGB", (1, 1)), chunks, tiles)


@pytest.mark.parametrize("rounded_up", [False, True], ids=["down", "up"])
@pytest.mark.parametrize("mode", [0, 1, 2], ids=["one-level", "mip-mapped", "rip-mapped"])
@pytest.mark.parametrize("size", [(36, 52), (37, 51), (1, 33), (16, 1)])
def test_tiles_and_their_top_level(mode: int, rounded_up: bool, size: tuple[int, int]) -> None:
    light = np.resize(LIGHT, (*size, 3))
    data = tiled_exr(light, mode, rounded_up)
    np.testing.assert_array_equal(read(data).pixels, light)
    for cut in (len(data) - 1, len(data) - 30, len(data) // 2):
        refused(data[:cut], "is truncated")


def test_gray_is_repeated() -> None:
    image = read(exr({"Y": LIGHT[..., 0].copy()}))
    np.testing.assert_array_equal(image.pixels, np.repeat(LIGHT[..., :1], 3, axis=2))
    assert image.notes == ("gray repeated to three channels",)
    assert image.bit_depth == 16


def luma_chroma(light: np.ndarray, weights: np.ndarray, chromaticities: tuple[float, ...] = ()) -> bytes:
    """Float Y of every pixel, RY and BY of every second one of every second line."""
    luma = (light * weights).sum(axis=2)
    samples = {"Y": luma, **{name: (light[..., i] - luma) / luma for name, i in (("RY", 0), ("BY", 2))}}
    chunks = []
    for y in range(len(luma)):
        line = samples["Y"][y].astype(np.float32).tobytes()
        if y % 2 == 0:
            line = b"".join(samples[name][y, ::2].astype(np.float32).tobytes() for name in ("BY", "RY")) + line
        chunks.append(struct.pack("<2i", y, len(line)) + line)
    return by_hand(luma.shape, {"Y": (2, 1), "RY": (2, 2), "BY": (2, 2)}, chunks, chromaticities=chromaticities)


def test_luminance_and_chroma_give_the_colours_back() -> None:
    weights = color.rgb_to_xyz()[1]
    bands = np.stack(np.meshgrid(np.arange(W) / W, np.arange(H) / H), axis=-1) * 2 * np.pi
    tint = 1 + 0.3 * np.stack([np.sin(bands[..., 0]), np.cos(bands[..., 1]), np.cos(bands.sum(axis=2))], axis=-1)
    light = tint * np.exp2(np.random.default_rng(0).uniform(-3, 3, (H, W, 1)))  # any luminance, gentle colours
    image = read(luma_chroma(light, weights))
    assert image.notes == ("colours rebuilt from luminance and chroma",)
    np.testing.assert_allclose(image.pixels[::2, ::2], light[::2, ::2], rtol=1e-5)
    inside = np.s_[14:-14, 14:-14]
    np.testing.assert_allclose(image.pixels[inside], light[inside], rtol=2e-3)
    np.testing.assert_allclose(image.pixels, light, rtol=0.1)
    luma = (light * weights).sum(axis=2)
    np.testing.assert_allclose((image.pixels * weights).sum(axis=2), luma, rtol=1e-5)


def test_gray_luminance_and_chroma_stays_gray() -> None:
    gray = np.repeat(LIGHT[..., :1], 3, axis=2).astype(np.float64)
    image = read(luma_chroma(gray, np.array([0, 1, 0])))
    np.testing.assert_allclose(image.pixels, gray, rtol=3e-7)


def test_the_weights_of_luminance_follow_from_the_primaries() -> None:
    wide = color.Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290))
    light = np.full((H, W, 3), (0.2, 0.5, 0.3))
    image = read(luma_chroma(light, color.rgb_to_xyz(wide)[1], chromaticities=tuple(np.ravel(wide).tolist())))
    np.testing.assert_allclose(image.pixels, light @ color.to_rec709(wide).T, atol=1e-5)


# ----------------------------------------------------------------------- OpenEXR: channels, parts, windows


def test_alpha_is_dropped_and_colours_stay_premultiplied() -> None:
    alpha = np.full((H, W), 0.5, np.float16)
    alpha[:3] = 0
    light = LIGHT.copy()
    light[0] = 0
    image = read(exr({**planes(light), "A": alpha}))
    np.testing.assert_array_equal(image.pixels, light)
    assert image.notes == ("alpha dropped",)
    assert image.facts["lit_pixels_of_alpha_0"] == 2 * W


def test_layers() -> None:
    other = (LIGHT * 2).astype(np.float16)
    both = {**planes(LIGHT, "left."), **planes(other, "right.")}
    image = read(exr(both))
    np.testing.assert_array_equal(image.pixels, LIGHT)
    assert image.notes == ("layer left read", "3 more channels not read (right.B, right.G, right.R)")
    image = read(exr({**both, **planes(LIGHT + 1)}))
    np.testing.assert_array_equal(image.pixels, LIGHT + 1)
    image = read(exr({"diffuse.albedo.Y": LIGHT[..., 0].copy(), "Z": LIGHT[..., 1].copy()}))
    np.testing.assert_array_equal(image.pixels[..., 2], LIGHT[..., 0])
    assert image.notes[0] == "layer diffuse.albedo read"


def test_what_holds_no_colours_is_refused() -> None:
    refused(exr(planes(LIGHT, names="XYZ")), r"no colours.*\(X, Y, Z\)")
    refused(exr(planes(LIGHT[..., :2], names="RG")), "no colours")
    refused(exr({"Z": LIGHT[..., 0].copy()}), "no colours")
    refused(exr({name: np.ones((H, W), np.uint32) for name in "RGB"}), "whole numbers in its channel 'R'")
    halved = {name: OpenEXR.Channel(name, np.zeros((H // 2, W // 2), np.float16), 2, 2) for name in "RGB"}
    refused(exr(halved), "sampling 2 x 2")


def several(*parts: tuple[str, dict[str, Any]], **header: Any) -> bytes:
    stream = BytesIO()
    listed = [OpenEXR.Part({"type": OpenEXR.scanlineimage, **header}, channels, name) for name, channels in parts]
    OpenEXR.File(listed).write(stream)
    return stream.getvalue()


def test_the_first_part_with_colours_is_read() -> None:
    data = several(("depth", {"Z": np.ones((H, W), np.float32)}), ("left", planes(LIGHT)), ("right", planes(LIGHT * 2)))
    image = read(data)
    np.testing.assert_array_equal(image.pixels, LIGHT)
    assert image.notes == ("part 2 of 3 read (left)",)
    for cut in range(0, len(data), 97):
        refused(data[:cut])


def test_the_data_window_is_given() -> None:
    window = (np.array([-3, -5], np.int32), np.array([W - 4, H - 6], np.int32))
    image = read(exr(planes(LIGHT), dataWindow=window))
    np.testing.assert_array_equal(image.pixels, LIGHT)
    assert image.notes == ("the data window (-3, -5, 48, 30) is given, not the display window (0, 0, 51, 35)",)


def test_pixels_that_are_not_square_are_said() -> None:
    image = read(exr(planes(LIGHT), pixelAspectRatio=2.0))
    assert image.notes == ("pixels are not square (aspect ratio 2) and stay as they are",)


def test_texts_in_another_encoding_do_no_harm() -> None:
    data = exr(planes(LIGHT), owner="Copyright @ someone")
    stained = data.replace(b"Copyright @ someone", b"Copyright \xa9 someone")
    assert stained != data
    np.testing.assert_array_equal(read(stained).pixels, LIGHT)


# ------------------------------------------------------------------------------- OpenEXR: colour and exposure


P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
P3_TO_REC709 = [[1.2249401, -0.2249402, 0], [-0.0420569, 1.0420571, 0], [-0.0196376, -0.0786361, 1.0982735]]
"""CSS Color Module Level 4, display-p3 to linear sRGB (through XYZ)."""
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
AP0_TO_REC709 = [[2.52169, -1.13413, -0.38756], [-0.27648, 1.37272, -0.09624], [-0.01538, -0.15298, 1.16835]]
"""ACES2065-1 to linear Rec. 709 under D65 by Bradford, as the Academy's colour transforms list it."""


@pytest.mark.parametrize(("primaries", "matrix"), [(P3, P3_TO_REC709), (AP0, AP0_TO_REC709)], ids=["p3", "aces"])
def test_other_primaries_are_converted(primaries: tuple[float, ...], matrix: list[list[float]]) -> None:
    light = 0.25 + 0.5 * np.random.default_rng(1).random((H, W, 3)).astype(np.float32)
    image = read(exr(planes(light), chromaticities=primaries))
    expected = light @ np.array(matrix).T
    assert image.facts["negative_pixels"] == np.count_nonzero((expected < 0).any(axis=2))
    np.testing.assert_allclose(image.pixels, expected.clip(0), atol=3e-5)
    assert image.notes[0].startswith("converted to Rec. 709 from the primaries and neutral (0.")
    white = read(exr(planes(np.ones((4, 4, 3), np.float32)), chromaticities=primaries))
    np.testing.assert_allclose(white.pixels, 1, atol=1e-6)


def test_rec709_is_left_alone() -> None:
    image = read(exr(planes(LIGHT), chromaticities=tuple(REC709)))
    np.testing.assert_array_equal(image.pixels, LIGHT)
    assert image.notes == ()


def test_xyz_keeps_its_colours() -> None:
    """XYZ names no white that looks neutral: 1, 1, 1 stays the pinkish colour that it is."""
    light = (LIGHT.astype(np.float64) @ color.rgb_to_xyz().T).astype(np.float32)
    image = read(exr(planes(light), chromaticities=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)))
    np.testing.assert_allclose(image.pixels, LIGHT, rtol=1e-4, atol=1e-4)


def test_the_adopted_neutral_becomes_neutral() -> None:
    x, y = 0.4476, 0.4074  # CIE A
    warm = np.linalg.solve(color.rgb_to_xyz(), (x / y, 1, (1 - x - y) / y))
    light = np.broadcast_to(warm, (4, 4, 3)).astype(np.float32)
    for header in ({}, {"chromaticities": tuple(REC709)}):
        image = read(exr(planes(light), adoptedNeutral=(x, y), **header))
        np.testing.assert_allclose(image.pixels, 1, atol=1e-5)
    assert np.ptp(light) > 0.5, "it was far from neutral"


@pytest.mark.parametrize(
    "chromaticities",
    [(0.0,) * 8, (0.3, 0.3) * 4, (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3, 0.0), (math.nan,) * 8, (math.inf,) * 8],
    ids=["zeros", "one-point", "dark-white", "nan", "inf"],
)
def test_absurd_chromaticities_are_refused(chromaticities: tuple[float, ...]) -> None:
    refused(exr(planes(LIGHT), chromaticities=chromaticities), "cannot be converted to Rec. 709")


def test_exposure_and_luminance_are_facts() -> None:
    data = exr(planes(LIGHT), expTime=0.5, isoSpeed=200.0, aperture=4.0, whiteLuminance=120.0)
    facts = read(data).facts
    assert facts["exposure_ev"] == math.log2(0.5 * 200 / 16)
    assert facts["nits_per_unit"] == 120
    for void in ({"expTime": 0.5}, {"expTime": 0.0, "isoSpeed": 200.0, "aperture": 4.0}, {"whiteLuminance": math.nan}):
        assert not {"exposure_ev", "nits_per_unit"} & set(read(exr(planes(LIGHT), **void)).facts)


# -------------------------------------------------------------------------------- values that are no light


def test_nan_infinite_and_negative_values() -> None:
    light = LIGHT.astype(np.float32)
    light[0, 0] = math.nan
    light[0, 1, 1] = math.nan
    light[1, 0] = (math.inf, -math.inf, 1)
    light[2, :3, 0] = -1
    light[2, 1, 1] = -0.5
    light[3, 3, 2] = 4096
    image = read(exr(planes(light)))
    expected = light.copy()
    expected[0, 0] = 0
    expected[0, 1, 1] = 0
    expected[1, 0] = (4096, 0, 1)
    np.testing.assert_array_equal(image.pixels, expected.clip(0))
    facts = image.facts
    assert (facts["nan_pixels"], facts["infinite_pixels"], facts["negative_pixels"]) == (2, 1, 3)
    assert image.notes == (
        "4 NaN values in 2 pixels set to 0",
        "2 infinite values in 1 pixels set to 4096 (negative: 0)",
        "4 negative values in 3 pixels set to 0",
    )


def test_nothing_but_nan_is_black() -> None:
    for value in (math.nan, math.inf, -math.inf, -1.0):
        image = read(exr(planes(np.full((2, 2, 3), value, np.float16))))
        assert not image.pixels.any()


@settings(max_examples=60)
@given(values=st.lists(st.floats(width=32), min_size=12, max_size=12), wide=st.booleans())
def test_any_float_at_all_ends_as_light(values: list[float], wide: bool) -> None:
    light = np.array(values, np.float32).reshape(2, 2, 3)
    header = {"chromaticities": AP0} if wide else {}
    image = read(exr(planes(light), **header))
    assert image.facts["nan_pixels"] == np.isnan(light).any(axis=2).sum()
    assert image.facts["infinite_pixels"] == np.isinf(light).any(axis=2).sum()
    if not wide and np.isfinite(light).all():
        np.testing.assert_array_equal(image.pixels, light.clip(0))


# ------------------------------------------------------------------------------------- OpenEXR: damage


SMALL = {
    "scan-lines": exr(planes(LIGHT)),
    "wavelets": exr(planes(LIGHT), compression=OpenEXR.PIZ_COMPRESSION),
    "blocks": exr(planes(LIGHT), compression=OpenEXR.B44_COMPRESSION),
    "cosines": exr(planes(LIGHT), compression=OpenEXR.DWAA_COMPRESSION),
    "jpeg-2000": exr(planes(LIGHT), compression=OpenEXR.HTJ2K32_COMPRESSION),
    "tiles": tiled_exr(LIGHT, 1, False),
    "parts": several(("a", {"Z": np.ones((H, W), np.float32)}), ("b", planes(LIGHT))),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_file_that_ends_early_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = SMALL[name]
    for cut in {*range(4, len(data), 61), *range(len(data) - 8, len(data))}:
        refused(data[:cut], "truncated|damaged")
    assert capfd.readouterr() == ("", ""), "nothing was printed by anybody"


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=60)
@given(data=st.data())
def test_wrong_bytes_never_do_more_than_be_refused(name: str, data: st.DataObject) -> None:
    damaged = bytearray(SMALL[name])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.one_of(st.integers(4, 420), st.integers(4, len(damaged) - 1)))
        damaged[min(place, len(damaged) - 1)] = data.draw(st.integers(0, 255))
    try:
        read(bytes(damaged))
    except ImageError as error:
        assert "\n" not in str(error)


def test_wrong_bytes_are_refused_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    data = SMALL["scan-lines"]
    damaged = data[:-300] + bytes(200) + data[-100:]
    refused(damaged, "is damaged: ")
    assert capfd.readouterr() == ("", "")


def test_nothing_that_a_codec_prints_gets_through(tmp_path: Path) -> None:
    """JPEG 2000's prints through C's buffers, which end up in whatever the process writes."""
    (tmp_path / "a.exr").write_bytes(SMALL["jpeg-2000"])
    code = """
import io, sys
import OpenEXR
from exposurebench.errors import ImageError
from exposurebench.images.radiance import read_radiance

data = open(sys.argv[1], "rb").read()
for place in range(500, len(data), 3):
    damaged = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
    try:
        if sys.argv[2] == "bare":
            OpenEXR.File(io.BytesIO(damaged), num_threads=0)
        else:
            read_radiance(damaged, 10**6)
    except (ImageError, RuntimeError):
        pass
print("done")
"""
    outputs = {}
    for way in ("bare", "ours"):
        command = [sys.executable, "-c", code, str(tmp_path / "a.exr"), way]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, check=True)
        outputs[way] = done.stdout.decode()
    assert "ojph" in outputs["bare"], "there is something to keep quiet"
    assert outputs["ours"] == "done\n"


def patched(data: bytes, name: str, value: bytes) -> bytes:
    """The same file with another value of an attribute."""
    start = data.index(b"\0", data.index(name.encode() + b"\0") + len(name) + 1) + 5
    return data[:start] + value + data[start + len(value) :]


@pytest.mark.parametrize(
    ("window", "match"),
    [
        ((0, 0, 2**31 - 1, 2**31 - 1), "over the limit of 1,000,000"),
        ((-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), "over the limit"),
        ((0, 0, 999, 999), "truncated"),
        ((0, 0, 0, 999_999), "truncated: its table of chunks"),
        ((0, 0, W - 1, H * 2), "truncated"),
        ((5, 0, 4, H - 1), "damaged: its header gives a size of 0 x 36"),
        ((0, 9, W - 1, -9), "damaged"),
        ((0, 16, W - 1, H + 15), "table of chunks points to others"),
    ],
)
def test_absurd_sizes_are_refused_from_the_header(window: tuple[int, ...], match: str) -> None:
    refused(patched(SMALL["scan-lines"], "dataWindow", struct.pack("<4i", *window)), match)


def test_limits_are_those_asked_for() -> None:
    data = SMALL["scan-lines"]
    assert read(data, W * H).pixels.shape == LIGHT.shape
    refused(data, f"{W} x {H} pixels, over the limit of 1,871", W * H - 1)
    many = {f"layer{i}.{name}": plane for i in range(4) for name, plane in planes(LIGHT).items()}
    refused(exr(many), "22,464 values in all its channels, over the limit of 14,976", W * H)


def test_deep_files_and_other_versions_are_refused() -> None:
    data = SMALL["scan-lines"]
    refused(data[:4] + struct.pack("<I", 2 | 0x800) + data[8:], "deep OpenEXR")
    refused(data[:4] + struct.pack("<I", 3) + data[8:], "version 3")
    refused(patched(data, "compression", b"\x63"), "OpenEXR compression 99")
    refused(data.replace(b"dataWindow", b"dateWindow"), "no 'dataWindow'")


# --------------------------------------------------------------------------------------- Radiance pictures


def rgbe(pixels: np.ndarray, header: str = "", scan: str = "", form: str = "32-bit_rle_rgbe") -> bytes:
    """A flat Radiance picture of ``(H, W, 4)`` bytes."""
    size = scan or f"-Y {pixels.shape[0]} +X {pixels.shape[1]}"
    return f"#?RADIANCE\n# made here\n{header}FORMAT={form}\n\n{size}\n".encode() + pixels.tobytes()


BYTES = np.random.default_rng(3).integers(0, 256, (7, 11, 4), np.uint8)
BYTES[..., 0] |= 128  # a whole mantissa, as every writer leaves it
BYTES[0, 0] = (128, 1, 1, 0)
VALUES = (np.ldexp(BYTES[..., :3].astype(float), BYTES[..., 3:].astype(int) - 136) * (BYTES[..., 3:] > 0)).astype(
    np.float32
)


def test_flat_pictures_are_exact() -> None:
    image = read(rgbe(BYTES))
    np.testing.assert_array_equal(image.pixels, VALUES)
    assert image.bit_depth == 32
    assert image.notes == ()
    assert not image.pixels[0, 0].any(), "the exponent 0 is black"
    np.testing.assert_array_equal(read(rgbe(BYTES).replace(b"\n", b"\r\n", 4)).pixels, VALUES)


@pytest.mark.parametrize("length", [7, 11])
def test_flat_pictures_are_read_alike_at_once_and_line_by_line(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """What looks like a mark and is none."""
    pixels = np.random.default_rng(5).integers(0, 256, (9, length, 4), np.uint8)
    pixels[..., 2] |= 128
    pixels[2:5, :, :2] = 1
    pixels[6, 0, :2] = 2
    if length == 7:
        pixels[7, 0] = (2, 2, 0, 7)  # lines of 7 are never packed
    at_once = read(rgbe(pixels)).pixels
    monkeypatch.setattr(rgbe_pictures, "_flat", lambda *_: None)
    np.testing.assert_array_equal(read(rgbe(pixels)).pixels, at_once)


@pytest.mark.parametrize(
    "shape", [(9, 7), (9, 8), (5, 300), (3, 32767), (2, 32768)], ids=["7", "8", "300", "32767", "32768"]
)
def test_run_lengths_are_those_of_another_writer(shape: tuple[int, int]) -> None:
    light = np.exp2(np.random.default_rng(0).integers(-3, 3, (*shape, 3))).astype(np.float32)
    light[:, shape[1] // 3 : shape[1] // 2] = 0.25
    done, data = cv2.imencode(".hdr", light)
    assert done
    np.testing.assert_array_equal(read(data.tobytes()).pixels, light[..., ::-1])


def test_old_run_lengths() -> None:
    line = bytes([128, 2, 3, 129, 1, 1, 1, 4, 200, 9, 8, 130, 1, 1, 1, 3, 1, 1, 1, 1])  # 1 + 4, 1 + 3 + 256
    data = rgbe(np.zeros((0, 0, 4), np.uint8), scan="-Y 2 +X 265") + line * 2
    expected = np.repeat([[128, 2, 3, 129], [200, 9, 8, 130]], [5, 260], axis=0)[None].repeat(2, axis=0)
    np.testing.assert_array_equal(read(data).pixels, expected[..., :3] * 2.0 ** (expected[..., 3:] - 136))
    for cut in range(1, 2 * len(line) + 1):
        refused(data[:-cut], "is truncated")
    refused(data.replace(b"+X 265", b"+X 264"), "passes the end of its scan line")
    refused(rgbe(np.ones((2, 2, 4), np.uint8)), "passes the end")  # nothing to repeat


@pytest.mark.parametrize("second", "+-")
@pytest.mark.parametrize("first", "+-")
@pytest.mark.parametrize("upright", [True, False], ids=["lines", "columns"])
def test_every_scan_order(upright: bool, first: str, second: str) -> None:
    """A picture stored so that the reader must put its top left corner back."""
    stored = BYTES if upright else BYTES.transpose(1, 0, 2)
    axes = "YX" if upright else "XY"
    backwards = {"Y": "+", "X": "-"}
    stored = stored[:: -1 if first == backwards[axes[0]] else 1, :: -1 if second == backwards[axes[1]] else 1]
    image = read(rgbe(stored, scan=f"{first}{axes[0]} {stored.shape[0]} {second}{axes[1]} {stored.shape[1]}"))
    np.testing.assert_array_equal(image.pixels, VALUES)
    plain = (upright, first, second) == (True, "-", "+")
    assert image.notes == (() if plain else (f"turned from the scan order {first}{axes[0]} {second}{axes[1]}",))


CALM = BYTES.copy()
CALM[..., 3] = 125 + BYTES[..., 3] % 8
CALM_VALUES = np.ldexp(CALM[..., :3].astype(float), CALM[..., 3:].astype(int) - 136).astype(np.float32)


def test_exposure_and_colour_correction_are_undone() -> None:
    image = read(rgbe(CALM, "EXPOSURE=4\nSOFTWARE=x\nEXPOSURE= 0.5\nCOLORCORR=1 2 4\n"))
    np.testing.assert_array_equal(image.pixels, CALM_VALUES / np.float32([2, 4, 8]))
    assert image.notes == ("EXPOSURE and COLORCORR of 2 4 8 undone",)


def test_primaries_of_radiance_pictures() -> None:
    for same in ("0 0 0 0 0 0 0 0", ".64 .33 .3 .6 .15 .06 .3127 .329"):
        image = read(rgbe(CALM, f"PRIMARIES={same}\n"))
        np.testing.assert_array_equal(image.pixels, CALM_VALUES)
        assert image.notes == ()
    image = read(rgbe(CALM, f"PRIMARIES= {' '.join(map(str, P3))}\n"))
    expected = (CALM_VALUES @ np.array(P3_TO_REC709).T).clip(0)
    np.testing.assert_allclose(image.pixels, expected, rtol=1e-4, atol=1e-4 * CALM_VALUES.max())


def test_xyze() -> None:
    gray = np.broadcast_to(np.array([128, 128, 128, 129], np.uint8), (2, 3, 4))
    np.testing.assert_allclose(read(rgbe(gray, form="32-bit_rle_xyze")).pixels, 1, atol=1e-6)
    image = read(rgbe(gray, f"PRIMARIES= {' '.join(map(str, P3))}\n", form="32-bit_rle_xyze"))
    np.testing.assert_allclose(image.pixels[0, 0], np.linalg.solve(color.rgb_to_xyz(), np.ones(3)), rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (rgbe(BYTES, "EXPOSURE=0\n"), "EXPOSURE=0' makes no sense"),
        (rgbe(BYTES, "EXPOSURE=bright\n"), "expected 1 numbers"),
        (rgbe(BYTES, "COLORCORR=1 2\n"), "expected 3 numbers"),
        (rgbe(BYTES, "PRIMARIES=1 2 3 4 5 6 7 nan\n"), "expected 8 numbers"),
        (rgbe(BYTES, "PRIMARIES=1 1 1 1 1 1 1 1\n"), "cannot be converted"),
        (rgbe(BYTES, form="32-bit_rle_cmyk"), "of the format '32-bit_rle_cmyk'"),
        (rgbe(BYTES).replace(b"FORMAT", b"FORMAL"), "of the format ''"),
        (rgbe(BYTES, scan="-Y 7 +Y 11"), "resolution line"),
        (rgbe(BYTES, scan="7 11"), "resolution line"),
        (rgbe(BYTES, scan="-Y 0 +X 11"), "size of 11 x 0"),
        (rgbe(BYTES, scan="-Y 999999999 +X 999999999"), "over the limit of 1,000,000"),
        (rgbe(BYTES, scan="-Y 1000 +X 1000"), "is truncated"),
        (b"#?RADIANCE\n" + b"x" * 10**5, "no end"),
        (b"P6 1 1 255\n...", "is not a radiance map"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_radiance_headers_that_make_no_sense(data: bytes, match: str) -> None:
    refused(data, match)


def packed_picture() -> bytes:
    light = np.exp2(np.random.default_rng(0).integers(-3, 3, (9, 40, 3))).astype(np.float32)
    light[:, 10:25] = 0.25
    return cv2.imencode(".hdr", light)[1].tobytes()


def test_a_picture_that_ends_early_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    for data in (rgbe(BYTES), packed_picture()):
        for cut in range(11, len(data)):
            refused(data[:cut], "is truncated")
    assert capfd.readouterr() == ("", "")


def test_wrong_run_lengths_are_refused() -> None:
    data = packed_picture()
    start = data.index(b"+X 40\n") + 6
    refused(data[: start + 3] + b"\x29" + data[start + 4 :], "mark of another length")
    refused(data[: start + 4] + b"\0" + data[start + 5 :], "run of no length")
    refused(data[: start + 4] + b"\xff" + data[start + 5 :], "runs over its end")


@settings(max_examples=80)
@given(data=st.data())
def test_wrong_bytes_in_a_picture_never_do_more_than_be_refused(data: st.DataObject) -> None:
    damaged = bytearray(data.draw(st.sampled_from([rgbe(BYTES), packed_picture()])))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(damaged))
    except ImageError as error:
        assert "\n" not in str(error)


# ----------------------------------------------------------------------------------------- the front door


@pytest.fixture
def files(tmp_path: Path) -> Iterator[dict[str, Path]]:
    made = {
        "exr": SMALL["scan-lines"],
        "hdr": rgbe(BYTES),
        "png": cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1],
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(bytes(data))
    yield {name: tmp_path / name for name in made}


def test_light_and_display_values_are_asked_for(files: dict[str, Path]) -> None:
    np.testing.assert_array_equal(read_image(files["exr"], encoding="linear").pixels, LIGHT)
    np.testing.assert_array_equal(read_image(files["hdr"], encoding="linear").pixels, VALUES)
    for name, kind in (("exr", "OpenEXR"), ("hdr", "Radiance HDR")):
        with pytest.raises(ImageError, match=rf"holds scene light \({kind}\)"):
            read_image(files[name])
        with pytest.raises(ImageError, match="over the limit of 9"):
            read_image(files[name], encoding="linear", pixel_limit=9)
    with pytest.raises(ImageError, match=r"holds display values \(png\); expected scene light"):
        read_image(files["png"], encoding="linear")
    with pytest.raises(ValueError, match="srgb or linear, not 'nits'"):
        read_image(files["png"], encoding="nits")


# -------------------------------------------------------------------------------------------- real files


@pytest.mark.parametrize("name", ["nancy_church", "ph_forest", "ph_lobby", "ph_venice", "ph_workshop"])
def test_real_radiance_pictures_are_those_of_opencv(shared: Path, name: str) -> None:
    path = shared / "data" / "hdr" / f"{name}.hdr"
    image = read_image(path, encoding="linear")
    np.testing.assert_array_equal(image.pixels, cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1])
    assert image.notes == ()
    data = path.read_bytes()
    for cut in (1, 1000, len(data) // 2):
        refused(data[:-cut], "is truncated")


def test_real_negative_values_and_alpha(shared: Path) -> None:
    desk = read_image(shared / "data" / "hdr" / "Desk.exr", encoding="linear")
    assert desk.notes == ("alpha dropped", "10,794 negative values in 9,354 pixels set to 0")
    assert desk.facts["negative_pixels"] == 9354
    candle = read_image(shared / "data" / "hdr" / "CandleGlass.exr", encoding="linear")
    assert candle.notes == ("alpha dropped", "1,107 negative values in 845 pixels set to 0")
    assert candle.facts["lit_pixels_of_alpha_0"] == 688_921
    assert (desk.pixels.max(), candle.pixels.max()) == (233.75, 413.25)


def test_the_same_picture_in_rec709_and_xyz(shared: Path) -> None:
    """Both are stored as halves: 11 bits of precision, of XYZ before and of RGB after the matrix."""
    rec709, xyz = (read_image(shared / "data" / "hdr" / f"{name}.exr", encoding="linear") for name in ("Rec709", "XYZ"))
    scale = np.maximum(rec709.pixels.max(axis=2, keepdims=True), 0.01)
    error = np.abs(rec709.pixels - xyz.pixels) / scale
    assert error.max() < 4 / 2048
    assert error.mean() < 1 / 2048
    assert rec709.notes == ()
    assert xyz.notes[0].startswith("converted to Rec. 709")


def test_a_real_luminance_chroma_picture(shared: Path) -> None:
    path = shared / "data" / "quirks" / "luma_chroma.exr"
    image = read_image(path, encoding="linear")
    assert image.pixels.shape == (734, 784, 3)
    assert image.notes[0] == "colours rebuilt from luminance and chroma"
    luma = OpenEXR.File(str(path), separate_channels=True).channels()["Y"].pixels.astype(np.float32)
    unclipped = (image.pixels > 0).all(axis=2)
    found = color.weighted(*np.moveaxis(image.pixels, 2, 0))
    np.testing.assert_allclose(found[unclipped], luma[unclipped], rtol=2e-4)
    bluer = np.mean(image.pixels[..., 2] > image.pixels[..., 1])
    assert bluer > 0.9, "hydrangeas"
