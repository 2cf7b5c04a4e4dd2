"""BasicSR: folders of inputs (``lq``) and targets (``gt``) with the same names, and a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from exposurebench.dataset import Dataset, Row
from exposurebench.export.stored import files_of
from exposurebench.files import write_bytes, write_text
from exposurebench.images import encode_image

LIGHT = False


def basicsr(dataset: Dataset, split: str, rows: Iterable[Row], out: Path) -> None:
    """Write ``OUT/train/lq/KEY.png``, ``OUT/train/gt/KEY.png`` and ``OUT/train/meta_info.txt``: ``KEY.png (h,w,3)``.

    BasicSR looks for an input under its target's name, suffix included, so all are PNG: a PNG is the data set's own
    file, anything else is decoded and holds the same pixels, in the same depth.

    Raises:
        InputError: a file of the data set is lost or was changed.
        StorageError: the folder cannot be written.
    """
    lines = []
    for row in rows:
        files = files_of(dataset, split, row)
        for side, name in (("input", "lq"), ("target", "gt")):
            stored = files[side]
            data = stored.data if stored.suffix == ".png" else encode_image(dataset.read(split, row, side).pixels)
            write_bytes(out / split / name / f"{row['id']}.png", data)
        lines.append(f"{row['id']}.png ({row['height']},{row['width']},3)\n")
    write_text(out / split / "meta_info.txt", "".join(lines))
