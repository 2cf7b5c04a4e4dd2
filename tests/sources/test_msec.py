"""MSEC as published: every name read at its last underscore, and nothing given of half a folder."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import InputError, MissingError, RecipeError
from exposurebench.sources.msec import msec

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return LAYOUTS["msec"](tmp_path / "msec")


def test_exposures_experts_and_splits(root: Path) -> None:
    scenes = {scene.name: scene for scene in msec(root, experts="abcde")}
    assert list(scenes) == [
        "train/a0001-jmac_DSC1459",
        "train/a0017-050801_080948__I2E5512",
        "val/a3500-a_N1_b",
        "val/a3501-kme_0.5",
        "test/a4200-P1",
        "test/a4201-_0",
    ]
    for name, scene in scenes.items():
        taken = [frame for frame in scene.frames if not frame.role]
        assert [frame.exposure_ev for frame in taken] == [-1.5, -1, 0, 1, 1.5]
        assert scene.split == name.partition("/")[0]
        experts = [frame.role for frame in scene.frames if frame.role]
        assert experts == ([f"expert_{e}" for e in "abcde"] if scene.split == "test" else ["expert_c"])
    darkest = scenes["val/a3500-a_N1_b"].frames[0].path
    assert darkest.name == "a3500-a_N1_b_N1.5.JPG"
    assert scenes["test/a4201-_0"].frames[2].path.name == "a4201-_0_0.JPG"
    assert [f.role for f in next(msec(root)).frames if f.role] == ["expert_c"]
    assert [f.role for s in msec(root, experts="d") for f in s.frames if f.role] == ["expert_d"] * 2


def test_other_names_of_the_folders_and_one_split_alone(root: Path) -> None:
    shutil.rmtree(root / "validation")
    (root / "training").rename(root / "train")
    (root / "testing").rename(root / "TEST")
    assert [scene.split for scene in msec(root)] == ["train", "train", "test", "test"]


def test_half_a_folder_is_refused_by_what_is_missing(root: Path) -> None:
    inputs = root / "training" / "INPUT_IMAGES"
    (inputs / "a0001-jmac_DSC1459_P1.JPG").unlink()
    (inputs / "a0001-jmac_DSC1459_N1.5.JPG").unlink()
    (root / "training" / "GT_IMAGES" / "a0017-050801_080948__I2E5512.jpg").unlink()
    with pytest.raises(MissingError) as error:
        list(msec(root))
    text = str(error.value)
    assert "of 2 scenes it lacks 2 inputs (a0001-jmac_DSC1459_N1.5, a0001-jmac_DSC1459_P1)" in text
    assert "1 targets of expert_c (a0017-050801_080948__I2E5512)" in text
    assert "github.com/mahmoudnafifi/Exposure_Correction" in text
    assert "\n" not in text


def test_a_whole_side_missing(root: Path) -> None:
    shutil.rmtree(root / "testing" / "expert_b_testing_set")
    assert len(list(msec(root))) == 6
    with pytest.raises(MissingError, match=r"2 targets of expert_b \(a4200-P1, a4201-_0\)"):
        list(msec(root, experts="b"))


def test_other_exposures_and_experts(root: Path) -> None:
    with pytest.raises(RecipeError, match="experts"):
        list(msec(root, experts="cf"))
    (root / "training" / "INPUT_IMAGES" / "a0001-x_N2.JPG").write_bytes(b"")
    with pytest.raises(InputError, match=r"a0001-x_N2.JPG' ends in no exposure: expected _N1.5, _N1, _0, _P1, _P1.5"):
        list(msec(root))
