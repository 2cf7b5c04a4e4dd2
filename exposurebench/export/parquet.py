"""Parquet: tables that hold the manifest and the images' bytes, with the types that `datasets` looks for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exposurebench.dataset import SIDES, Dataset, Row, sides_of
from exposurebench.errors import MissingError
from exposurebench.export.stored import batches, files_of
from exposurebench.files import writing

LIGHT = True
GROUP = 100
"""Rows that a reader gets at once."""


def parquet(dataset: Dataset, split: str, rows: Iterable[Row], out: Path, *, per_file: int = 1000) -> None:
    """Write ``OUT/train-00000-of-00003.parquet``, ...: the manifest, and a column ``{bytes, path}`` for each side.

    A column has one type in all splits. Pictures are images to ``datasets.load_dataset("OUT")``; light stays bytes.

    Raises:
        MissingError: pyarrow is not installed.
        InputError: a file of the data set is lost or was changed.
        StorageError: the folder cannot be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingError("Parquet needs pyarrow: pip install 'exposurebench[parquet]'") from error
    kinds = _kinds(dataset)
    sides = sides_of({name: name for name in dataset.table(split).columns})
    facts = [name for name in kinds if name not in sides.values()]
    types = {"bool": pa.bool_(), "int64": pa.int64(), "float64": pa.float64(), "string": pa.string()}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [*((side, image) for side in sides), *((name, types[kinds[name]]) for name in facts)],
        {"huggingface": json.dumps({"info": {"features": _features(sides, {n: kinds[n] for n in facts})}})},
    )
    files = -(-dataset.document["counts"][split]["pairs"] // per_file)
    for number, batch in enumerate(batches(rows, per_file)):
        name = f"{split}-{number:05d}-of-{files:05d}.parquet"
        with (
            writing(out / name) as stream,
            pq.ParquetWriter(stream, schema, compression="none", use_dictionary=facts, write_statistics=facts) as file,
        ):
            for group in batches(batch, GROUP):
                cells: list[dict[str, Any]] = [{name: _cell(row[name], kinds[name]) for name in facts} for row in group]
                for row, cell in zip(group, cells, strict=True):
                    for side, stored in files_of(dataset, split, row).items():
                        cell[side] = {"bytes": stored.data, "path": f"{row['id']}-{side}{stored.suffix}"}
                file.write_table(pa.Table.from_pylist(cells, schema))


def _kinds(dataset: Dataset) -> dict[str, str]:
    """Every column's type, which holds the cells of all splits: whole numbers beside others are numbers, else text."""
    found: dict[str, set[str]] = {}
    for split in dataset.splits:
        for name, kind in dataset.table(split).dtypes.items():
            found.setdefault(str(name), set()).add(str(kind))
    numbers = ({"bool"}, {"int64"}, {"float64"}, {"int64", "float64"})
    return {name: min(kinds) if kinds in numbers else "string" for name, kinds in found.items()}


def _cell(value: Any, kind: str) -> Any:
    return str(value) if kind == "string" else float(value) if kind == "float64" else value


def _features(sides: dict[str, str], facts: dict[str, str]) -> dict[str, Any]:
    """What the column types are called by ``datasets``; it opens pictures, and leaves light alone."""
    text, data = ({"dtype": kind, "_type": "Value"} for kind in ("string", "binary"))
    images = {
        side: {"bytes": data, "path": text} if column.endswith("_exr") else {"_type": "Image"}
        for side, column in sides.items()
        if side in SIDES
    }
    return {**images, **{name: {"dtype": kind, "_type": "Value"} for name, kind in facts.items()}}
