"""Display images of every other kind than the plain JPEG: their header, their damages, their profile, their turn."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import PIL.Image
import simplejpeg
from numpy.typing import NDArray

from exposurebench.errors import ImageError
from exposurebench.images import profiles
from exposurebench.images.image import Image
from exposurebench.images.light import check_size

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


def read_picture(data: bytes, kind: str, pixel_limit: int) -> Image:
    """Decode a display image as :func:`exposurebench.images.reading.read_image` promises.

    Args:
        data: the whole file.
        kind: what its first bytes say that it is.
        pixel_limit: refuse larger pictures, from the header.

    Raises:
        ImageError: it is damaged, too large, or of a kind that is not read; the decoders' own errors pass.
    """
    header = _open_header(data)
    check_size(*header.size, pixel_limit)
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
        pixels: NDArray[Any] = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
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
