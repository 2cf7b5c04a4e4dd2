"""The seventy-two photographs that the built-in leaderboard is scored on."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from exposurebench.errors import InputError, MissingError
from exposurebench.files import sha256_file, shipped
from exposurebench.scene import Frame, Scene

TITLE = "72 mostly well-exposed photographs out of public repositories"
URL = ""
LICENSE = "each photograph its own: see leaderboards/photos72/photographs.csv"
CITATION = ""
LAYOUT = "ldr/*.jpg (59), ldr/*.png (1), kodak/*.png (12)"
COMMAND = "--root photos --tau 0.5"


def photos72(root: str | Path = "data/photos72") -> Iterator[Scene]:
    """The photographs in the order of their names, all in the split ``test``, each with its own licence.

    Every file is compared with its published SHA-256 before the first scene is given.

    Args:
        root: the folder that holds ``ldr`` and ``kodak``.

    Raises:
        MissingError: photographs are missing; the message says where their origins are listed.
        InputError: photographs are not the published ones.
    """
    root = Path(root)
    origins = shipped("leaderboards", "photos72", "photographs.csv")
    with origins.open(encoding="utf-8", newline="") as stream:
        photographs = list(csv.DictReader(stream))
    missing = [p["file"] for p in photographs if not (root / p["file"]).is_file()]
    wrong = [
        p["file"] for p in photographs if p["file"] not in missing and sha256_file(root / p["file"]) != p["sha256"]
    ]
    if missing or wrong:
        counts = [f"{len(f)} {what} ({_first(f)})" for f, what in ((missing, "missing"), (wrong, "wrong")) if f]
        kind = MissingError if missing else InputError
        raise kind(
            f"of the {len(photographs)} photographs in {str(root)!r}, {' and '.join(counts)}: "
            f"get and process them as {str(origins)!r} says, and put each under its name there"
        )
    for photograph in photographs:
        path = root / photograph["file"]
        yield Scene(photograph["file"], (Frame(path),), split="test", license=photograph["license"])


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
