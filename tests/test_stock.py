"""What a training is fed from, before any image is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, MissingError
from exposurebench.sources.folder import scene_name, walk
from exposurebench.stock import HELD_OUT, check_sizes, pairs_of, photographs_of, targets_of


def test_pairs_are_the_manifests_rows_and_targets_each_once(trainable: Path) -> None:
    dataset = load_dataset(trainable)
    rows, pairs = dataset.rows("train"), pairs_of(dataset, ("input", "target")).train
    assert [pairs.at(number)[0]["id"] for number in range(len(pairs))] == [row["id"] for row in rows]
    row = pairs.at(1)[0]
    assert (pairs.read(row, "input").pixels == dataset.read_input("train", rows[1]).pixels).all()
    targets = targets_of(dataset, 3).train
    assert len(targets) == len(rows), "three versions of a third of the rows"
    assert [targets.at(n)[0]["scene"] for n in range(0, len(targets), 3)] == list(
        dict.fromkeys(r["scene"] for r in rows)
    )
    assert [targets.at(n)[1] for n in range(len(targets))] == [0, 1, 2] * len(targets.rows)


def test_photographs_are_parted_by_their_names_and_the_seed(photographs: Path) -> None:
    names = {scene_name(path, photographs) for path in walk(photographs)}
    parted = {}
    for seed in (0, 1):
        stocks = photographs_of(photographs, 1, seed)
        assert stocks.held_out is not None
        train, held_out = ({row["id"] for row in stock.rows} for stock in (stocks.train, stocks.held_out))
        assert train | held_out == names and not train & held_out
        assert {name for name, _ in stocks.about()["seen"]} == train
        parted[seed] = held_out
    assert parted[0] != parted[1]
    assert "0.1" in HELD_OUT


def test_a_single_photograph_is_trained_on_whatever_its_name(
    tmp_path: Path, write_photographs: Callable[..., Path]
) -> None:
    write_photographs(tmp_path, 1)
    for seed in range(40):
        assert len(photographs_of(tmp_path, 1, seed).train) == 1


def test_sizes_are_told_by_the_manifest(trainable: Path) -> None:
    stock = pairs_of(load_dataset(trainable), ("input", "target")).train
    check_sizes(stock, 96)
    with pytest.raises(InputError, match="smaller than a patch of 97"):
        check_sizes(stock, 97)


def test_what_is_not_there(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train split"):
        pairs_of(load_dataset(samples), ("input",))
    with pytest.raises(MissingError, match="no photographs"):
        photographs_of(tmp_path, 1, 0)
