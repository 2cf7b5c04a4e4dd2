"""What a training is fed from: the pairs of a data set, or photographs that are yet to be degraded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from exposurebench.dataset import Dataset, Row, sides_of
from exposurebench.errors import ImageError, InputError, MissingError
from exposurebench.images import Image, read_image
from exposurebench.overlap import recorded, training_record
from exposurebench.sources import PICTURES
from exposurebench.sources.folder import scene_name, walk
from exposurebench.splits import split_of

HELD_OUT = "train=0.9,val=0.1"
"""How a folder of photographs is parted, by scene."""
_KEPT = ("id", "scene", "width", "height")


@dataclass(frozen=True)
class Stock:
    """The pairs of one split.

    Attributes:
        split: its name.
        rows: of the manifest, as far as they are needed: ``id`` and the files' names, and where known ``width`` and
            ``height``.
        read: reads one side of a row.
        versions: how many pairs a row stands for: of a photograph, how many ways it is degraded.
    """

    split: str
    rows: Sequence[Row]
    read: Callable[[Row, str], Image]
    versions: int = 1

    def __len__(self) -> int:
        return len(self.rows) * self.versions

    def at(self, number: int) -> tuple[Row, int]:
        """A pair's row, and which version of its photograph it is."""
        row, version = divmod(number, self.versions)
        return self.rows[row], version


@dataclass(frozen=True)
class Stocks:
    """All there is.

    Attributes:
        train: to be trained on.
        held_out: to look at while training; None where there is no val split.
        about: tells what a checkpoint says of its data: ``name``, ``pixels``, ``seen``, ``targets``; reads targets of
            ``train``.
    """

    train: Stock
    held_out: Stock | None
    about: Callable[[], dict[str, Any]]


def pairs_of(dataset: Dataset, sides: Sequence[str]) -> Stocks:
    """The train and val splits of a data set.

    Raises:
        InputError: it has no train split, or no such side.
    """

    def pairs(split: str) -> Stock:
        rows = _rows(dataset, split)
        missing = [side for side in sides if side not in sides_of(rows[0])]
        if missing:
            raise InputError(f"{dataset.name} has no {missing[0]}: its pairs have {', '.join(sides_of(rows[0]))}")
        return Stock(split, rows, partial(dataset.read, split))

    return _stocks(dataset, pairs)


def targets_of(dataset: Dataset, versions: int) -> Stocks:
    """The targets of a data set's train and val splits, each once.

    Raises:
        InputError: it has no train split, or targets of light.
    """
    if dataset.gives != "srgb":
        raise InputError(f"{dataset.name} has targets of light: only display-encoded photographs are degraded")

    def targets(split: str) -> Stock:
        first: dict[str, Row] = {}
        for row in _rows(dataset, split):
            first.setdefault(row["target_file_name"], row)
        return Stock(split, list(first.values()), partial(dataset.read, split), versions)

    return _stocks(dataset, targets)


def photographs_of(folder: Path, versions: int, seed: int) -> Stocks:
    """The photographs of a folder, a tenth of them held out by scene; of very few, all are trained on.

    Raises:
        MissingError: there are none.
    """
    rows: Mapping[str, list[Row]] = {"train": [], "val": []}
    for path in walk(folder):
        if path.suffix.lower() in PICTURES:
            name = scene_name(path, folder)
            rows[split_of(name, None, HELD_OUT, seed)].append({"id": name, "target_file_name": str(path)})
    if not rows["train"]:  # so few that all of them fell to the tenth
        rows = {"train": rows["val"], "val": []}
    if not rows["train"]:
        raise MissingError(f"no photographs in {str(folder)!r}: give their folder, or a data set")

    def pixels(row: Row) -> NDArray[Any]:
        return _read_photograph(row, "target").pixels

    def about() -> dict[str, Any]:
        return {
            "name": folder.name,
            "pixels": "",
            **recorded([(row["id"], partial(pixels, row)) for row in rows["train"]]),
        }

    train, held_out = (Stock(split, rows[split], _read_photograph, versions) for split in ("train", "val"))
    return Stocks(train, held_out, about)


def check_sizes(stock: Stock, patch: int) -> None:
    """Refuse at once what the manifest says will not go.

    Raises:
        InputError: an image is smaller than a patch; or, with patch 0, they differ in size.
    """
    known = [row for row in stock.rows if "width" in row]
    for row in known:
        if min(row["width"], row["height"]) < patch:
            raise too_small(row["id"], row["width"], row["height"], patch)
    sizes = sorted({(row["width"], row["height"]) for row in known})
    if not patch and len(sizes) > 1:
        (a, b), (c, d) = sizes[0], sizes[-1]
        raise InputError(
            f"patch 0 takes whole images, and these are of {len(sizes)} sizes ({a} x {b} to {c} x {d}): set patch, or "
            "build the data set with --size and --crop"
        )


def too_small(name: str, width: int, height: int, patch: int) -> InputError:
    """What to say of an image that no patch fits into."""
    return InputError(f"{name} is {width} x {height}, smaller than a patch of {patch}: lower patch")


def _stocks(dataset: Dataset, stock: Callable[[str], Stock]) -> Stocks:
    if "train" not in dataset.splits:
        raise InputError(
            f"{str(dataset.folder)!r} has no train split: build one with --split train=0.8,val=0.1,test=0.1"
        )
    return Stocks(
        stock("train"),
        stock("val") if "val" in dataset.splits else None,
        lambda: {"name": dataset.name, "pixels": dataset.pixels, **training_record(dataset)},
    )


def _rows(dataset: Dataset, split: str) -> list[Row]:
    """A split's manifest without the columns that nobody needs here: of a million rows they would fill the memory."""
    table = dataset.table(split)
    kept = table[[c for c in table if c in _KEPT or str(c).endswith(("_file_name", "_exr"))]]
    return [{str(name): value for name, value in row.items()} for row in kept.to_dict("records")]


def _read_photograph(row: Row, side: str) -> Image:
    path = row[f"{side}_file_name"]
    try:
        return read_image(path)
    except ImageError as error:
        raise InputError(f"{path!r} {error}: take it out of the folder") from error
