"""What surrounds the pixels of an OpenEXR file: headers, tables of chunks, and the chunks' own headers.

The library's reader prints about what is missing and goes on, so all of this is checked here before it sees
the file: one that ends early is refused with the reason, and nothing is allocated for a size that the file
cannot hold.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exposurebench.errors import ImageError

_TILED, _DEEP, _PARTS = 0x200, 0x800, 0x1000
_CHUNK_LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256, 256, 32)
"""Scan lines in a chunk, by compression."""
_NO_TABLE = "is truncated: its table of chunks is not all there"


class Channel(NamedTuple):
    """What a channel holds: 0 whole numbers, 1 half, 2 float; and how many pixels share a sample."""

    depth: int
    sampling: tuple[int, int]


class Part(NamedTuple):
    """One picture of the file: its attributes as they are stored, and what the table of chunks follows from."""

    attributes: Mapping[str, bytes]
    channels: Mapping[str, Channel]
    window: tuple[int, int, int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the data window, whatever the header says: also 0 or less."""
        left, top, right, bottom = self.window
        return right - left + 1, bottom - top + 1

    def numbers(self, name: str, form: str) -> tuple[Any, ...] | None:
        """The numbers of an attribute, None where it is absent."""
        return _numbers(self.attributes, name, form) if name in self.attributes else None

    def text(self, name: str) -> str:
        """The text of an attribute, empty where it is absent."""
        return self.attributes.get(name, b"").decode("utf-8", "replace")


class Structure(NamedTuple):
    """The parts of a file, the flags of its version, and where its tables of chunks begin."""

    parts: list[Part]
    flags: int
    tables: int


def read_structure(data: bytes) -> tuple[Structure, bytes]:
    """The headers of an OpenEXR file, and the file with every text that is not ASCII replaced by question marks.

    The binding refuses texts that are not UTF-8; a copyright sign in another encoding is no reason to refuse a
    picture.

    Raises:
        ImageError: the headers are truncated or damaged, or the file is deep.
    """
    version = int.from_bytes(data[4:8], "little")
    if len(data) < 8 or version & 0xFF != 2:
        raise ImageError(f"is truncated or an OpenEXR file of version {version & 0xFF}; expected version 2")
    position, parts, repaired = 8, list[Part](), data
    while True:
        attributes: dict[str, bytes] = {}
        while data[position : position + 1] != b"\0":
            name, position = _text(data, position)
            kind, position = _text(data, position)
            start = position + 4
            position = start + int.from_bytes(data[position:start], "little")
            if position >= len(data):
                raise ImageError("is truncated: the header of the OpenEXR file has no end")
            value = attributes[name] = data[start:position]
            if kind == "string" and not value.isascii():
                plain = bytes(byte if byte < 128 else 0x3F for byte in value)
                repaired = repaired[:start] + plain + repaired[position:]
        position += 1
        if attributes:
            parts.append(_part(attributes))
        if not attributes or not version & _PARTS:
            break
    if not parts:
        raise ImageError("is damaged: the OpenEXR file has no part")
    if version & _DEEP or any(part.text("type").startswith("deep") for part in parts):
        raise ImageError("is a deep OpenEXR file (several samples a pixel): flatten it first")
    return Structure(parts, version, position), repaired


def check_chunks(data: bytes, structure: Structure) -> None:
    """Every chunk that the headers ask for lies in the file, whole, and is the one that the table says.

    Raises:
        ImageError: the file is truncated or damaged.
    """
    several, position = bool(structure.flags & _PARTS), structure.tables
    tables = []
    for number, part in enumerate(structure.parts):
        tiled = part.text("type") == "tiledimage" if several else structure.flags & _TILED
        wanted = _tiles(part, len(data)) if tiled else _blocks(part, len(data))
        count = len(wanted)
        if position + 8 * count > len(data):
            raise ImageError(_NO_TABLE)
        tables.append((number, wanted, np.frombuffer(data, "<u8", count, position)))
        position += 8 * count
    raw = np.frombuffer(data, np.uint8)
    for number, wanted, offsets in tables:
        head = 4 * (several + wanted.shape[1] + 1)
        there = (offsets >= position) & (offsets <= max(len(data) - head, 0))
        found = raw[np.where(there, offsets, 0).astype(np.int64)[:, None] + np.arange(head)].view("<i4")
        ends = offsets.astype(np.float64) + head + found[:, -1]
        whole = there & (found[:, -1] >= 0) & (ends <= len(data))
        if not whole.all():
            raise ImageError(
                f"is truncated: {np.count_nonzero(~whole):,} of its {len(whole):,} chunks are not all there"
            )
        if (found[:, several:-1] != wanted).any() or (several and (found[:, 0] != number).any()):
            raise ImageError("is damaged: its table of chunks points to others")


def _blocks(part: Part, size: int) -> NDArray[np.int64]:
    """The first scan line of every chunk of scan lines, ``(N, 1)``."""
    compression = part.attributes["compression"][:1] or b"\xff"
    if compression[0] >= len(_CHUNK_LINES):
        raise ImageError(f"is packed in a way that is not read (OpenEXR compression {compression[0]})")
    lines = _CHUNK_LINES[compression[0]]
    if part.size[1] > size * lines:
        raise ImageError(_NO_TABLE)
    return np.arange(part.window[1], part.window[3] + 1, lines)[:, None]


def _tiles(part: Part, size: int) -> NDArray[np.int64]:
    """The column, row, and levels across and down of every tile, in the order of the table, ``(N, 4)``."""
    described = part.numbers("tiles", "<2IB")
    if described is None or not all(0 < side < 1 << 31 for side in described[:2]) or described[2] & 15 > 2:
        raise ImageError("is damaged: its description of tiles makes no sense")
    across, down, mode = described
    rounded_up = bool(mode >> 4)
    width, height = part.size

    def steps(side: int) -> range:
        return range((side - 1).bit_length() + 1 if rounded_up else side.bit_length())

    def shrunk(side: int, level: int) -> int:
        return max(1, -(-side >> level) if rounded_up else side >> level)

    if mode & 15 == 0:
        levels = [(0, 0)]
    elif mode & 15 == 1:
        levels = [(level, level) for level in steps(max(width, height))]
    else:
        levels = [(x, y) for y in steps(height) for x in steps(width)]
    tiles = []
    for x, y in levels:
        columns, rows = -(-shrunk(width, x) // across), -(-shrunk(height, y) // down)
        if columns * rows > size:
            raise ImageError(_NO_TABLE)
        row, column = np.divmod(np.arange(rows * columns), columns)
        tiles.append(np.stack([column, row, np.full_like(row, x), np.full_like(row, y)], axis=1))
    return np.concatenate(tiles)


def _text(data: bytes, position: int) -> tuple[str, int]:
    end = data.find(b"\0", position, position + 256)
    if end <= position:
        raise ImageError("is truncated or damaged: the header of the OpenEXR file makes no sense")
    return data[position:end].decode("utf-8", "replace"), end + 1


def _numbers(attributes: Mapping[str, bytes], name: str, form: str) -> tuple[Any, ...]:
    value = attributes.get(name, b"")
    if len(value) != struct.calcsize(form):
        raise ImageError(f"is damaged: its attribute {name!r} has {len(value)} bytes")
    return struct.unpack(form, value)


def _part(attributes: Mapping[str, bytes]) -> Part:
    for name in ("channels", "compression", "dataWindow", "displayWindow"):
        if name not in attributes:
            raise ImageError(f"is damaged: the header of the OpenEXR file has no {name!r}")
    listed, position, channels = attributes["channels"], 0, dict[str, Channel]()
    while listed[position : position + 1] not in (b"\0", b""):
        name, position = _text(listed, position)
        if position + 16 > len(listed):
            raise ImageError("is damaged: its list of channels ends early")
        depth, across, down = struct.unpack_from("<i4x2i", listed, position)
        if min(across, down) < 1:
            raise ImageError(f"is damaged: its channel {name!r} has the sampling {across} x {down}")
        channels[name] = Channel(depth, (across, down))
        position += 16
    left, top, right, bottom = _numbers(attributes, "dataWindow", "<4i")
    return Part(attributes, channels, (left, top, right, bottom))
