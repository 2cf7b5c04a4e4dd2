"""Tracks and their entries: what a board is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exposurebench.evaluate import Result
from exposurebench.files import shipped
from exposurebench.recipe import fill, read_recipe


@dataclass(frozen=True)
class Track:
    """What every row of a board has in common; published tracks never change.

    Attributes:
        title: one line.
        about: a paragraph for the page.
        dataset: the recipe under ``recipes/datasets/`` that builds it.
        pixels: the fingerprint of its decoded pixels.
        split: the pairs that are scored.
        metrics: what is measured, with the version of each.
        study: a page of its own instead of a board.
    """

    title: str
    about: str
    dataset: str
    pixels: str
    split: str
    metrics: Mapping[str, int]
    study: str = ""


@dataclass(frozen=True)
class Entry:
    """One row: its document, and the result that its per-image table gives again."""

    document: Mapping[str, Any]
    result: Result


def tracks() -> dict[str, Track]:
    """Every track that is shipped, by name."""
    found = {}
    for path in sorted((shipped("recipes") / "tracks").glob("*.toml"), key=lambda path: path.stem):
        found[path.stem] = fill(Track, read_recipe(path, "tracks"))
    return found


def track_named(name: str) -> Track:
    """One track.

    Raises:
        RecipeError: there is none of that name.
    """
    return fill(Track, read_recipe(name, "tracks"))
