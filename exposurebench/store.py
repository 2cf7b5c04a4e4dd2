"""Writing a data set: images, and the manifests that name them."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from exposurebench.camera import preview
from exposurebench.dataset import SIDES, SPLITS, Row, sides_of
from exposurebench.files import read_json, sha256, sha256_file, write_bytes, write_link, writing
from exposurebench.images import Image, encode_image, encode_radiance
from exposurebench.recipe import DatasetRecipe
from exposurebench.registration import NUMBERS
from exposurebench.scene import Pair, Rejected

LARGEST_HALF = 65504.0
REJECTED_COLUMNS = (
    *("source", "reason", "overexposed", "underexposed"),
    *("pair", *NUMBERS),
)


def write_pairs(
    folder: Path,
    split: str,
    names: tuple[str, str],
    below: str,
    pairs: Iterable[Pair | Rejected],
    recipe: DatasetRecipe,
) -> tuple[list[Row], list[Rejected]]:
    """Write the pairs of one scene; an image that pairs share is written once.

    An image whose pixels are those of a file is written as that file's own bytes, or as a link to it where the
    pairing asks for that. Light is written as half-float OpenEXR, and light to be predicted has an 8-bit
    preview besides. A scene whose pairs cannot all be made leaves nothing.

    Args:
        folder: the data set's.
        split: of the scene.
        names: the scene's key, for files that nothing else of the scene shares a name with, and what comes before the
            names of those that need one.
        below: a numbered sub-folder, with its slash, or nothing.
        pairs: of the scene.
        recipe: for the files' format.

    Returns:
        The pairs' manifest rows, and the pairs that were rejected one by one.
    """
    rows: list[Row] = []
    rejected: list[Rejected] = []
    shared: dict[int, tuple[Image, Row, str]] = {}  # the image is held, so that its id stays its own
    taken: set[str] = set()
    known: dict[str, bytes] = {}
    top = f"{folder}/{split}"
    try:
        for pair in pairs:
            if isinstance(pair, Rejected):
                rejected.append(pair)
                continue
            stem = _joined(names, pair.name)
            columns: Row = {}
            pixels = []
            for side, image in pair.sides().items():
                if id(image) not in shared:
                    name = stem if side == "input" else _joined(names, pair.shared_names.get(side, ""))
                    place = f"{side}/{below}{stem if f'{side}/{below}{name}' in taken else name}"
                    taken.add(place)
                    shared[id(image)] = (
                        image,
                        *_write(top, place, image, recipe, side == "target", known),
                    )
                _, written, found = shared[id(image)]
                columns |= {name.format(side): value for name, value in written.items()}
                pixels.append(found)
            height, width = pair.input.pixels.shape[:2]
            rows.append(
                {
                    **{name: value for name, value in columns.items() if not name.endswith("_sha256")},
                    "id": stem,
                    **{f"{name}_role" if name in SIDES else name: value for name, value in pair.settings.items()},
                    **pair.facts,
                    **{name: value for name, value in columns.items() if name.endswith("_sha256")},
                    "width": width,
                    "height": height,
                    "bit_depth": pair.input.bit_depth,
                    "_pixels": " ".join(pixels),
                }
            )
    except BaseException:
        for _, written, _ in shared.values():
            for name, value in written.items():
                if not name.endswith("_sha256"):
                    Path(top, value).unlink(missing_ok=True)
        raise
    return rows, rejected


def _joined(names: tuple[str, str], name: str) -> str:
    return f"{names[1]}-{name}" if name else names[0]


def _write(
    folder: str, place: str, image: Image, recipe: DatasetRecipe, with_preview: bool, known: dict[str, bytes]
) -> tuple[Row, str]:
    """Write one image; its columns, the side left open as ``{}``, and the hash of the pixels that a reader will get."""
    data, suffix, _, look = encoded(image, recipe, known)
    light = image.encoding != "srgb"
    columns = {"{}_exr" if light else "{}_file_name": f"{place}{suffix}", "{}_sha256": sha256(data)}
    if not (image.origin and image.file and write_link(f"{folder}/{place}{suffix}", image.origin)):
        write_bytes(f"{folder}/{place}{suffix}", data)
    if light and with_preview:
        name = f"preview/{place.partition('/')[2]}.png"
        small, _ = _png(preview(image.pixels, image.facts.get("white_level")).pixels, known)
        columns |= {"preview_file_name": name, "preview_sha256": sha256(small)}
        write_bytes(f"{folder}/{name}", small)
    return columns, look


def encoded(image: Image, recipe: DatasetRecipe, known: dict[str, bytes] | None = None) -> tuple[bytes, str, Any, str]:
    """An image as a file, and what a reader will get from it.

    Args:
        image: any.
        recipe: for the file's format.
        known: PNG files of the same scene by the hash of their pixels, which are not made again; new ones are added.

    Returns:
        The file's bytes and suffix, the pixels, and their hash.

    Raises:
        ValueError: it cannot be held: 16 bits in a JPEG.
    """
    if image.encoding != "srgb":
        pixels = as_stored(image.pixels)
        data, suffix = encode_radiance(pixels, "exr" if pixels.dtype == np.float16 else "exr32"), ".exr"
    elif image.file:
        pixels, (data, suffix) = image.as_levels(), image.file
    elif recipe.format == "png":
        pixels = image.as_levels()
        data, look = _png(pixels, {} if known is None else known)
        return data, ".png", pixels, look
    else:
        data, suffix = encode_image(image.as_levels(), recipe.format, recipe.quality), f".{recipe.format}"
        pixels = decoded(data)
    return data, suffix, pixels, pixels_sha256(pixels)


def _png(levels: Any, known: dict[str, bytes]) -> tuple[bytes, str]:
    """A PNG file and the hash of its pixels: one scene often has a picture twice, and encoding takes most of the time."""
    look = pixels_sha256(levels)
    if look not in known:
        known[look] = encode_image(levels)
    return known[look], look


def as_stored(light: Any) -> Any:
    """Light in the precision of its file: half floats, or float32 where a half would overflow.

    >>> as_stored(np.array([1.0, 65504.0], np.float32)).dtype, as_stored(np.array([65505.0], np.float32)).dtype
    (dtype('float16'), dtype('float32'))
    """
    return light.astype(np.float16) if light.max(initial=0) <= LARGEST_HALF else light


def files_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The image files that a manifest row names, each with its SHA-256.

    >>> files_of({"input_file_name": "input/a.png", "input_sha256": "00ff", "width": 3})
    {'input/a.png': '00ff'}
    """
    return {name: row[f"{side}_sha256"] for side, name in sides_of(row).items()}


def pixels_sha256(levels: Any) -> str:
    """SHA-256 of a decoded image: its shape, its depth and its bytes."""
    digest = hashlib.sha256(f"{levels.shape} {_name(levels.dtype)}".encode())
    digest.update(levels if levels.flags.c_contiguous else levels.tobytes())
    return digest.hexdigest()


_name = functools.cache(str)
"""Of a dtype: NumPy puts it together anew every time."""


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
                    writers[split] = csv.writer(streams.open(f"{split}/metadata.csv"), lineterminator="\n")
                    writers[split].writerow(columns)
                    counts[split] = {"pairs": 0, "photographs": 0}
                if list(row) != columns:
                    row = _ordered(row, columns)
                writers[split].writerow(row.values())
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


def _ordered(row: Row, columns: list[str]) -> Row:
    unknown = sorted(row.keys() - set(columns))
    if unknown:
        raise ValueError(f"a row has the columns {', '.join(unknown)}, which the first one has not")
    return {column: row.get(column, "") for column in columns}


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
