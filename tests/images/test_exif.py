"""How a file says it was exposed: every container, void values, and real cameras."""

import io
import struct
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposurebench.errors import ImageError
from exposurebench.images import Exposure, read_exposure, relative_exposures
from exposurebench.images.tiff import directories

PICTURE = PIL.Image.fromarray(np.zeros((4, 4, 3), np.uint8))
WHOLE = Exposure(
    time_s=0.0125,
    iso=400.0,
    f_number=5.6,
    bias_ev=-0.5,
    taken=datetime(2024, 2, 29, 23, 59, 58, 250_000),
    model="Made by hand",
)


def rational(top: int, bottom: int) -> PIL.TiffImagePlugin.IFDRational:
    return PIL.TiffImagePlugin.IFDRational(top, bottom)


def exif(**changes: Any) -> PIL.Image.Exif:
    """The EXIF of WHOLE with some tags changed, or left out where None."""
    tags = {
        "time": rational(1, 80),
        "f_number": rational(56, 10),
        "iso": 400,
        "bias": rational(-1, 2),
        "taken": "2024:02:29 23:59:58",
        "fraction": "25",
    } | changes
    numbers = {
        "time": 0x829A,
        "f_number": 0x829D,
        "iso": 0x8827,
        "bias": 0x9204,
        "taken": 0x9003,
        "fraction": 0x9291,
    }
    made = PIL.Image.Exif()
    made[0x0110] = "Made by hand"
    inner = made.get_ifd(0x8769)
    inner.update({numbers[name]: value for name, value in tags.items() if value is not None})
    return made


def saved(file_format: str, made: PIL.Image.Exif) -> bytes:
    stream = io.BytesIO()
    if file_format == "TIFF":
        made[0x8769] = made.get_ifd(0x8769)  # Pillow writes the inner directory of a TIFF only so
    PICTURE.save(stream, format=file_format, exif=made)
    return stream.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WebP", "TIFF"])
def test_every_container(file_format: str, tmp_path: Path) -> None:
    data = saved(file_format, exif())
    assert read_exposure(data) == WHOLE
    path = tmp_path / "picture"
    path.write_bytes(data)
    assert read_exposure(path) == read_exposure(str(path)) == WHOLE
    assert WHOLE.exposure_ev == pytest.approx(np.log2(0.0125 * 400 / 5.6**2))


@pytest.mark.parametrize("kind", ["tEXt", "zTXt"])
def test_png_text_from_before_there_was_a_chunk(kind: str) -> None:
    block = b"Exif\0\0" + exif().tobytes().removeprefix(b"Exif\0\0")
    text = b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"
    body = b"Raw profile type exif\0" + (text if kind == "tEXt" else b"\0" + zlib.compress(text))
    chunk = struct.pack(">I", len(body)) + kind.encode() + body + bytes(4)
    plain = saved("PNG", PIL.Image.Exif())
    assert read_exposure(plain[:33] + chunk + plain[33:]) == WHOLE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time": None}, "time_s"),
        ({"time": rational(0, 1)}, "time_s"),
        ({"time": rational(0, 0)}, "time_s"),
        ({"time": rational(1, 0)}, "time_s"),
        ({"time": rational(4_000_000_000, 1)}, "time_s"),
        ({"iso": 0}, "iso"),
        ({"iso": None}, "iso"),
        ({"f_number": rational(0, 10)}, "f_number"),
        ({"f_number": rational(65535, 1)}, "f_number"),
        ({"bias": rational(0, 0)}, "bias_ev"),
        ({"taken": "0000:00:00 00:00:00"}, "taken"),
        ({"taken": "    :  :     :  :  "}, "taken"),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else "-".join(f"{k}={v if v is None else str(v)}" for k, v in value.items())
    ),
)
def test_void_is_none_and_nothing_else_is(changes: dict[str, Any], field: str) -> None:
    exposure = read_exposure(saved("JPEG", exif(**changes)))
    void = {
        name for name in ("time_s", "iso", "f_number", "bias_ev", "taken", "model") if getattr(exposure, name) is None
    }
    assert void == {field}
    assert (exposure.exposure_ev is None) == (field in ("time_s", "iso", "f_number"))


def test_no_bias_is_zero_not_void() -> None:
    assert read_exposure(saved("JPEG", exif(bias=rational(0, 3)))).bias_ev == 0


def test_ratios_use_what_every_frame_tells() -> None:
    bracket = [Exposure(time_s=t) for t in (1 / 60, 1 / 15, 1 / 240)]
    assert relative_exposures(bracket) == pytest.approx([0, 2, -2])
    assert relative_exposures([Exposure(1, 100), Exposure(1, 400)]) == pytest.approx([0, 2])
    assert relative_exposures([Exposure(1, None, 4), Exposure(1, None, 8)]) == pytest.approx([0, -2])
    assert relative_exposures([Exposure(1, 100), Exposure(1, None)]) is None
    assert relative_exposures([Exposure(1, 100, 8), Exposure(1, 100, None)]) is None
    assert relative_exposures([Exposure(1, 100, 8), Exposure(None, 100, 8)]) is None
    assert relative_exposures([]) == []


def test_files_without_exif_tell_nothing(tmp_path: Path) -> None:
    for data in (saved("JPEG", PIL.Image.Exif()), saved("PNG", PIL.Image.Exif()), b"", b"no picture", bytes(100)):
        assert read_exposure(data) == Exposure()
    with pytest.raises(ImageError, match="cannot be opened"):
        read_exposure(tmp_path / "none.jpg")


def test_a_loop_of_directories_ends() -> None:
    """Two directories that point at each other, and an EXIF pointer back to the first."""
    entry = struct.pack("<HHII", 34665, 4, 1, 8)
    first = struct.pack("<H", 1) + entry + struct.pack("<I", 26)
    second = struct.pack("<H", 0) + struct.pack("<I", 8)
    assert len(list(directories(b"II*\0\x08\0\0\0" + first + second))) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["JPEG", "PNG", "TIFF", "WebP"]), st.data())
def test_damaged_metadata_is_never_an_error(file_format: str, draw: st.DataObject) -> None:
    data = bytearray(saved(file_format, exif()))
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    exposure = read_exposure(bytes(data[: draw.draw(st.integers(0, len(data)))]))
    assert exposure.time_s is None or 1e-7 <= exposure.time_s <= 1e5


def ciff(shot: list[int], seconds: int = 86_400) -> bytes:
    """A CRW's heap with one folder in a folder, as Canon nests them."""

    def heap(records: list[tuple[int, bytes]]) -> bytes:
        body, table = b"", struct.pack("<H", len(records))
        for kind, data in records:
            table += struct.pack("<HII", kind, len(data), len(body))
            body += data
        return body + table + struct.pack("<I", len(body))

    properties = heap([(0x102A, struct.pack(f"<{len(shot)}h", *shot))])
    top = heap([(0x080A, b"Canon\0Canon Made\0"), (0x180E, struct.pack("<III", seconds, 0, 0)), (0x300B, properties)])
    return b"II" + struct.pack("<I", 26) + b"HEAPCCDR" + bytes(12) + top


def test_ciff_tells_the_exposure_that_was_made() -> None:
    shot = [0] * 27
    shot[1], shot[2], shot[4], shot[5], shot[6], shot[21], shot[22] = 32, 128, 128, 160, -16, 192, 64
    exposure = read_exposure(ciff(shot))
    assert exposure == Exposure(0.25, 100.0, 8.0, -0.5, datetime(1970, 1, 2), "Canon Made")
    shot[21] = shot[22] = 0  # only what was aimed at
    assert (read_exposure(ciff(shot)).f_number, read_exposure(ciff(shot)).time_s) == (4.0, 1 / 32)
    assert read_exposure(ciff([0] * 27, 0)) == Exposure(bias_ev=0.0, model="Canon Made")
    whole = ciff(shot)
    for end in range(14, len(whole)):
        read_exposure(whole[:end])


# ------------------------------------------------------------------------------------------ real files


@pytest.mark.parametrize(
    ("name", "time_s", "iso", "f_number", "model"),
    [
        ("brackets/gegl_parliament/parliament_0.png", 1 / 50, 800, 8, "NIKON D40"),
        ("brackets/gegl_parliament/parliament_2.png", 0.4, 800, 8, "NIKON D40"),
        ("brackets/rx100_night_aeb/DSC08199.JPG", 1 / 30, 4000, 3.2, "DSC-RX100M6"),
        ("quirks/jpeg_named_1.nef", 1 / 60, None, 2.8, "NIKON D70s"),
        ("quirks/nikon_d300_linear_rec2020_16bit.png", 0.1, 200, 7.1, "NIKON D300"),
        ("raw/colorchart.dng", None, None, None, "Canon EOS Kiss X4"),
        ("raw/dc120_P003911.KDC", 0.00376, None, 3.7, "Kodak DC120 ZOOM Digital Camera"),
        ("raw_pairs/g2_full/CRW_0304.CRW", 2 ** (-182 / 32), 50, 2 ** (126 / 64), "Canon PowerShot G2"),
        ("raw/s40_CRW_0117.CRW", 2 ** (-65 / 32), 50, 2 ** (99 / 64), "Canon PowerShot S40"),
        ("brackets/mertens_house/A.jpg", None, None, None, None),
        ("brackets/gegl_parliament/reference_exp-combine.hdr", None, None, None, None),
    ],
    ids=lambda value: Path(value).name if isinstance(value, str) else "",
)
def test_real_files(
    shared: Path, name: str, time_s: float | None, iso: float | None, f_number: float | None, model: str | None
) -> None:
    exposure = read_exposure(shared / "data" / name)
    assert (exposure.iso, exposure.model) == (iso, model)
    assert exposure.time_s == (None if time_s is None else pytest.approx(time_s))
    assert exposure.f_number == (None if f_number is None else pytest.approx(f_number))


def test_a_real_bracket(shared: Path) -> None:
    frames = [read_exposure(shared / f"data/brackets/gegl_parliament/parliament_{i}.png") for i in range(3)]
    assert relative_exposures(frames) == pytest.approx([0, np.log2(50 / 13), np.log2(20)])
    moments = [frame.taken for frame in frames]
    assert moments[0] == datetime(2009, 9, 5, 17, 8, 25, 600_000)
