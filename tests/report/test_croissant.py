"""The description for machines: every file and column is named, typed and referred to rightly."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench.dataset import Dataset
from exposurebench.report.croissant import data_type, describe, license_of


@pytest.fixture(scope="module")
def dataset(build: Callable[..., Any], photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("croissant") / "set"
    found: Dataset = build(folder, photographs, tau=0.5, size=24, split="train=0.5,test=0.5", limit=8, license="CC0")
    return found


@pytest.fixture(scope="module")
def document(dataset: Dataset) -> dict[str, Any]:
    rows = {}
    for split in dataset.splits:
        with (dataset.folder / split / "metadata.csv").open(newline="") as stream:
            rows[split] = list(csv.DictReader(stream))
    columns = {split: list(rows[split][0]) for split in rows}
    return describe(dataset, columns, [row for split in rows for row in rows[split]])


def test_every_split_is_named_with_the_hash_of_its_manifest(dataset: Dataset, document: dict[str, Any]) -> None:
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    files = {f["contentUrl"]: f["sha256"] for f in document["distribution"] if f["@type"] == "cr:FileObject"}
    assert files == {
        f"{split}/metadata.csv": hashlib.sha256((dataset.folder / split / "metadata.csv").read_bytes()).hexdigest()
        for split in ("train", "test")
    }
    for records in document["recordSet"]:
        columns = list(dataset.table(records["name"]).columns)
        assert [field["name"] for field in records["field"]] == columns
    types = {field["name"]: field["dataType"] for field in document["recordSet"][0]["field"]}
    assert (types["tau"], types["width"], types["scene"]) == ("sc:Float", "sc:Integer", "sc:Text")
    assert (types["id"], types["input_sha256"], types["form"]) == ("sc:Text", "sc:Text", "sc:Text")


def test_everything_referred_to_is_there_and_named_once(dataset: Dataset, document: dict[str, Any]) -> None:
    files = [part["@id"] for part in document["distribution"]]
    fields = [field["@id"] for records in document["recordSet"] for field in records["field"]]
    assert len({*files, *fields}) == len(files) + len(fields)
    for records in document["recordSet"]:
        assert records["key"]["@id"] in fields
        for field in records["field"]:
            assert field["source"]["fileObject"]["@id"] in files
            assert field["source"]["extract"]["column"] == field["name"]
    for part in document["distribution"]:
        if part["@type"] == "cr:FileSet":
            assert list(dataset.folder.glob(part["includes"])), part["@id"]


def test_it_is_json_and_says_nothing_empty(dataset: Dataset, document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert "" not in document.values()
    assert "url" not in document, "a folder of photographs has none"
    assert document["license"] == license_of(dataset) == "CC0"


def test_a_licence_that_no_recipe_states_is_the_sources(samples: Path) -> None:
    from exposurebench.dataset import load_dataset

    dataset = load_dataset(samples)
    assert license_of(dataset) == dataset.document["source"]["license"] != ""


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        ("tau", ["0.5", "1"], "sc:Float"),
        ("tau", ["1", "2"], "sc:Integer"),
        ("noise", ["1e-05"], "sc:Float"),
        ("form", ["camera"], "sc:Text"),
        ("flipped", ["True", "False"], "sc:Boolean"),
        ("flipped", ["True", ""], "sc:Text"),
        ("tau", ["0.5", ""], "sc:Text"),
        ("scene", ["12"], "sc:Text"),
        ("target_file_name", ["12"], "sc:Text"),
        ("input_sha256", ["12"], "sc:Text"),
    ],
)
def test_what_a_column_holds(column: str, cells: list[str], expected: str) -> None:
    assert data_type(column, cells) == expected
