"""One recipe trained with several seeds: what a difference between two trainings must exceed to mean anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from exposurebench.dataset import load_dataset
from exposurebench.evaluate import evaluate
from exposurebench.files import write_json, write_text
from exposurebench.processes import joined
from exposurebench.run import read_log
from exposurebench.train import Progress, train
from exposurebench.training_recipe import TrainingRecipe

METRICS = ("psnr", "ssim")
"""What display-encoded pictures of the val split are scored by; light by what :mod:`exposurebench.evaluate` chooses."""
LAST = 100
"""Steps at the end of a training whose mean is its final loss."""


def train_seeds(
    recipe: TrainingRecipe,
    data: str | Path,
    out: str | Path,
    *,
    seeds: int = 5,
    device: str = "auto",
    on_progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Train with the recipe's seed and those after it, each in a folder ``seed-N``, and compare the trainings.

    Args:
        recipe: what and how.
        data: see :func:`exposurebench.train.train`; where it has a val split, its pairs are scored.
        out: holds the runs' folders, ``summary.csv`` and ``summary.json``.
        seeds: how many.
        device: see :func:`exposurebench.train.train`.
        on_progress: the same.
        on_note: the same.

    Returns:
        A row for each metric on the val split and each term of the loss (its mean over the last 100 steps): the mean
        over seeds, the standard deviation (n - 1), and the value of every seed.

    Raises:
        ExposureBenchError: as :func:`exposurebench.train.train`; seeds that are done stay done.
    """
    out = Path(out)
    found: dict[str, Mapping[str, float]] = {}
    with joined(device) as place:
        for seed in range(recipe.seed, recipe.seed + seeds):
            folder = out / f"seed-{seed}"
            each = dataclasses.replace(recipe, seed=seed)
            train(each, data, folder, device=device, on_progress=on_progress, on_note=on_note)
            if place.rank == 0:
                found[folder.name] = {**_scores(recipe, Path(data), folder, str(place.device)), **_final(folder)}
            place.wait()
    if not found:  # not the first process
        return pd.DataFrame()
    values = pd.DataFrame(found)
    spread = pd.DataFrame({"mean": values.mean(axis=1), "sd": values.std(axis=1)}).join(values)
    table = spread.rename_axis("quantity").reset_index()
    write_text(out / "summary.csv", table.to_csv(index=False, lineterminator="\n"))
    write_json(out / "summary.json", table.to_dict("records"))
    return table


def _final(folder: Path) -> dict[str, float]:
    rows = pd.DataFrame(read_log(folder / "log.csv").rows).tail(LAST)
    return {name: float(rows[name].mean()) for name in rows.columns if name != "step"}


def _scores(recipe: TrainingRecipe, data: Path, folder: Path, device: str) -> dict[str, float]:
    """The checkpoint's mean scores on the val split, if there is one that it can be scored on."""
    if not (data / "dataset.json").is_file() or "val" not in (dataset := load_dataset(data)).splits:
        return {}
    if recipe.entry.fact("GIVES") != dataset.gives:
        return {}
    metrics = METRICS if dataset.gives == "srgb" else ()
    summary = evaluate(str(folder / "model.pt"), data, split="val", metrics=metrics, device=device).summary
    return dict(zip(summary["metric"], summary["value"].astype(float), strict=True))
