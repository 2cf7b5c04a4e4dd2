"""Building a shard of a data set: what a worker does, and nothing that a worker does not need.

A shard is the unit of recovery. Its images are written one by one; its marker, which names them all with their
sizes, is written last. A shard stands while its marker can be read and every file that it names has its size;
otherwise the shard is built again. So nothing has to be forced onto the disk on the way: what a power cut takes is
noticed by the next run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2

from exposurebench import store
from exposurebench.dataset import MARKERS
from exposurebench.errors import ImageError, InputError
from exposurebench.exposure import OVEREXPOSED, UNDEREXPOSED
from exposurebench.files import write_text
from exposurebench.images import Image
from exposurebench.plan import Item, make_pairs
from exposurebench.recipe import DatasetRecipe

OnError = Literal["skip", "fail"]


@dataclass(frozen=True)
class Shard:
    """Scenes that are built together and closed by one marker."""

    number: int
    items: tuple[Item, ...]
    recipe: DatasetRecipe
    out: Path
    on_error: OnError

    @property
    def marker(self) -> Path:
        """Where its marker lies once it is finished."""
        return marker(self.out, self.number)

    def singles(self) -> Iterator[Shard]:
        """Each of its scenes alone."""
        for item in self.items:
            yield replace(self, items=(item,))


def marker(out: Path, number: int) -> Path:
    """Where the marker of a data set's shard lies."""
    return out / MARKERS / f"shard-{number:06d}.json"


def build_shard(shard: Shard) -> None:
    """Build and write every scene of a shard, then its marker; nothing where the shard stands already."""
    if not stands(shard):
        close(shard, [build_item(single) for single in shard.singles()])


def stands(shard: Shard) -> bool:
    """Whether a shard is finished: its marker is whole, and so are the files that it names, by their sizes."""
    try:
        sizes = json.loads(shard.marker.read_bytes())["sizes"]
        return all(os.path.getsize(f"{shard.out}/{name}") == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def close(shard: Shard, outcomes: list[dict[str, Any]]) -> None:
    """Write a shard's marker, of what :func:`build_item` gave for each of its scenes."""
    photographs: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.get("rows"):
            photographs[outcome["split"]] = photographs.get(outcome["split"], 0) + 1
    rows = [row for outcome in outcomes for row in outcome.get("rows", ())]
    names = dict.fromkeys(f"{row['_split']}/{name}" for row in rows for name in store.files_of(row))
    document = {
        "rows": rows,
        "rejected": [row for outcome in outcomes for row in outcome.get("rejected", ())],
        "photographs": photographs,
        "sizes": {name: os.path.getsize(shard.out / name) for name in names},
    }
    write_text(shard.marker, json.dumps(document, allow_nan=False))


def build_item(shard: Shard) -> dict[str, Any]:
    """Build a shard's first scene: its manifest rows, or why it was left out."""
    item, recipe = shard.items[0], shard.recipe
    name, failure = item.scene.name, "unreadable"
    try:
        scene = item.scene.read()
        first = scene.frames[0].pixels
        numbers = {}
        if first.encoding == "srgb" and len(scene.frames) == 1:
            over, under = badly_exposed_shares(first)
            numbers = {"overexposed": round(over, 6), "underexposed": round(under, 6)}
            if over + under > recipe.well_exposed:
                return rejection(
                    name, "not well exposed", f"not well exposed (limit {recipe.well_exposed:g})", **numbers
                )
        failure = "not paired"
        pairs = make_pairs(recipe, scene, item.split)
        rows, gated = store.write_pairs(shard.out, item.split, (item.key, item.stem), item.below, pairs, recipe)
    except (ImageError, ValueError, MemoryError, cv2.error) as error:
        if shard.on_error == "fail":
            raise InputError(f"{name!r} {error}; leave it out with --on-error skip") from error
        return rejection(name, failure, str(error))
    about = {
        "scene": name,
        "license": item.scene.license or "not stated",
        "notes": "; ".join(first.notes) or "none",
        **numbers,
    }
    if first.encoding != "srgb":
        about["source_facts"] = json.dumps(dict(first.facts), sort_keys=True)
    left_out = [_rejected(name, "pair rejected", pair.reason, pair=pair.name, **pair.numbers) for pair in gated]
    return {
        "rows": [{**row, **about, "_split": item.split} for row in rows],
        "split": item.split,
        "rejected": left_out,
    }


def badly_exposed_shares(image: Image) -> tuple[float, float]:
    """The shares of pixels whose brightest channel is >= 250 or <= 5 of 255.

    >>> import numpy as np
    >>> badly_exposed_shares(Image(np.array([[[255, 0, 0], [5, 5, 5], [9, 9, 9], [90, 0, 0]]], np.uint8)))
    (0.25, 0.25)
    """
    height, width = image.pixels.shape[:2]
    pixels, top = height * width, (1 << image.bit_depth) - 1
    over = image.count_above(round(OVEREXPOSED * top) - 1)
    return over / pixels, (pixels - image.count_above(round(UNDEREXPOSED * top))) / pixels


def rejection(source: str, kind: str, reason: str, **numbers: float) -> dict[str, Any]:
    """The outcome of a scene that is left out whole."""
    return {"rejected": [_rejected(source, kind, reason, **numbers)]}


def _rejected(source: str, kind: str, reason: str, **columns: float | str) -> dict[str, Any]:
    return {"source": source, "kind": kind, "reason": reason, **columns}
