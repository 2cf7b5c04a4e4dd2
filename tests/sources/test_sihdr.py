"""SI-HDR, one level deeper as its archives unpack, or put together."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import MissingError
from exposurebench.sources.sihdr import sihdr

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))


def test_simulated_photographs(tmp_path: Path) -> None:
    scenes = list(sihdr(LAYOUTS["sihdr"](tmp_path)))
    assert [s.name for s in scenes] == [f"{n:03d}" for n in range(1, 7)]
    assert {s.split for s in scenes} == {"test"}
    low, high, target = scenes[0].read().frames
    assert [f.path.parent.name for f in (low, high)] == ["clip_95", "clip_97"]
    assert (target.role, target.pixels.encoding) == ("target", "linear")


def test_raw(tmp_path: Path) -> None:
    root = LAYOUTS["sihdr"](tmp_path)
    frames = next(sihdr(root, part="raw")).frames
    assert [f.path.name for f in frames] == [*(f"_07A{5797 + k}.CR2" for k in range(5)), "001.exr"]
    assert [f.encoding for f in frames] == ["linear"] * 6
    assert all(f.make for f in frames[:5])


def test_put_together(tmp_path: Path) -> None:
    root = LAYOUTS["sihdr"](tmp_path / "a")
    for name in ("reference", "input", "raw"):
        shutil.move(root / name / "sihdr" / name, tmp_path / "b" / "sihdr" / name)
    assert len(list(sihdr(tmp_path / "b"))) == len(list(sihdr(tmp_path / "b" / "sihdr"))) == 6


def test_half_a_folder(tmp_path: Path) -> None:
    root = LAYOUTS["sihdr"](tmp_path)
    shutil.rmtree(root / "raw" / "sihdr" / "raw" / "004")
    (root / "input" / "sihdr" / "input" / "clip_97" / "002.png").unlink()
    with pytest.raises(MissingError, match=r"of 6 scenes it lacks 1 files of input/clip_97 \(002\)"):
        list(sihdr(root))
    with pytest.raises(MissingError, match=r"lacks 1 files of raw \(004\)"):
        list(sihdr(root, part="raw"))
    shutil.rmtree(root / "input")
    with pytest.raises(MissingError, match=r"6 files of input/clip_95 \(001, 002, 003, \.\.\.\)"):
        list(sihdr(root))
