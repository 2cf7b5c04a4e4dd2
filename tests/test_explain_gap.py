"""Published numbers and the ways to measure that give them."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pandas as pd
import pytest
import torch

from exposurebench import protocols
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.explain_gap import Claim, claim, explain_gap, parts
from exposurebench.method import open_method
from exposurebench.metrics.psnr import psnr
from exposurebench.metrics.ssim import ssim
from exposurebench.predict import predict_dataset
from exposurebench.protocols import PROTOCOLS
from exposurebench.report.gap import as_text, document, draw_ranks, write_gap_page
from exposurebench.result import write_result
from exposurebench.tensors import to_tensor


@pytest.fixture
def few_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the enlarging protocols, which take most of the time."""
    for name in ("resize_1200x900", "resize_512"):
        monkeypatch.delitem(PROTOCOLS, name)


@pytest.fixture(scope="module")
def results(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for name in ("identity", "gamma", "inverse_clip"):
        write_result(evaluate(f"baseline:{name}", samples, metrics=["psnr", "ssim"]), folder / name)
    return folder


@pytest.mark.parametrize(
    ("text", "value", "rounding"), [("psnr=23.1", 23.1, 0.05), ("psnr=23", 23, 0.5), ("ssim=0.8120", 0.812, 5e-5), ("psnr=2.31e1", 23.1, 0.05)]
)  # fmt: skip
def test_a_claims_digits_say_its_rounding(text: str, value: float, rounding: float) -> None:
    found = claim(text)
    assert found.value == value
    assert found.rounding == pytest.approx(rounding)


@pytest.mark.parametrize("text", ["psnr", "psnr=", "=3", "psnr=high", "psnr=nan"])
def test_a_claim_is_a_number(text: str) -> None:
    with pytest.raises(RecipeError, match="published number"):
        claim(text)


def test_values_are_those_of_the_metrics_on_changed_sides(samples: Path, results: Path, few_ways: None) -> None:
    found = explain_gap([results / "gamma"], samples)
    opened, method = load_dataset(samples), open_method("baseline:gamma")
    by_hand = []
    for row in opened.rows("test"):
        given, target = opened.read_input("test", row), opened.read_target("test", row)
        made = (method.run(given.as_float(), row) * 255).round() / 255
        sides = protocols.cropped_luma(to_tensor(made, torch.float64), to_tensor(target.pixels, torch.float64))
        by_hand.append([psnr(*sides).item(), ssim(*sides).item()])
    values = found.table.set_index(["protocol", "metric"])["value"]
    assert values["crop4_y"].tolist() == pytest.approx(torch.tensor(by_hand).mean(0).tolist(), abs=1e-4)
    summary = evaluate("baseline:gamma", samples, metrics=["psnr", "ssim"]).summary["value"]
    assert values["ours"].tolist() == pytest.approx(summary.tolist(), abs=1e-6)


def test_the_protocol_that_gives_the_number_is_named(samples: Path, results: Path, few_ways: None) -> None:
    table = explain_gap([results / "gamma"], samples).table
    values = table[table["metric"] == "psnr"].set_index("protocol")["value"]
    for name in ("y", "gt_mean", "uint8_wrap"):
        wanted = claim(f"psnr={values[name]:.3f}")
        found = explain_gap([results / "gamma"], samples, [wanted])
        near = found.near(wanted)
        assert (near["protocol"][0], near["gives"].tolist()) == (name, [True] + [False] * (len(near) - 1))
        assert f"one way gives it: {name} (" in as_text(found)


def test_it_is_honest_about_none_several_and_no_gap(samples: Path, results: Path, few_ways: None) -> None:
    def said(wanted: Claim) -> str:
        return as_text(explain_gap([results / "gamma"], samples, [wanted]))

    table = explain_gap([results / "gamma"], samples).table
    values = table[table["metric"] == "psnr"].set_index("protocol")["value"]
    assert "no way gives it: the nearest is uint8_wrap" in said(claim("psnr=99.0"))
    middle, apart = (values["y"] + values["crop4_y"]) / 2, abs(values["y"] - values["crop4_y"])
    assert "2 ways give it: " in said(Claim("psnr", middle, apart))
    assert "there is no gap: measured as here it is the published number; so do " in said(claim("psnr=2e1"))
    assert "there is no gap: measured as here" in said(claim(f"psnr={values['ours']:.3f}"))


def test_ranks_and_their_map(samples: Path, results: Path, tmp_path: Path, few_ways: None) -> None:
    found = explain_gap([results / name for name in ("inverse_clip", "gamma", "identity")], samples, [claim("psnr=90")])
    ranks = found.ranks().set_index(["metric", "protocol"])
    assert "uint8_wrap" not in ranks.index.get_level_values("protocol"), "what says nothing ranks nothing"
    values = found.table.set_index(["metric", "protocol", "method"])["value"]
    for key, row in ranks.iterrows():
        order = sorted(found.methods, key=lambda name: -values[(*key, name)])
        assert [row[name] for name in order] == [1, 2, 3]
    text = as_text(found)
    assert "by psnr as measured here: inverse_clip > " in text
    path = draw_ranks(found, tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert document(found)["ranks"][0]["inverse_clip"] == 1
    page = write_gap_page(found, tmp_path).read_text(encoding="utf-8")
    assert "By psnr as measured here: inverse_clip " in page
    assert "inverse_clip: published psnr 90 dB" in page, "a method keeps its name at the beginning of a sentence"


def test_images_come_from_files_and_must_be_those_of_the_result(
    samples: Path, results: Path, tmp_path: Path, few_ways: None
) -> None:
    for name in ("gamma", "clahe"):
        predict_dataset(open_method(f"baseline:{name}"), samples, "test", tmp_path / name)
    write_result(evaluate(None, samples, predictions=tmp_path / "gamma", name="files"), tmp_path / "files")
    found = explain_gap([tmp_path / "files"], samples, predictions=[tmp_path / "gamma"])
    direct = explain_gap([results / "gamma"], samples)
    assert found.table["value"].tolist() == direct.table["value"].tolist()
    with pytest.raises(InputError, match="say where its images come from"):
        explain_gap([tmp_path / "files"], samples)
    with pytest.raises(InputError, match="not the ones that were evaluated"):
        explain_gap([tmp_path / "files"], samples, predictions=[tmp_path / "clahe"])


def test_other_targets_are_a_way_to_measure(samples: Path, results: Path, tmp_path: Path, few_ways: None) -> None:
    shutil.copytree(samples, tmp_path / "expert_b")
    found = explain_gap([results / "gamma"], samples, targets=[tmp_path / "expert_b"])
    values = found.table.set_index(["protocol", "metric"])["value"]
    assert values["targets of samples-tau0.5", "psnr"] == values["ours", "psnr"], "the same targets, the same score"
    first = next((tmp_path / "expert_b").glob("test/target/*"))
    cv2.imwrite(str(first), cv2.imread(str(first))[:-8])
    with pytest.raises(
        InputError, match=r"^targets of samples-tau0.5: that of .* is \d+ x \d+, not \d+ x \d+: name one"
    ):
        explain_gap([results / "gamma"], samples, targets=[tmp_path / "expert_b"])


def test_parts_of_a_set_that_has_both(trainable: Path, tmp_path: Path, few_ways: None) -> None:
    write_result(evaluate("baseline:gamma", trainable, metrics=["psnr"]), tmp_path / "r")
    found = explain_gap([tmp_path / "r"], trainable)
    ours = found.table[(found.table["protocol"] == "ours") & (found.table["metric"] == "psnr")].set_index("part")[
        "value"
    ]
    pairs = evaluate("baseline:gamma", trainable, metrics=["psnr"]).per_image
    assert list(ours.index) == ["all pairs", "with those that were right"], "clipping only brightens"
    assert ours["with those that were right"] == pytest.approx(pairs["psnr"].clip(upper=100).mean())


def test_over_and_under_are_cut_by_exposure() -> None:
    """MSEC's two groups: papers count 0 EV among the overexposed."""
    table = pd.DataFrame({"unchanged": [False] * 5, "ev": [-1.5, -1.0, 0.0, 1.0, 1.5]})
    found = {name: places.nonzero()[0].tolist() for name, places in parts(table).items()}
    assert found == {"all pairs": [0, 1, 2, 3, 4], "under": [0, 1], "over": [3, 4], "over, with 0 EV": [2, 3, 4]}


def test_refuses(samples: Path, trainable: Path, results: Path) -> None:
    with pytest.raises(InputError, match="is not the data set"):
        explain_gap([results / "gamma"], trainable)
    with pytest.raises(InputError, match="one name"):
        explain_gap([results / "gamma", results / "gamma"], samples)
    with pytest.raises(InputError, match="lacks 6 of the pairs"):
        explain_gap([results / "gamma"], samples, targets=[trainable])
    for metric in ("histogram_similarity", "pu21_psnr", "clipped_chroma", "exposure_error"):
        with pytest.raises(RecipeError, match="single display images"):
            explain_gap([results / "gamma"], samples, [Claim(metric, 1, 0.1)])
    with pytest.raises(RecipeError, match="psnr"):
        explain_gap([results / "gamma"], samples, [Claim("psrn", 1, 0.1)])
