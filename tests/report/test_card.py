"""The card of a data set: readable by people and machines, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from exposurebench.dataset import Dataset, load_dataset
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.report.card import write_card

CARD = ("README.md", "croissant.json", "card/contact-sheet.png", "card/histograms.png", "card/transfer.png")


def build(folder: Path, photographs: int, **settings: Any) -> Dataset:
    """A data set of smooth random photographs of different sizes."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir(parents=True)
    for number in range(photographs):
        small = rng.integers(20, 230, (6, 8, 3), dtype=np.uint8)
        image = cv2.resize(small, (40 + 8 * (number % 3), 48 - 8 * (number % 2)), interpolation=cv2.INTER_CUBIC)
        (folder / "photos" / f"p{number} *x*.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    recipe = dataset_recipe({"source": "folder", "well_exposed": 1, **settings})
    return make_dataset(recipe, folder / "set", root=folder / "photos").dataset


def card_bytes(dataset: Dataset) -> dict[str, bytes]:
    return {name: (dataset.folder / name).read_bytes() for name in CARD}


def front_matter(dataset: Dataset) -> dict[str, Any]:
    _, head, _ = (dataset.folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    pairs = (line.split(": ", 1) for line in head.splitlines())
    return {key: json.loads(value) for key, value in pairs}


def test_card_is_the_same_bytes_whatever_the_folder_and_the_plots_settings(tmp_path: Path) -> None:
    import matplotlib as mpl

    one, other = (build(tmp_path / name, 5, split="train=0.6,test=0.4") for name in ("a", "b"))
    assert card_bytes(one) == card_bytes(other)
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 300}):
        write_card(load_dataset(one.folder))
    assert card_bytes(one) == card_bytes(other)


@pytest.mark.parametrize("settings", [{}, {"tau": "0.5:1"}, {"tau": [0.2, 0.5, 0.8, 1.0]}, {"transfer": "srgb"}])
def test_one_photograph_is_enough(tmp_path: Path, settings: dict[str, Any]) -> None:
    dataset = build(tmp_path, 1, split="test", **settings)
    assert set(dataset.splits) == {"test"}
    assert all(card_bytes(dataset).values())


def test_front_matter_names_the_folder_of_every_split(tmp_path: Path) -> None:
    dataset = build(tmp_path, 8, split="train=0.5,test=0.5")
    (config,) = front_matter(dataset)["configs"]
    assert config["data_files"] == [{"split": split, "path": f"{split}/**"} for split in ("train", "test")]
    assert all((dataset.folder / split / "metadata.csv").is_file() for split in dataset.splits)


def test_readme_says_what_was_left_out_and_how_to_make_it_again(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir(parents=True)
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    image = np.tile(np.arange(20, 220, 4, dtype=np.uint8)[None, :, None], (40, 1, 3))
    (tmp_path / "photos" / "fine.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    recipe = dataset_recipe({"source": "folder", "split": "test", "title": "a | b <script>", "license": "mine_own"})
    dataset = make_dataset(recipe, tmp_path / "set", root=tmp_path / "photos").dataset
    text = (dataset.folder / "README.md").read_text(encoding="utf-8")
    assert "| unreadable | 1 |" in text
    assert dataset.document["command"] in text
    assert r"a \| b \<script\>" in text
    assert "licence: mine_own" in text
    assert "a smoke test, not a ranking" in text
    assert str(tmp_path) not in text


def test_drawn_thresholds_leave_no_remark_about_a_comb(tmp_path: Path) -> None:
    fixed, drawn = build(tmp_path / "a", 2, split="test"), build(tmp_path / "b", 6, split="test", tau="0.3:1")
    texts = [(d.folder / "README.md").read_text(encoding="utf-8") for d in (fixed, drawn)]
    assert ["comb of empty levels" in text for text in texts] == [True, False]
