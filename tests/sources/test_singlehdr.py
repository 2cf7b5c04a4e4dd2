"""HDR-Real's pairs by name or by order, HDR-Synth's maps as light; no pickle is opened."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import InputError, MissingError, RecipeError
from exposurebench.sources.singlehdr import singlehdr

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return LAYOUTS["singlehdr"](tmp_path / "hdr")


def test_real(root: Path) -> None:
    scenes = list(singlehdr(root))
    assert [s.name for s in scenes] == [f"{n:05d}" for n in range(6)]
    photograph, light = scenes[3].read().frames
    assert (photograph.role, photograph.pixels.encoding) == ("", "srgb")
    assert (light.role, light.pixels.encoding) == ("target", "linear")
    assert light.pixels.pixels.mean() == pytest.approx(0.4, rel=0.01)
    assert len(list(singlehdr(root / "HDR-Real"))) == 6


def test_real_by_order_where_no_names_agree(root: Path) -> None:
    folder = root / "HDR-Real" / "HDR_gt"
    for path in sorted(folder.iterdir()):
        path.rename(path.with_name(f"gt_{path.name}"))
    pairs = [[f.path.name for f in s.frames] for s in singlehdr(root)]
    assert pairs == [[f"{n:05d}.jpg", f"gt_{n:05d}.hdr"] for n in range(6)]
    (folder / "gt_00002.hdr").unlink()
    with pytest.raises(InputError, match="6 files in LDR_in and 5 in HDR_gt, and no name in common"):
        list(singlehdr(root))


def test_synth(root: Path) -> None:
    (root / "moved" / "SingleHDR_training_data").mkdir(parents=True)
    (root / "HDR-Synth").rename(root / "moved" / "SingleHDR_training_data" / "HDR-Synth")
    scenes = list(singlehdr(root / "moved", part="synth"))
    assert [s.name for s in scenes] == ["funt/hdr/S0350.hdr", "stanford/pool_p.hdr"]
    assert [f.encoding for s in scenes for f in s.frames] == ["linear", "linear"]


def test_half_a_folder(root: Path) -> None:
    (root / "HDR-Real" / "HDR_gt" / "00002.hdr").unlink()
    with pytest.raises(MissingError, match=r"of 6 scenes it lacks 1 maps \(HDR_gt\) \(00002\)"):
        list(singlehdr(root))
    shutil.rmtree(root / "HDR-Real" / "HDR_gt")
    with pytest.raises(MissingError, match=r"it lacks 6 maps \(HDR_gt\) \(00000, 00001, 00002, \.\.\.\)"):
        list(singlehdr(root))
    with pytest.raises(RecipeError, match="part"):
        list(singlehdr(root, part="eye"))
