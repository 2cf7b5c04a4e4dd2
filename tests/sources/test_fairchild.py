"""The survey straight out of its zip, or from its folders: the same scenes; names matched as the survey writes them."""

from __future__ import annotations

import runpy
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from exposurebench.errors import ImageError, InputError, MissingError, RecipeError
from exposurebench.sources.fairchild import fairchild, scene_key

LAYOUTS = runpy.run_path(str(Path(__file__).with_name("layouts.py")))

SURVEY = LAYOUTS["SURVEY"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return LAYOUTS["fairchild"](tmp_path / "survey")


def unpacked(root: Path) -> Path:
    with zipfile.ZipFile(root / "HDRPS_Raws.zip") as zipped:
        zipped.extractall(root)
    (root / "HDRPS_Raws.zip").unlink()
    return root


def described(root: Path, **settings: object) -> list[object]:
    return [(s.name, [(f.path.name, f.role, f.encoding) for f in s.frames]) for s in fairchild(root, **settings)]


def test_scenes_and_renders(root: Path) -> None:
    found = described(root)
    assert sorted(name for name, _ in found) == sorted(SURVEY)
    frames = dict(found)["Tunnel View (1)"]
    assert frames[:3] == [(f"_MDF{k:04d}.NEF", "", "linear") for k in (1, 2, 3)]
    assert frames[3] == ("TunnelView(1)Rendered.jpg", "render", "srgb")
    assert described(unpacked(root)) == found


def test_light_instead(root: Path) -> None:
    found = dict(described(root, light="exr"))
    assert found["DevilsTower"] == [("DevilsTower.exr", "", "linear"), ("DevilsTowerRendered.jpg", "render", "srgb")]
    with pytest.raises(RecipeError, match="light"):
        list(fairchild(root, light="jpg"))


def test_without_renders(root: Path) -> None:
    shutil.rmtree(root / "Thumbs")
    assert {len(scene.frames) for scene in fairchild(root)} == {3}


def test_half_a_folder(root: Path) -> None:
    (root / "Thumbs" / "HalfDomeRendered.jpg").unlink()
    (root / "EXRs" / "PeckLake.exr").unlink()
    with pytest.raises(MissingError, match=r"of 6 scenes it lacks 1 renders \(halfdome\); get http"):
        list(fairchild(root))
    with pytest.raises(MissingError, match=r"1 EXR files \(pecklake\), 1 renders \(halfdome\)"):
        list(fairchild(root, light="exr"))


def test_names_that_cannot_be_told_apart(root: Path) -> None:
    unpacked(root)
    shutil.copytree(root / "HDRPS_Raws" / "Half-Dome", root / "HDRPS_Raws" / "Half Dome")
    with pytest.raises(InputError, match="cannot be told apart"):
        list(fairchild(root))


@pytest.mark.parametrize(
    ("folder", "render"),
    [
        ("Luxo Double Checker", "LuxoDoubleChecker"),
        ("Devil's Tower", "DevilsTower"),
        ("Tunnel View (2)", "TunnelView(2)"),
    ],
)
def test_scene_key(folder: str, render: str) -> None:
    assert scene_key(folder) == scene_key(render)
    assert scene_key("Tunnel View (1)") != scene_key("Tunnel View (2)")


def test_what_is_no_raw_file_is_said_on_reading(root: Path) -> None:
    with pytest.raises(ImageError, match="RAW"):
        next(fairchild(root)).read()


def test_a_real_raw_file_out_of_the_zip_is_the_one_in_the_folder(shared: Path, tmp_path: Path) -> None:
    raw = (shared / "data" / "raw" / "colorchart.dng").read_bytes()
    root = LAYOUTS["fairchild"](tmp_path / "survey", raw)
    shutil.rmtree(root / "Thumbs")
    zipped = next(fairchild(root, half_size=True)).read().frames[0].pixels
    loose = next(fairchild(unpacked(root), half_size=True)).read().frames[0].pixels
    assert zipped.encoding == "linear"
    np.testing.assert_array_equal(zipped.pixels, loose.pixels)
