"""Files from the web: whole and right, or not there at all."""

from __future__ import annotations

import functools
import hashlib
import http.client
import itertools
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import platformdirs
from tqdm import tqdm

from exposurebench.errors import InputError, MissingError
from exposurebench.files import make_folder, storage_error

_SILENCE_S = 30.0
_CHUNK = 1 << 16
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")


def cache_folder() -> Path:
    """Where downloads are kept: EXPOSUREBENCH_CACHE, else the system's cache folder; it may not exist yet."""
    folder = os.environ.get("EXPOSUREBENCH_CACHE")
    return Path(folder or platformdirs.user_cache_dir("exposurebench", appauthor=False))


def download(
    url: str,
    path: str | Path,
    *,
    size: int | None = None,
    md5: str | None = None,
    md5_prefix: str | None = None,
    sha256: str | None = None,
    offline: bool = False,
    progress: bool = False,
) -> Path:
    """Get a file unless it is there already; the name appears only when size and hash are right.

    What came is kept in ``<path>.part`` when the transfer breaks off, and the next call goes on from
    there. It starts anew where no hash could prove the two halves to be of one file.

    Args:
        url: http or https.
        path: the file to make; its folder is made when missing.
        size: bytes.
        md5: 32 hex digits.
        md5_prefix: its first digits, where no more are on record; a note on stderr says so.
        sha256: 64 hex digits.
        offline: take what is there, never the network.
        progress: draw a bar on stderr.

    Returns:
        The path.

    Raises:
        MissingError: offline, the network fails, or a web page came instead of the file.
        InputError: what came, or what was there already, has the wrong size or hash.
        StorageError: the disk is full, the folder cannot be written, ...
        ValueError: the URL is neither http nor https.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"expected an http or https URL, not {url!r}")
    path = Path(path)
    part = path.with_name(path.name + ".part")
    digests = [(name, d.lower()) for name, d in (("sha256", sha256), ("md5", md5 or md5_prefix)) if d]
    if path.is_file():
        if mistake := _mistake(path, size, digests):
            raise InputError(f"{str(path)!r} is not {url}: {mistake}; move it away, then run again")
        return path
    if not (size and part.is_file() and part.stat().st_size == size):
        by_hand = f"get {url}{f' ({size:,} bytes)' if size else ''} and put it at {str(path)!r}"
        if offline:
            raise MissingError(f"{path.name} is missing and downloads are off: {by_hand}")
        make_folder(path.parent)
        _receive(url, part, size, by_hand, resume=bool(digests), progress=progress)
    if mistake := _mistake(part, size, digests):
        part.unlink()
        raise InputError(
            f"{url} is not the file it should be: {mistake}; nothing was kept, run again, and if it happens "
            "again, the file on the server was changed"
        )
    if md5_prefix and not md5 and not sha256:
        known = f"{len(md5_prefix)} digits of its MD5; no more are known"
        sys.stderr.write(f"note: {path.name} was checked against {known}\n")
    try:
        part.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    return path


def _receive(url: str, part: Path, size: int | None, by_hand: str, *, resume: bool, progress: bool) -> None:
    have = part.stat().st_size if resume and part.is_file() else 0
    start, response = _open(url, have if size is None or have < size else 0, by_hand)
    with response:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else size
        chunks = _chunks(response, by_hand)
        first = next(chunks, b"")
        kind = response.headers.get("Content-Type", "")
        opening = b"" if start else first.lstrip(b"\xef\xbb\xbf \t\r\n")[:16].lower()
        if "html" in kind.lower() or opening.startswith(_HTML):
            raise MissingError(f"a web page came instead of the file: {by_hand}")
        if size is not None and total != size:
            raise InputError(f"{url} has {total:,} bytes, expected {size:,}: the file on the server was changed")
        bar = tqdm(desc=part.stem, total=total, initial=start, unit="B", unit_scale=True, disable=not progress)
        try:
            with bar, part.open("ab" if start else "wb") as stream:
                for chunk in itertools.chain((first,), chunks):
                    stream.write(chunk)
                    bar.update(len(chunk))
                    if size is not None and stream.tell() > size:
                        break
        except OSError as error:
            raise storage_error(part, error) from error
    came = part.stat().st_size
    if total is not None and came < total:
        raise MissingError(f"{url} broke off at {came:,} of {total:,} bytes: run again to go on from there")


def _open(url: str, start: int, by_hand: str) -> tuple[int, http.client.HTTPResponse]:
    """The byte that the server starts from, 0 where it cannot start where it was asked to, and its answer."""
    headers = {"User-Agent": "exposurebench"} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - download() takes http and https alone
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_SILENCE_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _open(url, 0, by_hand)
        raise MissingError(f"the server answered {error.code} {error.reason}: {by_hand}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error, by_hand) from error
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0, response
    if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        return start, response
    response.close()
    return _open(url, 0, by_hand)


def _chunks(response: http.client.HTTPResponse, by_hand: str) -> Iterator[bytes]:
    try:
        while chunk := response.read(_CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error, by_hand) from error


def _network_error(error: Exception, by_hand: str) -> MissingError:
    reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
    return MissingError(f"the network failed ({reason}): run again to go on, or {by_hand}")


def _mistake(file: Path, size: int | None, digests: Sequence[tuple[str, str]]) -> str:
    """What is wrong with a file, or nothing; a digest may be the first digits of one."""
    came = file.stat().st_size
    if size is not None and came != size:
        return f"{came:,} bytes, expected {size:,}"
    for name, expected in digests:
        with file.open("rb") as stream:
            new = functools.partial(hashlib.new, name, usedforsecurity=False)
            digits = hashlib.file_digest(stream, new).hexdigest()
        if not digits.startswith(expected):
            return f"{name.upper()} {digits[: len(expected)]}, expected {expected}"
    return ""
