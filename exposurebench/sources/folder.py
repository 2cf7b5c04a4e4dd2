"""Any tree of photographs."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from exposurebench.errors import InputError, MissingError
from exposurebench.files import split_suffix
from exposurebench.images import Encoding
from exposurebench.scene import Frame, Scene

TITLE = "any tree of photographs"
URL = ""
LICENSE = "not stated"
CITATION = ""
LAYOUT = "any files below the folder; hidden ones are passed over, links to folders are followed once"
COMMAND = "--root photos --tau 0.5"


def folder(root: str | Path, *, license: str = LICENSE) -> Iterator[Scene]:  # noqa: A002 - the setting's name
    """Every file below a folder, one scene each, in the order of their names.

    What a file holds is decided on reading; files that are no images are listed as rejected.

    Args:
        root: the top of the tree.
        license: the terms of the photographs, for the manifest.

    Raises:
        MissingError: there is no such folder.
        InputError: a folder in it cannot be listed.
    """
    yield from tree(root, license, "photographs", "srgb")


def tree(
    root: str | Path, terms: str, what: str, encoding: Encoding, suffixes: Collection[str] | None = None
) -> Iterator[Scene]:
    """Every file below a folder as a scene of one frame, in the order of their names.

    Args:
        root: the top of the tree.
        terms: the licence of the files.
        what: they are, for the message.
        encoding: what their numbers stand for.
        suffixes: pass over files of other names (in lower case, with the dot).

    Raises:
        MissingError: there is no such folder.
        InputError: a folder in it cannot be listed.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingError(f"no folder {str(root)!r}: give the {what}' folder with --root")
    top = str(root)
    for path in files_below(root):
        if suffixes is None or split_suffix(path)[1].lower() in suffixes:
            yield Scene(scene_name(path, top), (Frame(path, encoding=encoding),), license=terms)


def walk(root: Path) -> Iterator[Path]:
    """Files below a folder in the order of their names, without hidden ones; no folder is entered twice.

    Raises:
        InputError: a folder cannot be listed.
    """
    return map(Path, files_below(root))


def files_below(root: Path) -> Iterator[str]:
    """The same as :func:`walk` in plain strings: there may be millions, and a path object costs more than finding its file."""
    entered = set()
    waiting = [(str(root), True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if identity not in entered:
                entered.add(identity)
                with os.scandir(path) as listing:
                    found = [(e.path.removeprefix("./"), _is_folder(e)) for e in listing if e.name[0] != "."]
                waiting.extend(sorted(found, reverse=True))
        except OSError as error:
            raise InputError(f"the folder {path!r} cannot be listed ({error.strerror})") from error


def scene_name(path: str | Path, root: str | Path) -> str:
    """The relative path with forward slashes; the suffix stays, so that a.jpg and a.png are two scenes.

    Bytes that are no UTF-8 and control characters are written as ``\\xe9``, and a backslash is doubled, so
    that every name can be stored as one line of text and no two files share one.

    >>> scene_name(Path("photos/b/café.jpg"), Path("photos"))
    'b/café.jpg'
    """
    whole, top = os.fspath(path), f"{root}/"
    below = whole[len(top) :] if whole.startswith(top) else Path(path).relative_to(root).as_posix()
    if below.isascii() and below.isprintable() and "\\" not in below:
        return below  # nothing to write otherwise, as in nearly every name
    raw = os.fsencode(below)
    text = raw.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda control: f"\\x{ord(control[0]):02x}", text)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads to itself: listed, and rejected on reading
