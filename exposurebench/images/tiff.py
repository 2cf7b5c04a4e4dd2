"""The directories of a TIFF file, read without decoding a pixel: EXIF is one, and most RAW files are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeAlias

Value: TypeAlias = bytes | tuple[float, ...]
Directory: TypeAlias = dict[int, Value]

_ORDERS = {b"II": "<", b"MM": ">"}
_BYTES = frozenset({1, 2, 6, 7})
_NUMBERS = {3: "H", 4: "I", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
_RATIONALS = {5: "I", 10: "i"}
_MORE_DIRECTORIES = (330, 34665)
"""SubIFDs and the EXIF directory."""
_MOST_DIRECTORIES = 64
_MOST_BYTES = 1 << 20


def directories(data: bytes) -> Iterator[Directory]:
    """Every directory that can be reached from a TIFF header, its tags as bytes or numbers.

    Text and undefined values come as bytes; a rational without a denominator is NaN. What points outside
    the file, is of an unknown type or larger than a mebibyte is left out; a loop is walked once.

    Args:
        data: a file that begins with ``II`` or ``MM``, whatever its magic number (RAW files have their own).

    Yields:
        One dictionary a directory: the chain first, each followed by what it points to.

    >>> header = b"II*\\0\\x08\\0\\0\\0"
    >>> entry = struct.pack("<HHII", 272, 2, 4, int.from_bytes(b"D40\\0", "little"))
    >>> list(directories(header + struct.pack("<H", 1) + entry + bytes(4)))
    [{272: b'D40\\x00'}]
    """
    order = _ORDERS.get(data[:2])
    if order is None or len(data) < 8:
        return
    waiting = [struct.unpack_from(f"{order}I", data, 4)[0]]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        offset = int(waiting.pop(0))
        if offset in seen or not 0 < offset <= len(data) - 2:
            continue
        seen.add(offset)
        directory, following = _directory(data, offset, order)
        more = [v for tag in _MORE_DIRECTORIES for v in directory.get(tag, ()) if v == v and v < len(data)]
        waiting = [*(int(offset) for offset in more), *([following] if following else []), *waiting]
        yield directory


def _directory(data: bytes, offset: int, order: str) -> tuple[Directory, int]:
    (entries,) = struct.unpack_from(f"{order}H", data, offset)
    directory: Directory = {}
    end = offset + 2 + 12 * entries
    for position in range(offset + 2, min(end, len(data) - 11), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, position)
        value = _value(data, position + 8, order, kind, count)
        if value is not None:
            directory.setdefault(tag, value)
    return directory, struct.unpack_from(f"{order}I", data, end)[0] if end + 4 <= len(data) else 0


def _value(data: bytes, position: int, order: str, kind: int, count: int) -> Value | None:
    letter = "B" if kind in _BYTES else _NUMBERS.get(kind) or _RATIONALS.get(kind)
    if letter is None:
        return None
    each = 2 * count if kind in _RATIONALS else count
    size = each * struct.calcsize(f"{order}{letter}")
    if size > 4:
        (position,) = struct.unpack_from(f"{order}I", data, position)
    if size > _MOST_BYTES or position + size > len(data):
        return None
    if kind in _BYTES:
        return data[position : position + size]
    numbers: tuple[float, ...] = struct.unpack_from(f"{order}{each}{letter}", data, position)
    if kind in _RATIONALS:
        return tuple(a / b if b else float("nan") for a, b in zip(numbers[::2], numbers[1::2], strict=True))
    return numbers
