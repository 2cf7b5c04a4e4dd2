"""The tree of errors that a person can cause by a file, a recipe or a flag.

Every message is one line: what was expected, what came, what to do. The command line turns the class
into an exit code; nothing below the command line knows about exit codes beyond this table.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ExposureBenchError(Exception):
    """Something a person can mend; the message says how."""

    exit_code = 3


class RecipeError(ExposureBenchError):
    """A recipe, a setting or a flag that cannot be used."""

    exit_code = 2


class InputError(ExposureBenchError):
    """A file or folder that cannot be used as it stands."""

    exit_code = 3


class ImageError(InputError):
    """A file that cannot be read as the image it should be."""


class MissingError(ExposureBenchError):
    """Something that must be installed or downloaded first."""

    exit_code = 4


class UnsafeModelError(ExposureBenchError):
    """A model file that could run code when opened."""

    exit_code = 5


class ModelError(ExposureBenchError):
    """A model that ran and gave something that cannot be scored."""

    exit_code = 6


class TrackError(ExposureBenchError):
    """A track that rewards a cheat, so that it ranks nothing."""

    exit_code = 1


class StorageError(ExposureBenchError):
    """The destination is full, read-only or otherwise refuses to be written."""

    exit_code = 74


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """One line that says that a name is unknown, which are known, and which was probably meant.

    >>> unknown_name("metric", "psmr", ["ssim", "psnr"])
    "unknown metric 'psmr'; did you mean 'psnr'? Known: psnr, ssim"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f" did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{name}';{hint} Known: {', '.join(names) or 'none'}"
