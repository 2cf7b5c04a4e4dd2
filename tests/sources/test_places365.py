"""Places365 in every layout that its archives and their readers leave on a disk."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from exposurebench.errors import ImageError, InputError, MissingError
from exposurebench.sources import places365 as module
from exposurebench.sources.places365 import fetch, places365

GRAY = cv2.imencode(".jpg", np.full((8, 8), 90, np.uint8))[1].tobytes()
COLOUR = cv2.imencode(".jpg", np.full((8, 8, 3), (10, 90, 200), np.uint8))[1].tobytes()
TRAIN = ("a/airfield/00000001.jpg", "a/airfield/00000002.jpg", "b/bus_station/indoor/00000001.jpg")
VAL = ("Places365_val_00000001.jpg", "Places365_val_00000002.jpg")
TEST = ("Places365_test_00000001.jpg",)


def put(folder: Path, *names: str, data: bytes = COLOUR) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def lists(folder: Path) -> Path:
    """The devkit's file lists: a slash in front and a label behind, the test list without labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for edition in ("standard", "challenge"):
        text = "".join(f"/{name} {label}\n" for label, name in enumerate(TRAIN))
        (folder / f"places365_train_{edition}.txt").write_text(text)
    (folder / "places365_val.txt").write_text("".join(f"{name} 165\n" for name in VAL))
    (folder / "places365_test.txt").write_text("".join(f"{name}\n" for name in TEST))
    return folder


def names(root: Path, **settings: Any) -> list[str]:
    return [scene.name for scene in places365(root, **settings)]


def folders(root: Path, **settings: Any) -> list[str]:
    """Which folders the scenes were read from."""
    return list(dict.fromkeys(Path(s.frames[0].path).relative_to(root).parts[0] for s in places365(root, **settings)))


def under(part: str, files: tuple[str, ...]) -> list[str]:
    return [f"{part}/{name}" for name in files]


ALL = under("train", TRAIN) + under("val", VAL) + under("test", TEST)


@pytest.mark.parametrize("listed", ["", "root", "filelist_places365-standard", "filelist_places365-challenge"])
@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("data_256_standard", "val_256", "test_256"),
        ("data_256_challenge", "val_256", "test_256"),
        ("data_large_standard", "val_large", "test_large"),
        ("data_large_challenge", "val_large", "test_large"),
        ("data_256", "val_256", "test_256"),
        ("data_large", "val_large", "test_large"),
    ],
)
def test_names_and_splits_are_alike_in_every_layout(
    tmp_path: Path, train: str, val: str, test: str, listed: str
) -> None:
    put(tmp_path / train, *TRAIN)
    put(tmp_path / val, *VAL)
    put(tmp_path / test, *TEST)
    if listed:
        lists(tmp_path if listed == "root" else tmp_path / listed)
    scenes = list(places365(tmp_path))
    assert [scene.name for scene in scenes] == ALL
    assert [scene.split for scene in scenes] == ["train"] * 3 + ["val"] * 2 + ["test"]
    assert all(Path(scene.frames[0].path).is_file() for scene in scenes)
    assert all(scene.license for scene in scenes)


@pytest.mark.parametrize("wrapper", ["", "places365_standard"])
def test_easy_format(tmp_path: Path, wrapper: str) -> None:
    put(tmp_path / wrapper / "train", "airfield/00000001.jpg", "bus_station-indoor/00000001.jpg")
    put(tmp_path / wrapper / "val", "airfield/Places365_val_00000001.jpg")
    lists(tmp_path)  # made for the other layouts, so not followed here
    scenes = list(places365(tmp_path))
    assert [(scene.name, scene.split) for scene in scenes] == [
        ("train/airfield/00000001.jpg", "train"),
        ("train/bus_station-indoor/00000001.jpg", "train"),
        ("val/airfield/Places365_val_00000001.jpg", "val"),
    ]


def test_one_part_has_no_official_split(tmp_path: Path) -> None:
    put(tmp_path / "val_256", *VAL)
    assert [(s.name, s.split) for s in places365(tmp_path)] == [(name, None) for name in under("val", VAL)]
    put(tmp_path / "data_256", *TRAIN)
    assert {s.split for s in places365(tmp_path, part="val")} == {None}


@pytest.mark.parametrize(
    ("folder", "part", "files"),
    [
        ("data_256", "train", TRAIN),
        ("data_256_standard", "train", TRAIN),
        ("data_large_challenge", "train", TRAIN),
        ("val_256", "val", VAL),
        ("test_large", "test", TEST),
        ("train", "train", TRAIN),
    ],
)
@pytest.mark.parametrize("listed", ["", "inside", "beside"])
def test_the_root_may_be_one_of_the_folders(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    part: str,
    files: tuple[str, ...],
    listed: str,
) -> None:
    put(tmp_path / folder, *files)
    put(tmp_path / "val_256" if folder != "val_256" else tmp_path / "data_256", "other.jpg")
    if listed and folder != "train":
        lists(tmp_path if listed == "beside" else tmp_path / folder)
    assert names(tmp_path / folder) == under(part, files)
    monkeypatch.chdir(tmp_path / folder)
    assert names(Path()) == under(part, files)


def test_a_link_to_one_of_the_folders_keeps_its_name(tmp_path: Path) -> None:
    put(tmp_path / "disk", *VAL)
    (tmp_path / "val_256").symlink_to("disk")
    assert names(tmp_path / "val_256") == under("val", VAL)


def test_small_before_large_and_standard_before_challenge(tmp_path: Path) -> None:
    for name in ("data_large_standard", "data_256_challenge", "val_large", "val_256"):
        put(tmp_path / name, "1.jpg")
    assert folders(tmp_path) == ["data_256_challenge", "val_256"]
    put(tmp_path / "data_256", "1.jpg")
    assert folders(tmp_path) == ["data_256", "val_256"]
    assert folders(tmp_path, edition="challenge", part="train") == ["data_256"]
    put(tmp_path / "data_256_standard", "1.jpg")
    assert folders(tmp_path) == ["data_256_standard", "val_256"]
    assert folders(tmp_path, resolution="large") == ["data_large_standard", "val_large"]
    assert folders(tmp_path, part="val") == ["val_256"]
    assert folders(tmp_path, part="val", edition="challenge") == ["val_256"]


def test_all_parts_in_one_resolution_where_possible(tmp_path: Path) -> None:
    for name in ("data_large", "val_256", "val_large"):
        put(tmp_path / name, "1.jpg")
    assert folders(tmp_path) == ["data_large", "val_large"]
    put(tmp_path / "test_256", "1.jpg")
    assert folders(tmp_path) == ["data_large", "val_256", "test_256"]


def test_the_file_lists_tell_the_edition(tmp_path: Path) -> None:
    put(tmp_path / "data_256", *TRAIN)
    assert names(tmp_path, edition="challenge") == names(tmp_path, edition="standard") == under("train", TRAIN)
    (tmp_path / "places365_train_challenge.txt").write_text(f"/{TRAIN[0]} 0\n")
    assert names(tmp_path) == names(tmp_path, edition="challenge") == under("train", TRAIN[:1])
    with pytest.raises(MissingError, match=r"data_256 \(train, challenge, small\)"):
        names(tmp_path, edition="standard")
    lists(tmp_path / "filelist_places365-standard")
    assert names(tmp_path) == under("train", TRAIN)


@pytest.mark.parametrize("setting", [{"part": "test"}, {"edition": "challenge"}, {"resolution": "large"}])
def test_settings_that_name_something_absent_say_what_is_there(tmp_path: Path, setting: dict[str, str]) -> None:
    put(tmp_path / "data_256_standard", *TRAIN)
    put(tmp_path / "val_256", *VAL)
    with pytest.raises(MissingError) as error:
        names(tmp_path, **setting)
    text = str(error.value)
    assert "\n" not in text
    assert "there is: data_256_standard (train, standard, small), val_256 (val, small)" in text
    ((key, value),) = setting.items()
    assert f"{key}={value}" in text


def test_a_listed_file_that_is_missing_is_given_and_rejected_on_reading(tmp_path: Path) -> None:
    put(lists(tmp_path) / "val_256", VAL[1], "not_listed.jpg")
    first, second = places365(tmp_path)
    assert [first.name, second.name] == under("val", VAL)
    second.read()
    with pytest.raises(ImageError, match="cannot be opened"):
        first.read()


def test_lists_with_spaces_blank_lines_and_windows_ends(tmp_path: Path) -> None:
    put(tmp_path / "data_256", *TRAIN)
    text = "/a/my place/1 2.jpg 7\r\n\r\n  \n/a/no_label.jpg\r\na/no_slash.jpg 3\n/a/last.jpg 1"
    (tmp_path / "places365_train_standard.txt").write_bytes(text.encode() + b"\n/a/caf\xe9.jpg 1\n")
    expected = ("a/my place/1 2.jpg", "a/no_label.jpg", "a/no_slash.jpg", "a/last.jpg", "a/caf\\xe9.jpg")
    assert names(tmp_path) == under("train", expected)


@pytest.mark.parametrize("name", ["../secret.jpg 0", "/a/../../secret.jpg 0", "a/\0.jpg"])
def test_a_list_cannot_lead_outside(tmp_path: Path, name: str) -> None:
    put(tmp_path / "val_256", *VAL)
    (tmp_path / "places365_val.txt").write_text(f"{VAL[0]} 1\n{name}\n")
    with pytest.raises(InputError, match="line 2 of"):
        names(tmp_path)


def test_lists_are_read_line_by_line(tmp_path: Path) -> None:
    put(tmp_path / "val_256", *VAL)
    (tmp_path / "places365_val.txt").write_text(f"{VAL[0]} 1\n" * 100_000 + "../x\n")
    scenes = places365(tmp_path)
    assert next(scenes).name == f"val/{VAL[0]}"  # nothing looked at the last line yet


def test_gray_photographs_are_read(tmp_path: Path) -> None:
    put(tmp_path / "val_256", VAL[0], data=GRAY)
    (scene,) = places365(tmp_path)
    assert scene.read().frames[0].pixels.pixels.shape == (8, 8, 3)


def test_any_tree(tmp_path: Path) -> None:
    put(tmp_path, "a/airfield/1.jpg", "b/2.jpg", "places365_val.txt", "val_256.tar")
    scenes = list(places365(tmp_path))
    assert [(s.name, s.split) for s in scenes] == [("a/airfield/1.jpg", None), ("b/2.jpg", None)]
    with pytest.raises(MissingError, match="none of its folders"):
        names(tmp_path, part="val")


@pytest.mark.parametrize("what", ["absent", "empty", "empty folders", "archive"])
def test_nothing_there_says_what_to_get(tmp_path: Path, what: str) -> None:
    root = tmp_path / "places"
    if what != "absent":
        root.mkdir()
    if what == "empty folders":
        (root / "val_256").mkdir()
    if what == "archive":
        put(lists(root), "val_256.tar")
    with pytest.raises(MissingError) as error:
        names(root)
    text = str(error.value)
    assert "\n" not in text
    for words in (
        "http://data.csail.mit.edu/places/places365/val_256.tar",
        "525,158,400",
        "--download",
        str(root),
    ):
        assert words in text


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small val_256.tar, and the facts that it is checked against."""
    put(tmp_path / "val_256", *VAL)
    with tarfile.open(tmp_path / "val_256.tar", "w") as tar:
        tar.add(tmp_path / "val_256", "val_256")
    data = (tmp_path / "val_256.tar").read_bytes()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(module._VALIDATION, "small", ("val_256", len(data), md5))
    return tmp_path / "val_256.tar"


def test_fetch_unpacks_an_archive_that_is_there(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, "val_256.tar", data=archive.read_bytes())
    for _ in range(2):
        assert fetch(root, offline=True) == root / "val_256"
    assert sorted(p.name for p in root.iterdir()) == ["val_256", "val_256.tar"]
    assert names(root) == under("val", VAL)


def test_fetch_removes_what_it_downloaded(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def from_the_web(url: str, path: Path, **facts: Any) -> Path:
        asked.append((url, facts))
        return put(path.parent, path.name, data=archive.read_bytes())

    monkeypatch.setattr(module, "download", from_the_web)
    fetch(tmp_path / "root", progress=True)
    assert sorted(p.name for p in (tmp_path / "root").iterdir()) == ["val_256"]
    assert names(tmp_path / "root") == under("val", VAL)
    ((url, facts),) = asked
    assert url == "http://data.csail.mit.edu/places/places365/val_256.tar"
    assert facts["size"] == archive.stat().st_size


def test_fetch_offline_says_what_to_get(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"val_256\.tar \(525,158,400 bytes\)"):
        fetch(tmp_path, offline=True)
    with pytest.raises(MissingError, match=r"val_large\.tar"):
        fetch(tmp_path, resolution="large", offline=True)
    assert not list(tmp_path.iterdir())
