"""Photographs in, corrected photographs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, RecipeError
from exposurebench.files import safe_key, short_hash, write_bytes
from exposurebench.images import encode_image, read_image
from exposurebench.method import Method, corrected


def predict(
    method: Method, files: Sequence[str | Path], out: str | Path, on_failure: Callable[[Path, str], None] | None = None
) -> list[Path]:
    """Correct photographs and write them as PNG under their own names.

    Args:
        method: what corrects them.
        files: the photographs.
        out: a folder; made when missing.
        on_failure: told of every photograph that cannot be read; without it the first one raises.

    Returns:
        What was written.

    Raises:
        InputError: a photograph cannot be read.
        ModelError: the method gave something that is no corrected photograph.
    """
    written = []
    stems = [Path(file).stem for file in files]
    for file in map(Path, files):
        try:
            image = read_image(file)
        except InputError as error:
            if on_failure is None:
                raise InputError(f"{str(file)!r} {error}") from error
            on_failure(file, str(error))
            continue
        levels = corrected(method, image.as_float(), {"id": file.stem}, image.bit_depth)
        name = file.stem if stems.count(file.stem) == 1 else f"{safe_key(file.stem)}-{short_hash(str(file))}"
        path = Path(out) / f"{name}.png"
        if path.exists() and any(path.samefile(other) for other in files if Path(other).exists()):
            raise RecipeError(f"{str(path)!r} is one of the photographs and would be overwritten: choose another --out")
        write_bytes(path, encode_image(levels))
        written.append(path)
    return written


def predict_dataset(method: Method, folder: str | Path, split: str, out: str | Path) -> list[Path]:
    """Correct the inputs of a data set's split; the files are named after their keys, as ``eval --predictions`` wants."""
    dataset = load_dataset(folder)
    written = []
    for row in dataset.rows(split):
        image = dataset.read_input(split, row)
        levels = corrected(method, image.as_float(), row, int(row["bit_depth"]))
        write_bytes(Path(out) / f"{row['id']}.png", encode_image(levels))
        written.append(Path(out) / f"{row['id']}.png")
    return written
