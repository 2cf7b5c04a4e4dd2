"""A tree of radiance maps is a tree of files like any other, whose numbers are light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exposurebench import scene as scene_module
from exposurebench.errors import MissingError
from exposurebench.images import Image
from exposurebench.sources.folder import folder
from exposurebench.sources.radiance import radiance


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b/2.exr", "a.hdr", "b/1.hdr", ".hidden.exr", "b/.x/3.exr", "notes.txt", "caf\u00e9.EXR"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    return tmp_path


def test_the_tree_is_walked_as_folder_does(root: Path) -> None:
    scenes = list(radiance(root))
    assert [scene.name for scene in scenes] == ["a.hdr", "b/1.hdr", "b/2.exr", "caf\u00e9.EXR", "notes.txt"]
    plain = list(folder(root))
    assert [scene.name for scene in plain] == [scene.name for scene in scenes]
    assert [scene.frames[0].path for scene in plain] == [scene.frames[0].path for scene in scenes]
    assert {frame.encoding for scene in scenes for frame in scene.frames} == {"linear"}
    assert {frame.encoding for scene in plain for frame in scene.frames} == {"srgb"}


def test_files_are_asked_for_as_light(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def reader(path: Path, **settings: Any) -> Image:
        asked.append((path.name, settings))
        return Image(None, encoding="linear")  # type: ignore[arg-type]

    monkeypatch.setattr(scene_module, "read_image", reader)
    next(radiance(root)).read()
    assert asked == [("a.hdr", {"encoding": "linear"})]


def test_license_and_missing_folder(root: Path) -> None:
    assert {scene.license for scene in radiance(root)} == {"not stated"}
    assert {scene.license for scene in radiance(root, license="CC0")} == {"CC0"}
    with pytest.raises(MissingError, match="radiance maps' folder with --root"):
        list(radiance(root / "none"))
