"""Exports: the same bytes each time, every pixel and every fact still there, and other people's readers read them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from exposurebench.dataset import Dataset, load_dataset
from exposurebench.errors import InputError, MissingError, RecipeError
from exposurebench.export import LAYOUTS, export
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe

THEIRS = pytest.mark.filterwarnings("ignore")
"""What other people's readers warn of among themselves is not ours to mend."""


@pytest.fixture(scope="module")
def dataset(build: Callable[..., Any], photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Ten photographs at two thresholds: one target serves two inputs; JPEG and PNG targets."""
    folder = tmp_path_factory.mktemp("export") / "set"
    found: Dataset = build(folder, photographs, tau="0.3,0.6", split="train=0.6,test=0.4", limit=10)
    assert found.splits == ("train", "test")
    return found


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two computed scenes at two exposures, whose targets are light."""
    settings = {"source": "synthetic", "pair": "relative_luminance", "ev": [-3, 0], "size": 24, "limit": 2}
    out = tmp_path_factory.mktemp("light") / "set"
    return make_dataset(dataset_recipe({**settings, "split": "train"}), out, card=False).dataset


def rows(dataset: Dataset, split: str) -> dict[str, dict[str, str]]:
    with (dataset.folder / split / "metadata.csv").open(newline="") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def pixels(data: bytes) -> Any:
    return np.asarray(Picture.open(io.BytesIO(data)))


# ---- all layouts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_an_export_has_the_same_bytes_each_time_and_goes_on_where_it_was(dataset, tmp_path, layout):
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    before = tree(dataset.folder)
    export(dataset.folder, layout, tmp_path / "first")
    shutil.copytree(dataset.folder, tmp_path / "elsewhere")
    export(tmp_path / "elsewhere", layout, tmp_path / "second")
    whole = tree(tmp_path / "first")
    assert whole == tree(tmp_path / "second")
    assert tree(dataset.folder) == before
    about = json.loads((tmp_path / "first" / "export.json").read_text())
    assert (about["layout"], about["complete"], about["dataset"]["counts"]) == (
        layout,
        True,
        dataset.document["counts"],
    )
    (tmp_path / "second" / "export.json").write_text(json.dumps({**about, "complete": False}))
    max(path for path in (tmp_path / "second").rglob("*") if path.is_file() and path.suffix != ".json").unlink()
    export(dataset.folder, layout, tmp_path / "second")
    assert tree(tmp_path / "second") == whole


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_file_that_was_changed_or_lost_is_noticed(dataset, tmp_path, layout):
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path / "set"
    shutil.copytree(dataset.folder, folder)
    path = min((folder / "test" / "target").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"is lost or was changed: run the same make-dataset command again"):
        export(folder, layout, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "export.json").read_text())["complete"] is False


def test_what_cannot_be_exported_is_said(dataset, light, tmp_path):
    with pytest.raises(RecipeError, match="unknown layout 'webdatset'; did you mean 'webdataset'"):
        export(dataset.folder, "webdatset", tmp_path / "out")
    with pytest.raises(RecipeError, match="basicsr has a file for each picture: leave out --per-file"):
        export(dataset.folder, "basicsr", tmp_path / "out", per_file=3)
    with pytest.raises(MissingError, match="no data set"):
        export(tmp_path, "basicsr", tmp_path / "out")
    for layout in ("pix2pix", "basicsr"):
        with pytest.raises(
            InputError, match=rf"{layout} holds pictures, and the target of .* is light \(OpenEXR\): use"
        ):
            export(light.folder, layout, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RecipeError, match="is not empty and holds another thing"):
        export(dataset.folder, "pix2pix", tmp_path)
    export(dataset.folder, "pix2pix", tmp_path / "out")
    with pytest.raises(RecipeError, match="is not empty and holds another thing"):
        export(dataset.folder, "basicsr", tmp_path / "out")


# ---- WebDataset ------------------------------------------------------------------------------------------


def test_tars_hold_the_files_and_the_row_under_each_key(dataset, tmp_path):
    export(dataset.folder, "webdataset", tmp_path, per_file=5)
    known = rows(dataset, "train")
    names = sorted(tmp_path.glob("train-*.tar"))
    assert len(names) == -(-len(known) // 5)
    assert names[0].name == "train-000000.tar"
    found: dict[str, dict[str, bytes]] = {}
    for name in names:
        with tarfile.open(name) as tar:
            for member in tar.getmembers():
                assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)
                key, _, what = member.name.partition(".")
                found.setdefault(key, {})[what] = tar.extractfile(member).read()
    assert list(found) == list(known)
    for key, row in known.items():
        for side in ("input", "target"):
            suffix = row[f"{side}_file_name"].rpartition(".")[2]
            assert hashlib.sha256(found[key][f"{side}.{suffix}"]).hexdigest() == row[f"{side}_sha256"]
        facts = json.loads(found[key]["json"])
        assert facts["tau"] == float(row["tau"])
        assert {name: str(value) for name, value in facts.items() if isinstance(value, str)} == {
            name: value for name, value in row.items() if isinstance(facts[name], str)
        }


def test_light_is_carried_as_it_is(light, tmp_path):
    about = export(light.folder, "webdataset", tmp_path)
    assert about["remarks"] == ["target: OpenEXR as it is, which the reader decodes"]
    with tarfile.open(tmp_path / "train-000000.tar") as tar:
        names = tar.getnames()
        data = tar.extractfile(names[1]).read()
    assert [name.partition(".")[2] for name in names[:4]] == ["input.png", "target.exr", "preview.png", "json"]
    (row, *_) = rows(light, "train").values()
    assert hashlib.sha256(data).hexdigest() == row["target_sha256"]


@pytest.mark.slow
@THEIRS
def test_webdataset_reads_the_tars(dataset, tmp_path):
    wds = pytest.importorskip("webdataset")
    export(dataset.folder, "webdataset", tmp_path, per_file=5)
    known = rows(dataset, "train")
    last = len(list(tmp_path.glob("train-*.tar"))) - 1
    urls = f"{tmp_path}/train-{{000000..{last:06d}}}.tar"
    samples = (
        wds.WebDataset(urls, shardshuffle=False)
        .decode("rgb8")
        .to_tuple("__key__", "input.png", "target.png;target.jpg", "json")
    )
    count = 0
    for key, given, target, facts in samples:
        row = known[key]
        for side, seen in (("input", given), ("target", target)):
            assert np.array_equal(seen, dataset.read("train", row, side).pixels)
        assert facts["scene"] == row["scene"]
        count += 1
    assert count == len(known)


# ---- Parquet ---------------------------------------------------------------------------------------------


def test_pandas_reads_the_tables(dataset, tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd

    export(dataset.folder, "parquet", tmp_path, per_file=5)
    names = sorted(tmp_path.glob("train-*.parquet"))
    known = rows(dataset, "train")
    assert names[0].name == f"train-00000-of-{len(names):05d}.parquet"
    table = pd.concat([pd.read_parquet(name) for name in names])
    assert list(table["id"]) == list(known)
    assert (table["tau"].dtype, table["width"].dtype) == (np.float64, np.int64)
    for cells in table.to_dict("records"):
        row = known[cells["id"]]
        for side in ("input", "target"):
            assert hashlib.sha256(cells[side]["bytes"]).hexdigest() == row[f"{side}_sha256"]
            assert cells[side]["path"] == f"{row['id']}-{side}.{row[f'{side}_file_name'].rpartition('.')[2]}"
        assert {name: str(cells[name]) for name in row if not name.endswith("_file_name")} == {
            name: value for name, value in row.items() if not name.endswith("_file_name")
        }


def test_a_column_has_one_type_in_all_splits(dataset, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "set"
    shutil.copytree(dataset.folder, folder)
    path = folder / "test" / "metadata.csv"
    with path.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    for row in table:
        row |= {"tau": "1", "overexposed": "not known"}
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, table[0])
        writer.writeheader()
        writer.writerows(table)
    document = json.loads((folder / "dataset.json").read_text())
    document["manifest"]["test"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "dataset.json").write_text(json.dumps(document))
    export(folder, "parquet", tmp_path / "out")
    schemas = [pq.read_schema(name) for name in sorted((tmp_path / "out").glob("*.parquet"))]
    assert len(schemas) == 2
    assert schemas[0] == schemas[1]
    assert [str(schemas[0].field(name).type) for name in ("tau", "overexposed", "width")] == [
        "double",
        "string",
        "int64",
    ]


@pytest.mark.slow
@THEIRS
def test_datasets_reads_the_tables_and_opens_their_pictures(dataset, light, tmp_path):
    pytest.importorskip("pyarrow")
    datasets = pytest.importorskip("datasets")
    export(dataset.folder, "parquet", tmp_path / "out", per_file=5)
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(found[split]) for split in found} == {s: len(rows(dataset, s)) for s in dataset.splits}
    for split in dataset.splits:
        known = rows(dataset, split)
        for item in found[split]:
            for side in ("input", "target"):
                seen = dataset.read(split, known[item["id"]], side).pixels
                assert np.array_equal(np.asarray(item[side]), seen)
            assert item["tau"] == float(known[item["id"]]["tau"])
    export(light.folder, "parquet", tmp_path / "light")
    found = datasets.load_dataset(str(tmp_path / "light"), cache_dir=str(tmp_path / "cache"))
    (row, *_) = rows(light, "train").values()
    assert hashlib.sha256(found["train"][0]["target"]["bytes"]).hexdigest() == row["target_sha256"]
    assert found["train"][0]["preview"].size == found["train"][0]["input"].size


# ---- BasicSR and pix2pix ---------------------------------------------------------------------------------


def test_basicsr_finds_each_input_under_its_targets_name(dataset, tmp_path):
    export(dataset.folder, "basicsr", tmp_path)
    for split in dataset.splits:
        lines = (tmp_path / split / "meta_info.txt").read_text().splitlines()
        known = rows(dataset, split)
        assert [line.split(" ")[0] for line in lines] == [f"{key}.png" for key in known]
        for line, row in zip(lines, known.values(), strict=True):
            name, shape = line.split(" ")
            for folder, side in (("lq", "input"), ("gt", "target")):
                data = (tmp_path / split / folder / name).read_bytes()
                assert data[1:4] == b"PNG"
                assert shape == str(pixels(data).shape).replace(" ", "")
                assert np.array_equal(pixels(data), dataset.read(split, row, side).pixels)


@pytest.mark.slow
def test_pix2pix_has_the_input_on_the_left_and_the_target_on_the_right(dataset, tmp_path):
    from torchvision.datasets import ImageFolder

    export(dataset.folder, "pix2pix", tmp_path)
    folder = ImageFolder(str(tmp_path))
    assert folder.classes == sorted(dataset.splits)
    assert len(folder) == sum(len(rows(dataset, split)) for split in dataset.splits)
    for (path, _), (picture, label) in zip(folder.samples, folder, strict=True):
        split = folder.classes[label]
        row = rows(dataset, split)[Path(path).stem]
        both = np.asarray(picture)
        left, right = np.split(both, 2, axis=1)
        assert np.array_equal(left, dataset.read(split, row, "input").pixels)
        assert np.array_equal(right, dataset.read(split, row, "target").pixels)


def test_sixteen_bits_are_kept_by_basicsr_and_rounded_by_pix2pix(tmp_path):
    from exposurebench.images import encode_image, quantize, read_image

    levels = np.random.default_rng(0).integers(3000, 60000, (20, 16, 3)).astype(np.uint16)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encode_image(levels))
    asked = dataset_recipe({"source": "folder", "tau": 0.9, "form": "camera", "well_exposed": 1, "split": "test"})
    made = make_dataset(asked, tmp_path / "set", root=tmp_path / "in", card=False).dataset
    (row,) = made.rows("test")
    target = made.read_target("test", row)
    assert target.bit_depth == 16
    for layout in ("basicsr", "pix2pix"):
        export(made.folder, layout, tmp_path / layout)
    kept = read_image(tmp_path / "basicsr" / "test" / "gt" / f"{row['id']}.png")
    assert np.array_equal(kept.pixels, target.pixels)
    both = read_image(tmp_path / "pix2pix" / "test" / f"{row['id']}.png")
    assert np.array_equal(both.pixels[:, 16:], quantize(target.pixels.astype(np.float64) / 65535))


def test_sides_of_two_sizes_are_no_pix2pix(dataset, tmp_path, monkeypatch):
    real = Dataset.read

    def read(self, split, row, side):
        image = real(self, split, row, side)
        return type(image)(image.pixels[1:]) if side == "target" else image

    monkeypatch.setattr(Dataset, "read", read)
    with pytest.raises(InputError, match="pix2pix needs sides of one size"):
        export(dataset.folder, "pix2pix", tmp_path)


@pytest.mark.slow
@THEIRS
def test_the_folder_as_it_stands_is_read_by_mlcroissant(photographs, tmp_path):
    croissant = pytest.importorskip("mlcroissant")
    asked = dataset_recipe({"source": "folder", "tau": 0.5, "limit": 3, "split": "test", "license": "CC0"})
    made = make_dataset(asked, tmp_path / "set", root=photographs).dataset
    found = croissant.Dataset(jsonld=str(made.folder / "croissant.json"))
    records = list(found.records("test"))
    assert len(records) == 3
    known = rows(load_dataset(made.folder), "test")
    assert {record["test/id"].decode() for record in records} == set(known)


@pytest.mark.slow
@THEIRS
def test_the_folder_as_it_stands_is_read_by_datasets(photographs, tmp_path):
    datasets = pytest.importorskip("datasets")
    asked = dataset_recipe({"source": "folder", "tau": 0.5, "limit": 6, "split": "train=0.5,test=0.5"})
    made = make_dataset(asked, tmp_path / "set", root=photographs).dataset
    found = datasets.load_dataset(str(made.folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(found[split]) for split in found} == {s: len(rows(made, s)) for s in made.splits}
    for split in made.splits:
        known = rows(made, split)
        for item in found[split]:
            for side in ("input", "target"):
                assert np.array_equal(np.asarray(item[side]), made.read(split, known[item["id"]], side).pixels)
