"""Rows that are run again: they give the committed values, and a doctored one does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from exposurebench import leaderboard
from exposurebench.errors import InputError
from exposurebench.evaluate import evaluate
from exposurebench.quickstart import build_samples
from exposurebench.recipe import read_recipe
from exposurebench.reproduce import TOLERANCE, reproduce
from exposurebench.result import write_result
from exposurebench.train import train
from exposurebench.training_recipe import training_recipe

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"


def test_what_has_to_be_downloaded_is_not_run_again(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photos72 has to be downloaded"):
        list(reproduce(["photos72"], ROOT, tmp_path))


@pytest.mark.slow
def test_the_committed_rows_are_given_again_and_a_doctored_one_is_not(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "boards" / "samples")
    path = tmp_path / "boards" / "samples" / "entries" / "gamma.json"
    document = json.loads(path.read_text())
    document["values"]["psnr"]["value"] += 40 * TOLERANCE
    path.write_text(json.dumps(document))
    notes: list[str] = []
    problems = list(reproduce(["samples"], tmp_path / "boards", tmp_path / "sets", on_note=notes.append))
    assert [problem.partition(" is ")[0] for problem in problems] == ["samples/entries/gamma.json: psnr"]
    rows = len(list((ROOT / "samples" / "entries").glob("*.json")))
    assert notes == [f"samples: {rows} rows run again, tolerance {TOLERANCE:g}"]


@pytest.mark.slow
def test_weights_beside_an_entry_are_run_again_and_scores_alone_are_not(trainable: Path, tmp_path: Path) -> None:
    recipe = training_recipe(read_recipe("small_cnn", "training") | {"steps": 2, "patch": 32, "batch": 2})
    train(recipe, trainable, tmp_path / "run", device="cpu")
    model = tmp_path / "run" / "model.pt"
    write_result(evaluate(str(model), build_samples(tmp_path / "set").folder, name="mine"), tmp_path / "result")
    said: dict[bool, tuple[list[str], list[str]]] = {}
    for beside in (False, True):
        leaderboard.add(tmp_path / "result", "samples", tmp_path / "boards", weights=model if beside else None)
        notes: list[str] = []
        problems = list(reproduce(["samples"], tmp_path / "boards", tmp_path / f"sets{beside}", on_note=notes.append))
        said[beside] = problems, notes
    assert said[False] == ([], ["samples/mine: not run again", f"samples: 0 rows run again, tolerance {TOLERANCE:g}"])
    assert said[True] == ([], [f"samples: 1 rows run again, tolerance {TOLERANCE:g}"])
