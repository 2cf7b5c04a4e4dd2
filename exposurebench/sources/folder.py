"""Any tree of photographs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from exposurebench.errors import MissingError
from exposurebench.scene import Frame, Scene

TITLE = "any tree of photographs"
URL = ""
LICENSE = "not stated"
CITATION = ""
LAYOUT = "any files below the folder; hidden ones are passed over, links to folders are followed once"


def folder(root: str | Path, *, license: str = LICENSE) -> Iterator[Scene]:
    """Every file below a folder, one scene each, in the order of their names.

    What a file holds is decided on reading; files that are no images are listed as rejected.

    Args:
        root: the top of the tree.
        license: the terms of the photographs, for the manifest.

    Raises:
        MissingError: there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingError(f"no folder {str(root)!r}: give the photographs' folder with --root")
    for path in walk(root):
        yield Scene(scene_name(path, root), (Frame(path),), license=license)


def walk(root: Path) -> Iterator[Path]:
    """Files below a folder in the order of their names, without hidden ones; a link that leads back is not followed."""
    yield from _walk(str(root), (os.path.realpath(root),))


def scene_name(path: Path, root: Path) -> str:
    """The relative path with forward slashes; the suffix stays, so that a.jpg and a.png are two scenes."""
    return path.relative_to(root).as_posix()


def _walk(folder: str, above: tuple[str, ...]) -> Iterator[Path]:
    with os.scandir(folder) as listing:
        entries = sorted((e.name, _is_folder(e)) for e in listing if not e.name.startswith("."))
    for name, is_folder in entries:
        path = os.path.join(folder, name)
        if not is_folder:
            yield Path(path)
            continue
        real = os.path.realpath(path)
        if real not in above:
            yield from _walk(path, (*above, real))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads to itself: listed, and rejected on reading
