"""Pictures of a training: how its losses fell, and what the network makes of photographs; the same bytes every time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from exposurebench.camera import preview
from exposurebench.dataset import Dataset, Row
from exposurebench.images import Image, quantize
from exposurebench.method import Method
from exposurebench.metrics.psnr import psnr
from exposurebench.report import figures
from exposurebench.report.pictures import spread, thumbnail
from exposurebench.tensors import to_image, to_tensor
from exposurebench.tonemapping import white_level

HEADS = ("input", "output", "target")
LARGEST = 320
"""Pictures are shrunk to so many pixels a side."""
SMALL = 160
"""Pictures narrower than this are enlarged, every pixel a square of pixels."""
SHOWN = 8
"""Pairs on a sample sheet."""
TONE = "light, shown by the sRGB curve; white is what 95 % of the target's pixels do not exceed"
CRITIC = "discriminator_"
"""What the names of a discriminator's losses begin with."""
_INKS = ("#1f3a5f", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#7f7f7f")


# ---- losses --------------------------------------------------------------------------------------------


def plot_losses(rows: Iterable[Mapping[str, float]], folder: Path, *, steps_per_epoch: int) -> list[Path]:
    """Write the losses of every batch, with a running mean, and their means over every whole epoch.

    Args:
        rows: of the log, a dictionary a step: ``step`` and the terms of the loss; those of a discriminator, whose
            names begin with ``discriminator_``, get axes of their own.
        folder: where ``losses.png`` and, after the first epoch, ``losses_per_epoch.png`` go.
        steps_per_epoch: batches in an epoch.

    Returns:
        The files written; none for a log without rows.

    Raises:
        StorageError: the folder cannot be written.
    """
    listed = list(rows)
    if not listed:
        return []
    steps = np.array([row["step"] for row in listed], np.float64)
    terms = {name: np.array([row[name] for row in listed], np.float64) for name in listed[0] if name != "step"}
    window = max(1, min(steps_per_epoch, len(steps) // 20))
    written = [folder / "losses.png"]
    running = f"loss of every batch and its mean over the last {window}" if window > 1 else "loss of every batch"
    _plot(written[0], terms, "step (batches)", running, lambda values: (steps, values, _trailing(values, window)))
    epochs = np.unique(steps // steps_per_epoch)
    whole = [e for e in epochs if ((e + 1) * steps_per_epoch - 1) in steps and e * steps_per_epoch in steps]
    if whole:
        written.append(folder / "losses_per_epoch.png")
        which = steps // steps_per_epoch
        _plot(
            written[1], terms, "epoch", f"mean loss of every epoch of {steps_per_epoch} batches",
            lambda values: (np.array(whole) + 1, None, np.array([values[which == e].mean() for e in whole])),
        )  # fmt: skip
    return written


def _trailing(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean of each value and those before it, ``window`` in all where there are as many."""
    sums = np.concatenate(([0.0], values.cumsum()))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - window, 0)
    means: NDArray[np.float64] = (sums[ends] - sums[begins]) / (ends - begins)
    return means


def _plot(path: Path, terms: Mapping[str, NDArray[np.float64]], x_name: str, title: str, lines: Any) -> None:
    """Axes for the network's terms, and below for the discriminator's if there are any.

    Args:
        path: the file.
        terms: the losses of all steps by name.
        x_name: what is along the axis.
        title: of the figure.
        lines: a term's values to places, thin line or None, thick line.
    """
    sides = {"network": {n: v for n, v in terms.items() if not n.startswith(CRITIC)}}
    sides["discriminator"] = {n.removeprefix(CRITIC): v for n, v in terms.items() if n.startswith(CRITIC)}
    shown = {side: named for side, named in sides.items() if named}
    with matplotlib.style.context("default"), mpl.rc_context({"agg.path.chunksize": 10_000}):
        figure = Figure(figsize=(9, 1.0 + 3.6 * len(shown)), dpi=figures.DPI, layout="constrained")
        figure.suptitle(title, fontsize=12)
        panels: Any = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (side, named) in zip(panels, shown.items(), strict=True):
            for number, (name, values) in enumerate(named.items()):
                ink = _INKS[number % len(_INKS)]
                places, thin, thick = lines(values)
                if thin is not None and len(thin) > 1:
                    axes.plot(places, thin, color=ink, linewidth=0.6, alpha=0.35)
                axes.plot(places, thick, color=ink, linewidth=1.8, label=name, marker="o" if len(places) < 50 else "", markersize=3.5)  # fmt: skip
            ends = [end for values in named.values() for end in (values.min(), values.max())]
            if min(ends) > 0 and max(ends) > 10 * min(ends):
                axes.set_yscale("log")
                axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_ylabel(f"loss of the {side} (weighted)")
            axes.grid(color="0.92")
            axes.set_axisbelow(True)
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=9)
        panels[-1].set_xlabel(x_name)
        panels[-1].xaxis.get_major_locator().set_params(integer=True)
        figures.write_figure(figure, path)


# ---- photographs ---------------------------------------------------------------------------------------


def validation_picture(
    input: torch.Tensor,  # noqa: A002 - the side's name
    output: torch.Tensor,
    target: torch.Tensor,
    path: Path,
    *,
    gives: str = "srgb",
    names: Sequence[str] = (),
) -> Path:
    """Write input, output and target of a few photographs side by side, a row each.

    Display-encoded pictures are shown as they are. Light is shown as ``srgb(min(1, light / white))``, where the
    brightest channel of 95 % of the target's pixels is at or below white: one white for output and target. Large
    pictures are shrunk to fit 320 x 320 pixels, small ones enlarged in whole steps.

    Args:
        input: ``(N, 3, H, W)`` float, display-encoded in [0, 1], as are
        output: and
        target: unless
        path: the PNG.
        gives: says that output and target are light (``linear`` or ``nits``).
        names: of the photographs.

    Returns:
        The path.
    """
    rows = []
    for number in range(len(input)):
        given, made, wanted = (to_image(batch[number : number + 1]) for batch in (input, output, target))
        rows.append(_row(given, made, wanted, gives, names[number] if names else f"photograph {number + 1}"))
    figures.contact_sheet(path, rows, heads=HEADS, across=1, cell=None)
    return path


def sample_sheet(method: Method, dataset: Dataset, path: Path, *, split: str = "test", count: int = SHOWN) -> Path:
    """Write input, output and target of some pairs of a data set, spread over a split, for any method.

    Args:
        method: what corrects the inputs (:func:`exposurebench.method.open_method`).
        dataset: where the pairs are.
        path: the PNG.
        split: which of its splits.
        count: pairs at most.

    Returns:
        The path.

    Raises:
        InputError: there is no such split, or an image of it is lost.

    Source: paper 1, its figures of results.
    """
    listed = dataset.rows(split)
    rows = []
    for number in spread(len(listed), count):
        row = listed[number]
        given, target = dataset.read_input(split, row).as_float(), dataset.read_target(split, row).as_float()
        rows.append(_row(given, method.run(given, row), target, dataset.gives, f"{split}/{row['id']}{_settings(row)}"))
    figures.contact_sheet(path, rows, heads=HEADS, across=1, cell=None)
    return path


Shown = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], str]


def _row(given: Any, made: Any, wanted: Any, gives: str, name: str) -> Shown:
    """Three pictures as a display shows them, and what is written above: the name, and how near input and output are."""
    if gives == "srgb":
        told = [f"{side} {_decibel(picture, wanted)}" for side, picture in (("input", given), ("output", made))]
        label, shown = f"{name}\nPSNR: {', '.join(told)}", (given, made, wanted)
    else:
        white = white_level(wanted)
        label = f"{name}\n{TONE}"
        shown = (given, *(preview(np.maximum(light, 0), white).pixels for light in (made, wanted)))
    return *(_fitted(picture) for picture in shown), label  # type: ignore[return-value]


def _decibel(picture: NDArray[np.float32], target: NDArray[np.float32]) -> str:
    value = psnr(*(to_tensor(p.clip(0, 1)) for p in (picture, target))).item()
    return f"{value:.2f} dB" if math.isfinite(value) else "the same"


def _settings(row: Row) -> str:
    return "".join(f", {name} {row[name]:.3g}" for name in ("tau", "ev") if isinstance(row.get(name), int | float))


def _fitted(picture: NDArray[Any]) -> NDArray[np.uint8]:
    levels = picture if picture.dtype == np.uint8 else quantize(picture.astype(np.float32).clip(0, 1), 8)
    times = max(1, SMALL // min(levels.shape[:2])) if max(levels.shape[:2]) <= SMALL else 1
    return thumbnail(Image(levels.repeat(times, 0).repeat(times, 1)), LARGEST, LARGEST)
