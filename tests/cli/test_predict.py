"""exposurebench predict"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from exposurebench.dataset import load_dataset
from exposurebench.images import read_image
from exposurebench.models.small_cnn import network


def test_photographs_are_corrected_under_their_own_names(
    run: Callable[..., Any], photographs: Path, tmp_path: Path
) -> None:
    files = sorted((photographs / "class0").iterdir())[:2]
    shown = run("predict", "baseline:identity", *files, "--out", "out")
    assert (shown.out, shown.err) == ("out: 2 photographs corrected by identity\n", "")
    for file in files:
        assert (read_image(tmp_path / "out" / f"{file.stem}.png").pixels == read_image(file).pixels).all()


def test_a_data_sets_inputs_are_named_after_their_keys(run: Callable[..., Any], samples: Path, tmp_path: Path) -> None:
    told = run("predict", "baseline:gamma", "--dataset", samples, "--out", "out", "--json").document
    keys = [row["id"] for row in load_dataset(samples).rows("test")]
    assert told == {"written": [f"out/{key}.png" for key in keys], "kept": [], "failed": {}}
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {*keys, "predictions"}


def test_what_cannot_be_read_is_left_out_and_told(run: Callable[..., Any], photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "broken\nname.jpg").write_bytes(b"")
    good = next((photographs / "class0").iterdir())
    words = ("predict", "baseline:identity", "broken\nname.jpg", good, "nowhere.jpg", "--out", "out")
    shown = run(*words, code=1)
    assert shown.out == "out: 1 photograph corrected by identity\n"
    assert [line.partition(" cannot")[0] for line in shown.err.splitlines()] == [
        "left out: 'broken\\nname.jpg' is empty (0 bytes)",
        "left out: 'nowhere.jpg'",
    ]
    told = run(*words, "--json", code=1).document
    assert (told["written"], told["kept"]) == ([], [f"out/{good.stem}.png"]), "it was there already"
    assert told["failed"].keys() == {"broken\nname.jpg", "nowhere.jpg"}


def test_training_targets_come_from_the_data_set_or_the_one_that_is_named(
    run: Callable[..., Any], samples: Path, trainable: Path
) -> None:
    words = ("predict", "baseline:histogram_match", "--out", "out", "--json")
    assert run(*words, "--dataset", trainable).document["written"]
    assert run(*words, "--dataset", samples, "--training", trainable).document["written"]


def test_a_network_is_opened_as_eval_opens_it(
    run: Callable[..., Any], refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    """Weights by --arch, the user's own code by --model, and code in a file by --trust-code alone."""
    photograph = next((photographs / "class0").iterdir())
    torch.manual_seed(3)
    torch.save(network(width=4).state_dict(), tmp_path / "weights.pt")
    words = ("predict", "weights.pt", photograph, "--arch", "small_cnn", "--set", "width=4", "--out")
    assert run(*words, "out").out == "out: 1 photograph corrected by weights\n"
    (tmp_path / "darker.py").write_text("def halves(by=2):\n    return lambda images: images / by\n")
    words = ("predict", "--model", "darker:halves", photograph, "--set", "by=4", "--values", "0:255", "--out")
    assert run(*words, "dark").out == "dark: 1 photograph corrected by darker-halves\n"
    ours, theirs = (read_image(path).pixels for path in (tmp_path / "dark" / f"{photograph.stem}.png", photograph))
    assert abs(ours - theirs / 4).max() <= 0.5
    torch.save(torch.nn.Identity(), tmp_path / "module.pt")
    assert "open it isolated with --trust-code" in refused("predict", "module.pt", photograph, "--out", "no", code=5)
    said = refused("predict", "baseline:gamma", photograph, "--trust-code", "--out", "no", code=2)
    assert "--trust-code: of no use with a baseline" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--model", "darker:halves"), 2, "expected photographs, or --dataset"),
        (("--dataset", "SET"), 2, "expected one of: a model's file, baseline:NAME, --model"),
        (("baseline:gamma", "a.jpg", "--values", "1"), 2, "--values"),
        (("baseline:identity",), 2, "expected photographs, or --dataset"),
        (("baseline:identity", "a.jpg", "--dataset", "SET"), 2, "expected photographs, or --dataset"),
        (("baseline:idenity", "a.jpg"), 2, "did you mean 'identity'?"),
        (("baseline:histogram_match", "a.jpg"), 4, "--training"),
        (("nothing.pt", "a.jpg"), 3, "no such file"),
        (("baseline:gamma", "a.jpg", "--set", "mid=x"), 2, "mid must be a number"),
        (("baseline:gamma", "a.jpg", "--format", "exr"), 2, "gamma gives pictures, which is written as png or jpg"),
        (("baseline:gamma", "--dataset", "SET", "--format", "jpg"), 2, "leave out --format"),
        (("baseline:gamma", "a.jpg", "--shard", "1/2"), 2, "--shard shares the pairs of a --dataset"),
        (("baseline:gamma", "--dataset", "SET", "--shard", "3/2"), 2, "there is no share 3/2"),
        (("baseline:gamma", "a.jpg", "--on-error", "fail"), 3, "'a.jpg' cannot be opened"),
        (("baseline:gamma", "--dataset", "nowhere"), 4, "no data set in 'nowhere'"),
        (("baseline:gamma", "--dataset", "SET", "--split", "train"), 3, "has no split 'train': it has test"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(
    refused: Callable[..., str], samples: Path, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    words = tuple(str(samples) if word == "SET" else word for word in words)
    assert said in refused("predict", *words, "--out", "out", code=code)
    assert list(tmp_path.iterdir()) == []
