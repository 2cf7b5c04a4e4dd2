"""SICE: series in the order of their numbers, references beside them, in any case of letters."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import InputError, MissingError, RecipeError
from exposurebench.sources.sice import sice

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return LAYOUTS["sice"](tmp_path / "sice")


def test_series_and_references(root: Path) -> None:
    scenes = list(sice(root))
    assert [s.name for s in scenes] == [f"{part}/{n}" for part in ("part1", "part2") for n in (1, 2, 10)]
    last = scenes[-1]
    assert [f.path.name for f in last.frames] == [*(f"{k}.jpg" for k in range(1, 10)), "10.jpg"]
    assert [f.role for f in last.frames] == [*[""] * 9, "label"]
    assert {s.split for s in scenes} == {None}


def test_numbers_are_sorted_as_numbers(root: Path) -> None:
    for k in (10, 11):
        shutil.copy(root / "Dataset_Part1" / "10" / "9.JPG", root / "Dataset_Part1" / "10" / f"{k}.JPG")
    series = {s.name: s for s in sice(root)}["part1/10"]
    assert [f.path.stem for f in series.frames if not f.role] == [str(k) for k in range(1, 12)]


@pytest.mark.parametrize(
    ("exposures", "taken"), [("under", [1, 2, 3]), ("over", [5, 6, 7]), ("all", list(range(1, 8)))]
)
def test_halves(root: Path, exposures: str, taken: list[int]) -> None:
    series = {s.name: s for s in sice(root, exposures=exposures)}["part1/2"]
    assert [int(f.path.stem) for f in series.frames if not f.role] == taken


def test_half_a_folder(root: Path) -> None:
    (root / "Dataset_Part2" / "label" / "2.jpg").unlink()
    shutil.rmtree(root / "Dataset_Part2" / "10")
    with pytest.raises(MissingError) as error:
        list(sice(root))
    text = str(error.value)
    assert "of 3 scenes it lacks 1 photographs in Dataset_Part2 (10), 1 references in Dataset_Part2/Label (2)" in text
    shutil.rmtree(root / "Dataset_Part2")
    (root / "Dataset_Part1").rename(root / "DATASET_part1")
    assert len(list(sice(root))) == 3
    with pytest.raises(RecipeError, match="exposures"):
        list(sice(root, exposures="dark"))
    shutil.copy(root / "DATASET_part1" / "1" / "1.JPG", root / "DATASET_part1" / "1" / "1.png")
    with pytest.raises(InputError, match=r"1\.png' and '1\.JPG' differ in their suffix alone"):
        list(sice(root))
