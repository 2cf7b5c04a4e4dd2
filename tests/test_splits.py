"""Splits: by scene, by nothing but its name, the rule and the seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposurebench import splits
from exposurebench.splits import parse_shares, split_of

NAMES = [f"photo{number:04d}.jpg" for number in range(2000)]


def test_splits_are_fixed_for_ever() -> None:
    """Published data sets hang on these."""
    found = [split_of(name, None, "official", 0) for name in NAMES[:24]]
    assert "".join(split[:2] for split in found) == "vavatrtrtrtrvatrtrtrtrtrtrvatrtrtevatrtrtrtrtrtr"


@pytest.mark.parametrize("rule", ["official", "train=0.5,test=0.5", "train=0.6,val=0.3,test=0.1", "val=1"])
def test_shares_are_kept(rule: str) -> None:
    wanted = splits.DEFAULT_SHARES if rule == "official" else parse_shares(rule)
    found = Counter(split_of(name, None, rule, 3) for name in NAMES)
    assert found.keys() == wanted.keys()
    for split, share in wanted.items():
        assert found[split] / len(NAMES) == pytest.approx(share, abs=0.04)


def test_a_share_of_nothing_gets_nothing() -> None:
    assert {split_of(name, None, "train=0,val=1,test=0", 0) for name in NAMES} == {"val"}


def test_the_seed_moves_scenes_and_a_larger_share_keeps_them() -> None:
    def train(share: float, seed: int) -> set[str]:
        rule = f"train={share},test={1 - share}"
        return {name for name in NAMES if split_of(name, None, rule, seed) == "train"}

    assert train(0.5, 0) != train(0.5, 1)
    assert train(0.25, 0) < train(0.5, 0) < train(0.75, 0)


def test_official_splits_win_where_they_are_asked_for() -> None:
    assert split_of("a", "val", "official", 0) == "val"
    assert split_of("a", "val", "train", 0) == "train"
    shares = "train=0.5,test=0.5"
    assert {split_of(name, "val", shares, 0) for name in NAMES[:50]} == {"train", "test"}


@settings(max_examples=30)
@given(st.text(), st.integers())
def test_every_name_has_a_split(name: str, seed: int) -> None:
    assert split_of(name, None, "official", seed) in splits.DEFAULT_SHARES
    assert split_of(name, None, "official", seed) == split_of(name, None, "official", seed)


@pytest.mark.parametrize("position", [0, 2**63 - 1])
@pytest.mark.parametrize("rule", ["official", "train=0.7,val=0.2,test=0.1", "test=0.5,train=0.5"])
def test_the_ends_of_the_scale_belong_to_the_first_and_the_last(
    monkeypatch: pytest.MonkeyPatch, rule: str, position: int
) -> None:
    monkeypatch.setattr(splits, "draw", lambda *_: position)
    names = list(splits.DEFAULT_SHARES if rule == "official" else parse_shares(rule))
    assert split_of("a", None, rule, 0) == names[0 if position == 0 else -1]


def test_spaces_are_no_mistake_and_the_order_is_the_rules() -> None:
    assert parse_shares(" test=0.25 , train = 0.75 ") == {"test": 0.25, "train": 0.75}
    assert parse_shares("train=0.7,val=0.2,test=0.1") == {"train": 0.7, "val": 0.2, "test": 0.1}


@pytest.mark.parametrize(
    "rule",
    [
        *("", "trian", "train=0.5", "train=0.5,test=0.6", "train=0.5,test=half", "train=0.5,test=", "train"),
        *("train=0.5,eval=0.5", "train=-0.5,test=1.5", "train=nan,test=1", "train=inf", "train=0.5,train=0.5"),
        *("train=0.5,test=0.5,", "train=0.5;test=0.5", "=1"),
    ],
)
def test_a_rule_that_cannot_be_read(rule: str) -> None:
    with pytest.raises(ValueError, match="expected official, train, val, test, shares that add up to 1") as caught:
        parse_shares(rule)
    assert repr(rule) in str(caught.value)


def test_all_pairs_of_a_scene_are_in_one_split(build: Callable[..., Any], photographs: Path, tmp_path: Path) -> None:
    dataset = build(tmp_path, photographs, tau="0.4,0.8", split="train=0.5,val=0.25,test=0.25")
    scenes = {split: set(dataset.table(split)["scene"]) for split in dataset.splits}
    assert dataset.splits == ("train", "val", "test")
    assert sum(map(len, scenes.values())) == 30 == len(set().union(*scenes.values()))
    for split in dataset.splits:
        for name in scenes[split]:
            assert split_of(name, None, "train=0.5,val=0.25,test=0.25", 0) == split


def test_numbers_of_scenes_are_kept_whatever_the_seed() -> None:
    for seed in range(3):
        order = sorted(splits.position(name, seed) for name in NAMES[:102])
        places = [order.index(splits.position(name, seed)) for name in NAMES[:102]]
        found = [
            split_of(name, None, "train=82,val=10,test=10", seed, place)
            for name, place in zip(NAMES[:102], places, strict=True)
        ]
        assert Counter(found) == {"train": 82, "val": 10, "test": 10}


def test_a_number_of_scenes_is_no_share(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="numbers of scenes such as train=82"):
        parse_shares("train=1.5,test=0.5")
    with pytest.raises(ValueError, match="numbers of scenes"):
        parse_shares("train=inf,test=1")
