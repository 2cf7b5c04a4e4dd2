"""Overlap: pictures are known again after what data sets do to them, and no two photographs are taken for one."""

from functools import partial
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from click.testing import CliRunner
from numpy.typing import NDArray

from exposurebench.checkpoint import load_checkpoint
from exposurebench.cli import group
from exposurebench.color import srgb_to_display, srgb_to_light
from exposurebench.errors import InputError, MissingError
from exposurebench.images import encode_image, encode_radiance, quantize, read_image
from exposurebench.overlap import (
    ALIKE,
    Picture,
    alike,
    difference,
    fivek_number,
    overlap,
    phash,
    recorded,
    training_record,
)
from exposurebench.train import train
from exposurebench.training_recipe import training_recipe

RECIPE = {"model": "small_cnn", "steps": 1, "batch": 1, "patch": 16}


def picture(seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    found = sum(
        cv2.resize(rng.random((k, k, 3), np.float32), (240, 160), interpolation=cv2.INTER_CUBIC) / k
        for k in (3, 8, 30, 80)
    )
    return np.asarray((found - found.min()) / np.ptp(found), np.float32)


def exposed(display: NDArray[np.float32], ev: float) -> NDArray[np.uint8]:
    return quantize(srgb_to_display((srgb_to_light(display) * 2.0**ev).clip(0, 1)))


CHANGES = {
    **{f"{ev:+} EV": lambda p, ev=ev: exposed(p, ev) for ev in (-4, -2, -1, 1, 2, 3, 4)},
    "0.4 of the size": lambda p: quantize(cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)),
    "JPEG 50": lambda p: simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(quantize(p), quality=50)),
    "5 % cut off": lambda p: quantize(
        p[p.shape[0] // 40 : -(p.shape[0] // 40), p.shape[1] // 40 : -(p.shape[1] // 40)]
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_the_shared_photographs_are_known_again(change: str, photographs: list[NDArray[np.float32]]) -> None:
    known = [difference(phash(p), phash(CHANGES[change](p))) <= ALIKE for p in photographs]
    assert sum(known) >= {"+3 EV": 71, "+4 EV": 69}.get(change, 72)


def test_no_two_shared_photographs_are_taken_for_one(photographs: list[NDArray[np.float32]]) -> None:
    hashes = [phash(p) for p in photographs]
    assert len(hashes) == 72
    assert min(difference(a, b) for a, b in combinations(hashes, 2)) > ALIKE + 0.05


@pytest.fixture(scope="module")
def photographs(shared: Path) -> list[NDArray[np.float32]]:
    paths = [path for name in ("ldr", "kodak") for path in sorted((shared / "data" / name).iterdir())]
    return [read_image(path).as_float() for path in paths]


def test_hashes_are_whole_and_flat_pictures_have_none() -> None:
    code = phash(picture())
    assert len(code) == 64
    assert difference(code, code) == 0
    assert phash(np.full((50, 60, 3), 90, np.uint8)) == ""
    assert phash(picture()) == phash(quantize(picture())) or difference(code, phash(quantize(picture()))) < 0.03
    assert not alike([Picture("flat", "", None)], [Picture("flat", "", None)])


def test_alike_gives_what_single_comparisons_give() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        [Picture(f"{side}{n}", rng.bytes(32).hex(), None) for n in range(count)]
        for side, count in (("a", 700), ("b", 9))
    )
    b[4] = Picture("b4", a[650].phash, None)
    share = 0.45
    wanted = {(p.name, q.name) for p in a for q in b if difference(p.phash, q.phash) <= share}
    found = alike(a, b, share)
    assert {match[:2] for match in found} == wanted
    assert found[0] == ("a650", "b4", 0.0)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("a0001-jmac_DSC1459_N1.5", 1),
        ("INPUT_IMAGES/a4999-x", 4999),
        ("x_a0700_y", 700),
        ("a5001-x", None),
        ("a0000-x", None),
        ("a00012", None),
        ("Place_aa0001", None),
    ],
)
def test_fivek_numbers(name: str, number: int | None) -> None:
    assert fivek_number(name) == number


def test_folders_data_sets_and_splits(tmp_path: Path) -> None:
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe

    for name, seed in (("a0007-x", 0), ("b", 1), ("c", 2)):
        path = tmp_path / "photographs" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_image(quantize(picture(seed))))
    other = tmp_path / "other"
    other.mkdir()
    (other / "dark.jpg").write_bytes(encode_image(exposed(picture(1), -2), "jpg", 80))
    (other / "light.hdr").write_bytes(encode_radiance(srgb_to_light(picture(2)).astype(np.float32), "hdr"))
    (other / "input_a0007_P1.png").write_bytes(encode_image(quantize(picture(9))))
    (other / "broken.jpg").write_bytes(b"no picture")
    found = overlap(tmp_path / "photographs", other)
    assert found.pictures == (3, 3)
    assert {match[:2] for match in found.alike} == {("b.png", "dark.jpg"), ("c.png", "light.hdr")}
    assert found.fivek == [7]
    assert found.skipped == (0, 1)
    assert found.shared == 3
    recipe = dataset_recipe({"source": "folder", "well_exposed": 1, "split": "train=0.5,test=0.5", "seed": 3})
    dataset = make_dataset(recipe, tmp_path / "set", root=tmp_path / "photographs", card=False).dataset
    assert dataset.splits == ("train", "test")
    assert overlap(tmp_path / "set", tmp_path / "set").same_set
    assert not overlap(f"{tmp_path / 'set'}:train", f"{tmp_path / 'set'}:test").alike
    assert len(overlap(tmp_path / "set", tmp_path / "photographs").alike) == 3
    assert {name for name, _ in training_record(dataset)["seen"]} == {
        f"train/{row['scene']}" for row in dataset.rows("train")
    }


def test_a_checkpoint_says_what_it_has_seen(trainable: Path, tmp_path: Path) -> None:
    model = train(training_recipe(RECIPE), trainable, tmp_path / "run").checkpoint
    assert overlap(model, f"{trainable}:train").alike
    assert not overlap(model, f"{trainable}:test").alike
    assert overlap(model, trainable).same_set


def test_a_record_of_very_many_is_a_sample_with_all_of_fivek(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exposurebench.overlap.MOST_RECORDED", 4)
    names = [f"p{n}" for n in range(10)] + ["a0012-x"]
    record = recorded([(name, partial(picture, n)) for n, name in enumerate(names)])
    assert [name for name, _ in record["seen"]] == ["p0", "p3", "p6", "p9", "a0012-x"]
    assert record["seen"][1][1] == phash(picture(3))
    assert record["targets"] == 11
    (tmp_path / "photographs").mkdir()
    for n in range(12):
        (tmp_path / "photographs" / f"{n}.png").write_bytes(encode_image(quantize(picture(n))))
    recipe = training_recipe({**RECIPE, "degrade.pairing": "gamma_clip"})
    model = train(recipe, tmp_path / "photographs", tmp_path / "run").checkpoint
    found, targets = overlap(model, tmp_path / "photographs"), load_checkpoint(model).dataset["targets"]
    assert targets > 4 >= found.pictures[0]
    assert found.skipped == (targets - found.pictures[0], 0)


def test_what_cannot_be_compared(tmp_path: Path, samples: Path) -> None:
    with pytest.raises(MissingError, match="no folder or checkpoint"):
        overlap(tmp_path / "nowhere", samples)
    with pytest.raises(InputError, match="has no split 'train'"):
        overlap(f"{samples}:train", samples)


def test_the_command(tmp_path: Path) -> None:
    for side, seeds in (("a", (0, 1)), ("b", (1, 2)), ("c", (3,))):
        for seed in seeds:
            (tmp_path / side).mkdir(exist_ok=True)
            (tmp_path / side / f"{seed}.png").write_bytes(encode_image(quantize(picture(seed))))
    shared = CliRunner().invoke(group, ["overlap", str(tmp_path / "a"), str(tmp_path / "b")], standalone_mode=False)
    assert shared.return_value == 1
    assert "1.png = 1.png (0 % of the bits differ)" in shared.output
    assert "1 pictures of A are in B; 0 FiveK numbers: none" in shared.output
    none = CliRunner().invoke(
        group, ["overlap", str(tmp_path / "a"), str(tmp_path / "c"), "--json"], standalone_mode=False
    )
    assert none.return_value == 0
    assert '"alike": []' in none.output
