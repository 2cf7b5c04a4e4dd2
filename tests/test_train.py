import dataclasses
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from exposurebench.checkpoint import load_checkpoint
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, MissingError, ModelError, RecipeError, StorageError
from exposurebench.evaluate import evaluate
from exposurebench.train import train
from exposurebench.training_recipe import TrainingRecipe, training_recipe

ROOT = Path(__file__).resolve().parent.parent


def recipe(**changes: object) -> TrainingRecipe:
    plain = {"model": "small_cnn", "network.width": 6, "steps": 60, "patch": 48, "learning_rate": 3e-3}
    return training_recipe({**plain, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(folder / "model.pt").state)


def same(a: Path, b: Path) -> bool:
    """Whether two runs ended with the same weights, optimisers and log, to the last bit."""
    states = [torch.load(f / "state.pt", weights_only=True) for f in (a, b)]
    logs = [(f / "log.csv").read_text() for f in (a, b)]
    ours, theirs = weights(a), weights(b)
    return (
        logs[0] == logs[1]
        and all(torch.equal(ours[name], theirs[name]) for name in {*ours, *theirs})
        and flat(states[0]) == flat(states[1])
    )


def flat(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: flat(inner) for name, inner in value.items()}
    return value.tolist() if isinstance(value, torch.Tensor) else value


def test_it_learns_something_and_writes_what_it_learned(trainable: Path, tmp_path: Path) -> None:
    trained = train(recipe(steps=150), trainable, tmp_path / "run")
    log = pd.read_csv(tmp_path / "run" / "log.csv")
    assert log["step"].tolist() == list(range(150))
    assert log["l1"].tail(20).mean() < 0.7 * log["l1"].head(5).mean()
    assert (trained.steps, trained.made, trained.losses["l1"]) == (150, 150, log["l1"].iloc[-1])
    assert trained.images_per_second > 0
    assert 0 <= trained.waiting < 1
    checkpoint = load_checkpoint(trained.checkpoint)
    assert checkpoint.dataset["pixels"] == load_dataset(trainable).pixels
    assert (checkpoint.recipe["steps"], checkpoint.recipe["steps_done"]) == (150, 150)
    ours, theirs = (
        evaluate(what, trainable, metrics=["psnr"]).summary["value"][0]
        for what in (str(trained.checkpoint), "baseline:identity")
    )
    assert ours > theirs + 1, "150 steps must beat doing nothing by more than a decibel"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trainable: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        train(recipe(steps=3, seed=seed), trainable, tmp_path / name)
    assert same(tmp_path / "a", tmp_path / "b")
    assert not torch.equal(weights(tmp_path / "a")["layers.0.weight"], weights(tmp_path / "c")["layers.0.weight"])


def test_data_that_cannot_be_trained_on(samples: Path, trainable: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train split"):
        train(recipe(), samples, tmp_path)
    with pytest.raises(InputError, match="smaller than a patch"):
        train(recipe(patch=500), trainable, tmp_path)
    with pytest.raises(RecipeError, match="width"):
        train(recipe(**{"network.width": 0}), trainable, tmp_path)


def test_a_loss_that_explodes_stops_and_writes_nothing(trainable: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lower learning_rate"):
        train(recipe(learning_rate=1e30, steps=20), trainable, tmp_path / "run")
    assert not (tmp_path / "run").exists()
