"""The one atomic writer, hashes, names that every file system takes, and where shipped files lie."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from exposurebench.errors import InputError, StorageError

_STORAGE_HINTS = {
    errno.ENOSPC: "the disk is full: free some space, then run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space, then run the same command again",
    errno.EFBIG: "the file size limit of this process or disk is reached",
    errno.EACCES: "no permission to write there: choose another folder",
    errno.EPERM: "no permission to write there: choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOTDIR: "part of that path is a file, not a folder: choose another folder",
    errno.EEXIST: "a file stands where a folder is needed: choose another folder",
    errno.ENAMETOOLONG: "the name is too long for this file system",
}


def storage_error(path: str | os.PathLike[str], error: OSError) -> StorageError:
    """The one line that a failed write ends in."""
    hint = _STORAGE_HINTS.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"cannot write {os.fspath(path)!r}: {hint}")


def write_bytes(path: str | os.PathLike[str], data: bytes | memoryview, *, durable: bool = False) -> None:
    """Write a whole file or nothing: temporary name in the same folder, then rename.

    The temporary name depends on the final one alone, so a run that was killed leaves at most a name
    that the next run overwrites.

    Args:
        path: the file to make or replace; its folder is made when missing.
        data: the bytes.
        durable: also wait until the bytes are on the disk (one marker per shard, not every image).

    Raises:
        StorageError: the disk is full, the folder cannot be written, ...

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(Path(folder) / "a" / "b.txt", b"light")
    ...     (Path(folder) / "a" / "b.txt").read_bytes()
    b'light'
    """
    with writing(path, durable=durable) as stream:
        stream.write(data)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[BinaryIO]:
    """The same for a file that is written piece by piece: it appears whole when the block ends, or not at all."""
    name = os.fspath(path)
    folder, base = os.path.split(name)
    temporary = os.path.join(folder, f".{base}.tmp")
    try:
        try:
            stream = open(temporary, "wb")  # noqa: SIM115
        except FileNotFoundError:
            make_folder(folder)
            stream = open(temporary, "wb")  # noqa: SIM115
        with stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, name)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise storage_error(path, error) from error
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def appending(path: str | os.PathLike[str]) -> BinaryIO:
    """A file that grows: a record of what was done, of which a reader passes over a torn end.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        make_folder(os.path.dirname(os.fspath(path)))
        return open(path, "ab")
    except OSError as error:
        raise storage_error(path, error) from error


def append_text(path: str | os.PathLike[str], text: str, *, durable: bool = False) -> None:
    """Let a file grow by some lines, which a reader may see at once.

    Raises:
        StorageError: they cannot be written whole.
    """
    try:
        with appending(path) as stream:
            stream.write(text.encode())
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
    except OSError as error:
        raise storage_error(path, error) from error


def write_link(path: str | os.PathLike[str], target: str | os.PathLike[str]) -> bool:
    """Make a name for a file that lies elsewhere, atomically; False where the file system has no links.

    The link is absolute: it holds when the folder that it lies in is moved.

    Raises:
        StorageError: the folder cannot be written.
    """
    name = os.fspath(path)
    folder, base = os.path.split(name)
    temporary = os.path.join(folder, f".{base}.tmp")
    make_folder(folder)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        try:
            os.symlink(os.path.abspath(target), temporary)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP):
                return False
            raise
        os.replace(temporary, name)
    except OSError as error:
        raise storage_error(path, error) from error
    return True


def write_text(path: str | os.PathLike[str], text: str, *, durable: bool = False) -> None:
    """Write UTF-8 text atomically; what no encoding can hold (a file name's raw bytes) is escaped."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"), durable=durable)


def write_json(path: str | os.PathLike[str], document: object, *, durable: bool = False) -> None:
    """Write a JSON document atomically, indented, keys in the order given; NaN is refused."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", durable=durable)


def read_json(path: str | os.PathLike[str], what: str) -> Any:
    """Read a JSON document, or say in one line what was expected there."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{os.fspath(path)!r} is missing: expected {what}") from error
    except (ValueError, OSError) as error:
        raise InputError(f"{os.fspath(path)!r} cannot be read as {what}: {error}") from error


def read_document(
    path: str | os.PathLike[str], what: str, stored: str, schema: int, keys: Iterable[str]
) -> dict[str, Any]:
    """Read a stored document of ours: the right format, no newer schema, and everything in it that is used.

    Args:
        path: the JSON file.
        what: what it should be, for the message.
        stored: the format's name in it.
        schema: the newest that this program reads.
        keys: what must be there.

    Raises:
        InputError: one line that says what is wrong with it.
    """
    document, name = read_json(path, what), repr(os.fspath(path))
    if not isinstance(document, dict) or document.get("format") != stored:
        raise InputError(f"{name} is not {what}: expected the format {stored}")
    version = document.get("schema")
    if not isinstance(version, int) or version > schema:
        raise InputError(f"{name} has schema {version!r}, newer than {schema}: update exposurebench")
    missing = [key for key in keys if key not in document]
    if missing:
        raise InputError(f"{name} is damaged: it lacks {', '.join(missing)}")
    return document


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and its parents, or say why not."""
    try:
        os.makedirs(path or ".", exist_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error
    return Path(path)


def sha256(data: bytes | memoryview) -> str:
    """SHA-256 of bytes in memory, as 64 hex digits.

    >>> sha256(b"")[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def split_suffix(path: str) -> tuple[str, str]:
    """A path with slashes without its suffix, and the suffix; a dot that begins or ends a name makes none.

    >>> split_suffix("b.c/x.tar.gz"), split_suffix("b.c/x."), split_suffix(".x")
    (('b.c/x.tar', '.gz'), ('b.c/x.', ''), ('.x', ''))
    """
    dot = path.rfind(".")
    return (path[:dot], path[dot:]) if path.rfind("/") + 1 < dot < len(path) - 1 else (path, "")


_UNSAFE = re.compile(r"[^a-z0-9-]+")


def safe_key(name: str, longest: int = 80) -> str:
    """A name made of ``[a-z0-9_-]`` alone, for files that any system and archive format can hold.

    Accents are dropped, everything else outside the set becomes ``_``. Two names can share a key:
    whoever needs them apart adds :func:`short_hash`.

    >>> safe_key("Été at the Sea (2).v1")
    'ete_at_the_sea_2_v1'
    >>> safe_key("🙂")
    'image'
    """
    plain = name if name.isascii() else unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _UNSAFE.sub("_", plain.lower()).strip("_-")[:longest].strip("_-") or "image"


def short_hash(name: str) -> str:
    """Eight hex digits that tell names with the same key apart.

    >>> short_hash("IMG.jpg") == short_hash("img.jpg")
    False
    """
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:8]


def shipped(*parts: str) -> Path:
    """Where a file under ``recipes/`` or ``leaderboards/`` lies: beside the package in a checkout, in it in a wheel."""
    package = Path(__file__).parent
    inside = package.joinpath(*parts)
    return inside if (package / parts[0]).is_dir() else package.parent.joinpath(*parts)
