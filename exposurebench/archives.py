"""Archives read without trusting them: one member after the other, under names that are checked first.

Links, devices, names that lead out of the folder or stand there twice, and members that are as good as empty
before they are unpacked are refused in one line; rights, owners and times are not taken over.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from exposurebench.errors import InputError
from exposurebench.files import make_folder, storage_error, writing

LARGEST_RATIO = 200
"""Unpacked bytes for each packed one; photographs stay below 10."""
ALLOWANCE = 1 << 20
"""What every member may hold, whatever its ratio."""
_CHUNK = 1 << 16
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF8 = 0x1, 0x800
_NOT_READ = ((b"7z\xbc\xaf\x27\x1c", "7z x"), (b"Rar!\x1a\x07", "unrar x"))


@dataclass(frozen=True)
class Member:
    """One file in a zip archive.

    Attributes:
        name: checked, with forward slashes.
        size: unpacked, in bytes.
        start: where its packed bytes begin in the archive.
        packed: how many those are.
        deflated: whether they are compressed, or stored as they are.
        crc: CRC-32 of the unpacked bytes.
    """

    name: str
    size: int
    start: int
    packed: int
    deflated: bool
    crc: int


def zip_members(archive: str | Path, *, wrap: int = 1 << 32) -> list[Member]:
    """The files in a zip archive, in its own order; nothing is unpacked.

    An archive that was written without ZIP64 although it is larger than 4 GiB states every position modulo
    ``2 ** 32``. Where a member does not begin at its stated position, the position is looked for among those
    that are the same modulo ``wrap``: there must be a local header of the member's own name.

    Args:
        archive: a zip file.
        wrap: what positions may have been cut to.

    Raises:
        InputError: no such archive, damaged, or with members that are not safe to unpack.
    """
    name = repr(os.fspath(archive))
    try:
        with open(archive, "rb") as stream, zipfile.ZipFile(stream) as zipped:
            size = os.fstat(stream.fileno()).st_size
            found = [(info, _start(stream, info, wrap, size)) for info in zipped.infolist()]
    except OSError as error:
        raise InputError(f"{name} cannot be opened ({error.strerror}): expected a zip archive") from error
    except (zipfile.BadZipFile, RuntimeError, ValueError, struct.error) as error:
        raise InputError(f"{name} is damaged or no zip archive ({error}): get it again") from error
    members, taken, end = [], set(), 0
    for info, start in sorted(found, key=lambda entry: entry[1]):
        if start - _LOCAL_HEADER.size - len(info.orig_filename) < end:
            raise InputError(f"{name} holds {info.filename!r}, which overlaps another member: refused")
        end = start + info.compress_size
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind == stat.S_IFDIR:
            continue
        safe = safe_name(info.orig_filename, name)
        if kind not in (0, stat.S_IFREG):
            raise InputError(f"{name} holds {info.filename!r}, a link or device: refused")
        if safe in taken:
            raise InputError(f"{name} holds {info.filename!r} twice: refused")
        taken.add(safe)
        if info.compress_type not in (_STORED, _DEFLATED) or info.flag_bits & _ENCRYPTED:
            raise InputError(
                f"{name} holds {info.filename!r}, encrypted or packed by a method that is not read: refused"
            )
        _check_ratio(info.file_size, info.compress_size, info.filename, name)
        deflated = info.compress_type == _DEFLATED
        members.append(Member(safe, info.file_size, start, info.compress_size, deflated, info.CRC))
    return members


def _start(stream: BinaryIO, info: zipfile.ZipInfo, wrap: int, size: int) -> int:
    """Where a member's packed bytes begin: behind a local header that has its name."""
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    for position in (info.header_offset, *range(info.header_offset % wrap, size, wrap)):
        stream.seek(position)
        header = stream.read(_LOCAL_HEADER.size)
        if len(header) == _LOCAL_HEADER.size and header.startswith(b"PK\x03\x04"):
            *_, named, extra = _LOCAL_HEADER.unpack(header)
            if stream.read(named) == raw:
                start: int = position + _LOCAL_HEADER.size + named + extra
                if start + info.compress_size <= size:
                    return start
    raise zipfile.BadZipFile(f"{info.filename!r} is not where it should be")


def read_member(archive: str | Path, member: Member) -> bytes:
    """One member's bytes, compared with its checksum.

    Raises:
        InputError: the archive cannot be read, or the member is damaged.
    """
    return b"".join(member_chunks(archive, member))


def member_chunks(archive: str | Path, member: Member) -> Iterator[bytes]:
    """The same piece by piece, never more than the member is said to hold.

    Raises:
        InputError: the archive cannot be read, or the member is damaged.
    """
    damaged = InputError(f"{os.fspath(archive)!r} is damaged ({member.name!r} is not what it should be): get it again")
    try:
        with open(archive, "rb") as stream:
            stream.seek(member.start)
            left, crc = member.size, 0
            for chunk in _inflated(stream, member) if member.deflated else _pieces(stream, member.packed):
                left, crc = left - len(chunk), zlib.crc32(chunk, crc)
                if left < 0:
                    raise damaged
                yield chunk
    except OSError as error:
        raise InputError(f"{os.fspath(archive)!r} cannot be read ({error.strerror})") from error
    except zlib.error as error:
        raise damaged from error
    if left or crc != member.crc:
        raise damaged


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size and (chunk := stream.read(min(_CHUNK, size))):
        size -= len(chunk)
        yield chunk


def _inflated(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    for packed in _pieces(stream, member.packed):
        while packed and not inflate.eof:
            yield inflate.decompress(packed, _CHUNK)
            packed = inflate.unconsumed_tail
    yield inflate.flush()


def safe_name(name: str, archive: str) -> str:
    """A member's name as a path that stays where it is put.

    >>> safe_name("./a//b.jpg", "'x.zip'"), safe_name("/etc/passwd", "'x.zip'")
    ('a/b.jpg', 'etc/passwd')

    Raises:
        InputError: it leads outside, or holds what no file name should.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise InputError(f"{archive} would write outside its folder ({name!r}): refused")
    if "\\" in name or not name.isprintable():
        raise InputError(f"{archive} holds a name with backslashes or control characters ({name!r}): refused")
    return "/".join(parts)


def _check_ratio(size: int, packed: int, name: str, archive: str) -> None:
    if size > LARGEST_RATIO * packed + ALLOWANCE:
        raise InputError(
            f"{archive} holds {name!r}, which unpacks to more than {LARGEST_RATIO} times its size: refused"
        )


def unpack(archive: str | Path, folder: str | Path) -> Path:
    """Unpack an archive of plain files; the folder appears only when everything is in it.

    A wrapper of the folder's own name is taken off: ``val_256.tar`` with ``val_256/x.jpg`` gives
    ``folder/x.jpg`` for ``.../val_256``. A folder that holds something already is left as it is; what an
    interrupted call left is thrown away by the next.

    Args:
        archive: a zip file, or a tar file, plain or compressed by gzip, bzip2 or xz.
        folder: where its content goes.

    Returns:
        The folder.

    Raises:
        InputError: no such archive, damaged, or with members that are links, devices, outside the folder, there
            twice or far larger than they are packed.
        StorageError: the disk is full, the folder cannot be written, ...
    """
    folder = Path(folder)
    try:
        if folder.is_dir() and any(folder.iterdir()):
            return folder
        temporary = folder.with_name(f".{folder.name}.unpacking")
        shutil.rmtree(temporary, ignore_errors=True)
        make_folder(temporary)
        try:
            _unpack(archive, temporary)
        except Exception:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        inside = [entry.name for entry in temporary.iterdir()]
        wrapper = temporary / folder.name
        if inside == [folder.name] and wrapper.is_dir():
            wrapper.replace(folder)
            temporary.rmdir()
        else:
            temporary.replace(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    return folder


def _unpack(archive: str | Path, folder: Path) -> None:
    name = repr(os.fspath(archive))
    for member, chunks in stream_members(archive):
        place = folder / member
        if place.exists() or any((folder / parent).is_file() for parent in PurePosixPath(member).parents):
            raise InputError(f"{name} holds {member!r} twice: refused")
        with writing(place) as out:
            for chunk in chunks:
                out.write(chunk)


def stream_members(archive: str | Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The files of an archive, by its content a zip or a tar: each one's checked name, and its bytes in pieces.

    The pieces of one are to be taken before the next is asked for.

    Raises:
        InputError: as :func:`unpack` does.
    """
    name = repr(os.fspath(archive))
    try:
        with open(archive, "rb") as stream:
            opening = stream.read(8)
    except OSError as error:
        raise InputError(f"{name} cannot be opened ({error.strerror}): expected a zip or tar archive") from error
    if not opening:
        raise InputError(f"{name} is empty (0 bytes): get it again")
    for signature, command in _NOT_READ:
        if opening.startswith(signature):
            raise InputError(f"{name} is neither zip nor tar: unpack it yourself with '{command}'")
    if opening.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        for member in zip_members(archive):
            yield member.name, member_chunks(archive, member)
    else:
        yield from _tar_members(archive)


def _tar_members(archive: str | Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    name = repr(os.fspath(archive))
    with _whole_tar(name), open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
        for member in tar:
            if member.isdir():
                continue
            safe = safe_name(member.name, name)
            file = tar.extractfile(member) if member.isfile() and not member.issparse() else None
            if not file:
                raise InputError(f"{name} holds {member.name!r}, a link or device: refused")
            yield safe, _tar_chunks(file, stream, member.name, name)


def _tar_chunks(file: IO[bytes], packed: BinaryIO, name: str, archive: str) -> Iterator[bytes]:
    """A tar does not say how its members are packed, so what was read of it meanwhile counts."""
    before, size = packed.tell(), 0
    with _whole_tar(archive):
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            _check_ratio(size, packed.tell() - before, name, archive)
            yield chunk


@contextlib.contextmanager
def _whole_tar(name: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{name} is damaged or no tar archive ({error}): get it again") from error
