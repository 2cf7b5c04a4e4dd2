"""Pictures of a training: every number and every pixel that they show."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Picture

from exposurebench.camera import preview
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError
from exposurebench.method import open_method
from exposurebench.report import figures, training

RNG = np.random.default_rng(0)
ROWS = [
    {"step": step, "l1": 9 - step / 20, "adversarial": float(RNG.random()), "discriminator_real": 0.2 + step / 100}
    for step in range(107)
]


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Picture.open(io.BytesIO(path.read_bytes())).convert("RGB"))


def flat(*colours: tuple[float, float, float], side: int = 200) -> torch.Tensor:
    return torch.tensor(colours).view(-1, 3, 1, 1).expand(-1, 3, side, side)


def place(shown: NDArray[np.uint8], *colour: int) -> tuple[int, int, int, int]:
    """Where a colour lies: top, left, height, width; every pixel between is of it."""
    rows, columns = np.nonzero((shown == colour).all(2))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert len(rows) == height * width, "one whole rectangle"
    return int(rows.min()), int(columns.min()), int(height), int(width)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures themselves, instead of their files."""
    kept: list[Figure] = []
    monkeypatch.setattr(figures, "write_figure", lambda figure, path: kept.append(figure))
    return kept


def curves(axes: Any) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """The lines that the legend names."""
    return {str(line.get_label()): line.get_data() for line in axes.lines if not str(line.get_label()).startswith("_")}


# ---- losses --------------------------------------------------------------------------------------------


def test_losses_of_batches_have_a_running_mean(drawn: list[Figure], tmp_path: Path) -> None:
    assert [path.name for path in training.plot_losses(ROWS, tmp_path, steps_per_epoch=10)] == [
        "losses.png",
        "losses_per_epoch.png",
    ]
    network, critic = drawn[0].axes
    assert list(curves(network)) == ["l1", "adversarial"]
    assert list(curves(critic)) == ["real"]
    assert "mean over the last 5" in drawn[0].get_suptitle()
    steps, means = curves(network)["adversarial"]
    values = [row["adversarial"] for row in ROWS]
    np.testing.assert_array_equal(steps, np.arange(107))
    np.testing.assert_allclose(means, [np.mean(values[max(0, i - 4) : i + 1]) for i in range(107)])
    thin = next(line for line in network.lines if len(line.get_ydata()) == 107 and line.get_linewidth() < 1)
    assert list(thin.get_ydata()) == [row["l1"] for row in ROWS]
    assert (network.get_ylabel(), critic.get_xlabel()) == ("loss of the network (weighted)", "step (batches)")


def test_losses_of_epochs_are_means_of_whole_ones(drawn: list[Figure], tmp_path: Path) -> None:
    training.plot_losses(ROWS, tmp_path, steps_per_epoch=10)
    epochs, means = curves(drawn[1].axes[0])["l1"]
    np.testing.assert_array_equal(epochs, np.arange(10) + 1, err_msg="the eleventh is not whole")
    np.testing.assert_allclose(means, [np.mean([row["l1"] for row in ROWS[e * 10 : e * 10 + 10]]) for e in range(10)])
    assert drawn[1].axes[-1].get_xlabel() == "epoch"


def test_short_logs(drawn: list[Figure], tmp_path: Path) -> None:
    assert training.plot_losses([], tmp_path, steps_per_epoch=3) == []
    assert training.plot_losses([{"step": 0, "l1": 0.0}], tmp_path, steps_per_epoch=3) == [tmp_path / "losses.png"]
    assert [len(figure.axes) for figure in drawn] == [1], "no discriminator, no axes for it"
    assert drawn[0].axes[0].get_yscale() == "linear", "0 has no logarithm"


def test_what_spans_decades_is_logarithmic_with_plain_numbers(drawn: list[Figure], tmp_path: Path) -> None:
    training.plot_losses([{"step": s, "a": 10.0 ** (s % 4 - 2)} for s in range(9)], tmp_path, steps_per_epoch=100)
    axes = drawn[0].axes[0]
    assert axes.get_yscale() == "log"
    assert axes.yaxis.get_major_formatter()(0.01, 0) == "0.01"


def test_plots_and_sheets_are_the_same_bytes_whatever_the_users_settings(tmp_path: Path) -> None:
    def draw(folder: Path) -> list[bytes]:
        files = training.plot_losses(ROWS, folder, steps_per_epoch=10)
        colours = flat((0.1, 0.2, 0.3)), flat((0.2, 0.2, 0.3)), flat((0.1, 0.5, 0.3))
        return [path.read_bytes() for path in (*files, training.validation_picture(*colours, folder / "a.png"))]

    plain = draw(tmp_path / "one")
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 300, "image.origin": "lower"}):
        assert draw(tmp_path / "other") == plain


# ---- photographs ---------------------------------------------------------------------------------------


def test_input_output_and_target_stand_side_by_side_a_row_each(tmp_path: Path) -> None:
    sides = [flat((s / 255, 7 / 255, 90 / 255), (s / 255, 200 / 255, 90 / 255)) for s in (40, 41, 42)]
    shown = pixels(training.validation_picture(*sides, tmp_path / "a.png"))
    places = [[place(shown, side, row, 90) for side in (40, 41, 42)] for row in (7, 200)]
    for row in places:
        assert {(top, height, width) for top, _, height, width in row} == {(row[0][0], 200, 200)}, "not stretched"
        assert row[0][1] + 200 < row[1][1] < row[2][1] - 200
    assert places[0][0][0] + 200 < places[1][0][0]


@pytest.mark.parametrize(("side", "expected"), [(1, 160), (50, 150), (64, 128), (160, 160), (320, 320), (1000, 320)])
def test_small_pictures_grow_by_whole_steps_and_large_ones_shrink(tmp_path: Path, side: int, expected: int) -> None:
    sides = [flat((s / 255, 7 / 255, 90 / 255), side=side) for s in (40, 41, 42)]
    assert place(pixels(training.validation_picture(*sides, tmp_path / "a.png")), 41, 7, 90)[2:] == (expected, expected)


def test_outputs_beyond_display_white_saturate(tmp_path: Path) -> None:
    shown = pixels(
        training.validation_picture(
            flat((0.5, 0.1, 0.1)), flat((1.7, -0.2, 0.1)), flat((0.5, 0.2, 0.1)), tmp_path / "a.png"
        )
    )
    assert place(shown, 255, 0, 26)[2:] == (200, 200)


def test_light_is_shown_by_one_tone_curve_for_output_and_target(tmp_path: Path) -> None:
    target = torch.rand(1, 3, 200, 200, generator=torch.Generator().manual_seed(0)) ** 3 * 40
    shown = pixels(
        training.validation_picture(flat((0.5, 0.1, 0.1)), target / 2, target, tmp_path / "a.png", gives="linear")
    )
    top, left, height, width = place(shown, 128, 26, 26)
    light = target[0].permute(1, 2, 0).numpy()
    white = training.white_level(light)
    for number, expected in ((1, preview(light / 2, white)), (2, preview(light, white))):
        x = left + number * (width + 8)
        np.testing.assert_array_equal(shown[top : top + height, x : x + width], expected.pixels)


def test_a_sample_sheet_shows_what_a_method_makes_of_a_data_set(trainable: Path, tmp_path: Path) -> None:
    dataset, seen = load_dataset(trainable), []

    def invert(given: NDArray[np.float32], row: Any) -> NDArray[np.float32]:
        seen.append(row["id"])
        return 1 - given

    method = training.Method("invert", invert)
    path = training.sample_sheet(method, dataset, tmp_path / "sheet.png", split="test", count=4)
    first, chosen = path.read_bytes(), list(seen)
    assert len(set(chosen)) == 4
    training.sample_sheet(method, dataset, path, split="test", count=4)
    assert path.read_bytes() == first and seen[4:] == chosen, "the same pairs, the same bytes"
    shown = pixels(path)
    row = next(row for row in dataset.rows("test") if row["id"] == chosen[0])
    given, target = (dataset.read("test", row, side).pixels for side in ("input", "target"))
    height, width = given.shape[:2]
    x = 26 + np.arange(3) * (max(160, *(r["width"] for r in dataset.rows("test") if r["id"] in chosen)) + 8)
    for left, picture in zip(x, (given, 255 - given, target), strict=True):
        np.testing.assert_array_equal(shown[76 : 76 + height, left : left + width], picture)
    with pytest.raises(InputError, match="no split 'val'"):
        training.sample_sheet(method, dataset, path, split="val")


def test_labels_say_how_near_input_and_output_are(
    trainable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels: list[str] = []
    monkeypatch.setattr(figures, "contact_sheet", lambda path, groups, **_: labels.extend(g[-1] for g in groups))
    training.sample_sheet(open_method("baseline:identity"), load_dataset(trainable), tmp_path / "a.png", count=99)
    assert any("tau 0.4\n" in label for label in labels)
    assert any(label.endswith("PSNR: input the same, output the same") for label in labels), "tau 1 changes nothing"
    told = next(label for label in labels if "tau 0.4\n" in label).partition("PSNR: ")[2]
    given, made = (part.split(" ", 1)[1] for part in told.split(", "))
    assert given == made and given.endswith(" dB"), "identity changes nothing"
