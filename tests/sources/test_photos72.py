"""The seventy-two photographs are the published ones, or the message says which are not."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import InputError, MissingError
from exposurebench.files import shipped
from exposurebench.sources.photos72 import photos72

SHARED = Path(os.environ.get("EXPOSUREBENCH_SHARED", Path(__file__).parents[2].parent / "shared"))
CSV = shipped("leaderboards", "photos72", "photographs.csv")


@pytest.fixture
def root() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("the photographs of EXPOSUREBENCH_SHARED are not here")
    return SHARED / "data"


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    for folder in ("ldr", "kodak"):
        shutil.copytree(root / folder, tmp_path / folder)
    return tmp_path


def test_the_list_is_whole() -> None:
    with CSV.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [row["file"] for row in rows]
    assert names == sorted(set(names))
    assert [sum(name.startswith(folder) for name in names) for folder in ("ldr/", "kodak/")] == [60, 12]
    assert len({row["sha256"] for row in rows}) == 72
    for row in rows:
        assert list(row) == ["file", "origin", "commit", "license", "processing", "sha256"]
        assert all(row.values())
        assert len(row["sha256"]) == 64
        assert ":" in row["origin"]
    assert CSV.stat().st_size < 32_000


def test_all_are_test_scenes_with_a_license(root: Path) -> None:
    scenes = list(photos72(root))
    assert len(scenes) == 72
    assert scenes[0].name == "kodak/kodim01.png"
    assert {scene.split for scene in scenes} == {"test"}
    licenses = {scene.name: scene.license for scene in scenes}
    assert licenses["ldr/az_dog.jpg"] == "MIT (repo LICENSE)"
    assert licenses["ldr/wes_keong_macan.png"].startswith("CC0-1.0")
    assert all(licenses.values())


def test_missing_and_wrong_are_counted(copy: Path) -> None:
    shutil.rmtree(copy / "kodak")
    (copy / "ldr" / "az_dog.jpg").write_bytes(b"another dog")
    with pytest.raises(MissingError) as error:
        next(photos72(copy))
    text = str(error.value)
    assert "12 missing (kodak/kodim01.png, kodak/kodim03.png, kodak/kodim05.png, ...)" in text
    assert "1 wrong (ldr/az_dog.jpg)" in text
    assert str(CSV) in text
    assert str(copy) in text
    assert "\n" not in text


def test_wrong_alone_is_bad_input(copy: Path) -> None:
    (copy / "ldr" / "az_dog.jpg").write_bytes(b"another dog")
    with pytest.raises(InputError, match="1 wrong"):
        next(photos72(copy))
