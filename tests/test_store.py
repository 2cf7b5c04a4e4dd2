"""What is written: images under the names and hashes that the manifest says, and manifests that appear together."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from exposurebench.errors import InputError
from exposurebench.images import Image, read_image
from exposurebench.recipe import dataset_recipe
from exposurebench.scene import Pair
from exposurebench.store import Fingerprint, pixels_sha256, read_marker, write_manifests, write_pairs

COLUMNS = {
    *("input_file_name", "target_file_name", "id", "scene", "tau", "transfer", "form", "noise", "seed"),
    *("exposure_ev", "display_threshold", "clipped_share", "input_sha256", "target_sha256"),
    *("width", "height", "bit_depth", "license", "notes", "overexposed", "underexposed"),
}


def test_the_manifest_holds_every_column_and_its_hashes_are_right(
    build: Callable[..., Any], photographs: Path, tmp_path: Path
) -> None:
    build(tmp_path, photographs, tau="0.5:1", size=24, split="train=0.5,test=0.5", license="CC0")
    for split in ("train", "test"):
        table = pd.read_csv(tmp_path / split / "metadata.csv")
        assert set(table.columns) >= COLUMNS
        assert list(table.columns[:3]) == ["input_file_name", "target_file_name", "id"]
        assert table["id"].is_unique
        assert table["id"].str.fullmatch(r"[a-z0-9_-]+").all()
        assert set(table["license"]) == {"CC0"}
        for row in table.to_dict("records"):
            for side in ("input", "target"):
                path = tmp_path / split / row[f"{side}_file_name"]
                assert path.parent == tmp_path / split / side
                assert hashlib.sha256(path.read_bytes()).hexdigest() == row[f"{side}_sha256"]
                image = read_image(path)
                assert image.pixels.shape == (row["height"], row["width"], 3)
                assert image.bit_depth == row["bit_depth"]
            peak = read_image(tmp_path / split / row["target_file_name"]).pixels.max(axis=2) / 255
            assert row["clipped_share"] == pytest.approx((peak > row["display_threshold"]).mean())


def test_untouched_targets_are_the_sources_own_bytes(
    build: Callable[..., Any], photographs: Path, tmp_path: Path
) -> None:
    dataset = build(tmp_path, photographs, tau=0.5, split="test")
    for row in dataset.rows("test"):
        target = tmp_path / "test" / row["target_file_name"]
        assert target.suffix == Path(row["scene"]).suffix
        assert target.read_bytes() == (photographs / row["scene"]).read_bytes()


def test_several_thresholds_share_one_target(build: Callable[..., Any], photographs: Path, tmp_path: Path) -> None:
    dataset = build(tmp_path, photographs, tau="0.2,0.5,1", split="test")
    table = dataset.table("test")
    assert len(table) == 90
    assert len(list((tmp_path / "test" / "target").iterdir())) == 30
    assert table.groupby("scene")["target_file_name"].nunique().eq(1).all()
    assert dataset.document["counts"] == {"test": {"pairs": 90, "photographs": 30}}


def gray(level: int, depth: int = 8) -> Image:
    return Image(np.full((3, 4, 3), level, np.uint8 if depth == 8 else np.uint16), depth)


def pair(name: str, given: Image, target: Image) -> Pair:
    return Pair(name, given, target, {"tau": 0.5}, {"clipped_share": 0.0})


def test_pairs_with_targets_of_their_own_do_not_overwrite_each_other(tmp_path: Path) -> None:
    recipe = dataset_recipe({"source": "folder"})
    pairs = [pair("a", gray(1), gray(2)), pair("b", gray(3), gray(2)), pair("c", gray(4), gray(5))]
    rows, _ = write_pairs(tmp_path, "train", ("key", "key"), "0001/", pairs, recipe)
    assert [row["id"] for row in rows] == ["key-a", "key-b", "key-c"]
    assert all(row[f"{side}_file_name"].startswith(f"{side}/0001/") for row in rows for side in ("input", "target"))
    found = [
        [int(read_image(tmp_path / "train" / row[f"{side}_file_name"]).pixels[0, 0, 0]) for side in ("input", "target")]
        for row in rows
    ]
    assert found == [[1, 2], [3, 2], [4, 5]]


@pytest.mark.parametrize("depth", [8, 16])
def test_the_recorded_pixels_are_those_that_are_read_again(tmp_path: Path, depth: int) -> None:
    rng = np.random.default_rng(0)
    sides = [Image(rng.integers(0, 1 << depth, (9, 8, 3)).astype(f"uint{depth}"), depth) for _ in range(2)]
    for file_format in ("png", "jpg")[: 2 if depth == 8 else 1]:
        recipe = dataset_recipe({"source": "folder", "format": file_format})
        (row,), _ = write_pairs(tmp_path, "test", (file_format, file_format), "", [pair("", *sides)], recipe)
        again = (read_image(tmp_path / "test" / row[f"{side}_file_name"]).pixels for side in ("input", "target"))
        assert row["_pixels"].split() == [pixels_sha256(pixels) for pixels in again]
        assert row["bit_depth"] == depth


def test_the_pixels_hash_tells_shape_and_depth_apart_but_not_how_they_lie_in_memory() -> None:
    zeros = np.zeros((2, 6, 3), np.uint8)
    others = [zeros.reshape(6, 2, 3), np.zeros((2, 3, 3), np.uint16), zeros + np.uint8(1)]
    assert len({pixels_sha256(levels) for levels in [zeros, *others]}) == 4
    ramp = np.arange(36, dtype=np.uint8).reshape(2, 6, 3)
    assert pixels_sha256(ramp[:, ::-1][:, ::-1]) == pixels_sha256(ramp) == pixels_sha256(np.asfortranarray(ramp))
    assert pixels_sha256(ramp[:, ::-1]) != pixels_sha256(ramp)


def fingerprint(*rows: tuple[str, ...]) -> str:
    found = Fingerprint()
    for row in rows:
        found.add(*row)
    return found.hexdigest()


def test_a_fingerprint_depends_on_every_row_and_its_split_but_not_on_how_the_splits_mix() -> None:
    a, b, c = ("train", "a", "1"), ("train", "b", "2"), ("test", "c", "3")
    assert fingerprint(a, b, c) == fingerprint(c, a, b) == fingerprint(a, c, b)
    others = [fingerprint(b, a, c), fingerprint(a, b), fingerprint(a, b, ("val", "c", "3")), fingerprint()]
    assert len({fingerprint(a, b, c), *others}) == 5


def marker(split: str, *keys: str, rejected: tuple[str, ...] = ()) -> dict[str, Any]:
    sides = {"input_sha256": "0", "target_sha256": "1"}
    return {
        "rows": [{"id": key, "scene": key, **sides, "_split": split, "_pixels": f"{key} {key}"} for key in keys],
        "photographs": {split: len(keys)} if keys else {},
        "rejected": [{"source": name, "kind": "unreadable", "reason": "is empty"} for name in rejected],
    }


def test_manifests_are_assembled_from_all_markers(tmp_path: Path) -> None:
    odd = 'comma, "quote"\n.png'
    found = write_manifests(tmp_path, [marker("val", "a", odd), marker("train", "b"), marker("", rejected=("x", "y"))])
    assert found["counts"] == {"train": {"pairs": 1, "photographs": 1}, "val": {"pairs": 2, "photographs": 2}}
    assert list(found["counts"]) == ["train", "val"]
    assert found["rejected"] == {"unreadable": 2}
    with (tmp_path / "val" / "metadata.csv").open(newline="") as stream:
        assert [row["scene"] for row in csv.DictReader(stream)] == ["a", odd]
    with (tmp_path / "rejected.csv").open(newline="") as stream:
        assert [(row["source"], row["overexposed"]) for row in csv.DictReader(stream)] == [("x", ""), ("y", "")]
    for split, digest in found["manifest"].items():
        assert digest == hashlib.sha256((tmp_path / split / "metadata.csv").read_bytes()).hexdigest()


def test_no_manifest_appears_when_one_of_them_fails(tmp_path: Path) -> None:
    def broken():
        yield marker("train", "a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifests(tmp_path, broken())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_damaged_marker_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "shard-000000.json").write_text('{"rows": [')
    with pytest.raises(InputError, match=r"shard-000000\.json' cannot be read as") as caught:
        read_marker(tmp_path / "shard-000000.json")
    assert "\n" not in str(caught.value)


def test_columns_in_another_order_or_missing_are_put_right_and_unknown_ones_refused(tmp_path: Path) -> None:
    own = {"_split": "test", "_pixels": "0", "id": "a"}
    rows = [{**own, "tau": 1, "ev": 2}, {"ev": 3, "tau": 4, **own}, {**own, "ev": 5}]
    write_manifests(tmp_path, [{"rows": rows, "photographs": {"test": 3}, "rejected": []}])
    assert (tmp_path / "test" / "metadata.csv").read_text() == "id,tau,ev\na,1,2\na,4,3\na,,5\n"
    strange = [{**own, "tau": 1}, {"_split": "test", "_pixels": "0", "id": "b", "gain": 1}]
    with pytest.raises(ValueError, match="gain"):
        write_manifests(tmp_path, [{"rows": strange, "photographs": {"test": 2}, "rejected": []}])
