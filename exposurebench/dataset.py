"""Reading a data set: a folder of pairs with a manifest that needs no code to be read.

```
DATASET/dataset.json            recipe, counts, versions, fingerprints; written last, so its presence means complete
DATASET/<split>/metadata.csv    a row a pair: file names, scene, every setting, hashes
DATASET/<split>/input/KEY.png   DATASET/<split>/target/KEY.png
DATASET/<split>/target/KEY.exr  DATASET/<split>/preview/KEY.png      where the target is light
DATASET/rejected.csv            what was left out, and why
DATASET/.exposurebench/         markers of finished shards; safe to delete when complete
```
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposurebench.errors import ImageError, InputError, MissingError, RecipeError
from exposurebench.files import read_document, sha256
from exposurebench.images import Image, read_image
from exposurebench.recipe import SCHEMA, DatasetRecipe, dataset_recipe

if TYPE_CHECKING:
    import pandas as pd
    from torch.utils.data import Dataset as TorchDataset

SPLITS = ("train", "val", "test")
MARKERS = ".exposurebench"
FORMAT = "exposurebench.dataset"
KEYS = ("name", "title", "recipe", "command", "source", "pairing", "counts", "rejected", "manifest", "fingerprints")
TEXT_COLUMNS = ("id", "scene", "source", "notes", "license", "source_facts")
TABLES = ("recipe", "source", "pairing", "counts", "rejected", "manifest", "fingerprints")
"""The keys of ``dataset.json`` that hold keys of their own."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """A finished data set on disk.

    Attributes:
        folder: where it lies.
        document: what ``dataset.json`` says.
    """

    folder: Path
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name it was built under."""
        return str(self.document["name"])

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that hold pairs, in the order train, val, test."""
        return tuple(s for s in SPLITS if self.document["counts"].get(s, {}).get("pairs"))

    @property
    def pixels(self) -> str:
        """The fingerprint of the decoded pixels: what a track pins."""
        return str(self.document["fingerprints"]["pixels"])

    def recipe(self) -> DatasetRecipe:
        """The recipe it was built by.

        Raises:
            InputError: it is damaged, or asks for something that this program does not know.
        """
        try:
            return dataset_recipe(self.document["recipe"])
        except RecipeError as error:
            raise InputError(f"the recipe in {str(self.folder / 'dataset.json')!r} cannot be used: {error}") from error

    def rows(self, split: str) -> list[Row]:
        """The manifest of one split, a dictionary a pair.

        Raises:
            InputError: there is no such split, or its manifest was changed.
        """
        table = self.table(split)
        names = [str(name) for name in table]
        return [dict(zip(names, cells, strict=True)) for cells in zip(*(table[n].tolist() for n in table), strict=True)]

    def lines(self, split: str) -> Iterator[dict[str, str]]:
        """The manifest of one split line by line, every cell as its text, where the values of rows are not needed.

        Raises:
            InputError: its manifest was changed.
        """
        yield from csv.DictReader(io.TextIOWrapper(io.BytesIO(self._manifest(split)), "utf-8", newline=""))

    def table(self, split: str) -> pd.DataFrame:
        """The manifest of one split as a table.

        Raises:
            InputError: there is no such split, or its manifest was changed.
        """
        import pandas as pd

        if split not in self.splits:
            raise InputError(f"{str(self.folder)!r} has no split {split!r}: it has {', '.join(self.splits) or 'none'}")
        data = self._manifest(split)
        return pd.read_csv(
            io.BytesIO(data), dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values={},
        )  # fmt: skip

    def _manifest(self, split: str) -> bytes:
        path = self.folder / split / "metadata.csv"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{str(path)!r} cannot be read ({error.strerror}): delete its folder and build the data set again"
            ) from error
        if sha256(data) != self.document["manifest"].get(split):
            raise InputError(
                f"{str(path)!r} is not the manifest that dataset.json names: delete its folder and build the data set again"
            )
        return data

    @property
    def gives(self) -> str:
        """What the targets' numbers stand for: ``srgb``, ``linear`` or ``nits``."""
        return str(self.document["pairing"]["gives"])

    def read_input(self, split: str, row: Mapping[str, Any]) -> Image:
        """The badly exposed side of a manifest row."""
        return self.read(split, row, "input")

    def read_target(self, split: str, row: Mapping[str, Any]) -> Image:
        """The well-exposed side of a manifest row: display-encoded, or light, as :attr:`gives` says."""
        return self.read(split, row, "target")

    def read(self, split: str, row: Mapping[str, Any], side: str) -> Image:
        """One image of a manifest row: ``input``, ``target``, and where there is one ``preview`` or ``radiance``.

        Raises:
            InputError: the row has no such side, or its file is lost or damaged.
        """
        sides = sides_of(row)
        if side not in sides:
            raise InputError(f"{self.name} has no {side}: its pairs have {', '.join(sides)}")
        path = self.folder / split / sides[side]
        try:
            return read_image(path, encoding="linear") if f"{side}_exr" in row else read_image(path)
        except ImageError as error:
            raise InputError(
                f"{str(path)!r} {error}: run the same make-dataset command again, which restores lost files"
            ) from error


SIDES = ("input", "target", "preview", "radiance")
_COLUMNS = tuple((side, f"{side}_file_name", f"{side}_exr") for side in SIDES)


def sides_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The images that a manifest row names: 8 and 16-bit files in ``*_file_name``, half floats in ``*_exr``.

    >>> sides_of({"input_file_name": "input/a.png", "target_exr": "target/a.exr", "tau": 0.5})
    {'input': 'input/a.png', 'target': 'target/a.exr'}
    """
    columns = {side: row.get(picture) or row.get(light) for side, picture, light in _COLUMNS}
    return {side: name for side, name in columns.items() if name}


def is_finished(folder: str | Path) -> bool:
    """Whether a folder holds a data set that is complete: its last file is there, and is not what a power cut leaves.

    >>> is_finished("nowhere")
    False
    """
    path = Path(folder, "dataset.json")
    return path.is_file() and path.stat().st_size > 0


def load_dataset(folder: str | Path) -> Dataset:
    """Open a finished data set.

    Raises:
        MissingError: there is none, or it is not finished yet.
        InputError: it was written by a newer program, or is damaged.

    Example:
        >>> dataset = load_dataset("datasets/photographs-tau0.5")  # doctest: +SKIP
        >>> for row in dataset.rows("test"):  # doctest: +SKIP
        ...     pixels = dataset.read_input("test", row).as_float()
    """
    folder = Path(folder)
    if not is_finished(folder):
        if (folder / MARKERS).is_dir():
            raise MissingError(f"{str(folder)!r} is not finished: run the same make-dataset command again")
        raise MissingError(f"no data set in {str(folder)!r}: build one with exposurebench make-dataset")
    document = read_document(folder / "dataset.json", "the description of a data set", FORMAT, SCHEMA, KEYS)
    wrong = [key for key in TABLES if not isinstance(document[key], dict)]
    if not wrong and not {"files", "pixels"} <= document["fingerprints"].keys():
        wrong = ["fingerprints"]
    if not wrong and not all(isinstance(n, dict) and "pairs" in n for n in document["counts"].values()):
        wrong = ["counts"]
    if wrong:
        raise InputError(
            f"{str(folder / 'dataset.json')!r} is damaged: {', '.join(wrong)} should hold something else: build the "
            "data set again"
        )
    return Dataset(folder, document)


def torch_dataset(folder: str | Path, split: str = "train") -> TorchDataset[dict[str, Any]]:
    """The pairs of a split for a torch ``DataLoader``: dictionaries of ``input`` and ``target``, (3, H, W) float32."""
    import numpy as np
    import torch

    dataset = load_dataset(folder)
    rows = dataset.rows(split)

    class Pairs(torch.utils.data.Dataset[dict[str, Any]]):
        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, index: int) -> dict[str, Any]:
            row = rows[index]
            sides = {"input": dataset.read_input(split, row), "target": dataset.read_target(split, row)}
            planes = {
                n: torch.from_numpy(np.ascontiguousarray(i.as_float().transpose(2, 0, 1))) for n, i in sides.items()
            }
            return {**planes, "id": row["id"]}

        def __reduce__(self) -> tuple[Any, ...]:
            return torch_dataset, (folder, split)  # a loader's worker that was not forked opens it anew

    return Pairs()
