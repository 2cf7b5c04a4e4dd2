"""exposurebench make-dataset"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench.dataset import load_dataset

QUICK = ("--size", 64, "--well-exposed", 1, "--workers", 1)


def test_a_set_is_made_and_made_again_by_the_command_that_it_names(run: Callable[..., Any], tmp_path: Path) -> None:
    made = run("make-dataset", "samples", "--tau", 0.5, *QUICK)
    assert made.out.startswith("datasets/samples-tau0.5: 6 test pairs from 6 photographs in ")
    assert made.err == ""
    dataset = load_dataset(tmp_path / "datasets" / "samples-tau0.5")
    (command,) = (line.partition("made by: ")[2] for line in made.out.splitlines() if "made by: " in line)
    assert command == dataset.document["command"]
    again = run(*command.split()[1:], "--out", "again", "--workers", 1, "--json").document
    assert again["fingerprints"] == dataset.document["fingerprints"]
    assert again["out"] == "again"
    assert (tmp_path / "again" / "README.md").is_file()


def test_a_recipe_comes_first_then_flags_then_settings(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('source = "samples"\ntau = 0.3\nsize = 32\nwell_exposed = 1\nseed = 5\n')
    words = ("--tau", 0.4, "--set", "tau=0.6", "--size", 48, "--workers", 1, "--json")
    made = run("make-dataset", "--recipe", "mine.toml", *words).document
    found = {key: made["recipe"][key] for key in ("source", "tau", "size", "seed", "well_exposed")}
    assert found == {"source": "samples", "tau": 0.6, "size": 48, "seed": 5, "well_exposed": 1}
    assert made["out"] == "datasets/samples-tau0.6"


@pytest.mark.parametrize(
    ("tau", "stored"),
    [("0.5:1", "0.5:1"), ("[0.2, 0.5]", [0.2, 0.5])],
)
def test_every_way_to_say_tau(run: Callable[..., Any], tau: str, stored: object) -> None:
    made = run("make-dataset", "samples", "--tau", tau, *QUICK, "--limit", 1, "--json").document
    assert made["recipe"]["tau"] == stored


def test_what_was_left_out_is_counted_listed_and_an_exit_code(
    run: Callable[..., Any], write_photographs: Callable[..., Path], tmp_path: Path
) -> None:
    root = write_photographs(tmp_path / "data" / "folder", 3)
    words = ("make-dataset", "folder", "--tau", 0.5, "--workers", 1)
    assert "left out" not in run(*words, "--out", "whole").out
    (root / "empty.jpg").touch()
    shown = run(*words, "--out", "set", code=1)
    assert "  left out: 1 unreadable (see set/rejected.csv)\n" in shown.out
    with (tmp_path / "set" / "rejected.csv").open(newline="") as stream:
        assert [row["source"] for row in csv.DictReader(stream)] == ["empty.jpg"]
    assert run(*words, "--out", "set", "--json", code=1).document["rejected"] == {"unreadable": 1}


def test_a_dry_run_writes_nothing(run: Callable[..., Any], photographs: Path, tmp_path: Path) -> None:
    words = ("make-dataset", "folder", "--root", photographs, "--tau", "0.2,0.5", "--dry-run", "--workers", 1)
    shown = run(*words).out
    assert shown.startswith("would read 30 photographs (")
    assert "keep about 30, write 90 files" in shown
    assert run(*words, "--json").document["files"] == 90
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "source is missing; known: brackets, fairchild, "),
        (("foldr", "--root", "."), 2, "unknown source 'foldr'; did you mean 'folder'?"),
        (("samples", "--pair", "gama_clip"), 2, "unknown pairing 'gama_clip'; did you mean 'gamma_clip'?"),
        (("samples", "--recipe", "samples-tau50"), 2, "did you mean 'samples-tau50-v1'?"),
        (("samples", "--recipe", "nowhere/a.toml"), 2, "unknown recipe 'nowhere/a.toml'"),
        (("samples", "--recipe", "broken.toml"), 2, "recipe 'broken.toml' cannot be read"),
        (("samples", "--recipe", "newer.toml"), 2, "schema 2 is newer than this program reads (1)"),
        (("samples", "--recipe", "."), 2, "recipe"),
        (("samples", "--tau", "2"), 2, "tau must be in (0, 1], not 2"),
        (("samples", "--tau", "nan"), 2, "tau must be in (0, 1], not nan"),
        (("samples", "--tau", ""), 2, "tau must be a number, a range"),
        (("samples", "--tau", "0.5", "--set", "tranfer=srgb"), 2, "did you mean 'transfer'"),
        (("samples", "--set", "tau"), 2, "expected key=value"),
        (("samples", "--size", "0"), 2, "size must be at least 1, not 0"),
        (("samples", "--limit", "-1"), 2, "limit must be at least 1, not -1"),
        (("samples", "--quality", "0"), 2, "quality must be in 1 to 100, not 0"),
        (("samples", "--well-exposed", "nan"), 2, "well_exposed must be in"),
        (("samples", "--split", "train=0.5"), 2, "shares that add up to 1"),
        (("samples", "--download"), 2, "the source samples offers nothing to download"),
        (("folder", "--root", ".", "--out", "here/set"), 2, "lies inside"),
        (("folder",), 4, "no folder 'data/folder': give the photographs' folder with --root"),
        (("folder", "--root", "broken.toml"), 4, "no folder 'broken.toml'"),
        (("photos72",), 4, "photographs.csv"),
        (("places365", "--tau", "0.5"), 4, "data/places365"),
        (("places365", "--download", "--offline"), 4, "downloads are off"),
        (("samples", "--out", "broken.toml", *QUICK), 74, "choose another folder"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(
    refused: Callable[..., str], tmp_path: Path, words: tuple[object, ...], code: int, said: str
) -> None:
    (tmp_path / "broken.toml").write_text("a = = 1")
    (tmp_path / "newer.toml").write_text("schema = 2")
    assert said in refused("make-dataset", *words, code=code)
    assert {path.name for path in tmp_path.iterdir()} == {"broken.toml", "newer.toml"}


def test_several_mistakes_are_told_at_once(refused: Callable[..., str]) -> None:
    line = refused("make-dataset", "samples", "--set", "tua=1", "--set", "crop=middle", "--set", "seed=x", code=2)
    for part in ("unknown setting 'tua'; did you mean 'tau'?", "crop must be", "seed must be a whole number"):
        assert part in line


def test_nothing_usable(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "data" / "folder").mkdir(parents=True)
    assert "no files in 'data/folder'" in refused("make-dataset", "folder", "--tau", 0.5, code=3)
    (tmp_path / "data" / "folder" / "a.jpg").touch()
    line = refused("make-dataset", "folder", "--tau", 0.5, "--workers", 1, code=3)
    assert "none of 1 photographs can be used (1 unreadable): see" in line
    line = refused("make-dataset", "folder", "--tau", 0.5, "--workers", 1, "--on-error", "fail", "--out", "b", code=3)
    assert "'a.jpg' is empty (0 bytes); leave it out with --on-error skip" in line
