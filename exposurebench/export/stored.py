"""The rows of a data set and the bytes of their files, as they lie on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

from exposurebench.dataset import Dataset, Row, sides_of
from exposurebench.errors import InputError
from exposurebench.files import sha256

CHUNK = 1000
Thing = TypeVar("Thing")


class Stored(NamedTuple):
    """A file's bytes and its suffix, with the dot."""

    data: bytes
    suffix: str


def rows(dataset: Dataset, split: str) -> Iterator[Row]:
    """The manifest rows of a split; only a thousand at a time are dictionaries."""
    table = dataset.table(split)
    for start in range(0, len(table), CHUNK):
        for row in table[start : start + CHUNK].to_dict("records"):
            yield {str(name): value for name, value in row.items()}


def files_of(dataset: Dataset, split: str, row: Row) -> dict[str, Stored]:
    """The files of a pair by side.

    Raises:
        InputError: one is lost, or is not what the manifest names.
    """
    found = {}
    for side, name in sides_of(row).items():
        path = dataset.folder / split / name
        try:
            data = path.read_bytes()
        except OSError:
            data = b""
        if sha256(data) != row[f"{side}_sha256"]:
            raise InputError(
                f"{str(path)!r} is lost or was changed: run the same make-dataset command again, which restores lost files"
            )
        found[side] = Stored(data, PurePosixPath(name).suffix)
    return found


def batches(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Lists of so many, the last one of the rest.

    >>> list(batches(range(5), 2))
    [[0, 1], [2, 3], [4]]
    """
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch
