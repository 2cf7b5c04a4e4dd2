"""LOL in its three editions, under the names that each was published with."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import MissingError
from exposurebench.sources.lol import lol

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))


def test_v1(tmp_path: Path) -> None:
    scenes = list(lol(LAYOUTS["lol"](tmp_path)))
    assert [(s.name, s.split) for s in scenes][:2] == [("train/2", "train"), ("train/5", "train")]
    assert [s.name for s in scenes if s.split == "test"] == ["test/1", "test/22"]
    assert [(f.path.parent.name, f.role) for f in scenes[0].frames] == [("low", ""), ("high", "target")]
    assert [s.name for s in lol(tmp_path / "LOLdataset")] == [s.name for s in scenes]


@pytest.mark.parametrize(("edition", "first"), [("v2_real", "train/00001"), ("v2_synthetic", "train/r00001da54ft")])
def test_v2(tmp_path: Path, edition: str, first: str) -> None:
    root = LAYOUTS["lol_v2"](tmp_path)
    scenes = list(lol(root, edition=edition))
    assert [len([s for s in scenes if s.split == split]) for split in ("train", "test")] == [4, 2]
    assert scenes[0].name == first
    assert [f.path.parent.name for f in scenes[0].frames] == ["Low", "Normal"]
    assert [s.name for s in lol(root)] == [s.name for s in lol(root, edition="v2_real")]
    assert len(list(lol(root / "LOL-v2", edition=edition))) == 6


def test_both_sides_under_other_names(tmp_path: Path) -> None:
    root = LAYOUTS["lol"](tmp_path)
    (root / "LOLdataset" / "our485").rename(root / "LOLdataset" / "train")
    for old, new in (("low", "input"), ("high", "target")):
        (root / "LOLdataset" / "train" / old).rename(root / "LOLdataset" / "train" / new)
    assert len([s for s in lol(root) if s.split == "train"]) == 4


def test_half_a_folder(tmp_path: Path) -> None:
    root = LAYOUTS["lol"](tmp_path)
    for n in (2, 5, 6, 7):
        (root / "LOLdataset" / "our485" / "high" / f"{n}.png").unlink()
    with pytest.raises(MissingError, match=r"of 4 scenes it lacks 4 bright ones \(train\) \(2, 5, 6, \.\.\.\); get"):
        list(lol(root))
    with pytest.raises(MissingError, match=r"no LOL \(edition v2_real\)"):
        list(lol(root, edition="v2_real"))
    shutil.rmtree(root)


def test_a_half_that_was_not_unpacked(tmp_path: Path) -> None:
    root = LAYOUTS["lol"](tmp_path)
    shutil.rmtree(root / "LOLdataset" / "eval15")
    with pytest.raises(
        MissingError, match=r"no LOL's test half \(eval15 or Test, beside the other\) in .*: get LOLdataset"
    ):
        list(lol(root))
