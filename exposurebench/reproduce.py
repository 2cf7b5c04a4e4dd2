"""Rows of a leaderboard measured again, from the data on, where nothing has to be downloaded for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from exposurebench.errors import InputError
from exposurebench.evaluate import evaluate
from exposurebench.leaderboard import entries
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe, read_recipe
from exposurebench.track import Entry, track_named

WITHOUT_FILES = ("samples", "synthetic")
"""Sources that are there with the package."""
TOLERANCE = 1e-3
"""How far a value may be from the committed one, which stays: absolute, of values above 1 relative."""


def reproduce(
    tracks: Sequence[str], root: str | Path, scratch: str | Path, *, on_note: Callable[[str], None] | None = None
) -> Iterator[str]:
    """Build the data of some tracks, run every verified row again, and say which values differ, a line each.

    Baselines are run, and checkpoints whose weights lie beside the entry, which are opened without running anything in
    them. What needs other data (training targets) is left out, and said.

    Args:
        tracks: their names.
        root: the leaderboards' folder.
        scratch: a folder for the data sets.
        on_note: told what was run and what was left out.

    Raises:
        InputError: a track's data have to be downloaded, or are not what it pins.
    """
    tell = on_note or (lambda line: None)
    for name in tracks:
        pinned = track_named(name)
        recipe = dataset_recipe(read_recipe(pinned.dataset, "datasets"))
        if recipe.source not in WITHOUT_FILES:
            raise InputError(
                f"the rows of {name} cannot be run again by themselves: {recipe.source} has to be downloaded"
            )
        built = make_dataset(recipe, Path(scratch) / name, card=False).dataset
        if built.pixels != pinned.pixels:
            raise InputError(f"{pinned.dataset} gives the pixels {built.pixels} here, and {name} pins {pinned.pixels}")
        again = 0
        for entry in entries(name, root):
            if entry.document["grade"] != "verified" or "training_targets" in entry.document["method"]["needs"]:
                tell(f"{name}/{entry.document['name']}: not run again")
                continue
            yield from _differences(name, entry, built.folder)
            again += 1
        tell(f"{name}: {again} rows run again, tolerance {TOLERANCE:g}")


def _differences(track: str, entry: Entry, dataset: Path) -> Iterator[str]:
    document = entry.document
    method, protocols = document["method"], list(document["protocols"])
    what, settings = f"baseline:{method.get('baseline')}", dict(method.get("settings", {}))
    if method["kind"] != "baseline":
        what, settings = str(entry.path.parent.parent / document["weights"]["file"]), {}
    found = evaluate(what, dataset, split=document["dataset"]["split"], metrics=protocols, settings=settings)
    values: dict[str, Any] = {str(row["metric"]): row["value"] for row in found.summary.to_dict("records")}
    for metric, row in document["values"].items():
        value = values.get(metric)
        if value is None or not abs(value - row["value"]) <= TOLERANCE * max(1.0, abs(row["value"])):
            yield f"{track}/entries/{entry.path.stem}.json: {metric} is {row['value']} and gives {value} here"
