"""Writing a data set: images, and the manifests that name them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from exposurebench.dataset import SPLITS, Row
from exposurebench.files import read_json, sha256, sha256_file, write_bytes, writing
from exposurebench.images import Image, encode_image
from exposurebench.recipe import DatasetRecipe
from exposurebench.scene import Pair

SIDES = ("input", "target")
REJECTED_COLUMNS = ("source", "reason", "overexposed", "underexposed")


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


def files_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The image files that a manifest row names, each with its SHA-256.

    >>> files_of({"input_file_name": "input/a.png", "input_sha256": "00ff", "width": 3})
    {'input/a.png': '00ff'}
    """
    names = ((side, row.get(f"{side}_file_name")) for side in SIDES)
    return {name: row[f"{side}_sha256"] for side, name in names if name}


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
    """What one finished shard left behind.

    Raises:
        InputError: it is damaged; without it the same command builds the shard again.
    """
    marker: dict[str, Any] = read_json(
        path, "the marker of a finished shard (delete it and run the same command again)"
    )
    return marker
