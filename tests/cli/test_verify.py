"""exposurebench verify"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def finished(samples: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(samples, tmp_path / "set"))


def test_an_intact_set(run: Callable[..., Any], finished: Path) -> None:
    shown = run("verify", "set")
    assert (shown.out, shown.err) == ("set: intact (6 pairs)\n", "")
    again = run("verify", "set", "--rebuild", 2)
    assert again.out == "set: intact (6 pairs, 2 scenes built again)\n"
    assert run("verify", "set", "--rebuild", 99).out == "set: intact (6 pairs, 6 scenes built again)\n"
    assert run("verify", "set", "--json").document == {"dataset": "set", "intact": True, "problems": []}


def test_a_damaged_set(run: Callable[..., Any], finished: Path) -> None:
    first, second = sorted((finished / "test" / "input").iterdir())[:2]
    first.unlink()
    second.write_bytes(b"")
    shown = run("verify", "set", code=1)
    assert shown.out == "set: 2 problems (6 pairs)\n"
    problems = [f"test/input/{first.name} is missing", f"test/input/{second.name} was changed"]
    assert shown.err.splitlines() == problems
    told = run("verify", "set", "--json", code=1)
    assert told.document == {"dataset": "set", "intact": False, "problems": problems}
    assert told.err == ""


def test_a_source_that_gives_something_else(run: Callable[..., Any], photographs: Path, tmp_path: Path) -> None:
    shutil.copytree(photographs / "class0", tmp_path / "data" / "folder")
    run("make-dataset", "folder", "--out", "set", "--tau", 0.5, "--workers", 1)
    assert "intact" in run("verify", "set", "--rebuild", 99).out, "the root is data/SOURCE unless said otherwise"
    lost = next((tmp_path / "data" / "folder").iterdir())
    lost.unlink()
    assert run("verify", "set", "--rebuild", 99, code=1).err == f"{lost.name}: is not in the source\n"


def test_what_cannot_be_verified(refused: Callable[..., str], photographs: Path, finished: Path) -> None:
    assert "no data set in 'nowhere'" in refused("verify", "nowhere", code=4)
    assert "no data set in 'set/test'" in refused("verify", "set/test", "--rebuild", 3, code=4)
    assert "astronaut.png is not in 'nowhere'" in refused("verify", "set", "--rebuild", 3, "--root", "nowhere", code=4)
    (finished / "dataset.json").write_text('{"format": "exposurebench.dataset", "schema": 2}')
    assert "update exposurebench" in refused("verify", "set", code=3)
    (finished / "dataset.json").unlink()
    assert "is not finished: run the same make-dataset command again" in refused("verify", "set", code=4)
