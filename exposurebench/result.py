"""What an evaluation found, as it is in memory and as a folder: tables, and a document that says what they mean."""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from exposurebench import __version__, journal, tables
from exposurebench.errors import InputError
from exposurebench.files import read_document, safe_key, sha256, sha256_file, write_bytes, write_json
from exposurebench.measures import Arrays
from exposurebench.method import Method
from exposurebench.recipe import SCHEMA

FORMAT = "exposurebench.result"
KEYS = ("name", "method", "dataset", "protocols", "already_right", "versions", "hardware", "per_image_sha256")
NESTED = {"method": ("kind",), "dataset": ("name", "pixels", "split"), "protocols": (), "already_right": ("pairs",)}
"""The keys of ``result.json`` that hold keys of their own, and which of those are asked for."""


@dataclass(frozen=True)
class Result:
    """What an evaluation found.

    Attributes:
        document: the method, the data, the protocols, the versions: everything the numbers depend on.
        per_image: a row a pair: id, scene, split, whether the input was right already, every value.
        summary: a row a value: 95 % interval over photographs, noise floor.
        parts: a summary for each value of the column that was asked for, if one was.
        arrays: statistics too wide for the table, a row for each of its rows.
        method: what was evaluated, as long as it is at hand; None for a result that was read from disk.
        folder: where it is kept, or is to be.
    """

    document: Mapping[str, Any]
    per_image: pd.DataFrame
    summary: pd.DataFrame
    parts: pd.DataFrame | None = None
    arrays: Arrays = field(default_factory=dict, repr=False)
    method: Method | None = field(default=None, repr=False, compare=False)
    folder: Path | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """What the method is called."""
        return str(self.document["name"])

    @property
    def metrics(self) -> list[str]:
        """The measures, in order: metrics, and metrics over regions (``psnr@clipped``)."""
        return list(self.document["protocols"])


def measured_with(device: str) -> dict[str, Any]:
    """The versions and the hardware that a measurement was made with, for its document.

    >>> sorted(measured_with("cpu")["versions"])
    ['exposurebench', 'numpy', 'opencv', 'python', 'torch']
    """
    return {
        "versions": {
            "exposurebench": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "python": platform.python_version(),
        },
        "hardware": f"{device}, {platform.machine()}, {os.cpu_count()} cores",
    }


def derived(
    document: Mapping[str, Any], per_image: pd.DataFrame, arrays: Arrays, method: Method | None = None
) -> Result:
    """A result whose summaries follow from its tables."""
    protocols, by = document["protocols"], document.get("by")
    try:
        summary = tables.summarize(per_image, protocols, arrays)
        parts = tables.summarize_by(per_image, by, protocols, arrays) if by else None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{document['name']}: the per-image table does not give the metrics: {tables.lacking(error)}"
        ) from error
    return Result(document, per_image, summary, parts, arrays, method)


def write_result(result: Result, out: str | Path) -> None:
    """Write ``per_image.csv``, ``summary.csv`` and ``result.json`` (last, so its presence means complete).

    Beside them ``by_<column>.csv`` where one was asked for, and ``arrays/*.npy`` where statistics are too wide.
    """
    out = Path(out)
    tables.write_table(out / "per_image.csv", result.per_image)
    tables.write_table(out / "summary.csv", result.summary)
    if result.parts is not None:
        tables.write_table(out / f"by_{safe_key(result.document['by'])}.csv", result.parts)
    written = {name: _write_array(out, name, array) for name, array in result.arrays.items()}
    document = {**result.document, **({"arrays": written} if written else {})}
    write_json(out / "result.json", {**document, "per_image_sha256": sha256_file(out / "per_image.csv")})
    journal.finish(out)


def _write_array(out: Path, name: str, array: NDArray[Any]) -> dict[str, str]:
    stream = io.BytesIO()
    np.save(stream, array)
    file = f"arrays/{safe_key(name)}.npy"
    write_bytes(out / file, stream.getvalue())
    return {"file": file, "sha256": sha256(stream.getvalue())}


def _read_array(folder: Path, written: Mapping[str, str], rows: int) -> NDArray[Any]:
    path = folder / written["file"]
    try:
        data = path.read_bytes()
        array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as an array: {error}; evaluate again") from error
    if sha256(data) != written["sha256"] or len(array) != rows:
        raise InputError(f"{str(path)!r} is not the array that result.json names; evaluate again")
    return array


def read_result(folder: str | Path) -> Result:
    """Read a result; the summaries are derived from the per-image table again.

    Raises:
        InputError: it is missing, incomplete or written by a newer program.
    """
    folder = Path(folder)
    document = read_document(folder / "result.json", "the result of an evaluation", FORMAT, SCHEMA, KEYS)
    for key, wanted in NESTED.items():
        if not isinstance(document[key], dict) or set(wanted) - set(document[key]):
            raise InputError(
                f"{str(folder / 'result.json')!r} is damaged: {key} should hold {', '.join(wanted) or 'measures'}"
            )
    for measure, facts in document["protocols"].items():
        if not isinstance(facts, dict):
            raise InputError(f"{str(folder / 'result.json')!r} is damaged: the protocol of {measure} is none")
    per_image = tables.read_table(folder / "per_image.csv")
    if sha256_file(folder / "per_image.csv") != document.pop("per_image_sha256"):
        raise InputError(
            f"{str(folder)!r} is of two evaluations: its tables are not those of its result.json; evaluate again"
        )
    written = document.pop("arrays", {})
    return derived(document, per_image, {n: _read_array(folder, w, len(per_image)) for n, w in written.items()})
