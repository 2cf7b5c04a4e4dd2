"""Batches for training: every pair once an epoch, the same whoever asks and whenever, and sides that still match."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from exposurebench import dataset as reading
from exposurebench import feed as feeding
from exposurebench.augmentation import augment
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, MissingError, RecipeError
from exposurebench.feed import open_feed
from exposurebench.images import encode_radiance
from exposurebench.pairing.gamma_clip import overexposure_table
from exposurebench.splits import split_of
from exposurebench.stock import HELD_OUT

PLAIN = {"batch": 4, "patch": 24, "seed": 3}
Batch = Mapping[str, torch.Tensor]


@pytest.fixture(scope="session")
def twos(tmp_path_factory: pytest.TempPathFactory, photographs: Path, build: Callable[..., Any]) -> Path:
    """Two thresholds of every photograph, 32 x 32, in all three splits."""
    splits = {"tau": [0.4, 0.7], "size": 32, "crop": "center", "split": "train=0.6,val=0.2,test=0.2", "seed": 1}
    return build(tmp_path_factory.mktemp("twos") / "set", photographs, **splits).folder


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory: pytest.TempPathFactory, photographs: Path, build: Callable[..., Any]) -> Path:
    """Pairs whose input is their target, of several sizes, all in train."""
    return build(tmp_path_factory.mktemp("same") / "set", photographs, tau=1.0, split="train").folder


def levels(batch: torch.Tensor) -> list[np.ndarray]:
    """The pictures of a batch as they lie in files."""
    return list((batch * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def keys(batch: Batch) -> list[bytes]:
    return [a.tobytes() + b.tobytes() for a, b in zip(levels(batch["input"]), levels(batch["target"]), strict=True)]


def same(one: Batch, other: Batch) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[side], other[side]) for side in one)


def stored(folder: Path, split: str = "train") -> dict[bytes, str]:
    """The pairs of a data set, by their pixels."""
    dataset = load_dataset(folder)
    return {
        dataset.read_input(split, row).pixels.tobytes() + dataset.read_target(split, row).pixels.tobytes(): row["id"]
        for row in dataset.rows(split)
    }


# ---- order, share, resumption --------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 4, 7, 100])
def test_an_epoch_has_every_pair_once_and_fills_its_last_batch_up(twos: Path, batch: int) -> None:
    pairs = stored(twos)
    assert len(pairs) == len(load_dataset(twos).rows("train"))
    orders = []
    with open_feed(twos, batch=batch, patch=0, seed=3) as feed:
        assert feed.steps_per_epoch == -(-len(pairs) // batch)
        for epoch in range(2):
            steps = range(epoch * feed.steps_per_epoch, (epoch + 1) * feed.steps_per_epoch)
            met = [pairs[key] for step in steps for key in keys(feed.batch(step))]
            assert sorted(met[: len(pairs)]) == sorted(pairs.values()), "every pair once"
            assert met[len(pairs) :] == [met[i % len(pairs)] for i in range(len(met) - len(pairs))]
            orders.append(met[: len(pairs)])
    assert orders[0] != orders[1] != sorted(orders[1]), "another order every epoch"


@settings(max_examples=8)
@given(step=st.integers(0, 10_000), world=st.sampled_from([2, 4]), seed=st.integers(-5, 2**63))
@pytest.mark.parametrize("how", [{}, {"augment": "paper1"}, {"degrade": {"tau": "0.5:1"}, "augment": "paper2"}])
def test_processes_share_the_batch_that_one_would_make(
    twos: Path, how: dict[str, Any], step: int, world: int, seed: int
) -> None:
    setting = {**PLAIN, **how, "seed": seed, "threads": 1}
    with open_feed(twos, **setting) as feed:
        whole = feed.batch(step)
    parts = []
    for rank in range(world):
        with open_feed(twos, **setting, rank=rank, world=world) as feed:
            parts.append(feed.batch(step))
    assert same(whole, {side: torch.cat([part[side] for part in parts]) for side in whole})


@pytest.mark.parametrize("how", [{}, {"augment": "paper2"}, {"degrade": {"tau": "0.5:1", "noise": 0.01}}])
def test_a_step_has_its_batch_whatever_was_asked_before_and_by_how_many_threads(
    twos: Path, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_feed(twos, **PLAIN, **how, threads=1) as feed:
        wanted = [feed.batch(step) for step in range(9)]
    monkeypatch.setattr(feeding, "CACHE_BYTES", 0)
    for threads, order in ((4, (6, 7, 8)), (2, (8, 0, 3, 3, 1))):
        with open_feed(twos, **PLAIN, **how, threads=threads) as feed:
            assert all(same(feed.batch(step), wanted[step]) for step in order)
    with open_feed(twos, **{**PLAIN, "seed": 4}, **how) as feed:
        assert not same(feed.batch(0), wanted[0])
    assert not any(same(one, other) for one, other in itertools.combinations(wanted, 2))


def test_batches_are_float_on_the_device_and_channels_last(twos: Path) -> None:
    with open_feed(twos, **PLAIN) as feed:
        for images in feed.batch(0).values():
            assert (images.shape, images.dtype) == ((4, 3, 24, 24), torch.float32)
            assert images.is_contiguous(memory_format=torch.channels_last)
            assert 0 <= images.min() < images.max() <= 1
        assert feed.waited > 0
        assert feed.about.keys() == {"name", "pixels", "seen", "targets"}
        assert len(feed.about["seen"]) == len({row["target_file_name"] for row in load_dataset(twos).rows("train")})


# ---- crops and augmentation ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["", "paper2", "paper2/corrected"])
def test_both_sides_are_cut_and_turned_alike(unchanged: Path, how: str) -> None:
    with open_feed(unchanged, **PLAIN, augment=how) as feed:
        for step in range(8):
            batch = feed.batch(step)
            assert torch.equal(batch["input"], batch["target"])


def test_crops_lie_everywhere_in_the_photograph(tmp_path: Path) -> None:
    """A photograph whose pixels are their own places, cut at every place that there is, about equally often."""
    place = np.zeros((19, 20, 3), np.uint8)
    place[..., 0], place[..., 1] = np.mgrid[:19, :20]
    cv2.imwrite(str(tmp_path / "a.png"), place[..., ::-1])
    name = next(n for n in map(str, range(99)) if split_of(f"{n}.png", None, HELD_OUT, 0) == "train")
    (tmp_path / "a.png").rename(tmp_path / f"{name}.png")
    met = Counter()
    with open_feed(tmp_path, batch=60, patch=16, seed=0, degrade={"tau": 1.0}) as feed:
        for step in range(10):
            for picture in levels(feed.batch(step)["target"]):
                top, left = (int(value) for value in picture[0, 0, :2])
                np.testing.assert_array_equal(picture, place[top : top + 16, left : left + 16])
                met[top, left] += 1
    assert met.keys() == set(itertools.product(range(4), range(5)))
    assert min(met.values()) > 10


def test_paper1_as_published_turns_the_input_alone(unchanged: Path) -> None:
    kinds: Counter[str] = Counter()
    with open_feed(unchanged, batch=30, patch=24, seed=0, augment="paper1") as feed:
        for step in range(4):
            batch = feed.batch(step)
            for given, target in zip(*map(levels, batch.values()), strict=True):
                flipped = np.array_equal(given, target[:, ::-1])
                kinds["flipped" if flipped else "same" if np.array_equal(given, target) else "jittered"] += 1
    assert kinds["flipped"] == pytest.approx(0.4 * 120, abs=18)
    assert kinds["same"] == pytest.approx(0.4 * 120, abs=18)
    assert kinds["jittered"] == pytest.approx(0.2 * 120, abs=15)


@pytest.mark.parametrize("how", ["paper1/corrected", "paper2", "paper2/corrected"])
def test_what_is_augmented_is_what_data_sets_get(twos: Path, how: str) -> None:
    """Whole pictures, so that every version of every pair is known; colours are jittered the same way by the seed."""
    with open_feed(twos, batch=8, patch=0, seed=3, augment=how) as feed:
        batch = [keys(feed.batch(step)) for step in range(3)]
    with open_feed(twos, batch=8, patch=0, seed=3) as feed:
        plain = [feed.batch(step) for step in range(3)]
    turned = 0
    for step, pairs in enumerate(batch):
        sides = zip(*map(levels, plain[step].values()), strict=True)
        for place, (key, (shown, target)) in enumerate(zip(pairs, sides, strict=True)):
            epoch, number = divmod(step, feed.steps_per_epoch)
            seed = feeding.draw(3, "sample", str(epoch), str(number * 8 + place))
            made = augment({"input": shown, "target": target}, how, seed=seed)
            assert key in {version.sides["input"].tobytes() + version.sides["target"].tobytes() for version in made}
            turned += key != shown.tobytes() + target.tobytes()
    assert turned > 6, "and something was done"


# ---- validation ----------------------------------------------------------------------------------------


def test_validation_shows_whole_pairs_of_the_val_split(twos: Path) -> None:
    with open_feed(twos, **PLAIN, augment="paper1") as feed:
        shown, again = feed.validation(4), feed.validation(4)
        everything = feed.validation(1000)
    assert shown is not None and again is not None and everything is not None
    assert same(shown, again)
    known = stored(twos, "val")
    assert len({known[key] for key in keys(shown)}) == 4
    assert sorted(known[key] for key in keys(everything)) == sorted(known.values())


def test_validation_cuts_the_middle_of_what_differs_in_size(
    tmp_path: Path, photographs: Path, build: Callable[..., Any], unchanged: Path
) -> None:
    built = build(tmp_path / "set", photographs, tau=1.0, split="train=0.5,val=0.5")
    with open_feed(built.folder, **PLAIN) as feed:
        shown = feed.validation(30)
    assert shown is not None
    rows = built.rows("val")
    assert shown["input"].shape == (len(rows), 3, min(row["height"] for row in rows), 48)
    height = shown["input"].shape[2]
    for picture, row in zip(levels(shown["target"]), rows, strict=True):
        top = (row["height"] - height) // 2
        np.testing.assert_array_equal(picture, built.read_target("val", row).pixels[top : top + height])
    with open_feed(unchanged, **PLAIN) as feed:
        assert feed.validation(3) is None, "it has no val split"


# ---- degraded while training ---------------------------------------------------------------------------


def test_degrading_targets_gives_the_data_set_that_make_dataset_wrote(twos: Path) -> None:
    """Both read the same photographs: in one the inputs were written, in the other they are made again."""
    with open_feed(twos, **PLAIN) as written, open_feed(twos, **PLAIN, degrade={"tau": [0.4, 0.7]}) as made:
        assert made.steps_per_epoch == written.steps_per_epoch
        assert all(same(made.batch(step), written.batch(step)) for step in range(written.steps_per_epoch + 1))
        shown, wanted = made.validation(9), written.validation(9)
        assert shown is not None and wanted is not None and same(shown, wanted)


def test_a_folder_of_photographs_is_parted_by_scene(photographs: Path, tmp_path: Path) -> None:
    with open_feed(photographs, **PLAIN, degrade={"pairing": "gamma_clip", "tau": "0.5:0.9"}) as feed:
        shown, seen = feed.validation(100), {name for name, _ in feed.about["seen"]}
        assert shown is not None and same(shown, feed.validation(100) or {}), "the same every time"
        batch = feed.batch(0)
    assert len(seen) + len(shown["input"]) == 30
    assert 1 <= len(shown["input"]) <= 9
    assert (batch["input"] >= batch["target"] - 1 / 255).all(), "brighter, but for its dither"
    assert (batch["input"].mean() - batch["target"].mean()) > 0.02
    assert all(torch.equal(images, (images * 255).round() / 255) for images in batch.values()), "levels of 8 bits"
    (tmp_path / "text.txt").write_text("no photograph")
    with pytest.raises(MissingError, match="no photographs in"):
        open_feed(tmp_path, **PLAIN, degrade={"tau": 0.5})


def test_deep_and_light_sides(tmp_path: Path, build: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "light").mkdir()
    for number in range(3):
        light = cv2.resize(rng.random((4, 5, 3), np.float32) ** 3 * 4, (40, 32))
        (tmp_path / "light" / f"{number}.exr").write_bytes(encode_radiance(light))
    built = build(
        tmp_path / "set", tmp_path / "light", source="radiance", pair="triplet", split="train", well_exposed=1
    )
    rows = {row["id"]: row for row in built.rows("train")}
    with open_feed(built.folder, batch=9, patch=0, seed=0, sides=("input", "target", "radiance")) as feed:
        batch = feed.batch(0)
    met = set()
    for place in range(9):
        for name, row in rows.items():
            sides = {side: built.read("train", row, side).as_float() for side in batch}
            if all(np.array_equal(batch[s][place].permute(1, 2, 0).numpy(), sides[s]) for s in batch):
                met.add(name)
    assert met == set(rows)
    assert batch["radiance"].max() > 1
    deep = rng.integers(0, 65536, (32, 32, 3)).astype(np.uint16)
    (tmp_path / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "deep" / "1.png"), deep[..., ::-1])
    with open_feed(tmp_path / "deep", batch=1, patch=0, seed=0, degrade={"tau": 0.5}) as feed:
        pair = feed.batch(0)
    np.testing.assert_array_equal((pair["target"][0].double() * 65535).round().permute(1, 2, 0).numpy(), deep)
    cv2.imwrite(str(tmp_path / "deep" / "2.png"), (deep[..., ::-1] >> 8).astype(np.uint8))
    with open_feed(tmp_path / "deep", batch=2, patch=0, seed=0, degrade={"tau": 0.5}) as feed:
        both = feed.batch(0)
    mine = [torch.equal(target, pair["target"][0]) for target in both["target"]].index(True)
    assert torch.equal(both["input"][mine], pair["input"][0]), "whatever the depth of the others"
    assert torch.equal(both["input"][1 - mine], (both["input"][1 - mine] * 255).round() / 255)
    expected = overexposure_table(0.5, "gamma22", 16)[deep]
    np.testing.assert_array_equal((pair["input"][0].double() * 65535).round().permute(1, 2, 0).numpy(), expected)


# ---- memory, threads, errors ---------------------------------------------------------------------------


def test_files_are_decoded_once_as_long_as_there_is_room(twos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met: Counter[str] = Counter()
    read = reading.read_image
    monkeypatch.setattr(reading, "read_image", lambda path, **how: (met.update([str(path)]), read(path, **how))[1])

    def epochs(count: int) -> None:
        met.clear()
        with open_feed(twos, **PLAIN, threads=1) as feed:
            for step in range(count * feed.steps_per_epoch):
                feed.batch(step)

    epochs(3)
    rows = load_dataset(twos).rows("train")
    assert set(met.values()) == {1}
    assert len(met) == len(rows) + len({row["target_file_name"] for row in rows})
    monkeypatch.setattr(feeding, "CACHE_BYTES", 5 * 32 * 32 * 3)
    epochs(3)
    assert sum(count == 1 for count in met.values()) == 5, "as many as there is room for"
    assert min(count for count in met.values() if count > 1) >= 3


def feeders() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("feed")]


def test_no_thread_stays(twos: Path) -> None:
    feed = open_feed(twos, **PLAIN, threads=3)
    feed.batch(0)
    assert feeders()
    feed.close()
    feed.close()
    assert not feeders()
    with pytest.raises(KeyboardInterrupt), open_feed(twos, **PLAIN) as feed:
        feed.batch(0)
        raise KeyboardInterrupt
    assert not feeders()


@pytest.mark.slow
def test_control_c_ends_the_process_at_once(twos: Path) -> None:
    code = (
        "import sys\nfrom exposurebench.feed import open_feed\n"
        f"feed = open_feed({str(twos)!r}, batch=4, patch=8, seed=0)\n"
        "for step in range(10**9):\n    feed.batch(step)\n    print(step, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"0\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == -signal.SIGINT


def test_a_broken_file_is_told_in_the_batch_that_needs_it(
    tmp_path: Path, write_photographs: Callable[..., Path], build: Callable[..., Any]
) -> None:
    folder = write_photographs(tmp_path / "in", 6)
    built = build(tmp_path / "set", folder, tau=0.5, split="train")
    row = built.rows("train")[2]
    (built.folder / "train" / row["input_file_name"]).write_bytes(b"nothing")
    with open_feed(built.folder, batch=6, patch=16, seed=0) as feed, pytest.raises(InputError) as error:
        feed.batch(0)
    assert row["input_file_name"] in str(error.value) and "\n" not in str(error.value)
    assert not feeders()
    (path,) = folder.rglob("photo0003.jpg")
    path.write_bytes(path.read_bytes()[:300])
    with (
        open_feed(folder, batch=6, patch=16, seed=0, degrade={"tau": 0.5}) as feed,
        pytest.raises(InputError, match=r"photo0003\.jpg' is damaged.*take it out of the folder"),
    ):
        feed.batch(0)


@pytest.mark.parametrize(
    ("setting", "kind", "said"),
    [
        ({"patch": 41}, InputError, "smaller than a patch of 41: lower patch"),
        ({"patch": 0}, InputError, "whole images, and these are of 5 sizes"),
        ({"batch": 0}, RecipeError, "at least 1"),
        ({"batch": 5, "world": 2}, RecipeError, "cannot be shared by 2 processes"),
        ({"augment": "paper9"}, RecipeError, "unknown augmentation 'paper9'"),
        ({"augment": "paper1", "degrade": {"tau": 0.5}}, RecipeError, "changes the input alone"),
        ({"sides": ("input", "radiance")}, InputError, "has no radiance: its pairs have input, target"),
        ({"sides": ("input", "target", "radiance"), "degrade": {"tau": 0.5}}, RecipeError, "build a data set"),
        ({"degrade": {"tua": 0.5}}, RecipeError, "did you mean 'tau'"),
        ({"degrade": {"tau": 2.0}}, RecipeError, r"degrade: tau must be in \(0, 1\]"),
        ({"degrade": {"pairing": "bracket"}}, RecipeError, "degrade.pairing must be gamma_clip"),
        ({"degrade": {"tau": 0.5, "seed": 1}}, RecipeError, "degrade.seed"),
        ({"degrade": {"tau": 0.5, "noise": 0.1}}, RecipeError, "noise needs form=camera"),
    ],
)
def test_settings_that_cannot_be_used(
    unchanged: Path, setting: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as error:
        open_feed(unchanged, **{**PLAIN, **setting})
    assert "\n" not in str(error.value)
    assert not feeders()


def test_data_that_cannot_be_trained_on(samples: Path, photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train split"):
        open_feed(samples, **PLAIN)
    with pytest.raises(MissingError, match="no data set"):
        open_feed(photographs, **PLAIN)
    with pytest.raises(MissingError, match="no data set"):
        open_feed(tmp_path / "nowhere", **PLAIN, degrade={"tau": 0.5})
    with (
        open_feed(photographs, **{**PLAIN, "patch": 0}, degrade={"tau": 0.5}) as feed,
        pytest.raises(InputError, match=r"is 48 x 4\d and others are 48 x 4\d: set patch"),
    ):
        for step in range(9):
            feed.batch(step)
