"""A tree of photographs with every name that a disk can hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from exposurebench.errors import MissingError
from exposurebench.recipe import draw
from exposurebench.sources.folder import folder, scene_name, walk


def names(root: Path) -> list[str]:
    return [scene.name for scene in folder(root)]


def put(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    "name",
    ["a b/ c .jpg", "🌄/🙂.jpg", "a..b/c..jpg", "x/y..z/1.jpg", "été.JPG", '"q",.png'],
)
def test_awkward_names_stay(tmp_path: Path, name: str) -> None:
    (scene,) = folder(put(tmp_path, name))
    assert scene.name == name
    assert Path(scene.frames[0].path).read_bytes() == b"x"


def test_names_that_differ_in_case_or_suffix_are_scenes_of_their_own(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "a.JPG", "A.jpg", "a.png", "a/1", "A/1")
    if len(list(tmp_path.iterdir())) < 6:
        pytest.skip("this file system does not tell case apart")
    assert names(tmp_path) == ["A/1", "A.jpg", "a/1", "a.JPG", "a.jpg", "a.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="only there may names be any bytes")
def test_names_that_are_no_utf8_become_text(tmp_path: Path) -> None:
    for raw in (b"caf\xe9.jpg", b"caf\\xe9.jpg", b"caf\xc3\xa9.jpg"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)).write_bytes(raw)
    scenes = {scene.name: Path(scene.frames[0].path).read_bytes() for scene in folder(tmp_path)}
    assert scenes == {
        r"caf\xe9.jpg": b"caf\xe9.jpg",
        r"caf\\xe9.jpg": b"caf\\xe9.jpg",
        "café.jpg": b"caf\xc3\xa9.jpg",
    }
    for name in scenes:
        name.encode()
        draw(0, "folder", name)


def test_control_characters_are_spelled_so_that_a_name_is_one_line(tmp_path: Path) -> None:
    put(tmp_path, "line\nbreak.jpg", "a\rb.png", "tab\tc.png")
    assert names(tmp_path) == [r"a\x0db.png", r"line\x0abreak.jpg", r"tab\x09c.png"]


def test_order_is_by_name_and_folders_come_among_files(tmp_path: Path) -> None:
    put(tmp_path, "b/2.jpg", "b/1.jpg", "a.jpg", "c.jpg", "b.jpg", "10.jpg", "9.jpg")
    assert names(tmp_path) == ["10.jpg", "9.jpg", "a.jpg", "b/1.jpg", "b/2.jpg", "b.jpg", "c.jpg"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, ".a.jpg", ".git/a.jpg", "a/.b.jpg", "a/b.jpg", "a/._b.jpg")
    assert names(tmp_path) == ["a/b.jpg"]


def test_an_empty_folder_has_no_scenes(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert names(tmp_path) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="--root"):
        names(put(tmp_path, "a.jpg") / "a.jpg")


def test_link_loops_end(tmp_path: Path) -> None:
    put(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "gone").symlink_to("nowhere")
    assert names(tmp_path) == ["a/1.jpg", "a/to_b/2.jpg", "gone", "self"]


def test_many_folders_linked_to_each_other_are_entered_once(tmp_path: Path) -> None:
    many = [tmp_path / f"{i:02}" for i in range(12)]
    for one in many:
        put(one, "1.jpg")
    for one in many:
        for other in many:
            (one / f"to_{other.name}").symlink_to(other)
    assert len(names(tmp_path)) == 12


def test_links_to_files_and_outside_folders_are_followed(tmp_path: Path) -> None:
    put(tmp_path, "outside/1.jpg", "root/2.jpg")
    (tmp_path / "root" / "3.jpg").symlink_to("2.jpg")
    (tmp_path / "root" / "in").symlink_to(tmp_path / "outside")
    assert names(tmp_path / "root") == ["2.jpg", "3.jpg", "in/1.jpg"]


def test_license_is_a_setting(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    assert [scene.license for scene in folder(tmp_path, license="CC0")] == ["CC0"]
    assert [scene.license for scene in folder(tmp_path)] == ["not stated"]


def test_walk_and_name_agree_on_a_root_with_dots(tmp_path: Path) -> None:
    root = put(tmp_path, "a/1.jpg") / "." / "a" / ".."
    assert [scene_name(path, root) for path in walk(root)] == ["a/1.jpg"]
