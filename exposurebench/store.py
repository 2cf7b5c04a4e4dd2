"""Writing a data set: images, and the manifests that name them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from exposurebench.dataset import SPLITS, Row, sides_of
from exposurebench.files import sha256, sha256_file, write_bytes, writing
from exposurebench.images import Image, encode_image, encode_radiance, quantize
from exposurebench.recipe import DatasetRecipe
from exposurebench.scene import Pair
from exposurebench.tonemapping import preview

REJECTED_COLUMNS = ("source", "reason", "overexposed", "underexposed")


def write_pairs(
    folder: Path, split: str, key: str, below: str, pairs: Iterable[Pair], recipe: DatasetRecipe
) -> list[Row]:
    """Write the pairs of one scene and give their manifest rows; an image that pairs share is written once.

    An image whose pixels are those of a file is written as that file's own bytes. Light is written as
    half-float OpenEXR, and light to be predicted has an 8-bit preview besides.
    """
    rows: list[Row] = []
    shared: dict[int, tuple[Image, Row, str]] = {}  # the image is held, so that its id stays its own
    for pair in pairs:
        stem = f"{key}-{pair.name}" if pair.name else key
        names: Row = {}
        hashes: Row = {}
        pixels = []
        for side, image in pair.sides().items():
            if id(image) not in shared:
                first = side != "input" and not any(side in columns for _, columns, _ in shared.values())
                place = f"{below}{key if first else stem}"
                columns, found = _write(f"{folder}/{split}", side, place, image, recipe)
                shared[id(image)] = (image, {side: "", **columns}, found)
            _, columns, found = shared[id(image)]
            names |= {name: value for name, value in columns.items() if name.endswith(("_file_name", "_exr"))}
            hashes |= {name: value for name, value in columns.items() if name.endswith("_sha256")}
            pixels.append(found)
        height, width = pair.input.pixels.shape[:2]
        rows.append(
            {
                **names,
                "id": stem,
                **pair.settings,
                **pair.facts,
                **hashes,
                "width": width,
                "height": height,
                "bit_depth": pair.input.bit_depth,
                "_pixels": " ".join(pixels),
            }
        )
    return rows


def _write(folder: str, side: str, place: str, image: Image, recipe: DatasetRecipe) -> tuple[Row, str]:
    """Write one image; its columns, and the hash of the pixels that a reader will get."""
    data, suffix, pixels = encoded(image, recipe)
    column = f"{side}_file_name" if image.encoding == "srgb" else f"{side}_exr"
    columns = {column: f"{side}/{place}{suffix}", f"{side}_sha256": sha256(data)}
    write_bytes(f"{folder}/{columns[column]}", data)
    if side == "target" and image.encoding != "srgb":
        small = encode_image(quantize(preview(image.pixels)))
        columns |= {"preview_file_name": f"preview/{place}.png", "preview_sha256": sha256(small)}
        write_bytes(f"{folder}/{columns['preview_file_name']}", small)
    return columns, pixels_sha256(pixels)


def encoded(image: Image, recipe: DatasetRecipe) -> tuple[bytes, str, Any]:
    """An image as the bytes of a file, the file's suffix, and the pixels that a reader will get from it.

    Raises:
        ValueError: it cannot be held: 16 bits in a JPEG, light above the largest half float.
    """
    if image.encoding != "srgb":
        return encode_radiance(image.pixels, "exr"), ".exr", image.pixels.astype(np.float16)
    levels = image.as_levels()
    if image.file:
        return *image.file, levels
    data = encode_image(levels, recipe.format, recipe.quality)
    return data, f".{recipe.format}", levels if recipe.format == "png" else decoded(data)


def files_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The image files that a manifest row names, each with its SHA-256.

    >>> files_of({"input_file_name": "input/a.png", "input_sha256": "00ff", "width": 3})
    {'input/a.png': '00ff'}
    """
    return {name: row[f"{side}_sha256"] for side, name in sides_of(row).items()}


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
    files, pixels = Fingerprint(), Fingerprint()
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
                files.add(split, row["id"], *files_of(row).values())
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


class Fingerprint:
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
