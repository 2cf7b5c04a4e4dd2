"""exposurebench train"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from exposurebench.checkpoint import load_checkpoint

pytestmark = pytest.mark.usefixtures("undrawn")
QUICK = ("--set", "steps=2", "--set", "patch=16", "--set", "network.width=2")


def test_a_recipe_and_its_settings_end_in_a_checkpoint(
    run: Callable[..., Any], trainable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")  # of a cluster's scheduler, not of torchrun
    shown = run("train", "small_cnn", "--data", trainable, "--out", "run", *QUICK)
    assert re.match(
        r"run/model\.pt: trained, [\d.]+ images/s, [\d.]+% of the time waiting for data; now run exposure", shown.out
    )
    assert shown.err == ""
    assert len(pd.read_csv(tmp_path / "run" / "log.csv")) == 2
    checkpoint = load_checkpoint(tmp_path / "run" / "model.pt")
    assert checkpoint.settings == {"width": 2}
    assert (checkpoint.recipe["steps"], checkpoint.recipe["batch"]) == (2, 8), "the recipe first, then --set"


def test_a_recipe_of_ones_own_and_json(run: Callable[..., Any], trainable: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('model = "small_cnn"\nsteps = 1\npatch = 16\n')
    told = run("train", "mine.toml", "--data", trainable, "--out", "run", "--json")
    assert told.document["checkpoint"] == "run/model.pt"
    assert (told.document["steps"], told.document["made"]) == (1, 1)
    assert set(told.document["losses"]) == {"step", "l1"}
    assert told.err == ""


def test_the_same_command_goes_on_and_a_finished_run_says_so(
    run: Callable[..., Any], refused: Callable[..., str], trainable: Path
) -> None:
    words = ("train", "small_cnn", "--data", trainable, "--out", "run", *QUICK)
    run(*words)
    assert run(*words).out == "run/model.pt: finished before, after 2 steps; nothing to do\n"
    assert run(*words, "--json").document["made"] == 0
    line = refused(*words, "--set", "steps=3", code=2)
    assert "'run' holds another training: steps is 3 here and 2 there; choose another --out" in line


def test_several_seeds_and_what_is_to_be_told(
    run: Callable[..., Any], toy: Callable[..., None], with_val: Path, tmp_path: Path
) -> None:
    def network(*, pretrained: str = "imagenet") -> torch.nn.Module:
        return torch.nn.Conv2d(3, 3, 1)

    def start(network: torch.nn.Module) -> tuple[dict[str, str], str]:
        return {"pretrained": "none"}, "no weights were found"

    toy(network=network, start=start)
    (tmp_path / "toy.toml").write_text('model = "toy_gan"\nsteps = 2\nbatch = 2\npatch = 16\n')
    words = ("train", "toy.toml", "--data", with_val, "--out", "five", "--seeds", 2)
    told = run(*words)
    assert told.err == "note: no weights were found\n" * 2
    assert re.search(r"^ *quantity +mean +sd +seed-0 +seed-1\n", told.out)
    assert told.out.endswith("five/summary.csv: 2 trainings compared\n")
    table = run(*words, "--json").document["summary"]
    assert [row["quantity"] for row in table][:2] == ["psnr", "ssim"]
    assert pd.read_csv(tmp_path / "five" / "summary.csv")["mean"].tolist() == [row["mean"] for row in table]
    assert load_checkpoint(tmp_path / "five" / "seed-1" / "model.pt").recipe["note"] == "no weights were found"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("small_cn",), 2, "unknown recipe 'small_cn'; did you mean 'small_cnn'?"),
        (("mine.toml",), 2, "unknown recipe 'mine.toml'"),
        (("small_cnn", "--set", "model=smallcnn"), 2, "unknown model 'smallcnn'; did you mean 'small_cnn'?"),
        (("small_cnn", "--set", "stepps=3"), 2, "unknown key 'stepps'; did you mean 'steps'?"),
        (("small_cnn", "--set", "steps=many"), 2, "steps must be a whole number, not 'many'"),
        (("small_cnn", "--set", "steps=0"), 2, "steps must be at least 1, not 0"),
        (("small_cnn", "--set", "width=4"), 2, "width is a setting of [network]: write network.width"),
        (("small_cnn", "--set", "epochs=2", "--set", "steps=3"), 2, "give steps or epochs, one of the two"),
        (("small_cnn", "--set", "learning_rate=nan"), 2, "learning_rate must be positive"),
        (("small_cnn", "--set", "learning_rate=inf"), 2, "learning_rate must be positive"),
        (("small_cnn", "--set", "schema=2"), 2, "schema 2 is newer"),
        (("small_cnn", "--set", "network.width=0"), 2, "width"),
        (("small_cnn", "--device", "foo"), 2, "no device is called 'foo'"),
        (("small_cnn", "--set", "patch=500"), 3, "smaller than a patch of 500: lower patch"),
        (
            ("small_cnn", *QUICK, "--set", "steps=9", "--set", "learning_rate=1e30"),
            6,
            "nothing was saved: train in another folder with a lower learning_rate (1e+30)",
        ),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(
    refused: Callable[..., str], trainable: Path, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in refused("train", *words, "--data", trainable, "--out", "run", code=code)
    assert list(tmp_path.iterdir()) == []


def test_data_that_cannot_be_trained_on(refused: Callable[..., str], samples: Path, tmp_path: Path) -> None:
    assert "no data set in 'nowhere'" in refused("train", "small_cnn", "--data", "nowhere", "--out", "run", code=4)
    line = refused("train", "small_cnn", "--data", samples, "--out", "run", code=3)
    assert "has no train split: build one with --split train=0.8,val=0.1,test=0.1" in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(refused: Callable[..., str], trainable: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    line = refused("train", "small_cnn", "--data", trainable, "--out", "run", *QUICK, code=74)
    assert "choose another folder" in line
    assert (tmp_path / "run").read_text() == "mine"
