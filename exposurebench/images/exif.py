"""How a photograph was exposed, as far as its file tells: EXIF of any kind of file, Canon's CIFF, LibRaw.

Only a file's own words count: what is void (zero, 0/0, infinite, absurd) is None and is not guessed from
another tag, because many programs that lose an exposure write zeros in its place.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rawpy

from exposurebench.errors import ImageError
from exposurebench.exposure import camera_exposure_ev
from exposurebench.images.tiff import Directory, directories

_TIME, _F_NUMBER, _ISO, _BIAS, _TAKEN, _FRACTION, _MODEL = 0x829A, 0x829D, 0x8827, 0x9204, 0x9003, 0x9291, 0x0110
_LONGEST_S, _SHORTEST_S = 1e5, 1e-7
_EXIF = b"Exif\0\0"
_CIFF_FOLDERS = (0x2800, 0x3000)


@dataclass(frozen=True)
class Exposure:
    """How one photograph was exposed; what the file does not tell, or tells void, is None.

    Attributes:
        time_s: the exposure time in seconds. Cameras write a nominal one: it misses the true time by up to
            0.093 EV (at 1/15, 1/30, 1/60, 15 and 30 s).
        iso: the sensitivity.
        f_number: the aperture's number N.
        bias_ev: the exposure compensation that was dialled in, in EV; already part of the others.
        taken: when, by the camera's own clock.
        model: the camera.
    """

    time_s: float | None = None
    iso: float | None = None
    f_number: float | None = None
    bias_ev: float | None = None
    taken: datetime | None = None
    model: str | None = None

    @property
    def exposure_ev(self) -> float | None:
        """``log2(t * S / N ** 2)``, positive for brighter; None unless all three are known.

        A sum with a term left out cannot be compared with a whole one: :func:`relative_exposures` leaves a
        term out where no frame of a bracket has it.

        >>> Exposure(time_s=0.25, iso=400, f_number=10).exposure_ev
        0.0
        """
        if self.time_s is None or self.iso is None or self.f_number is None:
            return None
        return camera_exposure_ev(self.time_s, self.iso, self.f_number)


def relative_exposures(exposures: Sequence[Exposure]) -> list[float] | None:
    """How much brighter each frame of a bracket was exposed than the first, in EV.

    What no frame of the bracket tells (a lens without contacts has no f-number, some files no ISO) was the
    same for all, as far as anybody can know, and cancels; what only some frames tell cannot be compared.

    Returns:
        One number a frame, the first 0; None where a time is missing, or an ISO or f-number in some frames.

    >>> relative_exposures([Exposure(time_s=0.5), Exposure(time_s=2)])
    [0.0, 2.0]
    >>> relative_exposures([Exposure(time_s=0.5, iso=100), Exposure(time_s=2)])
    """
    columns = [[e.time_s for e in exposures], [e.iso for e in exposures], [e.f_number for e in exposures]]
    if None in columns[0] or any(None in column and set(column) != {None} for column in columns[1:]):
        return None
    evs = [camera_exposure_ev(e.time_s or 1.0, e.iso or 1.0, e.f_number or 1.0) for e in exposures]
    return [ev - evs[0] for ev in evs]


def read_exposure(source: str | Path | bytes) -> Exposure:
    """How a photograph was exposed: JPEG, PNG, WebP, TIFF and every RAW file that LibRaw opens.

    EXIF (and the same tags outside an EXIF directory, as old RAW files have them) comes first, for Canon's
    CRW the CIFF record of the actual exposure; LibRaw is asked where a file has neither.

    Args:
        source: a path, or the file's bytes.

    Returns:
        What the file tells; all None where it tells nothing.

    Raises:
        ImageError: the file cannot be opened. Damaged metadata is metadata that tells nothing.
    """
    if isinstance(source, bytes):
        data = source
    else:
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise ImageError(f"cannot be opened ({error.strerror})") from error
    exposure, told = stated_exposure(data)
    if told:
        return exposure
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            return completed(exposure, raw)
    except (rawpy.LibRawError, OSError):
        return exposure


def stated_exposure(data: bytes) -> tuple[Exposure, bool]:
    """What a file itself says in EXIF or CIFF, and whether that is all: else LibRaw may know more."""
    if data[6:14] == b"HEAPCCDR":
        return _from_ciff(data), True
    block = exif_block(data)
    found = list(directories(block or b""))
    silent = not any(tag in directory for directory in found for tag in (_TIME, _F_NUMBER, _ISO))
    return _gathered(found), not (silent and (block is None or block is data))


def completed(exposure: Exposure, raw: Any) -> Exposure:
    """An exposure with what LibRaw found in a RAW file that it has opened; its zeros are void."""
    told = raw.other
    return replace(
        exposure,
        time_s=_between(told.shutter_speed, _SHORTEST_S, _LONGEST_S),
        iso=_between(told.iso_speed, 1, 1e8),
        f_number=_between(told.aperture, 0.3, 1000),
        taken=exposure.taken or (told.timestamp if told.timestamp.year > 1980 else None),
    )


# --------------------------------------------------------------------------------------- where EXIF lies


def exif_block(data: bytes) -> bytes | None:
    """The TIFF structure that holds a file's EXIF; empty where such a file has none, None if of another kind."""
    if data.startswith(b"\xff\xd8"):
        return _in_jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _in_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = next((body for name, body in _chunks(data, 12, "<", 0) if name == b"EXIF"), b"")
        return found.removeprefix(_EXIF)
    if data.startswith(b"FUJIFILMCCD-RAW") and len(data) > 92:
        offset, size = struct.unpack_from(">II", data, 84)
        return _in_jpeg(data[offset : offset + size])
    return data if data[:2] in (b"II", b"MM") else None


def _in_jpeg(data: bytes) -> bytes:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        (size,) = struct.unpack_from(">H", data, position + 2)
        body = data[position + 4 : position + 2 + size]
        if data[position + 1] == 0xE1 and body.startswith(_EXIF):
            return body[len(_EXIF) :]
        position += 2 + size
    return b""


def _in_png(data: bytes) -> bytes:
    """The eXIf chunk, or the hexadecimal text that ImageMagick wrote before there was one."""
    for name, body in _chunks(data, 8, ">", 4):
        if name == b"eXIf":
            return body.removeprefix(_EXIF)
        if name in (b"zTXt", b"tEXt") and body.startswith(b"Raw profile type "):
            label, _, text = body.partition(b"\0")
            if not label.endswith((b" exif", b" APP1")):
                continue
            try:
                text = zlib.decompressobj().decompress(text[1:], 1 << 24) if name == b"zTXt" else text
                block = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
            except (zlib.error, ValueError):
                continue
            if block.startswith(_EXIF):
                return block[len(_EXIF) :]
    return b""


def _chunks(data: bytes, position: int, order: str, trailer: int) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG (length, name, body, checksum) or a RIFF file (name, length, body, padding)."""
    while position + 8 <= len(data):
        name = data[position : position + 4] if order == "<" else data[position + 4 : position + 8]
        (size,) = struct.unpack_from(f"{order}I", data, position + (4 if order == "<" else 0))
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size + (size % 2 if order == "<" else trailer)


# ------------------------------------------------------------------------------------------ what it says


def _gathered(found: list[Directory]) -> Exposure:
    tags: Directory = {}
    for directory in found:
        tags = {**directory, **tags}
    return Exposure(
        time_s=_number(tags, _TIME, _SHORTEST_S, _LONGEST_S),
        iso=_number(tags, _ISO, 1, 1e8),
        f_number=_number(tags, _F_NUMBER, 0.3, 1000),
        bias_ev=_number(tags, _BIAS, -20, 20),
        taken=_moment(tags),
        model=_text(tags.get(_MODEL)),
    )


def _number(tags: Directory, tag: int, low: float, high: float) -> float | None:
    value = tags.get(tag)
    return _between(value[0], low, high) if isinstance(value, tuple) and value else None


def _between(value: float, low: float, high: float) -> float | None:
    return float(value) if math.isfinite(value) and low <= value <= high else None


def _text(value: object) -> str | None:
    if not isinstance(value, bytes):
        return None
    text = re.sub(r"[^ -~]", "", value.partition(b"\0")[0].decode("ascii", "replace")).strip()
    return text or None


def _moment(tags: Mapping[int, object]) -> datetime | None:
    text, fraction = _text(tags.get(_TAKEN)), _text(tags.get(_FRACTION))
    try:
        moment = datetime.strptime(text or "", "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    return moment + timedelta(seconds=float(f"0.{fraction}")) if fraction and fraction.isdigit() else moment


def _from_ciff(data: bytes) -> Exposure:
    """Canon's CIFF: record 0x102A holds the exposure that was made (not only the one that was aimed at).

    In units of the record: ``S = 2 ** (base / 32) * 100 / 32 * 2 ** (auto / 32)``, ``N = 2 ** (a / 64)``,
    ``t = 2 ** (-v / 32)``; where the actual values are 0 the aimed-at ones stand.
    """
    try:
        records = dict(_ciff_records(data, struct.unpack_from("<I", data, 2)[0], len(data)))
    except (struct.error, RecursionError):
        return Exposure()
    shot = records.get(0x102A, b"")
    moment = records.get(0x180E, b"")
    words = struct.unpack(f"<{len(shot) // 2}h", shot[: len(shot) // 2 * 2])
    _, _, model = records.get(0x080A, b"").partition(b"\0")
    aperture, time = (words[21] or words[4], words[22] or words[5]) if len(words) > 22 else (0, 0)
    seconds = struct.unpack_from("<I", moment)[0] if len(moment) >= 4 else 0
    return Exposure(
        time_s=_between(2 ** (-time / 32), _SHORTEST_S, _LONGEST_S) if time else None,
        iso=_between(2 ** ((words[1] + words[2]) / 32) * 100 / 32, 1, 1e8) if len(words) > 2 and words[2] else None,
        f_number=_between(2 ** (aperture / 64), 0.3, 1000) if aperture else None,
        bias_ev=_between(words[6] / 32, -20, 20) if len(words) > 6 else None,
        taken=datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) if seconds else None,
        model=_text(model),
    )


def _ciff_records(data: bytes, begin: int, end: int, depth: int = 0) -> Iterator[tuple[int, bytes]]:
    """The records of a heap: its last four bytes say where its table is; folders are heaps themselves."""
    table = begin + struct.unpack_from("<I", data, end - 4)[0]
    (count,) = struct.unpack_from("<H", data, table)
    for position in range(table + 2, table + 2 + 10 * count, 10):
        kind, size, offset = struct.unpack_from("<HII", data, position)
        if kind & 0x4000:
            yield kind & 0x3FFF, data[position + 2 : position + 10]
        elif kind & 0x3800 in _CIFF_FOLDERS and depth < 8 and begin + offset + size <= end:
            yield from _ciff_records(data, begin + offset, begin + offset + size, depth + 1)
        elif size < 1 << 16:
            yield kind & 0x3FFF, data[begin + offset : begin + offset + size]
