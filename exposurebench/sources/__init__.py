"""Where scenes come from, one data set a file; what finding published layouts takes is here."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from exposurebench.errors import InputError, MissingError

PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
LIGHT = frozenset({".exr", ".hdr"})


def below(folder: Path, *names: str) -> Path | None:
    """A folder by its names one under the other, whatever their case; None where there is none.

    >>> below(Path("nowhere"), "Train", "Low") is None
    True
    """
    for name in names:
        if not (folder / name).is_dir():
            alike = [entry for entry in _listed(folder) if entry.name.lower() == name.lower() and entry.is_dir()]
            if not alike:
                return None
            name = alike[0].name
        folder = folder / name
    return folder


def first_below(tops: Iterable[Path], *ways: str) -> Path | None:
    """The first folder that there is: every way (``Train/Low``) from every top."""
    found = (below(top, *way.split("/")) for top in tops for way in ways)
    return next((folder for folder in found if folder), None)


def stems(folder: Path, suffixes: Collection[str] = PICTURES) -> dict[str, Path]:
    """The files of a folder by their stems, in the order of their names.

    Raises:
        InputError: two differ in their suffix alone, so that the stem names neither.
    """
    found: dict[str, Path] = {}
    for path in _listed(folder):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in found:
                raise InputError(f"{str(path)!r} and {found[path.stem].name!r} differ in their suffix alone: keep one")
            found[path.stem] = path
    return found


def absent(names: Iterable[str], found: Collection[str]) -> list[str]:
    """The names that were not found."""
    return [name for name in names if name not in found]


def check_whole(root: Path, lacking: Mapping[str, Collection[str]], out_of: int, get: str) -> None:
    """Refuse a folder of which something is missing.

    Args:
        root: the data set's folder.
        lacking: what is missing, kind by kind.
        out_of: how many scenes there should be.
        get: what to get from where, under which terms.

    Raises:
        MissingError: something is; the message has the counts and the first names.
    """
    counts = [f"{len(names):,} {kind} ({first(sorted(names))})" for kind, names in lacking.items() if names]
    if counts:
        raise MissingError(f"{str(root)!r} is not whole: of {out_of:,} scenes it lacks {', '.join(counts)}; {get}")


def nothing(root: Path, what: str, get: str) -> MissingError:
    """What to say where there is no data set."""
    return MissingError(f"no {what} in {str(root)!r}: {get}")


def first(names: Iterable[str]) -> str:
    """The first three of a list.

    >>> first("abcd")
    'a, b, c, ...'
    """
    listed = list(names)
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")


def _listed(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"the folder {str(folder)!r} cannot be listed ({error.strerror})") from error
