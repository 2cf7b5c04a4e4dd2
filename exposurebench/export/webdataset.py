"""WebDataset: tar files that are read from front to back, each pair's files side by side under its key."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from exposurebench.dataset import Dataset, Row
from exposurebench.export.stored import batches, files_of
from exposurebench.files import writing

LIGHT = True


def webdataset(dataset: Dataset, split: str, rows: Iterable[Row], out: Path, *, per_file: int = 1000) -> None:
    """Write ``OUT/train-000000.tar``, ...: ``KEY.input.png``, ``KEY.target.jpg``, ... and the row in ``KEY.json``.

    Files are the data set's own; a target of several inputs is repeated. Members have no time and no owner.

    Raises:
        InputError: a file of the data set is lost or was changed.
        StorageError: the folder cannot be written.
    """
    for number, batch in enumerate(batches(rows, per_file)):
        with (
            writing(out / f"{split}-{number:06d}.tar") as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar,
        ):
            for row in batch:
                for side, stored in files_of(dataset, split, row).items():
                    _add(tar, f"{row['id']}.{side}{stored.suffix}", stored.data)
                _add(tar, f"{row['id']}.json", json.dumps(row).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
