"""Everything once, on six photographs that need no download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exposurebench.dataset import Dataset
from exposurebench.download import cache_folder
from exposurebench.evaluate import evaluate
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe, read_recipe
from exposurebench.result import Result, write_result

RECIPE = "samples-tau50-v1"
BASELINES = (
    "inverse_clip",
    "inverse_clip/blind",
    "inverse_comb",
    "gamma",
    "auto_exposure",
    "equalize",
    "clahe",
    "box3",
    "identity",
)
"""The reference rows that need no training data."""


def build_samples(out: str | Path) -> Dataset:
    """Build the embedded data set, or find it built.

    Raises:
        StorageError: the folder cannot be written.
    """
    return make_dataset(dataset_recipe(read_recipe(RECIPE, "datasets")), out).dataset


def samples_dataset() -> Path:
    """The embedded data set in the cache: what is evaluated on when no data set is named."""
    return build_samples(cache_folder() / RECIPE).folder


def quickstart(out: str | Path) -> Iterator[Result]:
    """Build the embedded data set below ``out`` and evaluate every reference row on it, one at a time."""
    out = Path(out)
    dataset = build_samples(out / RECIPE)
    for name in BASELINES:
        result = evaluate(f"baseline:{name}", dataset.folder)
        write_result(result, out / "results" / name.replace("/", "-"))
        yield result
