"""Reading a data set: everything that may be wrong with one is one line, and other people's loaders read it."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from exposurebench.dataset import KEYS, Dataset, load_dataset, torch_dataset
from exposurebench.errors import ExposureBenchError, InputError, MissingError
from exposurebench.files import sha256
from exposurebench.images import read_image
from exposurebench.recipe import dataset_recipe


@pytest.fixture(scope="module")
def intact(build: Callable[..., Any], photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("intact") / "set"
    build(folder, photographs, tau=0.5, size=24, crop="center", split="train=0.5,test=0.5", limit=8)
    return folder


@pytest.fixture
def finished(intact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(intact, tmp_path / "set"))


def doctor(folder: Path, **changes: Any) -> None:
    document = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**document, **changes}))


def refused(folder: Path, use: Callable[[Dataset], Any] = lambda dataset: dataset) -> str:
    with pytest.raises(ExposureBenchError) as caught:
        use(load_dataset(folder))
    assert type(caught.value) in (InputError, MissingError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- what is read ----------------------------------------------------------------------------------------


def test_a_finished_set_says_what_it_is(intact: Path) -> None:
    dataset = load_dataset(str(intact))
    assert dataset.name == "folder-tau0.5"
    assert dataset.splits == ("train", "test"), "in their order, and none that is empty"
    assert len(dataset.pixels) == 64
    asked = {"source": "folder", "tau": 0.5, "size": 24, "crop": "center", "split": "train=0.5,test=0.5", "limit": 8}
    assert dataset.recipe() == dataset_recipe(asked)
    assert sum(len(dataset.rows(split)) for split in dataset.splits) == 8


def test_rows_and_table_are_one_manifest_and_the_images_are_those_it_names(intact: Path) -> None:
    dataset = load_dataset(intact)
    assert dataset.rows("test") == dataset.table("test").to_dict("records")
    for row in dataset.rows("test"):
        for side, read in (("input", dataset.read_input), ("target", dataset.read_target)):
            path = intact / "test" / row[f"{side}_file_name"]
            assert sha256(path.read_bytes()) == row[f"{side}_sha256"]
            assert np.array_equal(read("test", row).pixels, read_image(path).pixels)


def test_numbers_are_numbers_and_names_that_look_like_them_are_not(finished: Path) -> None:
    manifest = finished / "test" / "metadata.csv"
    head, first, *rest = manifest.read_text().splitlines()
    cells = dict(zip(head.split(","), first.split(","), strict=True))
    cells |= {"id": "007", "scene": "NA", "license": "1e3", "notes": "null"}
    manifest.write_text("\n".join([head, ",".join(cells.values()), *rest]) + "\n")
    doctor(finished, manifest={"test": sha256(manifest.read_bytes())})
    row = load_dataset(finished).rows("test")[0]
    assert [row[name] for name in ("id", "scene", "license", "notes")] == ["007", "NA", "1e3", "null"]
    assert isinstance(row["tau"], float)
    assert isinstance(row["width"], int)


def test_an_image_that_is_its_own_target_is_read_alike(intact: Path) -> None:
    batch = next(iter(torch.utils.data.DataLoader(torch_dataset(intact, "train"), batch_size=2)))
    assert batch["input"].shape == batch["target"].shape == (2, 3, 24, 24)
    assert batch["input"].dtype == torch.float32
    dataset = load_dataset(intact)
    for number, row in enumerate(dataset.rows("train")[:2]):
        assert batch["id"][number] == row["id"]
        pixels = dataset.read_input("train", row).as_float()
        assert torch.equal(batch["input"][number], torch.from_numpy(pixels).permute(2, 0, 1))


def test_a_loaders_worker_processes_can_be_started_in_any_way(intact: Path) -> None:
    """Where processes are not forked, the data set travels to them as a pickle."""
    pairs = torch_dataset(intact, "train")
    again = pickle.loads(pickle.dumps(pairs))  # noqa: S301
    assert len(again) == len(pairs) == len(load_dataset(intact).rows("train"))
    assert again[1]["id"] == pairs[1]["id"]
    assert torch.equal(again[1]["target"], pairs[1]["target"])


def test_other_peoples_loaders_read_it(intact: Path) -> None:
    """ImageFolder wants class folders of images; `datasets` a metadata.csv with file names in each split."""
    assert {p.name for p in intact.iterdir()} >= {"dataset.json", "rejected.csv", "train", "test"}
    for split in ("train", "test"):
        assert sorted(p.name for p in (intact / split).iterdir()) == ["input", "metadata.csv", "target"]


# ---- what is wrong ---------------------------------------------------------------------------------------


def test_what_is_not_there_or_not_finished(finished: Path, tmp_path: Path) -> None:
    assert "build one with exposurebench make-dataset" in refused(tmp_path / "nowhere")
    assert "build one with exposurebench make-dataset" in refused(finished / "dataset.json")
    (finished / "dataset.json").unlink()
    assert "is not finished: run the same make-dataset command again" in refused(finished)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not finished: run the same make-dataset command again"),
        ('{"format": ', "cannot be read as the description of a data set"),
        ("[]", "is not the description of a data set"),
        ('{"format": "exposurebench.result", "schema": 1}', "expected the format exposurebench.dataset"),
        ('{"format": "exposurebench.dataset", "schema": 2}', "has schema 2, newer than 1: update exposurebench"),
        ('{"format": "exposurebench.dataset"}', "has schema None"),
        ('{"format": "exposurebench.dataset", "schema": 1}', "is damaged: it lacks name, title, recipe"),
    ],
)
def test_a_description_that_cannot_be_used(finished: Path, text: str, said: str) -> None:
    (finished / "dataset.json").write_text(text)
    assert said in refused(finished)


def test_a_description_that_is_no_text(finished: Path) -> None:
    (finished / "dataset.json").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as the description of a data set" in refused(finished)


@pytest.mark.parametrize("value", [None, [], "text", 3, {"text": 3}], ids=str)
@pytest.mark.parametrize("key", KEYS)
def test_a_description_that_holds_something_else_is_no_surprise(finished: Path, key: str, value: object) -> None:
    """Whatever stands there is used or refused in one line."""
    doctor(finished, **{key: value})

    def use(dataset: Dataset) -> None:
        assert dataset.name and dataset.pixels
        dataset.recipe()
        for split in ("train", "test"):
            dataset.rows(split)

    try:
        use(load_dataset(finished))
    except (InputError, MissingError) as error:
        assert "\n" not in str(error)


def test_a_split_that_is_not_there_names_those_that_are(intact: Path) -> None:
    for name in ("val", "validation", ""):
        said = refused(intact, lambda dataset, name=name: dataset.rows(name))  # type: ignore[misc]
        assert f"has no split {name!r}: it has train, test" in said
    with pytest.raises(InputError, match="has no split 'val'"):
        torch_dataset(intact, "val")


def test_a_manifest_that_was_changed_or_lost(finished: Path) -> None:
    manifest = finished / "test" / "metadata.csv"
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert "is not the manifest that dataset.json names: delete" in refused(finished, lambda d: d.table("test"))
    assert load_dataset(finished).rows("train"), "the other split is not concerned"
    manifest.unlink()
    assert "cannot be read (No such file or directory): delete" in refused(finished, lambda d: d.rows("test"))


def test_an_image_that_was_damaged_or_lost_is_told_by_its_path(finished: Path) -> None:
    row = load_dataset(finished).rows("test")[0]
    path = finished / "test" / row["input_file_name"]
    path.write_bytes(path.read_bytes()[:40])
    assert str(path) in refused(finished, lambda dataset: dataset.read_input("test", row))
    path.unlink()
    assert "No such file" in refused(finished, lambda dataset: dataset.read_input("test", row))


def test_image_folder_reads_a_split_as_it_lies(intact: Path) -> None:
    from torchvision.datasets import ImageFolder

    dataset = load_dataset(intact)
    found = ImageFolder(str(intact / "train"))
    assert found.classes == ["input", "target"]
    names = [Path(path).relative_to(intact / "train").as_posix() for path, _ in found.samples]
    pixels = {name: np.asarray(picture) for name, (picture, _) in zip(names, found, strict=True)}
    rows = dataset.rows("train")
    assert len(pixels) == 2 * len(rows)
    for row in rows:
        for side in found.classes:
            expected = dataset.read("train", row, side).pixels
            np.testing.assert_array_equal(pixels[row[f"{side}_file_name"]], expected)


def test_lines_are_the_rows_as_text(intact: Path) -> None:
    dataset = load_dataset(intact)
    for split in dataset.splits:
        lines, rows = list(dataset.lines(split)), dataset.rows(split)
        assert [list(line) for line in lines] == [list(row) for row in rows]
        assert [line["scene"] for line in lines] == [row["scene"] for row in rows]
        assert [float(line["tau"]) for line in lines] == [row["tau"] for row in rows]
