"""Radiance pictures (.hdr): four bytes a pixel, three mantissas and the exponent they share.

They are decoded here, strictly. OpenCV is faster where scan lines are packed, but takes the bytes through a
temporary file, prints, knows one of the eight scan orders and neither XYZE nor the old run lengths, and
reads on as if the rest were flat where a scan line's mark is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import REC709_PRIMARIES, XYZ_PRIMARIES, Primaries
from exposurebench.errors import ImageError
from exposurebench.images.image import Image
from exposurebench.images.light import check_size, to_image

LARGEST = 255.5 * 2.0**119
"""Values from here on have no exponent in the format."""
_STEPS = (np.ldexp(1.0, np.arange(256) - 136) * (np.arange(256) > 0)).astype(np.float32)
"""What one step of a mantissa is worth under each exponent; the exponent 0 is black."""
_HEADER_LIMIT = 1 << 16
_RUN_LENGTHS = range(8, 1 << 15)
"""Scan lines of these lengths may be packed channel by channel."""
_SIZE = re.compile(r"([-+][XY]) +(\d{1,9}) +([-+][XY]) +(\d{1,9})")
_BACKWARDS = ("+Y", "-X")


def read_rgbe(data: bytes, pixel_limit: int) -> Image:
    """Decode a Radiance picture to linear Rec. 709.

    A value is ``mantissa * 2 ** (exponent - 136)``, without the half step that Radiance's own programs add.
    EXPOSURE and COLORCORR are undone and PRIMARIES honoured; without PRIMARIES (or with the zeros that
    Photoshop writes) the picture is taken as Rec. 709. XYZE is CIE XYZ under the white of PRIMARIES, or
    under equal energy.

    Raises:
        ImageError: the file is truncated, damaged or too large; the message is the reason.
    """
    lines, start = _header_lines(data)
    size = _SIZE.fullmatch(lines.pop())
    if size is None or size[1][1] == size[3][1]:
        raise ImageError("is damaged: its resolution line makes no sense")
    rows, columns, count, length = size[1], size[3], int(size[2]), int(size[4])
    upright = rows[1] == "Y"
    check_size(*((length, count) if upright else (count, length)), pixel_limit)
    form, primaries, gain, notes = _variables(lines)

    light = _unpacked(data, start, count, length)
    light = light[:: -1 if rows in _BACKWARDS else 1, :: -1 if columns in _BACKWARDS else 1]
    if (rows, columns) != ("-Y", "+X"):
        notes.append(f"turned from the scan order {rows} {columns}")
    light = np.ascontiguousarray(light if upright else light.transpose(1, 0, 2))
    if (gain != 1).any():
        with np.errstate(over="ignore"):
            light /= gain.astype(np.float32)
        notes.append(f"EXPOSURE and COLORCORR of {' '.join(f'{g:g}' for g in gain)} undone")
    neutral = None
    if form.endswith("xyze"):
        neutral, primaries = (primaries or XYZ_PRIMARIES).white, XYZ_PRIMARIES
    return to_image(light, 32, primaries, neutral, facts={}, notes=notes)


def encode_rgbe(light: NDArray[np.float32]) -> bytes:
    """A Radiance picture of linear Rec. 709 values, every mantissa rounded to the nearest, scan lines flat.

    The error is at most 1/256 of a pixel's brightest channel. Flat scan lines are safe: the brightest
    mantissa is 128 at least, so none can be mistaken for a mark of run lengths. Values under about 1e-39
    become black.

    Args:
        light: ``(H, W, 3)`` float32, finite, from 0 to below :data:`LARGEST`.
    """
    brightest = light.max(axis=2)
    exponents = np.frexp(brightest)[1]
    exponents += np.rint(np.ldexp(brightest, 8 - exponents)) > 255  # rounding up may need the next exponent
    stored = np.where((brightest > 0) & (exponents > -128), exponents + 128, 0)
    pixels = np.empty((*brightest.shape, 4), np.uint8)
    pixels[..., :3] = np.rint(np.ldexp(light, (8 - exponents)[..., None]))
    pixels[..., 3] = stored
    pixels[stored == 0] = 0
    primaries = " ".join(f"{number:g}" for corner in REC709_PRIMARIES for number in corner)
    height, width = brightest.shape
    header = f"#?RADIANCE\nPRIMARIES= {primaries}\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n"
    return header.encode() + pixels.tobytes()


def _header_lines(data: bytes) -> tuple[list[str], int]:
    """The lines up to the resolution line, without the empty one, and where the pixels begin."""
    end = re.search(rb"\n\r?\n", data[:_HEADER_LIMIT])
    stop = data.find(b"\n", end.end(), end.end() + 64) if end else -1
    if end is None or stop < 0:
        raise ImageError("is truncated: the header of the Radiance picture has no end")
    lines = data[: end.start()].decode("latin-1").splitlines()
    return [*lines, data[end.end() : stop].decode("latin-1").strip()], stop + 1


def _variables(lines: list[str]) -> tuple[str, Primaries | None, NDArray[np.float64], list[str]]:
    """Format, primaries, the gain that was applied to each channel, and notes."""
    form, primaries, gain, notes = "", None, np.ones(3), list[str]()
    for line in lines:
        name, _, value = line.partition("=")
        value = value.strip()
        if name == "FORMAT":
            form = value
        elif name == "PRIMARIES":
            numbers = _numbers(line, value, 8)
            if any(numbers):
                x = iter(numbers)
                primaries = Primaries(*zip(x, x, strict=True))
        elif name in ("EXPOSURE", "COLORCORR"):
            factors = _numbers(line, value, 1 if name == "EXPOSURE" else 3)
            if not all(1e-30 < factor < 1e30 for factor in factors):
                raise ImageError(f"is damaged: its line {line[:80]!r} makes no sense")
            gain = gain * factors
        elif name == "PIXASPECT" and value not in ("1", "1.0"):
            notes.append(f"pixels are not square (PIXASPECT {value}) and stay as they are")
    if form not in ("32-bit_rle_rgbe", "32-bit_rle_xyze"):
        raise ImageError(
            f"is a Radiance picture of the format {form[:40]!r}; expected 32-bit_rle_rgbe or 32-bit_rle_xyze"
        )
    return form, primaries, gain, notes


def _numbers(line: str, value: str, count: int) -> list[float]:
    try:
        numbers = [float(word) for word in value.split()]
    except ValueError:
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ImageError(f"is damaged: its line {line[:80]!r} makes no sense; expected {count} numbers")
    return numbers


def _unpacked(data: bytes, start: int, count: int, length: int) -> NDArray[np.float32]:
    """``(count, length, 3)`` values of the scan lines in the order of the file."""
    pixels = _flat(data, start, count, length)
    if pixels is None:
        try:
            packed = b"".join(_scan_lines(data, start, count, length))
        except IndexError:
            packed = b""
        if len(packed) != 4 * count * length:
            raise ImageError(f"is truncated: the file ends before its {count} scan lines of {length} pixels do")
        pixels = np.frombuffer(packed, np.uint8).reshape(count, 4, length).transpose(0, 2, 1)
    steps = _STEPS.take(pixels[..., 3])
    light = np.empty((count, length, 3), np.float32)
    for channel in range(3):
        np.multiply(pixels[..., channel], steps, out=light[..., channel])
    return light


def _flat(data: bytes, start: int, count: int, length: int) -> NDArray[np.uint8] | None:
    """``(count, length, 4)``, where there is no mark of run lengths, new or old, in all the file."""
    if len(data) - start < 4 * count * length:
        return None
    pixels = np.frombuffer(data, np.uint8, 4 * count * length, start).reshape(count, length, 4)
    firsts, words = pixels[:, 0], pixels.view(np.uint32)
    old, colours = np.array([[1, 1, 1, 0], [255, 255, 255, 0]], np.uint8).view(np.uint32)
    marked = (firsts[:, 0] == 2) & (firsts[:, 1] == 2) & (firsts[:, 2] < 128)
    return None if marked.any() or ((words & colours) == old).any() else pixels


def _scan_lines(data: bytes, position: int, count: int, length: int) -> Iterator[bytes]:
    """The bytes of every scan line, channel after channel, in pieces; fewer, or an IndexError, where the file ends."""
    mark = bytes((2, 2, length >> 8, length & 255)) if length in _RUN_LENGTHS else None
    for number in range(count):
        first = data[position : position + 4]
        if len(first) < 4:
            raise IndexError
        if first != mark:
            if mark is not None and first[:2] == mark[:2] and first[2] < 128:
                raise ImageError(f"is damaged: scan line {number} has the mark of another length")
            line, position = _old_scan_line(data, position, length)
            yield line.T.tobytes()
            continue
        position += 4
        for _ in range(4):
            room = length
            while room > 0:
                code = data[position]
                position += 1
                if code > 128:
                    code -= 128
                    yield data[position : position + 1] * code
                    position += 1
                elif code:
                    yield data[position : position + code]
                    position += code
                else:
                    raise ImageError(f"is damaged: scan line {number} has a run of no length")
                room -= code
            if room:
                raise ImageError(f"is damaged: scan line {number} has runs over its end")


def _old_scan_line(data: bytes, position: int, length: int) -> tuple[NDArray[np.uint8], int]:
    """One scan line pixel by pixel: flat, or with (1, 1, 1, n) for n more of the last pixel.

    A second such mark in a row counts 256 times as much, a third 65,536 times, ...
    """
    line = np.empty((length, 4), np.uint8)
    done, shift = 0, 0
    while done < length:
        pixels = np.frombuffer(data[position : position + 4 * (length - done)], np.uint8)
        pixels = pixels[: len(pixels) // 4 * 4].reshape(-1, 4)
        if not len(pixels):
            raise IndexError
        marks = np.flatnonzero((pixels[:, :3] == 1).all(axis=1))
        plain = int(marks[0]) if len(marks) else len(pixels)
        if plain:
            line[done : done + plain] = pixels[:plain]
            shift = 0
            repeated = 0
        else:
            repeated = int(pixels[0, 3]) << shift
            shift += 8
            if not done or done + repeated > length:
                raise ImageError("is damaged: a run of the Radiance picture passes the end of its scan line")
            line[done : done + repeated] = line[done - 1]
        done += plain + repeated
        position += 4 * (plain or 1)
    return line, position
