"""pix2pix: one picture a pair, the input on the left (A) and the target on the right (B)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from exposurebench.dataset import Dataset, Row
from exposurebench.errors import InputError
from exposurebench.export.stored import files_of
from exposurebench.files import write_bytes
from exposurebench.images import Image, encode_image, quantize

LIGHT = False


def pix2pix(dataset: Dataset, split: str, rows: Iterable[Row], out: Path) -> None:
    """Write ``OUT/train/KEY.png``, twice as wide as the pair, 8 bits (16 are rounded), for the direction A to B.

    Raises:
        InputError: the sides are of two sizes, or a file of the data set is lost or was changed.
        StorageError: the folder cannot be written.
    """
    for row in rows:
        files_of(dataset, split, row)
        left, right = (_eight_bits(dataset.read(split, row, side)) for side in ("input", "target"))
        if left.shape != right.shape:
            raise InputError(
                f"{split}/{row['id']}: pix2pix needs sides of one size, not {left.shape} and {right.shape}"
            )
        write_bytes(out / split / f"{row['id']}.png", encode_image(np.hstack((left, right))))


def _eight_bits(image: Image) -> np.typing.NDArray[np.uint8]:
    levels: np.typing.NDArray[np.uint8] = image.pixels if image.bit_depth == 8 else quantize(image.as_float())
    return levels
