"""The plots of a card: the same bytes every time, pictures shown pixel by pixel, nothing drawn that was not measured."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Picture

from exposurebench.exposure import overexpose
from exposurebench.report import figures


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Picture.open(io.BytesIO(path.read_bytes())).convert("RGB"))


def colour(red: int, green: int, blue: int, width: int = 256, height: int = 192) -> NDArray[np.uint8]:
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def sheet(path: Path) -> None:
    figures.contact_sheet(path, [(colour(201, 7, 3), colour(3, 202, 9), "test/a\ntau 0.5")])


def curves(path: Path) -> None:
    counts = np.zeros((256, 256), np.int64)
    counts[np.arange(256), np.arange(256)] = 50
    figures.transfer_plot(path, {"measured": counts}, [(0.5, "gamma22")], 3)


def histograms(path: Path) -> None:
    numbers = np.random.default_rng(0).random((5, 3))
    figures.histogram_plot(path, {"input": numbers, "target": numbers / 2}, 5)


@pytest.mark.parametrize("draw", [sheet, curves, histograms])
def test_a_plot_is_the_same_bytes_whatever_the_users_settings(tmp_path: Path, draw: Callable[[Path], None]) -> None:
    draw(tmp_path / "one.png")
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 300, "image.origin": "lower"}):
        draw(tmp_path / "other.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_picture_is_on_the_contact_sheet_pixel_by_pixel(tmp_path: Path, count: int) -> None:
    pairs = [(colour(200 + n, 7, 3), colour(3, 200 + n, 9), f"pair {n}") for n in range(count)]
    figures.contact_sheet(tmp_path / "sheet.png", pairs)
    shown = pixels(tmp_path / "sheet.png")
    for given, target, _ in pairs:
        places = []
        for picture in (given, target):
            rows, columns = np.nonzero((shown == picture[0, 0]).all(2))
            assert len(rows) == 256 * 192, "not scaled, not covered"
            places.append((rows.min(), columns.min()))
        assert places[0][0] == places[1][0], "input and target are side by side"
        assert places[0][1] + 256 < places[1][1], "the input is on the left"


def test_small_pictures_and_odd_labels_find_their_place(tmp_path: Path) -> None:
    label = f"test/{'n' * 57}...\n$x_1^2$ tau 0.5"
    figures.contact_sheet(tmp_path / "sheet.png", [(colour(201, 7, 3, 1, 1), colour(3, 202, 9, 256, 3), label)])
    shown = pixels(tmp_path / "sheet.png")
    assert (shown == (201, 7, 3)).all(2).sum() == 1
    assert (shown == (3, 202, 9)).all(2).sum() == 256 * 3


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures themselves, instead of their files."""
    kept: list[Figure] = []
    monkeypatch.setattr(figures, "write_figure", lambda figure, path: kept.append(figure))
    return kept


def lines(figure: Figure) -> dict[str, Any]:
    return {str(line.get_label()): line for line in figure.axes[0].lines}


def test_the_transfer_plot_shows_the_mean_of_what_was_counted(drawn: list[Figure], tmp_path: Path) -> None:
    counts = np.zeros((256, 256), np.int64)
    counts[100, 120], counts[100, 140] = 30, 10
    counts[7, 9] = 19  # too few to say anything
    figures.transfer_plot(tmp_path / "a.png", {"tau 0.5": counts}, [(0.5, "gamma22")], 1)
    (figure,) = drawn
    (name,) = (label for label in lines(figure) if label.startswith("tau 0.5"))
    mean = np.asarray(lines(figure)[name].get_ydata(), float)
    assert mean[100] == pytest.approx(125)
    assert np.isnan(np.delete(mean, 100)).all()
    closed = np.asarray(lines(figure)["closed form, tau 0.5"].get_ydata(), float)
    assert closed == pytest.approx(255 * overexpose(np.arange(256) / 255, 0.5))


def test_histograms_are_shares_of_all_images(drawn: list[Figure], tmp_path: Path) -> None:
    scalars = {"input": np.array([[0.0, 1.0, 0.5]] * 3 + [[1.0, 0.0, 0.5]]), "target": np.zeros((4, 3))}
    figures.histogram_plot(tmp_path / "a.png", scalars, 4)
    (figure,) = drawn
    assert [axes.get_xlabel().partition(":")[0] for axes in figure.axes] == list(figures.MEANINGS)
    for axes in figure.axes:
        for steps in axes.patches:
            assert steps.get_data().values.sum() == pytest.approx(100), "none falls out, at 0 and at 1 neither"
    luminance = figure.axes[0].patches[0].get_data().values
    assert (luminance[0], luminance[-1]) == (75, 25)
