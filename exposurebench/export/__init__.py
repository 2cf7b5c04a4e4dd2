"""A finished data set in the layouts that other people's programs read; the same data set gives the same bytes.

One file a layout: the function of its name writes one split; ``LIGHT`` says whether it carries files of light, or else
input and target alone, as pictures.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from exposurebench.dataset import Dataset, load_dataset
from exposurebench.errors import InputError, RecipeError, unknown_name
from exposurebench.export import basicsr, parquet, pix2pix, webdataset
from exposurebench.export.stored import rows
from exposurebench.files import read_json, storage_error, write_json
from exposurebench.recipe import SCHEMA

LAYOUTS = {"webdataset": webdataset, "parquet": parquet, "basicsr": basicsr, "pix2pix": pix2pix}
FORMAT = "exposurebench.export"


def export(
    folder: str | Path, layout: str, out: str | Path, *, per_file: int | None = None, progress: bool = False
) -> dict[str, Any]:
    """Write a data set in another layout; each file is checked against its hash on the way.

    Args:
        folder: a finished data set.
        layout: one of ``LAYOUTS``.
        out: a new folder, or one in which the same export was interrupted.
        per_file: pairs in a tar or a Parquet file, where the layout has those.
        progress: show progress on standard error.

    Returns:
        What ``export.json`` says, which is written last.

    Raises:
        RecipeError: there is no such layout, the folder is not empty, or a setting is not the layout's.
        InputError: the layout cannot hold the data set, or a file of it is lost or was changed.
        MissingError: there is no data set, or a package is not installed.
        StorageError: the folder cannot be written.
    """
    from tqdm import tqdm

    if layout not in LAYOUTS:
        raise RecipeError(unknown_name("layout", layout, LAYOUTS))
    dataset, out, module = load_dataset(folder), Path(out), LAYOUTS[layout]
    write = getattr(module, layout)
    settings = {k: p.default for k, p in inspect.signature(write).parameters.items() if p.kind is p.KEYWORD_ONLY}
    if per_file is not None and "per_file" not in settings:
        raise RecipeError(f"{layout} has a file for each picture: leave out --per-file")
    settings |= {"per_file": per_file} if per_file else {}
    remarks = _remarks(dataset, layout, module)
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "layout": layout,
        **settings,
        "dataset": {key: dataset.document[key] for key in ("name", "title", "command", "counts", "fingerprints")},
        "license": dataset.document["source"]["license"],
        "remarks": remarks,
    }
    _begin(out, document)
    for split in dataset.splits:
        pairs = dataset.document["counts"][split]["pairs"]
        with tqdm(
            rows(dataset, split), split, pairs, unit="pair", disable=not progress, file=sys.stderr, dynamic_ncols=True
        ) as counted:
            write(dataset, split, counted, out, **settings)
    write_json(out / "export.json", {**document, "complete": True})
    return document


def _remarks(dataset: Dataset, layout: str, module: Any) -> list[str]:
    """What somebody should know who expects all of the data set there.

    Raises:
        InputError: input or target cannot be there.
    """
    columns = [str(name) for name in dataset.table(dataset.splits[0]).columns]
    light = [name.removesuffix("_exr") for name in columns if name.endswith("_exr")]
    if module.LIGHT:
        return [f"{' and '.join(light)}: OpenEXR as it is, which the reader decodes"] if light else []
    lost = {"input", "target"}.intersection(light)
    if lost:
        raise InputError(
            f"{layout} holds pictures, and the {' and '.join(sorted(lost))} of {dataset.name} is light (OpenEXR): use "
            f"{' or '.join(name for name, other in LAYOUTS.items() if other.LIGHT)}, which carry files as they are"
        )
    return [f"{' and '.join(light)}: left out, {layout} holds input and target alone"] if light else []


def _begin(out: Path, document: dict[str, Any]) -> None:
    """Take a folder that is new, or holds a part of this very export."""
    known = out / "export.json"
    try:
        empty = not out.exists() or not any(out.iterdir())
    except OSError as error:
        raise storage_error(out, error) from error
    if not empty:
        there = read_json(known, "what is exported there") if known.is_file() else {}
        if {**there, "complete": None} != {**document, "complete": None}:
            raise RecipeError(
                f"{str(out)!r} is not empty and holds another thing than this export: choose another --out"
            )
    write_json(known, {**document, "complete": False})
