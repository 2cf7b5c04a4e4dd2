"""What every source keeps to, whoever wrote it."""

from __future__ import annotations

import os
import pickle
import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from exposurebench import catalog, plan
from exposurebench.errors import MissingError, RecipeError
from exposurebench.recipe import dataset_recipe, parse_settings
from exposurebench.scene import Scene

SHARED = Path(os.environ.get("EXPOSUREBENCH_SHARED", Path(__file__).parents[2].parent / "shared"))
NAMES = catalog.names("sources")
LAID_OUT = runpy.run_path(str(Path(__file__).with_name("layouts.py")))["LAID_OUT"]


def small_tree(folder: Path, suffix: str = "") -> Path:
    """Photographs that share a stem, a name and, but for case, a path."""
    data = cv2.imencode(".jpg", np.full((8, 8, 3), 128, np.uint8))[1].tobytes()
    for name in (
        "train/a/1.jpg",
        "train/a/1.jpeg",
        "train/A/1.jpg",
        "train/b/c/1.jpg",
        "val/a/1.jpg",
        "val/1.jpg",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}{suffix}").write_bytes(data)
    return folder


def scenes(name: str, folder: Path, **settings: Any) -> Iterator[Scene]:
    """A source over a small tree; over its own photographs where it takes no others."""
    source: Callable[..., Iterator[Scene]] = catalog.load("sources", name).function()
    if name in ("samples", "synthetic"):
        return source(**settings)
    if name == "photos72":
        if not (SHARED / "data").is_dir():
            pytest.skip("the photographs of EXPOSUREBENCH_SHARED are not here")
        return source(SHARED / "data", **settings)
    if name in LAID_OUT:
        return source(LAID_OUT[name](folder), **settings)
    return source(small_tree(folder, ".dng" if name == "raw" else ""), **settings)


@pytest.mark.parametrize("name", NAMES)
def test_facts(name: str) -> None:
    facts = catalog.facts("sources")[name]
    for fact in ("TITLE", "URL", "LICENSE", "CITATION", "LAYOUT", "COMMAND"):
        assert isinstance(facts[fact], str)
        assert "\n" not in facts[fact]
    assert facts["TITLE"]
    assert facts["LICENSE"]
    assert facts["LAYOUT"]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_is_one_that_works_and_takes_what_the_source_gives(name: str, tmp_path: Path) -> None:
    words = iter(shlex.split(catalog.facts("sources")[name]["COMMAND"]))
    flags = [(word, next(words)) for word in words]
    document = {flag.removeprefix("--").replace("-", "_"): value for flag, value in flags if flag != "--set"}
    document.pop("root", None)
    recipe = dataset_recipe({"source": name, **document, **parse_settings([v for flag, v in flags if flag == "--set"])})
    plan.check(recipe)
    takes = catalog.load("pairing", recipe.pair).fact("TAKES")
    given = next(scenes(name, tmp_path, **recipe.source_settings))
    assert any(frame.encoding == takes for frame in given.frames)
    if recipe.pair.partition("/")[0] == "paired":
        assert len([frame for frame in given.frames if frame.role]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_names_are_unique_and_text(name: str, tmp_path: Path) -> None:
    found = list(scenes(name, tmp_path))
    names = [scene.name for scene in found]
    assert len(names) >= 6
    assert len(set(names)) == len(names)
    for scene in found:
        scene.name.encode()
        assert not scene.name.startswith("/")
        assert scene.split in (None, "train", "val", "test")
        assert scene.license
        assert scene.frames
        assert all(Path(frame.path).is_file() or frame.make for frame in scene.frames)


@pytest.mark.parametrize("name", NAMES)
def test_scenes_are_light_and_travel_between_processes(name: str, tmp_path: Path) -> None:
    for scene in scenes(name, tmp_path):
        packed = pickle.dumps(scene)
        assert len(packed) < 4096 * len(scene.frames)
        assert pickle.loads(packed).name == scene.name  # noqa: S301 - our own bytes
        assert all(frame.image is None for frame in scene.frames)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_order_every_time(name: str, tmp_path: Path) -> None:
    first = [scene.name for scene in scenes(name, tmp_path)]
    assert [scene.name for scene in scenes(name, tmp_path)] == first


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_folder_says_what_to_get_and_where_to_put_it(name: str, tmp_path: Path) -> None:
    root = tmp_path / "not there"
    wrong = RecipeError if name == "synthetic" else MissingError
    with pytest.raises(wrong) as error:
        list(catalog.load("sources", name).function()(root))
    text = str(error.value)
    assert "\n" not in text
    assert str(root) in text
    assert re.search(r"\b(get|give|reinstall)\b", text)
