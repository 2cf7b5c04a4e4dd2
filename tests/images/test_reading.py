"""Reading images: real odd files, made odd files, and damage of every kind."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposurebench.errors import ImageError
from exposurebench.images import read_image

SMOOTH = np.stack(np.meshgrid(np.linspace(20, 230, 24), np.linspace(40, 200, 36)), axis=-1)
COLOURS = np.dstack([SMOOTH, SMOOTH[::-1, :, 0]]).round().astype(np.uint8)
"""A smooth 36 x 24 picture, all three channels different, without any symmetry."""
DEEP = COLOURS.astype(np.uint16) * 257 - np.arange(24, dtype=np.uint16)[:, None]
"""The same in 16 bits, with low bytes that 8 bits cannot hold."""


def saved(picture: PIL.Image.Image, file_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=file_format, **options)
    return stream.getvalue()


def opencv(suffix: str, pixels: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Put bytes into a file and read them."""

    def put_and_read(data: bytes, name: str = "picture", **options: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(data)
        return read_image(path, **options)

    return put_and_read


RGB = PIL.Image.fromarray(COLOURS)
JPEG = saved(RGB, "JPEG", quality=95, subsampling=0)
PNG = saved(RGB, "PNG")


# ----------------------------------------------------------------------------------- what is read right


@pytest.mark.parametrize(
    ("data", "exact"),
    [
        pytest.param(PNG, True, id="png"),
        pytest.param(saved(RGB, "PNG", optimize=True), True, id="png-optimised"),
        pytest.param(saved(RGB, "BMP"), True, id="bmp"),
        pytest.param(saved(RGB, "TIFF"), True, id="tiff"),
        pytest.param(saved(RGB, "TIFF", compression="tiff_lzw"), True, id="tiff-lzw"),
        pytest.param(saved(RGB, "WEBP", lossless=True), True, id="webp-lossless"),
        pytest.param(saved(RGB, "WEBP", quality=90), False, id="webp"),
        pytest.param(JPEG, False, id="jpeg"),
        pytest.param(saved(RGB, "JPEG", progressive=True), False, id="jpeg-progressive"),
        pytest.param(saved(RGB, "JPEG", subsampling=2), False, id="jpeg-420"),
        pytest.param(saved(RGB, "GIF"), False, id="gif"),
    ],
)
def test_pixels_are_those_of_another_decoder(read: Callable[..., Any], data: bytes, exact: bool) -> None:
    image = read(data)
    expected = np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    assert image.pixels.dtype == np.uint8
    assert image.bit_depth == 8
    assert image.encoding == "srgb"
    np.testing.assert_array_equal(image.pixels, expected)
    if exact:
        np.testing.assert_array_equal(image.pixels, COLOURS)
    assert np.abs(image.pixels.astype(int) - COLOURS).mean() < 8, "the channels are in order"


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_stay_sixteen_bits(read: Callable[..., Any], suffix: str) -> None:
    image = read(opencv(suffix, DEEP[..., ::-1]))
    assert image.bit_depth == 16
    np.testing.assert_array_equal(image.pixels, DEEP)
    np.testing.assert_allclose(image.as_float(), DEEP / 65535, rtol=1e-6)
    assert image.file is None, "other decoders make 8 bits of it"


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_gray(read: Callable[..., Any], suffix: str) -> None:
    image = read(opencv(suffix, DEEP[..., 0]))
    np.testing.assert_array_equal(image.pixels, np.repeat(DEEP[..., :1], 3, axis=2))
    assert image.notes == ("gray repeated to three channels",)


def test_gray(read: Callable[..., Any]) -> None:
    for file_format in ("PNG", "JPEG", "TIFF", "BMP"):
        image = read(saved(RGB.convert("L"), file_format))
        assert image.notes == ("gray repeated to three channels",), file_format
        assert image.pixels.shape == COLOURS.shape
        assert (np.ptp(image.pixels, axis=2) == 0).all()


def test_alpha_is_dropped_with_a_note_and_colours_are_kept(read: Callable[..., Any]) -> None:
    alpha = np.full(COLOURS.shape[:2], 255, np.uint8)
    alpha[:5] = 0
    for file_format in ("PNG", "TIFF"):
        image = read(saved(PIL.Image.fromarray(np.dstack([COLOURS, alpha])), file_format))
        assert image.notes == ("alpha dropped",), file_format
        np.testing.assert_array_equal(image.pixels, COLOURS)


def test_gray_with_alpha(read: Callable[..., Any]) -> None:
    gray = COLOURS[..., 0]
    picture = PIL.Image.fromarray(np.dstack([gray, 255 - gray]))
    assert picture.mode == "LA"
    image = read(saved(picture, "PNG"))
    assert image.notes == ("alpha dropped", "gray repeated to three channels")
    np.testing.assert_array_equal(image.pixels, np.repeat(gray[..., None], 3, axis=2))


def test_sixteen_bit_alpha(read: Callable[..., Any]) -> None:
    image = read(opencv(".png", np.dstack([DEEP[..., ::-1], DEEP[..., 0]])))
    assert image.notes == ("alpha dropped",)
    np.testing.assert_array_equal(image.pixels, DEEP)


def test_palettes_and_single_bits(read: Callable[..., Any]) -> None:
    palette = RGB.quantize(16)
    image = read(saved(palette, "PNG"))
    np.testing.assert_array_equal(image.pixels, np.asarray(palette.convert("RGB")))
    bits = RGB.convert("1")
    for file_format in ("PNG", "TIFF"):
        image = read(saved(bits, file_format))
        np.testing.assert_array_equal(image.pixels, np.asarray(bits.convert("RGB")), err_msg=file_format)
        assert set(np.unique(image.pixels)) == {0, 255}
        assert image.notes == ("gray repeated to three channels",)


def test_cmyk(read: Callable[..., Any]) -> None:
    picture = RGB.convert("CMYK")
    image = read(saved(picture, "JPEG", quality=98))
    assert image.notes == ("converted from CMYK",)
    assert np.abs(image.pixels.astype(int) - COLOURS).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_sixteen_bit_tiff(read: Callable[..., Any], orientation: int) -> None:
    plain = opencv(".tiff", DEEP[..., ::-1])
    entries = int.from_bytes(plain[4:8], "little")  # OpenCV puts the directory last, without an orientation
    (count,) = struct.unpack_from("<H", plain, entries)
    directory = plain[entries + 2 : entries + 2 + 12 * count]
    fields = [directory[i : i + 12] for i in range(0, len(directory), 12) if directory[i : i + 2] != b"\x12\x01"]
    fields.append(struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0))
    turned = plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + struct.pack("<H", len(fields))
    image = read(turned + b"".join(sorted(fields, key=lambda f: f[1::-1])) + bytes(4))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    positions = PIL.Image.fromarray(np.arange(DEEP[..., 0].size, dtype=np.int32).reshape(DEEP.shape[:2]))
    order = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(saved(positions, "TIFF", exif=exif))))
    assert order is not None
    np.testing.assert_array_equal(image.pixels, DEEP.reshape(-1, 3)[np.asarray(order)])
    assert image.notes == ((f"EXIF orientation {orientation} applied",) if orientation > 1 else ())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation(read: Callable[..., Any], file_format: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = saved(RGB, file_format, exif=exif.tobytes() if file_format != "TIFF" else exif)
    turned = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    assert turned is not None
    image = read(data)
    np.testing.assert_array_equal(image.pixels, np.asarray(turned.convert("RGB")))
    assert image.notes == ((f"EXIF orientation {orientation} applied",) if orientation > 1 else ())
    assert (image.file is None) == (orientation > 1 or file_format not in ("JPEG", "PNG"))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.txt", "a", "with space.JPG", "é🙂\n.png"])
def test_the_suffix_decides_nothing(read: Callable[..., Any], name: str) -> None:
    for data in (JPEG, PNG):
        np.testing.assert_array_equal(read(data, name).pixels, read(data).pixels)


def test_the_files_bytes_are_kept_only_where_they_are_these_pixels(read: Callable[..., Any]) -> None:
    assert read(JPEG, "a.png").file == (JPEG, ".jpg")
    assert read(PNG, "a.jpg").file == (PNG, ".png")
    assert read(saved(RGB.convert("L"), "PNG")).file is None
    assert read(saved(RGB, "WEBP", lossless=True)).file is None


# ------------------------------------------------------------------------------------------ profiles


SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
S15 = 65536


def icc_profile(primaries: list[list[float]], gamma: float) -> bytes:
    """A minimal matrix profile (ICC.1:2001) out of D50 columns and one gamma."""

    def tag(kind: bytes, payload: bytes) -> bytes:
        body = kind + bytes(4) + payload
        return body + bytes(-len(body) % 4)

    curve = tag(b"curv", struct.pack(">IH", 1, round(gamma * 256)))
    tags = {
        b"desc": tag(b"desc", struct.pack(">I", 5) + b"Wide\0" + bytes(78)),
        b"wtpt": tag(b"XYZ ", struct.pack(">3i", *(round(v * S15) for v in (0.9642, 1.0, 0.8249)))),
        **{
            name: tag(b"XYZ ", struct.pack(">3i", *(round(v * S15) for v in column)))
            for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
        },
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    offset = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += name + struct.pack(">2I", offset + len(bodies), len(body))
        bodies += body
    size = offset + len(bodies)
    header = struct.pack(">I4sI4s4s4s", size, b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ").ljust(36, b"\0") + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", *(round(v * S15) for v in (0.9642, 1.0, 0.8249)))
    return header.ljust(128, b"\0") + table + bodies


ADOBE_D50 = [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]]
ADOBE = icc_profile(ADOBE_D50, 563 / 256)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_srgb_profile_changes_nothing(read: Callable[..., Any], file_format: str) -> None:
    options = {"lossless": True} if file_format == "WEBP" else {}
    plain, tagged = (read(saved(RGB, file_format, **o)) for o in (options, {**options, "icc_profile": SRGB}))
    np.testing.assert_array_equal(plain.pixels, tagged.pixels)
    assert tagged.notes == ()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG"])
def test_a_wide_profile_is_converted_and_said(read: Callable[..., Any], file_format: str) -> None:
    """Against the matrices of Adobe RGB and sRGB, by hand."""
    calm = (COLOURS * 0.3 + 90).astype(np.uint8)  # stays inside sRGB
    image = read(saved(PIL.Image.fromarray(calm), file_format, icc_profile=ADOBE))
    assert image.notes == ("converted from the ICC profile 'Wide'",)
    assert image.file is None
    srgb_d50 = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])
    light = (calm / 255) ** (563 / 256) @ np.array(ADOBE_D50) @ np.linalg.inv(srgb_d50)
    light = light.clip(0, 1)
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    error = np.abs(image.pixels - expected)
    assert error.mean() < (3 if file_format == "JPEG" else 1)
    assert np.abs(calm - expected).mean() > 3, "the profile makes a difference that the test can see"


@pytest.mark.parametrize(
    "profile", [b"nonsense", SRGB[:90], SRGB[:36] + b"xxxx" + SRGB[40:]], ids=["nonsense", "cut", "unsigned"]
)
def test_a_broken_profile_is_refused(read: Callable[..., Any], profile: bytes) -> None:
    for file_format in ("PNG", "JPEG", "TIFF"):
        with pytest.raises(ImageError, match="profile is broken"):
            read(saved(RGB, file_format, icc_profile=profile))


def with_profile(pixels: np.ndarray, profile: bytes) -> bytes:
    """A PNG of 16-bit RGB levels with an ICC profile."""
    deep = opencv(".png", pixels[..., ::-1])
    body = b"iCCP" + b"wide\0\0" + zlib.compress(profile)
    return deep[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + deep[33:]


def test_sixteen_bits_with_a_foreign_profile_are_converted_in_sixteen_bits(read: Callable[..., Any]) -> None:
    calm = (DEEP * 0.3 + 20000).astype(np.uint16)  # stays inside sRGB
    image = read(with_profile(calm, ADOBE))
    assert image.notes == ("converted from the ICC profile 'Wide'",) and image.pixels.dtype == np.uint16
    srgb_d50 = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])
    light = ((calm / 65535) ** (563 / 256) @ np.array(ADOBE_D50) @ np.linalg.inv(srgb_d50)).clip(0, 1)
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    assert np.abs(image.pixels - expected).max() < 65535 * 3e-4, "as far as the printed matrices agree"
    eight = read(saved(PIL.Image.fromarray((calm / 257).round().astype(np.uint8)), "PNG", icc_profile=ADOBE))
    assert np.abs(image.pixels / 257 - eight.pixels).mean() < 0.6, "the 8-bit way gives the same colours"


@pytest.mark.parametrize("profile", [ADOBE.replace(b"rTRC", b"xTRC"), ADOBE.replace(b"rXYZ", b"xXYZ")])
def test_sixteen_bits_with_a_profile_of_tables_are_refused(read: Callable[..., Any], profile: bytes) -> None:
    with pytest.raises(ImageError, match=r"which has no matrix|profile is broken|does not fit"):
        read(with_profile(DEEP, profile))


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (b"curv\0\0\0\0" + struct.pack(">I", 0), lambda x: x),
        (b"curv\0\0\0\0" + struct.pack(">IH", 1, 0x1CD), lambda x: x ** (0x1CD / 256)),
        (b"curv\0\0\0\0" + struct.pack(">I3H", 3, 0, 16384, 65535), lambda x: np.interp(x, [0, 0.5, 1], [0, 0.25, 1])),
        (b"para\0\0\0\0" + struct.pack(">HHi", 0, 0, 117965), lambda x: x ** (117965 / 65536)),
        (
            b"para\0\0\0\0" + struct.pack(">HH5i", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))),
            lambda x: np.where(x < 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4),
        ),
    ],
    ids=["straight", "gamma", "table", "power", "srgb"],
)  # fmt: skip
def test_the_curves_of_a_profile(tag: bytes, expected: Callable[[np.ndarray], np.ndarray]) -> None:
    from exposurebench.images import profiles

    levels = np.arange(65536) / 65535
    np.testing.assert_allclose(profiles._curve(tag), expected(levels), atol=2e-5)


# -------------------------------------------------------------------------------------------- damage


def refused(read: Callable[..., Any], data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read(data)
    message = str(caught.value)
    assert "\n" not in message
    return message


def cuts(size: int) -> list[int]:
    return sorted({1, 2, 4, 8, 16, 30, size // 4, size // 2, size * 3 // 4, size - 20, size - 8, size - 3, size - 1})


@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_jpeg_is_refused(read: Callable[..., Any], progressive: bool) -> None:
    data = saved(RGB.resize((96, 64)), "JPEG", progressive=progressive)
    for cut in cuts(len(data)):
        refused(read, data[:cut])


def test_a_truncated_png_is_refused(read: Callable[..., Any]) -> None:
    for cut in cuts(len(PNG)):
        refused(read, PNG[:cut])


@pytest.mark.slow
@pytest.mark.parametrize(
    "data", [JPEG, saved(RGB, "JPEG", progressive=True), PNG, saved(RGB, "WEBP"), saved(RGB, "BMP"), saved(RGB, "TIFF")]
)
def test_truncated_anywhere(read: Callable[..., Any], data: bytes) -> None:
    """Every cut is refused, or the pixels are all there (what was cut off was padding)."""
    whole = read(data).pixels
    for cut in range(len(data)):
        try:
            np.testing.assert_array_equal(read(data[:cut]).pixels, whole, err_msg=f"cut at {cut} of {len(data)}")
        except ImageError:
            continue


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, len(PNG) - 1), flip=st.integers(1, 255))
def test_a_flipped_byte_in_a_png_is_refused(read: Callable[..., Any], position: int, flip: int) -> None:
    damaged = bytearray(PNG)
    damaged[position] ^= flip
    refused(read, bytes(damaged))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200),
    start=st.sampled_from([b"", JPEG[:24], PNG[:33], b"II*\0", b"MM\0*", b"BM", b"GIF89a", b"RIFF\0\0\0\0WEBP"]),
)
def test_noise_is_refused_in_one_line(read: Callable[..., Any], data: bytes, start: bytes) -> None:
    refused(read, start + data)


def test_nothing_and_nonsense(read: Callable[..., Any], tmp_path: Path) -> None:
    assert refused(read, b"") == "is empty (0 bytes)"
    assert "is not an image" in refused(read, b"<!DOCTYPE html><html></html>")
    with pytest.raises(ImageError, match="is not a regular file"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path / "absent.png")
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(loop)


def bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes whose header claims any size."""

    def chunk(body: bytes) -> bytes:
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    header = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(header) + chunk(b"IDAT" + zlib.compress(bytes(1000))) + chunk(b"IEND")


def test_an_image_bomb_is_refused_from_its_header(read: Callable[..., Any]) -> None:
    assert "60000 x 60000 pixels, over the limit of 200,000,000" in refused(read, bomb(60_000, 60_000))
    refused(read, bomb(8, 60_000 // 8))  # within the limit, and damaged
    with pytest.raises(ImageError, match="over the limit of 100"):
        read(PNG, pixel_limit=100)
    with pytest.raises(ImageError, match="over the limit of 863"):
        read(JPEG, pixel_limit=36 * 24 - 1)
    assert read(JPEG, pixel_limit=36 * 24).pixels.shape == COLOURS.shape


def test_pillows_own_limit_is_left_as_it_was(read: Callable[..., Any]) -> None:
    before = PIL.Image.MAX_IMAGE_PIXELS
    refused(read, bomb(60_000, 60_000))
    assert before is not None
    assert before == PIL.Image.MAX_IMAGE_PIXELS


def test_raw_names(read: Callable[..., Any]) -> None:
    with pytest.raises(ImageError, match=r"JPEG data under a RAW name: rename it to \.jpg"):
        read(JPEG, "a.NEF")
    with pytest.raises(ImageError, match="RAW file"):
        read(b"II*\0" + bytes(100), "a.dng")


def test_scene_light_is_refused_as_a_display_image(read: Callable[..., Any]) -> None:
    with pytest.raises(ImageError, match="Radiance HDR"):
        read(opencv(".hdr", COLOURS.astype(np.float32)), "a.png")
    with pytest.raises(ImageError, match="holds F values"):
        read(saved(PIL.Image.fromarray(SMOOTH[..., 0].astype(np.float32)), "TIFF"))


# ------------------------------------------------------------------------------------ real odd files


def test_real_odd_files(shared: Path) -> None:
    quirks = shared / "data" / "quirks"

    def notes(name: str) -> tuple[str, ...]:
        return read_image(quirks / name).notes

    assert notes("gray8.png") == ("gray repeated to three channels",)
    assert notes("alpha.png") == ("alpha dropped",)
    assert notes("cmyk.jpg") == ("converted from CMYK",)
    assert notes("nikon_d300_srgb_8bit.png") == ()
    deep, twin = (read_image(quirks / f"nikon_d300_{kind}.png") for kind in ("linear_rec2020_16bit", "srgb_8bit"))
    assert deep.notes == ("converted from the ICC profile 'Linear Rec2020 RGB'",)
    assert np.abs(deep.pixels / 257 - twin.pixels).mean() < 1, "the same crop, developed as 8-bit sRGB"
    for name, expected in {
        "broken_1280x960.jpg": "is damaged",
        "not_an_image.jpg": "is damaged",
        "jpeg_named_1.nef": "JPEG data under a RAW name",
        "luma_chroma.exr": "holds scene light (OpenEXR)",
    }.items():
        with pytest.raises(ImageError) as caught:
            read_image(quirks / name)
        assert expected in str(caught.value), name


def test_real_rotated_files(shared: Path) -> None:
    data = shared / "data"
    for path in [*(data / "quirks").glob("orientation_*"), *(data / "brackets" / "gegl_parliament").glob("*.png")]:
        with PIL.Image.open(path) as picture:
            turned = PIL.ImageOps.exif_transpose(picture)
            expected = np.asarray(turned.convert("RGB")).astype(int)
            assert picture.getexif()[0x0112] > 1
        image = read_image(path)
        assert image.pixels.shape == expected.shape, path.name
        assert np.abs(image.pixels - expected).mean() < 0.5, path.name
        assert "EXIF orientation" in image.notes[0]


def test_real_photographs_are_read_as_pillow_reads_them(shared: Path) -> None:
    data = shared / "data"
    wide = 0
    for path in [*(data / "wild").glob("*.jpg"), *sorted((data / "brackets").rglob("*.[jJ][pP][gG]"))]:
        image = read_image(path)
        with PIL.Image.open(path) as picture:
            plain = np.asarray(picture.convert("RGB")).astype(int)
            profile = picture.info.get("icc_profile")
            if image.notes:
                opened = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
                name = PIL.ImageCms.getProfileDescription(opened).strip()
                assert image.notes == (f"converted from the ICC profile '{name}'",)
                converted = PIL.ImageCms.profileToProfile(
                    picture,
                    opened,
                    PIL.ImageCms.createProfile("sRGB"),
                    PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC,
                    flags=PIL.ImageCms.Flags.BLACKPOINTCOMPENSATION,
                )
                assert converted is not None
                wide += 1
                assert np.abs(image.pixels - np.asarray(converted).astype(int)).mean() < 1
                assert (image.pixels != plain).any()
                continue
        assert image.file == (path.read_bytes(), ".jpg")
        assert np.abs(image.pixels - plain).max() <= 1, os.fspath(path)
    assert wide == 1
