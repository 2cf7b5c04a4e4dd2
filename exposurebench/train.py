"""A recipe and a data set in, a checkpoint out.

One plain loop: seeded crops of the train split, Adam, a line of the log for every step. It starts anew each
time; what it writes is whole or not there.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from exposurebench import catalog
from exposurebench.checkpoint import Checkpoint, save_checkpoint
from exposurebench.dataset import Dataset, load_dataset
from exposurebench.errors import InputError, ModelError, RecipeError
from exposurebench.files import write_text
from exposurebench.overlap import training_record
from exposurebench.recipe import draw, fill, plugin_settings
from exposurebench.tensors import checked_device, to_tensor


@dataclass(frozen=True)
class TrainingRecipe:
    """What is trained and how.

    Attributes:
        model: a file of ``models/``, variant included.
        settings: of its ``network``.
        steps: gradient steps.
        batch: pairs in a step.
        patch: side of the square crops in pixels.
        learning_rate: of Adam.
        seed: of the weights, the batches and the crops.
    """

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 2000
    batch: int = 8
    patch: int = 64
    learning_rate: float = 1e-3
    seed: int = 0


def training_recipe(document: Mapping[str, Any]) -> TrainingRecipe:
    """A training recipe out of a document; keys of the network's settings stand beside the others.

    Raises:
        RecipeError: one line with every mistake.
    """
    rest = dict(document)
    settings = rest.pop("settings", {})
    if not isinstance(settings, dict):
        raise RecipeError(f"settings must be a table of the network's settings, not {settings!r}")
    if isinstance(rest.get("model"), str):
        entry = catalog.load("models", rest["model"])
        beside = {name: rest.pop(name) for name in list(rest) if name in entry.parameters()}
        settings = plugin_settings(entry, {**settings, **beside})
    recipe = fill(TrainingRecipe, {**rest, "settings": settings})
    if min(recipe.steps, recipe.batch, recipe.patch) < 1 or not 0 < recipe.learning_rate < math.inf:
        raise RecipeError("steps, batch, patch and learning_rate must be positive and finite")
    return recipe


def train(
    recipe: TrainingRecipe,
    data: str | Path,
    out: str | Path,
    *,
    device: str = "cpu",
    on_step: Callable[[int, float], None] | None = None,
) -> Path:
    """Train a model on the train split of a data set.

    Args:
        recipe: what and how.
        data: a finished data set.
        out: where ``model.pt`` and ``log.csv`` go.
        device: where it runs.
        on_step: told of every step's number and loss.

    Returns:
        The checkpoint's path.

    Raises:
        InputError: the data set has no pairs to train on, or they are smaller than a patch.
        ModelError: the loss is no longer finite; nothing is written.
        StorageError: the folder cannot be written.
    """
    dataset = load_dataset(data)
    if "train" not in dataset.splits:
        raise InputError(f"{str(data)!r} has no train split: build one with --split train=0.8,val=0.1,test=0.1")
    rows = dataset.rows("train")
    entry = catalog.load("models", recipe.model)
    torch.manual_seed(recipe.seed)
    try:
        network = entry.function()(**recipe.settings).to(checked_device(device))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"the settings of {recipe.model} cannot be used: {error}") from error
    optimizer = torch.optim.Adam(network.parameters(), recipe.learning_rate)
    log = io.StringIO()
    writer = csv.writer(log, lineterminator="\n")
    for step in range(recipe.steps):
        terms = entry.function("loss")(network, _batch(dataset, rows, recipe, step, device))
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            raise ModelError(
                f"the loss is {total.item()} at step {step}: lower learning_rate ({recipe.learning_rate:g})"
            )
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step == 0:
            writer.writerow(["step", *terms])
        writer.writerow([step, *(f"{term.item():.6g}" for term in terms.values())])
        if on_step:
            on_step(step, total.item())
    path = Path(out) / "model.pt"
    write_text(Path(out) / "log.csv", log.getvalue())
    made = {"name": dataset.name, "pixels": dataset.pixels, "seen": training_record(dataset)}
    save_checkpoint(path, Checkpoint(recipe.model, recipe.settings, network.state_dict(), asdict(recipe), made))
    return path


def _batch(
    dataset: Dataset, rows: Sequence[Mapping[str, Any]], recipe: TrainingRecipe, step: int, device: str
) -> dict[str, torch.Tensor]:
    """The pairs of one step, cut at the same place on both sides; depends on the seed and the step alone."""
    rng = np.random.default_rng(draw(recipe.seed, "batch", str(step)))
    sides: dict[str, list[torch.Tensor]] = {"input": [], "target": []}
    for number in rng.integers(0, len(rows), recipe.batch):
        row = rows[int(number)]
        spare = (int(row["height"]) - recipe.patch, int(row["width"]) - recipe.patch)
        if min(spare) < 0:
            raise InputError(f"{row['id']} is {row['width']} x {row['height']}, smaller than a patch: lower patch")
        top, left = rng.integers(0, (spare[0] + 1, spare[1] + 1))
        for side, read in (("input", dataset.read_input), ("target", dataset.read_target)):
            cut = read("train", row).pixels[top : top + recipe.patch, left : left + recipe.patch]
            sides[side].append(to_tensor(cut))
    return {side: torch.cat(images).to(device) for side, images in sides.items()}
