"""The plots of a data set's card: the same bytes on every run, whatever matplotlib's user settings are."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from exposurebench.color import Transfer
from exposurebench.exposure import overexpose
from exposurebench.files import write_bytes

DPI = 100
CELL = (256, 192)
"""Width and height of a picture of the contact sheet, in pixels."""
NARROWEST = 160
"""A column of pictures is at least so wide, for its head and the labels."""
BINS = 32
MEANINGS = {
    "luminance": "mean of L",
    "contrast": "twice the standard deviation of L",
    "saturation": "mean of S (HLS)",
}
INPUT, TARGET = "#e69f00", "#1f3a5f"
_INKS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00")
_DASHES = ((0, (5, 2)), (0, (8, 2, 1, 2)), (0, (1, 1)), (0, (3, 3)), (0, (6, 1, 1, 1)))
_PART_INKS = ("#1f3a5f", "#56b4e9", "#cc79a7", "#009e73", "#e69f00")
_HATCHES = ("", "//", "", "..", "")
"""Parts of a bar differ in more than colour."""
_FEWEST = 20
"""A level that fewer pixels have is not plotted."""


def contact_sheet(
    path: Path,
    groups: Sequence[tuple[*tuple[NDArray[np.uint8], ...], str]],
    *,
    heads: Sequence[str] = ("input", "target"),
    across: int = 2,
    cell: tuple[int, int] | None = CELL,
) -> None:
    """Pictures that belong together side by side, pixel by pixel, each group with its label above.

    Args:
        path: the file.
        groups: as many pictures as heads, none larger than a cell, and a label of one or two lines.
        heads: what each picture of a group is.
        across: groups in a row.
        cell: width and height of a picture's place; None for what the largest picture needs, row by row in height.
    """
    gap, caption, head, margin = 8, 56, 20, 26
    columns = min(across, len(groups))
    rows = [groups[i : i + columns] for i in range(0, len(groups), columns)]
    width = cell[0] if cell else max(NARROWEST, *(p.shape[1] for *pictures, _ in groups for p in pictures))
    heights = [cell[1] if cell else max(p.shape[0] for *pictures, _ in row for p in pictures) for row in rows]
    block = len(heads) * (width + gap) - gap
    total = (
        2 * margin + columns * block + (columns - 1) * 2 * margin,
        head + sum(heights) + len(rows) * caption + margin // 2,
    )
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(total[0] / DPI, total[1] / DPI), dpi=DPI)
        for number, (*pictures, label) in enumerate(groups):
            row, column = divmod(number, columns)
            left = margin + column * (block + 2 * margin)
            top = head + sum(heights[:row]) + row * caption
            figure.text(
                left / total[0], 1 - (top + caption - 24) / total[1], label,
                fontsize=9, linespacing=1.35, va="center", parse_math=False,
            )  # fmt: skip
            for place, (name, picture) in enumerate(zip(heads, pictures, strict=True)):
                x = left + place * (width + gap)
                if row == 0:
                    figure.text(x / total[0], 1 - 18 / total[1], name, fontsize=11, weight="bold")
                figure.figimage(picture, x, total[1] - top - caption - picture.shape[0], origin="upper")
        write_figure(figure, path)


def transfer_plot(
    path: Path,
    counts: Mapping[str, NDArray[np.int64]],
    closed: Sequence[tuple[float, Transfer]],
    pairs: int,
    stops: NDArray[np.float64] | None = None,
) -> None:
    """What the input shows where the target shows a level: measured mean and 5-95 % band, and the formula.

    Args:
        path: the file.
        counts: by label, how many pixels have (target level or stop, input level), ``(256 or len(stops), 256)``.
        closed: the thresholds and transfers whose closed form is drawn on top.
        pairs: how many pairs were measured.
        stops: log2 of the target's light, where the target is light.
    """
    levels = np.arange(256)
    places = levels if stops is None else stops
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(7.2, 6.2), dpi=DPI, layout="constrained")
        axes = figure.add_subplot(
            xlabel="target level" if stops is None else "light of the target, stops from 1 (log2)",
            ylabel="input level", xlim=(places[0], places[-1]), ylim=(0, 262),
            title=f"From target to input, measured on {pairs} pairs",
        )  # fmt: skip
        if stops is None:
            axes.plot([0, 255], [0, 255], color="0.8", linewidth=1, label="unchanged")
        for (label, table), ink in zip(counts.items(), _INKS, strict=False):
            seen = table.sum(1)
            known = seen >= _FEWEST
            shares = table.cumsum(1) / np.maximum(seen, 1)[:, None]
            low, high = ((shares < edge).sum(1).astype(np.float64) for edge in (0.05, 0.95))
            mean = table @ levels / np.maximum(seen, 1)
            for values in (low, high, mean):
                values[~known] = np.nan
            axes.fill_between(places, low, high, color=ink, alpha=0.3, linewidth=0)
            axes.plot(places, mean, color=ink, linewidth=5, alpha=0.8, label=f"{label}: mean, band 5\N{EN DASH}95 %")
        for (tau, transfer), dash in zip(closed, _DASHES, strict=False):
            curve = 255 * overexpose(levels / 255, tau, transfer)
            axes.plot(levels, curve, color="black", linewidth=1.2, linestyle=dash, label=f"closed form, tau {tau:.3g}")
        axes.set_yticks(range(0, 256, 51))
        if stops is None:
            axes.set_xticks(range(0, 256, 51))
            axes.set_aspect("equal")
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.legend(loc="lower right" if stops is None else "upper left", fontsize=9, framealpha=0.95)
        write_figure(figure, path)


def histogram_plot(path: Path, scalars: Mapping[str, NDArray[np.float64]], pairs: int) -> None:
    """The distributions of the three numbers by which an image counts in the histogram similarity.

    Args:
        path: the file.
        scalars: ``input`` and ``target``, each ``(N, 3)``: luminance, contrast, saturation.
        pairs: N.
    """
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(11, 3.8), dpi=DPI, layout="constrained")
        figure.suptitle(f"Every image as three numbers, {BINS} bins, N = {pairs} pairs", fontsize=12)
        panels: Any = figure.subplots(1, 3, sharey=True)
        for number, (axes, (name, meaning)) in enumerate(zip(panels, MEANINGS.items(), strict=True)):
            edges = np.linspace(0, 1, BINS + 1)
            for side, look in (
                ("input", {"color": INPUT, "fill": True, "alpha": 0.6}),
                ("target", {"color": TARGET, "linewidth": 1.8}),
            ):
                shares = np.histogram(scalars[side][:, number], edges)[0] / pairs
                axes.stairs(shares * 100, edges, label=side, **look)
            axes.set(xlabel=f"{name}: {meaning}", xlim=(0, 1))
            axes.grid(color="0.92")
            axes.set_axisbelow(True)
        panels[0].set_ylabel("share of images, %")
        panels[0].legend(fontsize=10)
        write_figure(figure, path)


def error_bars(path: Path, methods: Mapping[str, Mapping[str, float]], names: Mapping[str, str], about: str) -> None:
    """A bar for each method, cut into the parts of its mean squared error.

    Args:
        path: the file.
        methods: by name, the parts in squared levels of 255; drawn from the top, the least error first.
        names: of the parts, in words, in the order in which they are stacked.
        about: what they were measured on.
    """
    order = sorted(methods, key=lambda name: sum(methods[name].values()))
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(9, 2.1 + 0.42 * len(order)), dpi=DPI, layout="constrained")
        axes = figure.add_subplot(xlabel="mean squared error, levels\N{SUPERSCRIPT TWO} of 255")
        axes.set_title(f"Where the error comes from: {about}", fontsize=11, loc="left")
        ends = np.zeros(len(order))
        for (part, words), ink, hatch in zip(names.items(), _PART_INKS, _HATCHES, strict=True):
            lengths = np.array([methods[name][part] for name in order])
            axes.barh(order, lengths, left=ends, height=0.7, color=ink, hatch=hatch, edgecolor="white", label=words)
            ends += lengths
        for place, end in enumerate(ends):
            axes.annotate(
                f"{end:,.0f}", (end, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
            )
        axes.set_xlim(0, 1.1 * max(ends.max(), 1e-9))
        axes.invert_yaxis()
        axes.grid(color="0.92", axis="x")
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
        write_figure(figure, path)


def rank_map(path: Path, rows: Mapping[str, Sequence[int]], methods: Sequence[str], reference: str) -> None:
    """The ranks of methods by every way to measure, coloured by how far each is from its rank in the first row.

    Args:
        path: the file.
        rows: by the name of the way, the rank of each method, 1 for the best; the first is what others are held to.
        methods: their names, in the order of the columns.
        reference: the first row, in words.
    """
    ranks = np.array(list(rows.values()))
    moved = ranks - ranks[0]
    far = max(1, len(methods) - 1)
    with matplotlib.style.context("default"):
        size = (3.2 + 1.05 * len(methods), 1.7 + 0.3 * len(rows))
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(moved, cmap="PuOr", vmin=-far * 1.3, vmax=far * 1.3, aspect="auto")
        for (row, column), rank in np.ndenumerate(ranks):
            change = moved[row, column]
            arrow = "\N{BLACK UP-POINTING TRIANGLE}" if change < 0 else "\N{BLACK DOWN-POINTING TRIANGLE}"
            axes.text(
                column, row, f"{rank} {arrow}" if change else str(rank), ha="center", va="center", fontsize=9,
                color="black", weight="bold" if change else "normal",
            )  # fmt: skip
        axes.set_xticks(range(len(methods)), methods, rotation=30, ha="left", rotation_mode="anchor", fontsize=9)
        axes.set_yticks(range(len(rows)), rows, fontsize=9)
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(-0.5, len(methods)), minor=True)
        axes.set_yticks(np.arange(-0.5, len(rows)), minor=True)
        axes.grid(which="minor", color="white", linewidth=2)
        axes.tick_params(which="both", length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        turned = int((moved != 0).any(1).sum())
        figure.supxlabel(
            f"rank of each method; coloured where it is not that of {reference}: {turned} of {len(rows)} rows",
            fontsize=9,
        )
        write_figure(figure, path)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the name of the program that drew it."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
    write_bytes(path, data.getvalue())
