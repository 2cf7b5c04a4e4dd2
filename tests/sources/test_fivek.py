"""FiveK by the names of its photographs, in whatever folders; the lists say what is missing and under which terms."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from exposurebench.errors import MissingError, RecipeError
from exposurebench.sources.fivek import fivek

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))

NAMES = LAYOUTS["FIVEK_NAMES"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return LAYOUTS["fivek"](tmp_path / "fivek")


def test_as_the_archive_unpacks(root: Path) -> None:
    scenes = list(fivek(root, experts="abcde"))
    assert [s.name for s in scenes] == list(NAMES)
    for scene in scenes:
        assert [f.role for f in scene.frames] == ["", "expert_a", "expert_c"]
        assert [f.path.stem for f in scene.frames] == [scene.name] * 3
        assert scene.frames[0].make
        assert scene.frames[0].encoding == "linear"
    assert scenes[0].license.endswith(": LicenseAdobe.txt")
    assert scenes[-1].license.endswith(": LicenseAdobeMIT.txt")
    assert [f.role for f in next(fivek(root)).frames] == ["", "expert_c"]
    assert [f.role for f in next(fivek(root, experts="")).frames] == [""]


def test_one_folder_a_camera_and_no_lists(root: Path) -> None:
    for n, path in enumerate(sorted(root.rglob("*.dng"))):
        (root / "raw" / f"Camera_{n % 2}").mkdir(parents=True, exist_ok=True)
        path.rename(root / "raw" / f"Camera_{n % 2}" / path.name)
    (root / "img").rename(root / "processed")
    for name in ("filesAdobe.txt", "filesAdobeMIT.txt"):
        (root / name).unlink()
    assert [s.name for s in fivek(root)] == list(NAMES)


def test_half_a_folder(root: Path) -> None:
    shutil.rmtree(root / "raw_photos" / "HQa1to700")
    (root / "img" / "tiff16_c" / f"{NAMES[5]}.tif").unlink()
    with pytest.raises(MissingError) as error:
        list(fivek(root))
    text = str(error.value)
    assert f"of 6 scenes it lacks 3 RAW files (.dng) ({', '.join(NAMES[:3])})" in text
    assert f"1 pictures of expert_c ({NAMES[5]})" in text
    assert "fivek_dataset.tar" in text
    with pytest.raises(RecipeError, match="experts"):
        list(fivek(root, experts="z"))
    with pytest.raises(RecipeError, match="demosaic"):
        list(fivek(root, demosaic="best"))


def test_a_real_raw_file(shared: Path, tmp_path: Path) -> None:
    target = tmp_path / "raw_photos" / "HQa1to700" / "photos" / "a0001-chart.dng"
    target.parent.mkdir(parents=True)
    shutil.copy(shared / "data" / "raw" / "colorchart.dng", target)
    (scene,) = fivek(tmp_path, half_size=True)
    light = scene.read().frames[0].pixels
    assert light.encoding == "linear"
    assert light.pixels.dtype == np.float32
    assert min(light.pixels.shape[:2]) > 500
