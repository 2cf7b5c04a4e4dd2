"""Whether a data set is what it says: every kind of damage is told by name, and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exposurebench.errors import MissingError
from exposurebench.files import sha256
from exposurebench.images import encode_image
from exposurebench.verify import rebuild, verify


@pytest.fixture(scope="module")
def intact(build: Callable[..., Any], photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("intact") / "set"
    build(folder, photographs, tau=0.5, split="test")
    assert list(verify(folder)) == []
    return folder


@pytest.fixture
def finished(intact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(intact, tmp_path / "set"))


def test_verify_sees_a_flipped_byte(finished: Path) -> None:
    path = sorted((finished / "test" / "input").iterdir())[3]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert list(verify(finished)) == [f"test/input/{path.name} was changed"]


def test_verify_sees_a_lost_file(finished: Path) -> None:
    path = sorted((finished / "test" / "target").iterdir())[0]
    path.unlink()
    assert list(verify(finished)) == [f"test/target/{path.name} is missing"]


@pytest.mark.parametrize("name", ["test/input/new.png", "test/new.png", "train/input/new.png"])
def test_verify_sees_an_extra_file(finished: Path, name: str) -> None:
    (finished / name).parent.mkdir(parents=True, exist_ok=True)
    (finished / name).touch()
    assert list(verify(finished)) == [f"{name} is not in the manifest"]


def test_verify_tells_everything_that_is_wrong(finished: Path) -> None:
    first, second = sorted((finished / "test" / "input").iterdir())[:2]
    first.unlink()
    second.write_bytes(b"")
    (finished / "test" / "note.txt").touch()
    assert list(verify(finished)) == [
        f"test/input/{first.name} is missing",
        f"test/input/{second.name} was changed",
        "test/note.txt is not in the manifest",
    ]


def test_verify_sees_a_doctored_manifest(finished: Path) -> None:
    path = finished / "test" / "metadata.csv"
    path.write_text(path.read_text().replace(",0.5,", ",0.4,", 1))
    (problem,) = verify(finished)
    assert "is not the manifest that dataset.json names" in problem


def test_verify_sees_a_lost_manifest(finished: Path) -> None:
    (finished / "test" / "metadata.csv").unlink()
    (problem,) = verify(finished)
    assert "metadata.csv" in problem
    assert "cannot be read" in problem


def test_verify_sees_an_image_that_was_swapped_with_all_its_hashes(finished: Path) -> None:
    """Whoever mends the manifest and its hash too is given away by the fingerprints."""
    path = sorted((finished / "test" / "input").iterdir())[0]
    old, new = path.read_bytes(), encode_image(np.full((40, 48, 3), 9, np.uint8))
    path.write_bytes(new)
    manifest = finished / "test" / "metadata.csv"
    manifest.write_text(manifest.read_text().replace(sha256(old), sha256(new)))
    document = json.loads((finished / "dataset.json").read_text())
    document["manifest"]["test"] = sha256(manifest.read_bytes())
    (finished / "dataset.json").write_text(json.dumps(document))
    assert [problem.split(" do not")[0] for problem in verify(finished)] == ["the manifests", "the decoded pixels"]


@pytest.mark.parametrize("which", ["files", "pixels"])
def test_verify_sees_a_doctored_fingerprint(finished: Path, which: str) -> None:
    document = json.loads((finished / "dataset.json").read_text())
    document["fingerprints"][which] = "0" * 64
    (finished / "dataset.json").write_text(json.dumps(document))
    (problem,) = verify(finished)
    assert f"fingerprint of {which}" in problem


def test_the_markers_are_safe_to_delete(finished: Path) -> None:
    shutil.rmtree(finished / ".exposurebench")
    assert list(verify(finished)) == []


def test_rebuild_sees_a_changed_source(
    build: Callable[..., Any], write_photographs: Callable[..., Path], tmp_path: Path
) -> None:
    source = write_photographs(tmp_path / "source", 6)
    build(tmp_path / "set", source, tau=0.5, split="test")
    assert list(rebuild(tmp_path / "set", 6, root=source)) == []
    (source / "class0" / "photo0000.png").write_bytes(encode_image(np.full((40, 48, 3), 99, np.uint8)))
    (source / "class1" / "photo0001.jpg").write_bytes(b"")
    (source / "class2" / "photo0002.jpg").unlink()
    (tmp_path / "set" / "test" / "input" / "class0_photo0003.png").unlink()
    lost = repr(str(tmp_path / "set" / "test" / "input" / "class0_photo0003.png"))
    assert sorted(rebuild(tmp_path / "set", 6, root=source)) == [
        "class0/photo0000.png: the input test/input/class0_photo0000.png is not what its source gives",
        "class0/photo0000.png: the target test/target/class0_photo0000.png is not what its source gives",
        f"class0/photo0003.jpg: {lost} cannot be opened (No such file or directory): run the same make-dataset command again, which restores lost files",
        "class1/photo0001.jpg: is empty (0 bytes)",
        "class2/photo0002.jpg: is not in the source",
    ]


def test_rebuild_draws_as_many_scenes_as_asked_by_the_seed(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    def drawn(number: int, seed: int) -> set[str]:
        return set(rebuild(finished, number, root=tmp_path / "empty", seed=seed))

    assert len(drawn(5, 0)) == 5
    assert drawn(5, 0) == drawn(5, 0) < drawn(12, 0)
    assert drawn(5, 0) != drawn(5, 1)
    assert len(drawn(99, 0)) == 30


@pytest.mark.parametrize("settings", [{"tau": "0.5:1", "seed": 4}, {"tau": [0.3, 0.6], "format": "jpg", "size": 24}])
def test_rebuild_gives_the_very_pixels(
    build: Callable[..., Any], photographs: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    build(tmp_path, photographs, **settings, limit=4)
    assert list(verify(tmp_path)) == []
    assert list(rebuild(tmp_path, 4, root=photographs)) == []


def test_what_is_no_data_set_is_said_at_once(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no data set in"):
        list(verify(tmp_path / "nowhere"))
    with pytest.raises(MissingError, match=r"no folder .*--root"):
        list(rebuild(finished, 1, root=tmp_path / "nowhere"))
