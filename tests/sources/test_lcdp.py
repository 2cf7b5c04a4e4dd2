"""LCDP as its archive unpacks, and as it was first published."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import MissingError
from exposurebench.sources.lcdp import lcdp

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))


def test_splits(tmp_path: Path) -> None:
    scenes = list(lcdp(LAYOUTS["lcdp"](tmp_path)))
    assert [s.split for s in scenes] == ["train", "train", "val", "val", "test", "test"]
    assert scenes[0].name == "lcdp_dataset/train/a0259-dvf_029"
    assert [(f.path.parent.name, f.role) for f in scenes[-1].frames] == [("test-input", ""), ("test-gt", "target")]
    assert [s.name for s in lcdp(tmp_path / "lcdp_dataset")] == [s.name.removeprefix("lcdp_dataset/") for s in scenes]


def test_the_first_release(tmp_path: Path) -> None:
    root = LAYOUTS["lcdp"](tmp_path)
    (root / "lcdp_dataset").rename(root / "adobe5k")
    for name in ("input", "gt"):
        shutil.copytree(root / "adobe5k" / name, root / "raise" / name)
    assert [s.name for s in lcdp(root) if s.split == "train"] == [
        f"{top}/train/{name}" for top in ("adobe5k", "raise") for name in ("a0259-dvf_029", "a1273-IMG_1444")
    ]


def test_half_a_folder(tmp_path: Path) -> None:
    root = LAYOUTS["lcdp"](tmp_path)
    (root / "lcdp_dataset" / "gt" / "a0259-dvf_029.png").unlink()
    with pytest.raises(MissingError, match=r"of 2 scenes it lacks 1 targets \(gt\) \(a0259-dvf_029\)"):
        list(lcdp(root))
    shutil.rmtree(root / "lcdp_dataset" / "input")
    with pytest.raises(MissingError, match=r"1 inputs \(input\) \(a1273-IMG_1444\)"):
        list(lcdp(root))


def test_a_split_that_was_not_unpacked(tmp_path: Path) -> None:
    root = LAYOUTS["lcdp"](tmp_path)
    (folder,) = root.rglob("test-gt")
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_name("test-input"))
    with pytest.raises(MissingError, match=r"no LCDP's test-input/test-gt, beside the other splits in"):
        list(lcdp(root))
