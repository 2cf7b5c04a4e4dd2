"""Read 8 and 16-bit display images, and radiance maps where light is asked for, strictly, whatever they are called.

One policy: EXIF orientation is applied; gray is repeated, alpha dropped, CMYK and foreign profiles
converted, each with a note; bit depth is kept; what is truncated, damaged, absurdly large or under a
false RAW name is refused with the reason.
"""

from __future__ import annotations

import contextlib
import io
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import simplejpeg
from numpy.typing import NDArray

from exposurebench.errors import ImageError
from exposurebench.images import profiles
from exposurebench.images.image import BYTE_LIMIT, PIXEL_LIMIT, Encoding, Image
from exposurebench.images.radiance import read_radiance
from exposurebench.images.raw import read_raw

RAW_SUFFIXES = frozenset(
    {
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw"),
        *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
    }
)
_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"BM", "bmp"),
    (b"GIF8", "gif"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
)
_ROTATIONS: dict[int, tuple[str, ...]] = {
    2: ("flip",),
    3: ("turn", "turn"),
    4: ("flip", "turn", "turn"),
    5: ("flip", "turn"),
    6: ("turn", "turn", "turn"),
    7: ("flip", "turn", "turn", "turn"),
    8: ("turn",),
}
_PILLOW_GATE = threading.Lock()


def read_image(path: str | Path, *, encoding: Encoding = "srgb", pixel_limit: int = PIXEL_LIMIT) -> Image:
    """Read one image as RGB.

    Args:
        path: for ``srgb`` a JPEG, PNG, TIFF, WebP, BMP or GIF (first picture), for ``linear`` an OpenEXR file
            or a Radiance picture (.hdr), by content, and a RAW file, by name (as the camera set it; see
            :func:`exposurebench.images.raw.read_raw` for more).
        encoding: ``srgb`` for display values, ``linear`` for light; a file of the other kind is refused.
        pixel_limit: refuse larger images, from the header.

    Returns:
        Pixels ``(H, W, 3)``: uint8 or uint16 for display values, float32 linear Rec. 709 for light
        (:func:`exposurebench.images.radiance.read_radiance`), with notes on what was done to them.

    Raises:
        ImageError: the file cannot be read as such an image; the message is the reason.
        ValueError: the encoding is neither.
    """
    if encoding not in ("srgb", "linear"):
        raise ValueError(f"encoding must be srgb or linear, not {encoding!r}")
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("is not a regular file")
        if status.st_size > BYTE_LIMIT:
            raise ImageError(f"is larger than {BYTE_LIMIT >> 30} GiB")
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be opened ({error.strerror})") from error
    raw = path.suffix.lower() in RAW_SUFFIXES
    kind = "" if raw and not data.startswith(b"\xff\xd8\xff") else _kind(data)
    if raw:
        if encoding == "linear":
            return read_raw(data, pixel_limit=pixel_limit)
        what = "JPEG data under a RAW name: rename it to .jpg"
        raise ImageError(f"is {what if kind == 'jpeg' else 'a RAW file: expected a display-encoded 8 or 16-bit image'}")
    if kind in ("OpenEXR", "Radiance HDR"):
        if encoding == "linear":
            return read_radiance(data, pixel_limit)
        raise ImageError(f"holds scene light ({kind}); expected a display-encoded 8 or 16-bit image")
    if encoding == "linear":
        raise ImageError(f"holds display values ({kind}); expected scene light: OpenEXR or a Radiance picture (.hdr)")
    try:
        return _decode(data, kind, pixel_limit)
    except ImageError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, cv2.error) as error:
        raise ImageError(f"is damaged: {' '.join(str(error).split())[:200]}") from error


def _kind(data: bytes) -> str:
    if not data:
        raise ImageError("is empty (0 bytes)")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    raise ImageError(f"is not an image (starts with {data[:8]!r})")


def _decode(data: bytes, kind: str, pixel_limit: int) -> Image:
    plain = _plain_jpeg_size(data) if kind == "jpeg" else None
    if plain:
        _check_size(*plain, pixel_limit)
        return Image(_decode_jpeg(data), file=(data, ".jpg"))
    header = _open_header(data)
    _check_size(*header.size, pixel_limit)
    if kind == "png":
        _check_png(data)
    orientation = _orientation(header, kind, data)
    levels, notes = _levels(data, kind, header)
    pure = not notes and levels.dtype == np.uint8 and kind in ("jpeg", "png")
    if orientation in _ROTATIONS:
        if kind != "tiff":  # both decoders turn a TIFF themselves
            for step in _ROTATIONS[orientation]:
                levels = np.fliplr(levels) if step == "flip" else np.rot90(levels)
            levels = np.ascontiguousarray(levels)
        notes.append(f"EXIF orientation {orientation} applied")
        pure = False
    return Image(
        pixels=levels,
        bit_depth=levels.dtype.itemsize * 8,
        file=(data, ".jpg" if kind == "jpeg" else ".png") if pure else None,
        notes=tuple(notes),
    )


def _check_size(width: int, height: int, pixel_limit: int) -> None:
    if width * height > pixel_limit:
        raise ImageError(f"would decode to {width} x {height} pixels, over the limit of {pixel_limit:,}")


def _plain_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG of three 8-bit channels that names no EXIF, XMP, profile or colour transform.

    Most photographs of a data set are such files, and this is twenty times faster than a whole header reader.
    """
    position, size = 2, None
    while data[position : position + 1] == b"\xff" and position + 10 <= len(data):
        marker, (length,) = data[position + 1], struct.unpack_from(">H", data, position + 2)
        if marker == 0xDA:
            return size
        if marker in (0xC0, 0xC1, 0xC2):
            precision, height, width, channels = struct.unpack_from(">BHHB", data, position + 4)
            size = (width, height) if (precision, channels) == (8, 3) else None
        elif not (marker in (0xC4, 0xDB, 0xDD, 0xE0, 0xFE) and length >= 2):
            return None
        position += 2 + length
    return None


def _open_header(data: bytes) -> PIL.Image.Image:
    with _pillow():
        try:
            return PIL.Image.open(io.BytesIO(data))
        except PIL.UnidentifiedImageError as error:
            raise ImageError("is damaged or of a kind that is not read: its header makes no sense") from error


def _orientation(header: PIL.Image.Image, kind: str, data: bytes) -> int:
    """The EXIF orientation. Pillow decodes a whole PNG to look for one, so only a PNG that names it is asked."""
    if kind == "png" and b"eXIf" not in data and b"Raw profile type exif" not in data:
        return 1
    with _pillow():
        orientation: int = header.getexif().get(0x0112, 1)
        return orientation


@contextlib.contextmanager
def _pillow() -> Iterator[None]:
    """Pillow without its warnings; the pixel limit is ours, so its own is lifted meanwhile."""
    with _PILLOW_GATE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = before


def _levels(data: bytes, kind: str, header: PIL.Image.Image) -> tuple[NDArray[Any], list[str]]:
    """Decoded RGB levels in sRGB, unrotated, and notes on every conversion."""
    notes: list[str] = []
    profile: bytes | None = header.info.get("icc_profile")
    if profile and header.mode != "CMYK" and profiles.is_srgb(profile):
        profile = None
    if kind == "jpeg" and header.mode in ("RGB", "L"):
        pixels = _decode_jpeg(data)
    elif kind == "png" or (kind == "tiff" and 16 in _bits_per_sample(header)):
        pixels = _decode_opencv(data)
    else:
        return _decode_pillow(header, profile)
    if pixels.shape[2] == 4 or pixels.shape[2] == 2:
        notes.append("alpha dropped")
    if header.mode in ("L", "LA", "1") or header.mode.startswith("I"):
        notes.append("gray repeated to three channels")
    pixels = np.ascontiguousarray(pixels[..., :3])
    if profile:
        notes.append(f"converted from the ICC profile '{profiles.describe(profile)}'")
        if pixels.dtype != np.uint8:
            return profiles.convert_deep_to_srgb(pixels, profile), notes
        gray = header.mode in ("L", "LA", "1")
        source = PIL.Image.fromarray(np.ascontiguousarray(pixels[..., 0]) if gray else pixels)
        pixels = np.asarray(profiles.convert_to_srgb(source, profile))
    return pixels, notes


def _decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    return pixels


def _decode_opencv(data: bytes) -> NDArray[Any]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError("is damaged: the decoder gave nothing")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"holds {pixels.dtype} values; expected a display-encoded 8 or 16-bit image")
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _decode_pillow(header: PIL.Image.Image, profile: bytes | None) -> tuple[NDArray[np.uint8], list[str]]:
    notes = []
    with _pillow():
        header.load()
    picture = header
    if picture.mode in ("LA", "PA", "RGBA") or (picture.mode == "P" and "transparency" in picture.info):
        notes.append("alpha dropped")
    if picture.mode in ("L", "LA", "1"):
        notes.append("gray repeated to three channels")
    if picture.mode == "CMYK":
        notes.append("converted from CMYK")
    if profile:
        if picture.mode not in ("L", "RGB", "CMYK"):
            picture = picture.convert("RGB")
        picture = profiles.convert_to_srgb(picture, profile)
        notes.append(f"converted from the ICC profile '{profiles.describe(profile)}'")
    elif picture.mode not in ("RGB", "RGBA", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "LAB", "HSV"):
        raise ImageError(f"holds {picture.mode} values; expected a display-encoded 8 or 16-bit image")
    return np.asarray(picture.convert("RGB")), notes


def _bits_per_sample(header: PIL.Image.Image) -> tuple[int, ...]:
    bits = getattr(header, "tag_v2", {}).get(258, (8,))
    return bits if isinstance(bits, tuple) else (bits,)


def _check_png(data: bytes) -> None:
    """Walk the chunks: OpenCV gives half a picture for a file that ends early or has wrong bytes."""
    position = 8
    view = memoryview(data)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        name = data[position + 4 : position + 8]
        if struct.unpack_from(">I", data, end - 4)[0] != zlib.crc32(view[position + 4 : end - 4]):
            raise ImageError(f"is damaged: the checksum of its {name!r} chunk is wrong")
        if name == b"IEND":
            return
        position = end
    raise ImageError("is truncated: the PNG has no end")
