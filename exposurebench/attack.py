"""The cheats as methods: run on a track's pairs beside the honest rows that they must stay below."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exposurebench import measures
from exposurebench.catalog import Entry
from exposurebench.dataset import Dataset, Row, load_dataset
from exposurebench.defence import SIDES, Attacks, assess, attacks_on, document_of, gives, measured, must_be_refused
from exposurebench.errors import InputError, ModelError
from exposurebench.files import sha256
from exposurebench.images import Image
from exposurebench.method import Method, corrected
from exposurebench.result import measured_with
from exposurebench.scene import Spoils
from exposurebench.scoring import cells_of, sides_of
from exposurebench.threads import in_threads
from exposurebench.track import Track, pairs_of

SIDE_PX = 32
"""Other photographs' targets are shrunk to squares of this side."""
MOST_OTHERS = 512
"""How many others are looked at: the targets of so many photographs, the files of so many pairs."""


def attack(
    name: str, track: Track, dataset: str | Path, *, workers: int | None = None, date: str | None = None
) -> Attacks:
    """Run every cheat that a track's answers allow, and the honest row of each, and say which is kept down.

    Args:
        name: of the track.
        track: what it pins.
        dataset: its data set's folder.
        workers: threads.
        date: of the attacks, ISO; today by default.

    Raises:
        InputError: the data set is not the pinned one.
        ModelError: a cheat failed that is none of those that must.

    Example:
        >>> attack("samples", track_named("samples"), "sets/samples").verdicts  # doctest: +SKIP
    """
    opened = load_dataset(dataset)
    if opened.pixels != track.pixels or track.split not in opened.splits:
        raise InputError(
            f"{str(dataset)!r} is not the track's data set: build it with make-dataset --recipe {track.dataset}"
        )
    rows = opened.rows(track.split)
    if len({row["scene"] for row in rows}) < 2:
        raise InputError(f"{str(dataset)!r} has one photograph, and what cheats learn they learn of others: add some")
    entries = {measure: measures.entry_of(measure) for measure in measured(track)}
    protocols = {m: {**measures.protocol(m), **measures.run_facts(entry)} for m, entry in entries.items()}
    robbed, encoding, first = _Robbed(opened, track.split, rows), gives(track), rows[0]
    methods: dict[tuple[str, str], Method] = {}
    refused = {}
    for cheat, entry in attacks_on(track).items():
        sides = {side: _method(cheat, side, entry, robbed, encoding) for side in SIDES}
        try:
            corrected(sides["cheat"], opened.read_input(track.split, first).as_float(), first)
        except ModelError as error:
            if not must_be_refused(entry):
                raise
            refused[cheat] = str(error)
        else:
            methods |= {(cheat, side): method for side, method in sides.items()}

    def scored(row: Row) -> list[dict[str, Any]]:
        return _scored(opened, track.split, row, methods, entries)

    found = [cells for pair in in_threads(scored, rows, workers) for cells in pair]
    order = {key: place for place, key in enumerate(methods)}
    found.sort(key=lambda cells: order[cells["attack"], cells["side"]])
    per_image = pd.DataFrame(found)
    if pairs_of(per_image.iloc[: len(rows)]) != track.pairs:
        raise InputError(f"{str(dataset)!r} has other pairs than the track: build it with --recipe {track.dataset}")
    about = {
        "dataset": {"name": opened.name, "pixels": opened.pixels, "split": track.split, "pairs": len(rows)},
        **measured_with("cpu"),
    }
    verdicts = assess(track, protocols, per_image, refused)
    return Attacks(document_of(name, about, protocols, verdicts, date), per_image)


def _scored(
    opened: Dataset,
    split: str,
    row: Row,
    methods: Mapping[tuple[str, str], Method],
    entries: Mapping[str, Entry],
) -> list[dict[str, Any]]:
    """A pair's cells under every method; answers that are the same are measured once, and there are many of those."""
    given, target = opened.read_input(split, row), opened.read_target(split, row)
    comparable = given.encoding == target.encoding and given.pixels.shape == target.pixels.shape
    about = {
        "id": row["id"],
        "scene": row["scene"],
        "split": split,
        "unchanged": comparable and bool(np.array_equal(given.pixels, target.pixels)),
        **({"exposure_ev": row["exposure_ev"]} if "exposure_ev" in row else {}),
    }
    known: dict[str, Any] = {}
    of_target: dict[Any, Any] = {}
    found = []
    for (cheat, side), method in methods.items():
        output = corrected(method, given.as_float(), row, target.bit_depth)
        if (answer := sha256(output.tobytes())) not in known:
            known[answer] = cells_of(entries, row["id"], sides_of(output, target, given, of_target))[0]
        found.append({"attack": cheat, "side": side, **about, **known[answer]})
    return found


def _method(name: str, side: str, entry: Entry, robbed: _Robbed, encoding: Any) -> Method:
    """One side of a cheat, shown no more than it declares."""
    function = entry.function() if side == "cheat" else entry.function("honest")
    needs = entry.fact("NEEDS" if side == "cheat" else "HONEST_NEEDS")

    def run(image: NDArray[np.float32], row: Mapping[str, Any]) -> NDArray[np.float32]:
        known = {"gives": encoding, "transfer": row.get("transfer", "gamma22")}
        stolen = {need: known[need] if need in known else robbed.of(need, row) for need in needs if need != "input"}
        return function(Spoils(image, **stolen))  # type: ignore[no-any-return]

    facts = {"kind": "attack", "title": entry.fact("TITLE"), "oracle": False, "needs": list(needs), "settings": {}}
    return Method(name if side == "cheat" else f"{name}'s honest row", run, facts, encoding)


class _Robbed:
    """What there is to be taken from a data set, read once."""

    def __init__(self, opened: Dataset, split: str, rows: Sequence[Row]) -> None:
        self.opened, self.split, self.rows = opened, split, rows
        self.place = {row["id"]: place for place, row in enumerate(rows)}
        self.scenes = np.array([row["scene"] for row in rows])
        self.clues = clues(opened, split, rows)
        told = [row.get("exposure_ev", 0.0) for row in rows]
        known = [float(ev) if isinstance(ev, int | float) and math.isfinite(ev) else 0.0 for ev in told]
        self.exposures = np.array(known, np.float64)
        self.others_split = "train" if "train" in opened.splits and split != "train" else split
        theirs = {row["target_sha256"]: row for row in opened.rows(self.others_split)}
        chosen = list(theirs.values())[:MOST_OTHERS]
        self.others = np.stack([_small(opened.read_target(self.others_split, row)) for row in chosen])
        self.others_scenes = np.array([row["scene"] for row in chosen])

    def of(self, need: str, row: Mapping[str, Any]) -> Any:
        """One thing about a pair; nothing of its own photograph where it is about others."""
        if need == "target":
            return _values(self.opened.read_target(self.split, row))
        if need == "clues":
            return self.clues[self.place[row["id"]]]
        others = np.flatnonzero(self.scenes != row["scene"])[:MOST_OTHERS]
        if need == "known":
            return self.clues[others], self.exposures[others]
        kept = self.others_scenes != row["scene"]
        return self.others[kept]


def clues(opened: Dataset, split: str, rows: Sequence[Row]) -> NDArray[np.float64]:
    """What the inputs' files say besides their pixels, ``(N, K)`` numbers.

    In this order: the end of the name, embedded text and headers, the pair's place in the manifest and within its scene,
    the order of writing within the scene, width and height. Words count as their place among all that there are. The
    size of a file is left out: it follows from the pixels.
    """
    paths = [opened.folder / split / str(row.get("input_file_name") or row["input_exr"]) for row in rows]
    scenes = pd.Series([row["scene"] for row in rows])
    ends = [row["id"].rpartition("-")[2] if "-" in row["id"] else "" for row in rows]
    written = pd.Series([path.stat().st_mtime_ns for path in paths])
    columns: list[Any] = [
        np.unique(ends, return_inverse=True)[1],
        np.unique([embedded(path.read_bytes()) for path in paths], return_inverse=True)[1],
        np.arange(len(rows)),
        scenes.groupby(scenes).cumcount(),
        written.groupby(scenes).rank(method="min"),
        [row["width"] for row in rows],
        [row["height"] for row in rows],
    ]
    return np.stack([np.asarray(column, np.float64).reshape(len(rows)) for column in columns], 1)


def embedded(data: bytes) -> int:
    """A number for everything in an image file that is neither its pixels nor their size: chunks of PNG, else the header.

    >>> embedded(b"\\x89PNG\\r\\n\\x1a\\n") == embedded(b"\\x89PNG\\r\\n\\x1a\\n")
    True
    """
    if not data.startswith(b"\x89PNG"):
        return zlib.crc32(data[:256])
    found, place = 0, 8
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if kind not in (b"IHDR", b"IDAT", b"IEND"):
            found = zlib.crc32(data[place + 4 : place + 8 + length], found)
        place += 12 + length
    return zlib.crc32(data[place:], found)


def _values(image: Image) -> NDArray[np.float32]:
    return image.as_float() if image.encoding == "srgb" else image.pixels.astype(np.float32)


def _small(image: Image) -> NDArray[np.float32]:
    return cv2.resize(_values(image), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
