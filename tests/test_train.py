from pathlib import Path

import pandas as pd
import pytest
import torch

from exposurebench.checkpoint import load_checkpoint
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, ModelError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.train import train, training_recipe


def recipe(**changes: object):
    return training_recipe(
        {"model": "small_cnn", "width": 6, "steps": 60, "patch": 48, "learning_rate": 3e-3, **changes}
    )


def test_it_learns_something_and_writes_what_it_learned(trainable: Path, tmp_path: Path) -> None:
    path = train(recipe(steps=150), trainable, tmp_path / "run")
    log = pd.read_csv(tmp_path / "run" / "log.csv")
    assert len(log) == 150
    assert log["l1"].tail(20).mean() < 0.7 * log["l1"].head(20).mean()
    checkpoint = load_checkpoint(path)
    assert checkpoint.dataset["pixels"] == load_dataset(trainable).pixels
    assert checkpoint.recipe["steps"] == 150
    ours, theirs = (
        evaluate(what, trainable, metrics=["psnr"]).summary["value"][0] for what in (str(path), "baseline:identity")
    )
    assert ours > theirs + 1, "150 steps must beat doing nothing by more than a decibel"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trainable: Path, tmp_path: Path) -> None:
    states = [
        load_checkpoint(train(recipe(steps=3, seed=s), trainable, tmp_path / str(i))).state
        for i, s in enumerate((5, 5, 6))
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_mistakes_of_a_recipe_are_told_at_once() -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'steps'.*batch must be a whole number"):
        training_recipe({"model": "small_cnn", "stepps": 3, "batch": "many"})
    with pytest.raises(RecipeError, match="did you mean 'small_cnn'"):
        training_recipe({"model": "smallcnn"})
    with pytest.raises(RecipeError, match="must be positive"):
        recipe(steps=0)


def test_data_that_cannot_be_trained_on(samples: Path, trainable: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train split"):
        train(recipe(), samples, tmp_path)
    with pytest.raises(InputError, match="smaller than a patch"):
        train(recipe(patch=500), trainable, tmp_path)
    with pytest.raises(RecipeError, match="width"):
        train(recipe(width=0), trainable, tmp_path)


def test_a_loss_that_explodes_stops_and_writes_nothing(trainable: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lower learning_rate"):
        train(recipe(learning_rate=1e30, steps=20), trainable, tmp_path / "run")
    assert not (tmp_path / "run").exists()
