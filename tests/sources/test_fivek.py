"""FiveK by the names of its photographs, in whatever folders; the lists say what is missing and under which terms."""

from __future__ import annotations

import runpy
import shutil
import struct
from pathlib import Path

import cv2
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


def prophoto_tiff(light: np.ndarray, profile: bytes, from_rec709: np.ndarray) -> bytes:
    """Linear Rec. 709 as 16-bit ProPhoto RGB with its profile, one strip."""
    levels = np.rint((light @ from_rec709.T).clip(0, 1) ** (1 / 1.8) * 65535).astype("<u2")
    (height, width), pixels = levels.shape[:2], levels.tobytes()
    depths, behind = 8 + len(pixels), profile + bytes(len(profile) % 2)
    place = depths + 6
    tags = (
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, depths), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8)),
        *((277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(pixels)), (34675, 7, len(profile), place)),
    )
    listed = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    head = b"II*\0" + struct.pack("<I", place + len(behind))
    return head + pixels + struct.pack("<3H", 16, 16, 16) + behind + listed


def test_an_experts_picture_of_another_size_and_field_is_the_target(shared: Path, tmp_path: Path) -> None:
    """The archive as it unpacks, a RAW file and what an expert made of it in another program."""
    from exposurebench.color import REC709_PRIMARIES, adapt_white, rgb_to_xyz
    from exposurebench.images import read_raw
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe
    from exposurebench.verify import rebuild

    primaries = [[0.7977, 0.2880, 0.0], [0.1352, 0.7119, 0.0001], [0.0313, 0.0001, 0.8249]]
    reading = runpy.run_path(str(Path(__file__).parents[1] / "images" / "test_reading.py"))
    profile = reading["icc_profile"](primaries, 1.8)
    d50 = (0.9642 / 2.7891, 1 / 2.7891)
    matrix = np.linalg.inv(np.array(primaries).T) @ adapt_white(REC709_PRIMARIES.white, d50) @ rgb_to_xyz()
    light = read_raw(shared / "data" / "raw" / "colorchart.dng", half_size=True).pixels
    retouched = (0.25 / np.median(light) * light).clip(0, 1) ** 0.85
    root = tmp_path / "in"
    for name, box, scale in (("a0001-jmac_DSC1459", np.s_[4:-6, 3:-5], 1.0), ("a0002-dgw_005", np.s_[7:-4, 9:-6], 0.6)):
        raw = root / "raw_photos" / "HQa1to700" / "photos" / f"{name}.dng"
        raw.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared / "data" / "raw" / "colorchart.dng", raw)
        picture = cv2.resize(retouched[box], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        path = root / "img" / "tiff16_c" / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(prophoto_tiff(picture, profile, matrix))
    asked = {"source": "fivek", "pair": "multi_ev", "ev": "-1,0,1.5", "crf": "srgb", "target": "expert_c"}
    recipe = dataset_recipe({**asked, "half_size": True, "split": "test"})
    built = make_dataset(recipe, tmp_path / "out", root=root, card=False).dataset
    rows = built.rows("test")
    assert len(rows) == 6
    assert not built.document["rejected"]
    assert max(float(row["residual_px"]) for row in rows) < 0.1
    assert max(float(row["corner_error_px"]) for row in rows) < 0.05
    assert {(row["width"], row["height"]) for row in rows[:3]} == {(859, 568)}
    for row in rows:
        given, target = built.read_input("test", row).as_float(), built.read("test", row, "target").as_float()
        assert given.shape == target.shape
        if row["ev"] == 0:  # one tone curve leads from the one to the other, wherever both show something
            order = np.corrcoef(given[..., 1].ravel(), target[..., 1].ravel())[0, 1]
            assert order > 0.97
    assert not list(rebuild(tmp_path / "out", 1, root=root))
