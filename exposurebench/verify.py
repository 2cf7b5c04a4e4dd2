"""Whether a data set is what it says it is: by its hashes, or by building pairs of it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exposurebench.dataset import SPLITS, load_dataset, sides_of
from exposurebench.errors import ImageError, InputError
from exposurebench.files import sha256_file
from exposurebench.images import read_image
from exposurebench.plan import make_pairs, scenes_of
from exposurebench.recipe import draw
from exposurebench.scene import Pair
from exposurebench.store import Fingerprint, as_stored, encoded, files_of, pixels_sha256


def verify(folder: str | Path) -> Iterator[str]:
    """Recompute every hash of a data set, decoding all of it, and say what differs, a line each.

    Nothing means intact.

    Raises:
        MissingError, InputError: it cannot be opened at all.
    """
    dataset = load_dataset(folder)
    files, pixels, whole = Fingerprint(), Fingerprint(), True
    for split in SPLITS:
        try:
            rows = dataset.rows(split) if split in dataset.splits else []
        except InputError as error:
            yield str(error)
            whole = False
            continue
        listed = {"metadata.csv": ""}
        for row in rows:
            for name, digest in files_of(row).items():
                if name in listed:
                    continue
                problem, listed[name] = _checked(dataset.folder / split / name, digest)
                if problem:
                    yield f"{split}/{name} {problem}"
                    whole = False
            files.add(split, row["id"], *files_of(row).values())
            pixels.add(split, row["id"], *(listed[name] for side, name in sides_of(row).items() if side != "preview"))
        for path in sorted((dataset.folder / split).rglob("*")):
            name = path.relative_to(dataset.folder / split).as_posix()
            if not path.is_dir() and name not in listed:
                yield f"{split}/{name} is not in the manifest"
    stated = dataset.document["fingerprints"]
    if whole and files.hexdigest() != stated["files"]:
        yield "the manifests do not add up to the fingerprint of files in dataset.json"
    if whole and pixels.hexdigest() != stated["pixels"]:
        yield "the decoded pixels do not add up to the fingerprint of pixels in dataset.json"


def _checked(path: Path, digest: str) -> tuple[str, str]:
    """What is wrong with a file, if anything, and the hash of its pixels."""
    if not path.is_file():
        return "is missing", ""
    if sha256_file(path) != digest:
        return "was changed", ""
    try:
        if path.suffix == ".exr":
            return "", pixels_sha256(as_stored(read_image(path, encoding="linear").pixels))
        return "", pixels_sha256(read_image(path).pixels)
    except ImageError as error:
        return str(error), ""


def rebuild(folder: str | Path, number: int, *, root: str | Path | None = None, seed: int = 0) -> Iterator[str]:
    """Build some pairs of a data set again from their sources and say what differs, a line each.

    Args:
        folder: the data set.
        number: how many scenes, drawn evenly by the seed.
        root: the source's folder.
        seed: which scenes.
    """
    built = load_dataset(folder)
    recipe = built.recipe()
    stored: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for split in built.splits:
        for row in built.rows(split):
            stored.setdefault(row["scene"], []).append((split, row))
    wanted = set(sorted(stored, key=lambda name: draw(seed, "rebuild", name))[:number])
    for scene in scenes_of(recipe, root):
        name = scene.name
        if name not in wanted:
            continue
        wanted.discard(name)
        try:
            made = make_pairs(recipe, scene.read(), stored[name][0][0])
            pairs = [pair for pair in made if isinstance(pair, Pair)]
            if len(pairs) != len(stored[name]):
                yield f"{name}: gives {len(pairs)} pairs, the data set has {len(stored[name])}"
            for pair, (split, row) in zip(pairs, stored[name], strict=False):
                for side, image in pair.sides().items():
                    _, _, pixels, _ = encoded(image, recipe)
                    if not np.array_equal(built.read(split, row, side).pixels, pixels):
                        yield f"{name}: the {side} {split}/{sides_of(row)[side]} is not what its source gives"
        except (InputError, ValueError) as error:
            yield f"{name}: {error}"
    for name in sorted(wanted):
        yield f"{name}: is not in the source"
