"""What a data set says of itself: the command on its card makes the very same recipe."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from exposurebench import make_dataset
from exposurebench.cli import group
from exposurebench.describe import canonical_command, default_name
from exposurebench.recipe import dataset_recipe


class AskedError(Exception):
    """Carries the recipe that the command line resolved."""


@pytest.mark.parametrize(
    "document",
    [
        {"source": "samples", "tau": 0.5},
        {"source": "folder", "tau": "0.5:1", "size": 256, "crop": "random", "seed": 7},
        {"source": "folder", "tau": [0.2, 0.5], "pair": "gamma_clip/camera", "noise": 0.01, "limit": 12},
        {"source": "places365", "well_exposed": 0.01, "split": "train=0.8,test=0.2", "title": "Places, 'quoted' 5"},
        {"source": "folder", "tau": 0.3, "transfer": "srgb", "format": "jpg", "quality": 90},
    ],
)
def test_the_command_on_the_card_makes_the_same_recipe(document, monkeypatch):
    recipe = dataset_recipe(document)

    def caught(resolved, *_, **__):
        raise AskedError(resolved)

    monkeypatch.setattr(make_dataset, "make_dataset", caught)
    result = CliRunner().invoke(group, shlex.split(canonical_command(recipe))[1:])
    assert isinstance(result.exception, AskedError), result.output
    assert result.exception.args[0] == recipe


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"source": "places365", "tau": 0.5}, "places365-tau0.5"),
        ({"source": "folder", "tau": "0.5:1"}, "folder-tau0.5-1"),
        ({"source": "folder", "tau": [0.2, 0.5]}, "folder-tau0.2-0.5"),
    ],
)
def test_a_set_is_called_after_its_source_and_threshold(document, name):
    assert default_name(dataset_recipe(document)) == name


def test_the_description_of_the_set_is_whole(build: Callable[..., Any], photographs: Path, tmp_path: Path) -> None:
    document = build(tmp_path, photographs, tau=0.5).document
    on_disk = json.loads((tmp_path / "dataset.json").read_text())
    assert on_disk == document
    assert on_disk["schema"] == 1
    assert set(on_disk["fingerprints"]) == {"files", "pixels"}
    assert sum(n["photographs"] for n in on_disk["counts"].values()) == 30
    assert str(tmp_path) not in json.dumps(on_disk)
    assert str(photographs) not in json.dumps(on_disk)
