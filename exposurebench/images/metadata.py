"""What a photograph's file says besides its pixels, for the file that is made of it.

EXIF is kept (camera, exposure, date, place, the maker's own notes), made true of upright sRGB pixels: orientation 1,
the new size, colour space sRGB, no preview (it would show the picture before). Profiles are not kept, because reading
has converted what was not sRGB; PNG says so in its own chunk. XMP and IPTC are not kept.
"""

from __future__ import annotations

import struct
import zlib

import PIL.Image

from exposurebench.images.exif import exif_block

_ORIENTATION, _WIDTH, _HEIGHT, _COLOR_SPACE = 0x0112, 0xA002, 0xA003, 0xA001
_EXIF_DIRECTORY, _PREVIEW_OFFSET, _PREVIEW_LENGTH = 0x8769, 0x0201, 0x0202
_SRGB = 1
_OF_A_PICTURE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825)
"""Description, make, model, software, date, artist, copyright, EXIF and GPS: the rest of a TIFF says where its pixels lie."""
_MAKER_NOTE = 0x927C
_LONGEST_SEGMENT = 65533


def upright_exif(data: bytes, height: int, width: int) -> bytes:
    """The EXIF of a photograph's file, made true of upright sRGB pixels of a size; empty where there is none.

    A JPEG, PNG or WebP keeps its block as it is, but for those few values. Of a TIFF or RAW file the tags that
    describe the picture are gathered into a new block, without the maker's notes, which hold for the old one alone.

    Args:
        data: the file.
        height: of the upright picture.
        width: of the same.

    Returns:
        A TIFF structure, as EXIF is; damaged metadata is none.
    """
    block = exif_block(data)
    try:
        if block is data:
            block = _gathered(data)
        return _mended(bytearray(block or b""), height, width)
    except (struct.error, ValueError, OSError, SyntaxError, KeyError, TypeError, AttributeError):
        return b""  # there is no end to how metadata is damaged; the pixels are not


def with_exif(encoded: bytes, exif: bytes) -> bytes:
    """A JPEG or PNG that was just encoded, with an EXIF block; a PNG is also marked as sRGB.

    A block that is too large for a JPEG's segment is left out.

    Raises:
        ValueError: neither a JPEG nor a PNG.
    """
    if encoded.startswith(b"\xff\xd8"):
        body = b"Exif\0\0" + exif
        if not exif or len(body) > _LONGEST_SEGMENT:
            return encoded
        return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + encoded[2:]
    if not encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("expected a JPEG or a PNG")
    start = 8 + 25  # behind the signature and IHDR
    return b"".join((encoded[:start], _chunk(b"sRGB", b"\0"), _chunk(b"eXIf", exif) if exif else b"", encoded[start:]))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _gathered(data: bytes) -> bytes:
    found = PIL.Image.Exif()
    found.load(data)
    kept = PIL.Image.Exif()
    for tag in _OF_A_PICTURE:
        if tag in (_EXIF_DIRECTORY, 0x8825):
            inside = {t: value for t, value in found.get_ifd(tag).items() if t != _MAKER_NOTE}
            if inside:
                kept.get_ifd(tag).update(inside)
        elif tag in found:
            kept[tag] = found[tag]
    return kept.tobytes().removeprefix(b"Exif\0\0") if len(kept) or kept.get_ifd(_EXIF_DIRECTORY) else b""


def _mended(block: bytearray, height: int, width: int) -> bytes:
    """Write over the values that are no longer true, where they stand."""
    if not block:
        return b""
    order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    top = _entries(block, first, order)
    _put(block, top, _ORIENTATION, 1, order)
    if _EXIF_DIRECTORY in top:
        inside = _entries(block, _number(block, top[_EXIF_DIRECTORY], order), order)
        for tag, value in ((_WIDTH, width), (_HEIGHT, height), (_COLOR_SPACE, _SRGB)):
            _put(block, inside, tag, value, order)
    end = first + 2 + 12 * struct.unpack_from(f"{order}H", block, first)[0]
    (second,) = struct.unpack_from(f"{order}I", block, end) if end + 4 <= len(block) else (0,)
    if 0 < second < len(block):
        preview = _entries(block, second, order)
        if {_PREVIEW_OFFSET, _PREVIEW_LENGTH} <= preview.keys():
            offset, length = (_number(block, preview[t], order) for t in (_PREVIEW_OFFSET, _PREVIEW_LENGTH))
            block[offset : offset + length] = bytes(len(block[offset : offset + length]))
            if offset + length >= len(block):
                del block[offset:]
        struct.pack_into(f"{order}I", block, end, 0)
    return bytes(block)


def _entries(block: bytearray, directory: int, order: str) -> dict[int, int]:
    """Where a directory's entries stand, by tag."""
    (count,) = struct.unpack_from(f"{order}H", block, directory)
    places = range(directory + 2, min(directory + 2 + 12 * count, len(block) - 11), 12)
    return {struct.unpack_from(f"{order}H", block, place)[0]: place for place in places}


def _number(block: bytearray, place: int, order: str) -> int:
    """An entry's one short or long."""
    (kind,) = struct.unpack_from(f"{order}H", block, place + 2)
    return int(struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", block, place + 8)[0])


def _put(block: bytearray, entries: dict[int, int], tag: int, value: int, order: str) -> None:
    """Write one number over an entry's value, whatever that was; a tag that is not there stays so."""
    if tag in entries:
        short = struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) if value < 1 << 16 else b""
        block[entries[tag] : entries[tag] + 12] = short or struct.pack(f"{order}HHII", tag, 4, 1, value)
