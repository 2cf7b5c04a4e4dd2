"""exposurebench attack"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench import track as known
from exposurebench.evaluate import evaluate
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.track import Track, pairs_of


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Builds pairs of the embedded photographs and makes the track ``small`` of them."""

    def pinned(**settings: Any) -> Path:
        recipe = dataset_recipe({"source": "samples", "size": 128, "well_exposed": 1, "seed": 1, **settings})
        opened = make_dataset(recipe, tmp_path / "set", card=False).dataset
        pairs = pairs_of(evaluate("baseline:identity", opened.folder, metrics=["psnr"]).per_image)
        track = Track("t", "a", "photos72-tau50-v1", "test", {"psnr": 1}, opened.pixels, pairs)
        monkeypatch.setattr(known, "track_named", lambda name: track)
        return opened.folder

    return pinned


def test_a_track_that_holds(run: Callable[..., Any], pinned: Callable[..., Path], tmp_path: Path) -> None:
    folder = pinned(tau=0.5, form="camera")
    shown = run("attack", "small", "--dataset", folder, "--root", "boards")
    assert shown.out.splitlines()[0].split() == ["cheat", "psnr,", "honest", "to", "cheat", "verdict"]
    assert "All 6 cheats are kept down, or out." in shown.out
    assert "written: boards/small/attacks.json" in shown.out
    document = run("attack", "small", "--dataset", folder, "--root", "boards", "--json").document
    stored = json.loads((tmp_path / "boards" / "small" / "attacks.json").read_text())
    assert document["attacks"] == stored["attacks"]
    assert document["written"] == ["boards/small/attacks.json", "boards/small/attacks.csv"]


def test_a_track_that_rewards_a_cheat_is_an_error_of_its_own(
    run: Callable[..., Any], pinned: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pinned(tau="0.3:0.9", form="literal")
    told = run("attack", "small", "--dataset", folder, "--root", "boards", code=1)
    assert told.err.startswith("error: the track small rewards a cheat: gap_reader gains +9.")
    assert told.err.count("\n") == 1
    assert "broken" in told.out
    assert (tmp_path / "boards" / "small" / "attacks.json").is_file(), "what was found is kept"


def test_the_data_set_has_to_be_given_and_the_track_known(refused: Callable[..., str], samples: Path) -> None:
    assert "make-dataset --recipe photos72-tau50-v1" in refused("attack", "photos72", code=4)
    assert "did you mean 'samples'?" in refused("attack", "sample", code=2)
    assert "is not the track's data set" in refused("attack", "samples", "--dataset", samples, code=3)
