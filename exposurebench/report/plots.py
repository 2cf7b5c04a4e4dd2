"""The plots of a page, each as the bytes of a PNG: told apart by place, marker or dash, never by colour alone."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

DPI = 200
WIDTH = 3.6
"""Inches: at this size the letters of a panel are those of the text, on a phone as well."""
INKS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito 2008, Color Universal Design: told apart without colour vision."""
MARKERS = "osD^vPX"
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (8, 2, 1, 2)), (0, (3, 3)))
_LONGEST = 24
_GOLDEN = 0.618033988749895


class Interval(NamedTuple):
    """A value with its 95 % interval, and where or what it is."""

    place: Any
    value: float
    low: float
    high: float


@contextmanager
def _panel(height: float, *, left: int = 4, above: int = 0) -> Iterator[tuple[Figure, Any, io.BytesIO]]:
    """A figure with one pair of axes, written when it is drawn; the user's settings do not count.

    Args:
        height: of the axes, in inches.
        left: letters that have to find room beside them.
        above: lines of a legend over them.
    """
    data = io.BytesIO()
    look: Any = {"font.size": 9, "text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.style.context("default"), mpl.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a script that the font lacks
        beside, below, top = 0.34 + 0.066 * left, 0.5, 0.1 + 0.175 * above
        whole = below + height + top
        figure = Figure(figsize=(WIDTH, whole), dpi=DPI)
        axes = figure.add_axes((beside / WIDTH, below / whole, 1 - (beside + 0.14) / WIDTH, height / whole))
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        yield figure, axes, data
        axes.xaxis.set_label_coords(1, -0.33 / height)
        axes.xaxis.label.set_horizontalalignment("right")
        if above:
            figure.legend(loc="upper left", bbox_to_anchor=(0.02, 1), fontsize=8.5, frameon=False, borderpad=0.2, labelspacing=0.25)  # fmt: skip
        figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _ink(number: int) -> str:
    return INKS[number % len(INKS)]


def distributions(methods: Mapping[str, NDArray[np.float64]], axis: str) -> bytes:
    """Every value of every method as a dot, under a box of the quartiles with the median; a diamond is the mean.

    Args:
        methods: finite values by the method's name, one or more each.
        axis: what the values are.
    """
    with _panel(0.2 + 0.42 * len(methods), left=max(len(_short(name)) for name in methods)) as (_, axes, data):
        for number, values in enumerate(methods.values()):
            ordered = np.sort(values)
            heights = number + 0.3 + 0.16 * (np.arange(len(ordered)) * _GOLDEN % 1 - 0.5)
            axes.plot(ordered, heights, ".", color=_ink(number), markersize=3, alpha=0.6, markeredgewidth=0)
            low, middle, high = np.quantile(ordered, (0.25, 0.5, 0.75))
            axes.plot((ordered[0], ordered[-1]), (number - 0.05,) * 2, color="0.3", linewidth=0.8)
            axes.barh(number - 0.05, high - low, 0.26, left=low, color="white", edgecolor=_ink(number), linewidth=1.4, zorder=3)  # fmt: skip
            axes.plot((middle,) * 2, (number - 0.18, number + 0.08), color=_ink(number), linewidth=2.2, zorder=4)
            axes.plot(ordered.mean(), number - 0.05, "D", color="black", markersize=3.5, zorder=5)
        axes.set_yticks(range(len(methods)), [_short(name) for name in methods])
        axes.set(xlabel=axis, ylim=(len(methods) - 0.45, -0.45))
    return data.getvalue()


def curves(methods: Mapping[str, Sequence[Interval]], along: str, axis: str) -> bytes:
    """A line through the means of each method along a setting of the pairs, with bars for their 95 % intervals.

    Args:
        methods: by name, the means at each place; an interval of NaN has no bar.
        along: what the places are.
        axis: what the means are of.
    """
    with _panel(1.7, above=len(methods)) as (_, axes, data):
        for number, (name, points) in enumerate(methods.items()):
            places, values, low, high = (np.array(column, np.float64) for column in zip(*points, strict=True))
            bars = np.nan_to_num([values - low, high - values], nan=0.0).clip(0, None)
            axes.errorbar(
                places, values, bars, label=_short(name), color=_ink(number), linewidth=1.5, capsize=2,
                linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number % len(MARKERS)], markersize=4.5,
            )  # fmt: skip
        axes.set(xlabel=along, ylabel=axis)
    return data.getvalue()


def differences(rows: Sequence[tuple[Interval, str]], axis: str, margin: float) -> bytes:
    """Paired differences with their intervals: where they lie, whether they hold 0, and what that makes of them.

    Args:
        rows: each with two methods as its place, and its verdict.
        axis: what differs.
        margin: differences inside are none, a band; NaN for no such margin.
    """
    looks = {"better": ("o", INKS[0]), "worse": ("o", INKS[0]), "equivalent": ("s", INKS[2]), "unknown": ("X", INKS[1])}
    with _panel(0.2 + 0.42 * len(rows), left=5 + max(len(_short(name)) for row, _ in rows for name in row.place)) as (
        _,
        axes,
        data,
    ):
        if margin == margin:
            axes.axvspan(-margin, margin, color="0.88", linewidth=0)
        axes.axvline(0, color="black", linewidth=1)
        for number, (row, verdict) in enumerate(rows):
            marker, ink = looks[verdict]
            axes.plot((row.low, row.high), (number, number), color=ink, linewidth=2)
            axes.plot(row.value, number, marker, color=ink, markersize=6, markerfacecolor="white" if verdict == "unknown" else ink)  # fmt: skip
            axes.annotate(
                "\nless ".join(map(_short, row.place)), (0, number), xycoords=("axes fraction", "data"),
                xytext=(-5, 0), textcoords="offset points", ha="right", va="center", fontsize=8, annotation_clip=False,
            )  # fmt: skip
        axes.set_yticks([])
        axes.set(xlabel=axis, ylim=(len(rows) - 0.4, -0.6))
    return data.getvalue()


def luminance(counts: Mapping[str, NDArray[np.float64]], edges: NDArray[np.float64], axis: str, limit: float) -> bytes:
    """How often each luminance occurs in the target (gray), the input and what methods made of it.

    Args:
        counts: shares of the pixels by name, ``target`` and ``input`` first, each one fewer than edges.
        edges: of the bins.
        axis: what the edges are.
        limit: what clipping left nothing above, as a line; NaN for none.

    Source: paper 0, figures 10 and 11.
    """
    with _panel(1.5, above=len(counts) + (limit == limit)) as (_, axes, data):
        for number, (name, shares) in enumerate(counts.items()):
            if name == "target":
                axes.stairs(100 * shares, edges, fill=True, color="0.75", label=name)
                continue
            look = {"color": "black", "linestyle": DASHES[2]} if name == "input" else {"color": _ink(number - 2), "linestyle": DASHES[(number - 2) % len(DASHES)]}  # fmt: skip
            axes.stairs(100 * shares, edges, label=_short(name), linewidth=1.4, **look)
        if limit == limit:
            axes.axvline(limit, color="0.35", linewidth=1, linestyle=DASHES[3], label="what was brighter was clipped")
        inside = np.concatenate([shares[1:-1] for shares in counts.values()])
        top = 130 * max(float(inside.max()), 1e-4)
        axes.set(xlabel=axis, ylabel="pixels, %", xlim=(edges[0], edges[-1]), ylim=(0, top))
    return data.getvalue()
