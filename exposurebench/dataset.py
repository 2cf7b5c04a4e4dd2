"""The store: a folder of pairs with a manifest that needs no code to be read.

```
DATASET/dataset.json            recipe, counts, versions, fingerprints; written last, so its presence means complete
DATASET/<split>/metadata.csv    a row a pair: file names, scene, every setting, hashes
DATASET/<split>/input/KEY.png   DATASET/<split>/target/KEY.png
DATASET/rejected.csv            what was left out, and why
DATASET/.exposurebench/         markers of finished shards; safe to delete when complete
```
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposurebench.errors import ImageError, InputError, MissingError
from exposurebench.files import read_document, sha256, sha256_file, write_bytes, writing
from exposurebench.images import Image, encode_image, read_image
from exposurebench.recipe import SCHEMA, DatasetRecipe, dataset_recipe
from exposurebench.scene import Pair

if TYPE_CHECKING:
    import pandas as pd
    from torch.utils.data import Dataset as TorchDataset

SPLITS = ("train", "val", "test")
MARKERS = ".exposurebench"
FORMAT = "exposurebench.dataset"
KEYS = ("name", "title", "recipe", "command", "source", "pairing", "counts", "rejected", "manifest", "fingerprints")
REJECTED_COLUMNS = ("source", "reason", "overexposed", "underexposed")
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
        """The recipe it was built by."""
        return dataset_recipe(self.document["recipe"])

    def rows(self, split: str) -> list[Row]:
        """The manifest of one split, a dictionary a pair.

        Raises:
            InputError: there is no such split, or its manifest was changed.
        """
        return [{str(k): v for k, v in row.items()} for row in self.table(split).to_dict("records")]

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
            io.BytesIO(data), dtype={"id": str, "scene": str, "source": str, "notes": str, "license": str},
            keep_default_na=False, na_values={},
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

    def read_input(self, split: str, row: Mapping[str, Any]) -> Image:
        """The badly exposed side of a manifest row."""
        return self._image(split, row["input_file_name"])

    def read_target(self, split: str, row: Mapping[str, Any]) -> Image:
        """The well-exposed side of a manifest row."""
        return self._image(split, row["target_file_name"])

    def _image(self, split: str, name: str) -> Image:
        path = self.folder / split / name
        try:
            return read_image(path)
        except ImageError as error:
            raise InputError(f"{str(path)!r} {error}: delete its folder and build the data set again") from error


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
    if not (folder / "dataset.json").is_file():
        if (folder / MARKERS).is_dir():
            raise MissingError(f"{str(folder)!r} is not finished: run the same make-dataset command again")
        raise MissingError(f"no data set in {str(folder)!r}: build one with exposurebench make-dataset")
    return Dataset(
        folder, read_document(folder / "dataset.json", "the description of a data set", FORMAT, SCHEMA, KEYS)
    )


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

    return Pairs()


# ---- writing -------------------------------------------------------------------------------------------


def write_pairs(
    folder: Path, split: str, key: str, below: str, pairs: Iterable[Pair], recipe: DatasetRecipe
) -> list[Row]:
    """Write the pairs of one scene and give their manifest rows; a shared target is written once.

    A target whose pixels are those of its source file is written as that file's own bytes.
    """
    rows: list[Row] = []
    targets: dict[int, tuple[Image, str, str, str]] = {}  # the image is held, so that its id stays its own
    for pair in pairs:
        stem = f"{key}-{pair.name}" if pair.name else key
        if id(pair.target) not in targets:
            data, suffix = pair.target.file or (None, f".{recipe.format}")
            levels = pair.target.as_levels()
            if data is None:
                data = encode_image(levels, recipe.format, recipe.quality)
            name = f"target/{below}{key if not targets else stem}{suffix}"
            write_bytes(f"{folder}/{split}/{name}", data)
            pixels = levels if pair.target.file or suffix == ".png" else decoded(data)
            targets[id(pair.target)] = (pair.target, name, sha256(data), pixels_sha256(pixels))
        levels = pair.input.as_levels()
        data = encode_image(levels, recipe.format, recipe.quality)
        name = f"input/{below}{stem}.{recipe.format}"
        write_bytes(f"{folder}/{split}/{name}", data)
        _, target_name, target_sha256, target_pixels = targets[id(pair.target)]
        rows.append(
            {
                "input_file_name": name,
                "target_file_name": target_name,
                "id": stem,
                **pair.settings,
                **pair.facts,
                "input_sha256": sha256(data),
                "target_sha256": target_sha256,
                "width": levels.shape[1],
                "height": levels.shape[0],
                "bit_depth": pair.input.bit_depth,
                "_pixels": f"{pixels_sha256(levels if recipe.format == 'png' else decoded(data))} {target_pixels}",
            }
        )
    return rows


def pixels_sha256(levels: Any) -> str:
    """SHA-256 of a decoded image: its shape, its depth and its bytes."""
    digest = hashlib.sha256(f"{levels.shape} {levels.dtype}".encode())
    digest.update(levels if levels.flags.c_contiguous else levels.tobytes())
    return digest.hexdigest()


def decoded(data: bytes) -> Any:
    """The pixels that a file of ours will give back (JPEG does not give back what went in)."""
    import simplejpeg

    return simplejpeg.decode_jpeg(data, colorspace="RGB")


def write_manifests(folder: Path, markers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Assemble every split's metadata.csv and rejected.csv from the markers, streaming.

    Returns:
        Counts, the manifests' hashes and the two fingerprints, for ``dataset.json``.
    """
    files, pixels = _Fingerprint(), _Fingerprint()
    writers: dict[str, Any] = {}
    counts: dict[str, dict[str, int]] = {}
    reasons: dict[str, int] = {}
    columns: list[str] = []
    with _Streams(folder) as streams:
        rejected = csv.writer(streams.open("rejected.csv"), lineterminator="\n")
        rejected.writerow(REJECTED_COLUMNS)
        for marker in markers:
            for row in marker["rows"]:
                split, hashes = row.pop("_split"), row.pop("_pixels")
                columns = columns or list(row)
                if split not in writers:
                    writers[split] = csv.DictWriter(
                        streams.open(f"{split}/metadata.csv"), columns, restval="", lineterminator="\n"
                    )
                    writers[split].writeheader()
                    counts[split] = {"pairs": 0, "photographs": 0}
                writers[split].writerow(row)
                counts[split]["pairs"] += 1
                files.add(split, row["id"], row["input_sha256"], row["target_sha256"])
                pixels.add(split, row["id"], hashes)
            for split, number in marker["photographs"].items():
                counts[split]["photographs"] += number
            for item in marker["rejected"]:
                rejected.writerow([item.get(c, "") for c in REJECTED_COLUMNS])
                reasons[item["kind"]] = reasons.get(item["kind"], 0) + 1
    return {
        "counts": {s: counts[s] for s in SPLITS if s in counts},
        "rejected": dict(sorted(reasons.items())),
        "manifest": {s: sha256_file(folder / s / "metadata.csv") for s in SPLITS if s in counts},
        "fingerprints": {"files": files.hexdigest(), "pixels": pixels.hexdigest()},
    }


class _Fingerprint:
    """SHA-256 over the rows of every split, split by split, whatever order the splits' rows come in."""

    def __init__(self) -> None:
        self._splits = {split: hashlib.sha256() for split in SPLITS}

    def add(self, split: str, *words: str) -> None:
        self._splits[split].update(f"{' '.join(words)}\n".encode())

    def hexdigest(self) -> str:
        return sha256("".join(f"{split} {digest.hexdigest()}\n" for split, digest in self._splits.items()).encode())


class _Streams:
    """Several atomic text files that appear together when the block ends."""

    def __init__(self, folder: Path) -> None:
        import contextlib

        self._folder, self._stack = folder, contextlib.ExitStack()

    def __enter__(self) -> _Streams:
        return self

    def open(self, name: str) -> io.TextIOWrapper:
        binary = self._stack.enter_context(writing(self._folder / name))
        text = io.TextIOWrapper(binary, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
        self._stack.callback(text.detach)
        return text

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)


def read_marker(path: Path) -> dict[str, Any]:
    """What one finished shard left behind."""
    marker: dict[str, Any] = json.loads(path.read_bytes())
    return marker


# ---- verifying -----------------------------------------------------------------------------------------


def verify(folder: str | Path) -> Iterator[str]:
    """Recompute every hash of a data set, decoding all of it, and say what differs, a line each.

    Nothing means intact.

    Raises:
        MissingError, InputError: it cannot be opened at all.
    """
    dataset = load_dataset(folder)
    files, pixels, whole = _Fingerprint(), _Fingerprint(), True
    for split in SPLITS:
        try:
            rows = dataset.rows(split) if split in dataset.splits else []
        except InputError as error:
            yield str(error)
            whole = False
            continue
        listed = {"metadata.csv": ""}
        for row in rows:
            for side in ("input", "target"):
                name = row[f"{side}_file_name"]
                if name in listed:
                    continue
                problem, listed[name] = _checked(dataset.folder / split / name, row[f"{side}_sha256"])
                if problem:
                    yield f"{split}/{name} {problem}"
                    whole = False
            files.add(split, row["id"], row["input_sha256"], row["target_sha256"])
            pixels.add(split, row["id"], listed[row["input_file_name"]], listed[row["target_file_name"]])
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
        return "", pixels_sha256(read_image(path).pixels)
    except ImageError as error:
        return str(error), ""
