"""Images that another program made, found for each pair of a data set."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench.errors import ImageError, InputError
from exposurebench.files import sha256_file
from exposurebench.images import Encoding, read_image
from exposurebench.method import Method
from exposurebench.scoring import check_unmended


def open_predictions(
    folder: str | Path,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    gives: Encoding = "srgb",
    table: str | Path | None = None,
) -> Method:
    """Images that another program made, matched to the manifest by their key or the input's file name.

    Args:
        folder: where they lie.
        name: what the method is called in tables.
        rows: the manifest.
        gives: ``srgb``, or ``linear`` for light in OpenEXR files or Radiance pictures.
        table: a CSV that says which file is whose, for files of other names: the columns ``id`` (a key, or the input's
            file name) and ``file`` (relative to the folder).

    Raises:
        InputError: predictions are missing or ambiguous; the message names the first few.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r}: give the predictions' folder with --predictions")
    found = _by_name(folder) if table is None else _by_table(folder, Path(table))
    chosen: dict[str, Path] = {}
    missing = []
    for row in rows:
        candidates = found.get(row["id"]) or found.get(Path(row.get("input_file_name") or row["input_exr"]).stem) or []
        if len(candidates) > 1:
            raise InputError(
                f"two predictions for {row['id']!r}: {candidates[0].name} and {candidates[1].name}; keep one"
            )
        if candidates:
            chosen[row["id"]] = candidates[0]
        else:
            missing.append(row["id"])
    if missing:
        expected = "files named after the input's key, or a CSV with --map" if table is None else "a row for each"
        raise InputError(
            f"{len(missing)} of {len(rows)} predictions are missing in {str(table or folder)!r}: "
            f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}; expected {expected}"
        )
    digest = hashlib.sha256()
    for key in sorted(chosen):
        digest.update(f"{key} {sha256_file(chosen[key])}\n".encode())

    def run(image: NDArray[np.float32], row: Mapping[str, Any]) -> NDArray[np.float32]:
        try:
            made = read_image(chosen[row["id"]], encoding=gives)
        except ImageError as error:
            raise InputError(f"{str(chosen[row['id']])!r} {error}") from error
        check_unmended(chosen[row["id"]], made)
        return made.as_float()

    facts = {"kind": "predictions", "title": "submitted images", "reference": "", "oracle": False, "needs": ["input"]}
    return Method(name, run, {**facts, "settings": {}, "predictions_sha256": digest.hexdigest()}, gives)


def _by_name(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            found.setdefault(path.stem, []).append(path)
    return found


def _by_table(folder: Path, table: Path) -> dict[str, list[Path]]:
    try:
        lines = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{str(table)!r} cannot be read as a CSV: {error}") from error
    if not lines or not {"id", "file"} <= lines[0].keys():
        there = ", ".join(lines[0]) if lines else "no rows"
        raise InputError(f"{str(table)!r} has {there}: expected the columns id and file")
    found: dict[str, list[Path]] = {}
    for line in lines:
        path = folder / (line["file"] or "")
        if not path.is_file():
            raise InputError(f"{str(table)!r}: {line['id']}: no file {str(path)!r}")
        found.setdefault(_key(line["id"] or ""), []).append(path)
    return found


def _key(name: str) -> str:
    """A key, or the file name of an input, without folder and suffix; keys have no dots."""
    return Path(name).stem
