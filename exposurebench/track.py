"""Tracks and their entries: what a board is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from exposurebench.errors import RecipeError, unknown_name
from exposurebench.files import sha256, shipped
from exposurebench.recipe import fill, read_recipe
from exposurebench.result import Result

COLUMNS = {
    "psnr": "PSNR dB",
    "ssim": "SSIM",
    "fsimc": "FSIMc",
    "pu21_psnr": "PU21-PSNR dB",
    "pu21_psnr/plain": "the same, plain",
    "pu21_ssim": "PU21-SSIM",
    "log_psnr": "log-PSNR dB",
    "hdrvdp2.Q": "HDR-VDP-2 Q",
    "hdrvdp3.Q_JOD": "HDR-VDP-3 JOD",
    "reexposure.psnr_-3": "re-exposed -3 EV, dB",
    "delta_e2000": "CIEDE2000",
    "consistency.delta_e2000": "spread over exposures, CIEDE2000",
    "histogram_similarity.luminance": "luminance %",
    "histogram_similarity.contrast": "contrast %",
    "histogram_similarity.saturation": "saturation %",
    "histogram_similarity/hu2018.mean": "hu2018 mean %",
}
"""What a board shows of the summary, and its heading. Everything else is in table.csv."""


@dataclass(frozen=True)
class Track:
    """What every row of a board has in common; published tracks never change.

    Attributes:
        title: one line.
        about: a paragraph for the page.
        dataset: the recipe under ``recipes/datasets/`` that builds it.
        split: the pairs that are scored.
        metrics: what is measured, with the version of each.
        pixels: the fingerprint of its decoded pixels; empty as long as nobody here had the data.
        pairs: the fingerprint of its pairs' names, and of which were right already; see :func:`pairs_of`.
        study: a page of its own instead of a board.
    """

    title: str
    about: str
    dataset: str
    split: str
    metrics: Mapping[str, int]
    pixels: str = ""
    pairs: str = ""
    study: str = ""

    @property
    def pinned(self) -> bool:
        """Whether its data are known to the pixel; it has no entries before."""
        return bool(self.pixels and self.pairs)


@dataclass(frozen=True)
class Entry:
    """One row: where it lies, its document, and the result that its per-image table gives again."""

    path: Path
    document: Mapping[str, Any]
    result: Result


def pairs_of(per_image: pd.DataFrame) -> str:
    """SHA-256 over the pairs of a per-image table: their names, their scenes, and whether the input was right already."""
    lines = sorted(f"{row.id}\0{row.scene}\0{bool(row.unchanged)}\n" for row in per_image.itertuples())
    return sha256("".join(lines).encode())


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
    if name not in (known := tracks()):
        raise RecipeError(unknown_name("track", name, known))
    return known[name]
