"""Read 8 and 16-bit display images, and radiance maps where light is asked for, strictly, whatever they are called.

One policy: EXIF orientation is applied; gray is repeated, alpha dropped, CMYK and foreign profiles
converted, each with a note; bit depth is kept; what is truncated, damaged, absurdly large or under a
false RAW name is refused with the reason.

Plain JPEGs are decoded here, everything else by modules that are imported when the first such file comes: they take
as long to load as a worker takes for ten photographs.
"""

from __future__ import annotations

import stat
import struct
import zlib
from pathlib import Path

import cv2
import simplejpeg

from exposurebench.errors import ImageError
from exposurebench.images.image import BYTE_LIMIT, PIXEL_LIMIT, Encoding, Image
from exposurebench.images.light import check_size

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
            from exposurebench.images.raw import read_raw

            return read_raw(data, pixel_limit=pixel_limit)
        what = "JPEG data under a RAW name: rename it to .jpg"
        raise ImageError(f"is {what if kind == 'jpeg' else 'a RAW file: expected a display-encoded 8 or 16-bit image'}")
    if kind in ("OpenEXR", "Radiance HDR"):
        if encoding == "linear":
            from exposurebench.images.radiance import read_radiance

            return read_radiance(data, pixel_limit)
        raise ImageError(f"holds scene light ({kind}); expected a display-encoded 8 or 16-bit image")
    if encoding == "linear":
        raise ImageError(f"holds display values ({kind}); expected scene light: OpenEXR or a Radiance picture (.hdr)")
    try:
        plain = _plain_jpeg_size(data) if kind == "jpeg" else None
        if plain is None:
            from exposurebench.images.pictures import read_picture

            return read_picture(data, kind, pixel_limit)
        check_size(*plain, pixel_limit)
        return Image(simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True), file=(data, ".jpg"))
    except ImageError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, cv2.error) as error:
        raise ImageError(f"is damaged: {' '.join(str(error).split())[:200]}") from error


def holds_light(path: str | Path) -> bool:
    """Whether a file's first bytes are those of an OpenEXR file or a Radiance picture; a lost file holds none.

    >>> holds_light("nowhere.exr")
    False
    """
    try:
        with open(path, "rb") as stream:
            start = stream.read(16)
    except OSError:
        return False
    return any(start.startswith(s) for s, kind in _SIGNATURES if kind in ("OpenEXR", "Radiance HDR"))


def _kind(data: bytes) -> str:
    if not data:
        raise ImageError("is empty (0 bytes)")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    raise ImageError(f"is not an image (starts with {data[:8]!r})")


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
