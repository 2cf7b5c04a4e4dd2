"""The card of a data set: what it is, how it was made, how it looks; its bytes depend on the data set alone."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench import catalog, tables
from exposurebench.color import HU2018, hls_saturation, weighted
from exposurebench.dataset import Dataset, Row
from exposurebench.files import write_json, write_text
from exposurebench.images import Image, quantize
from exposurebench.registration import GATES
from exposurebench.report import croissant, figures
from exposurebench.report.pictures import spread, thumbnail
from exposurebench.report.templates import render

SHOWN = 8
"""Pairs on the contact sheet."""
MEASURED = 300
"""Pairs that the plots are measured on, at most."""
MEASURED_PIXELS = 300_000_000
"""Pixels that are decoded for them, at most."""
GRID = 65_536
"""Pixels of an image that are measured, at most."""
CURVES = 5
"""Thresholds or exposures that get a curve of their own."""
STOPS = np.arange(-12, 8, 1 / 8)
"""Where light is counted in: log2 of what is 1 in the target."""


def write_card(dataset: Dataset) -> None:
    """Write README.md, its pictures and croissant.json into a data set's folder.

    Reads a bounded number of images, spread evenly over the manifests. ``dataset.json`` need not be there yet.

    Args:
        dataset: a data set whose images and manifests are written.

    Raises:
        StorageError: the folder cannot be written.
        ImageError: an image of the data set cannot be read.
    """
    columns, sample = _sample(dataset)
    card = dataset.folder / "card"
    figures.contact_sheet(card / "contact-sheet.png", [_shown(dataset, *sample[i]) for i in spread(len(sample), SHOWN)])
    measured = _measure(dataset, sample)
    figures.histogram_plot(card / "histograms.png", measured.scalars(), len(measured.input))
    if measured.transfer:
        closed = _closed_forms(dataset, measured.rows)
        stops = None if dataset.gives == "srgb" else STOPS
        figures.transfer_plot(card / "transfer.png", measured.transfer, closed, len(measured.rows), stops)
    write_json(dataset.folder / "croissant.json", croissant.describe(dataset, columns, [row for _, row in sample]))
    write_text(dataset.folder / "README.md", _readme(dataset, measured, min(SHOWN, len(sample))))


# ---- the sample ----------------------------------------------------------------------------------------


def _sample(dataset: Dataset) -> tuple[dict[str, list[str]], list[tuple[str, Row]]]:
    """Every split's columns, and manifest rows (as text) spread evenly over all splits; streams the manifests."""
    counts = [dataset.document["counts"][split]["pairs"] for split in dataset.splits]
    wanted = spread(sum(counts), MEASURED)
    columns, rows, start = {}, [], 0
    for split, count in zip(dataset.splits, counts, strict=True):
        chosen = {i - start for i in wanted if start <= i < start + count}
        with (dataset.folder / split / "metadata.csv").open(encoding="utf-8", newline="") as stream:
            lines = csv.reader(stream)
            columns[split] = next(lines)
            kept = (line for number, line in enumerate(lines) if number in chosen)
            rows += [(split, dict(zip(columns[split], line, strict=True))) for line in kept]
        start += count
    return columns, rows


def _shown(dataset: Dataset, split: str, row: Row) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str]:
    given, target = dataset.read_input(split, row), dataset.read(split, row, _shown_side(dataset))
    settings = ", ".join(
        _spelled(name, row[name])
        for name in _settings(dataset)
        if row.get(name) not in (None, "") and (row[name] != "0.0" or name == "ev")
    )
    name = row["id"] if len(row["id"]) <= 60 else f"{row['id'][:57]}..."
    return thumbnail(given, *figures.CELL), thumbnail(target, *figures.CELL), f"{split}/{name}\n{settings}"


def _shown_side(dataset: Dataset) -> str:
    """What stands for the target where a display shows it."""
    return "target" if dataset.gives == "srgb" else "preview"


def _settings(dataset: Dataset) -> list[str]:
    """The settings of the pairing, as far as its recipe names them; not how registration is gated, which is no pair's."""
    return [name for name in dataset.recipe().pair_settings if name not in GATES]


def _spelled(name: str, cell: str) -> str:
    short = re.sub(r"\d+\.\d+(e-?\d+)?", lambda number: f"{float(number[0]):.3g}", cell)
    return f"{name} {short if len(short) <= 40 else f'{short[:37]}...'}"


# ---- measuring -----------------------------------------------------------------------------------------


@dataclass
class _Measured:
    """What the sample says: three numbers of every image, and how often a target level meets an input level."""

    rows: list[Row] = field(default_factory=list)
    input: list[tuple[float, float, float]] = field(default_factory=list)
    target: list[tuple[float, float, float]] = field(default_factory=list)
    transfer: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def scalars(self) -> dict[str, NDArray[np.float64]]:
        return {"input": np.array(self.input), "target": np.array(self.target)}


def _measure(dataset: Dataset, sample: Sequence[tuple[str, Row]]) -> _Measured:
    pixels = sum(2 * int(row["width"]) * int(row["height"]) for _, row in sample) / len(sample)
    sample = [sample[i] for i in spread(len(sample), max(SHOWN, int(MEASURED_PIXELS / pixels)))]
    labels = _labels([row for _, row in sample])
    measured = _Measured()
    for (split, row), label in zip(sample, labels, strict=True):
        given, target = (_on_grid(dataset.read(split, row, side)) for side in ("input", _shown_side(dataset)))
        measured.input.append(scalars(given))
        measured.target.append(scalars(target))
        if given.shape == target.shape:
            measured.rows.append(row)
            rows, size = target, 256
            if dataset.gives != "srgb":
                light = _thinned(dataset.read_target(split, row).pixels)
                step = STOPS[1] - STOPS[0]
                rows = (np.log2(light.clip(2.0 ** STOPS[0], None)) - STOPS[0]) // step
                rows, size = rows.clip(0, len(STOPS) - 1).astype(np.intp), len(STOPS)
            table = measured.transfer.setdefault(label, np.zeros((size, 256), np.int64))
            table += np.bincount(rows.ravel() * np.intp(256) + given.ravel(), minlength=size * 256).reshape(-1, 256)
    measured.transfer = dict(sorted(measured.transfer.items(), key=lambda item: _number_in(item[0])))
    return measured


def _labels(rows: Sequence[Row]) -> list[str]:
    """What each row's curve is called: by the setting that tells a few kinds of pairs apart."""
    for name in ("tau", "ev", "crf"):
        kinds = {row.get(name, "") for row in rows} - {""}
        if 0 < len(kinds) <= CURVES and (len(kinds) > 1 or name == "tau"):
            return [f"measured, {_spelled(name, row[name])}" for row in rows]
    return ["measured"] * len(rows)


def _number_in(label: str) -> tuple[float, str]:
    try:
        return float(label.rpartition(" ")[2]), label
    except ValueError:
        return 0.0, label


def _on_grid(image: Image) -> NDArray[np.uint8]:
    """At most GRID pixels of an image, evenly spaced in both directions, as 8 bits."""
    pixels = _thinned(image.pixels)
    return pixels if pixels.dtype == np.uint8 else quantize(Image(pixels, image.bit_depth).as_float(), 8)


def _thinned(pixels: NDArray[Any]) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    step = math.ceil(math.sqrt(height * width / GRID))
    return pixels[min(step // 2, height - 1) :: step, min(step // 2, width - 1) :: step]


def scalars(levels: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Luminance, contrast and saturation of an 8-bit image, as the histogram similarity counts them.

    With ``L = 0.27 R + 0.67 G + 0.06 B`` on display values: ``mean(L)``, ``2 std(L)`` and ``mean(S)`` of HLS.

    Source: Hu et al. 2018, section 6.

    >>> scalars(np.full((2, 2, 3), 51, np.uint8))
    (0.2, 0.0, 0.0)
    """
    red, green, blue = np.moveaxis(levels.astype(np.float64) / 255, -1, 0)
    light = weighted(red, green, blue, HU2018)
    numbers = light.mean(), 2 * light.std(), hls_saturation(red, green, blue).mean()
    # The weights and the means add up to 1 but for rounding, which must not push white out of the last bin.
    luminance, contrast, saturation = (round(min(float(n), 1.0), 12) for n in numbers)
    return luminance, contrast, saturation


def _closed_forms(dataset: Dataset, rows: Sequence[Row]) -> list[tuple[float, Any]]:
    """Up to four thresholds of the manifest, from the smallest to the largest, where light was clipped at one."""
    if dataset.recipe().pair.partition("/")[0] != "gamma_clip":
        return []
    found = sorted({(float(row["tau"]), row["transfer"]) for row in rows})
    wanted = min(CURVES, len(found))
    return [found[round(i * (len(found) - 1) / max(1, wanted - 1))] for i in range(wanted)]


# ---- words ---------------------------------------------------------------------------------------------


def _readme(dataset: Dataset, measured: _Measured, shown: int) -> str:
    document = dataset.document
    total = sum(count["pairs"] for count in document["counts"].values())
    return render(
        "card.md.j2",
        **{key: document[key] for key in ("name", "title", "command", "counts", "source", "pairing", "rejected")},
        **{key: document[key] for key in ("fingerprints", "manifest")},
        front_matter=_front_matter(dataset, total),
        license=croissant.license_of(dataset),
        remarks=_remarks(dataset, measured.rows),
        shown=shown,
        measured=len(measured.input),
        total=total,
        transfer=bool(measured.transfer),
        grid=f"{GRID:,}",
        split=dataset.splits[-1],
        light=dataset.gives != "srgb",
    )


def _front_matter(dataset: Dataset, total: int) -> dict[str, Any]:
    """What Hugging Face reads at the top of a README; JSON values, which are YAML too."""
    data_files = [{"split": split, "path": f"{split}/**"} for split in dataset.splits]
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return {
        "pretty_name": dataset.name,
        "license": "other",
        "license_name": croissant.license_of(dataset),
        "task_categories": ["image-to-image"],
        "tags": ["exposure-correction", "image-enhancement", "exposurebench"],
        "size_categories": [next((name for limit, name in sizes if total < limit), "n>1M")],
        "configs": [{"config_name": "default", "data_files": data_files, "drop_labels": True}],
    }


def _remarks(dataset: Dataset, rows: Sequence[Row]) -> list[str]:
    """What a user of this data set should know before trusting a number made on it."""
    remarks = list(getattr(catalog.load("pairing", dataset.recipe().pair).module, "REMARKS", ()))
    if dataset.recipe().pair.partition("/")[0] == "gamma_clip":
        transfers, forms = ({row[name] for row in rows} for name in ("transfer", "form"))
        names = " and ".join(f"`{name}`" for name in sorted(transfers))
        remarks.append(
            f"The transfer function ({names}) acts on each channel of the display values. No sensor, no white balance and "
            "no tone curve of a camera is modelled: real overexposure clips elsewhere and shifts colours otherwise."
        )
        if "literal" in forms:
            remarks.append(
                "The form `literal` is one table for all levels of a quantised image. It leaves a comb of empty levels in "
                "the input's histogram, from which tau can be read nearly exactly: a method that does so (the baseline "
                "`inverse_comb`) undoes everything but the clipping. The form `camera` leaves no comb."
            )
        if "camera" in forms:
            remarks.append(
                "The form `camera` dithers the source by up to half a level, clips in float and quantises once, so that "
                "tau cannot be read from empty levels. The target is the source without that dither."
            )
    for split, count in dataset.document["counts"].items():
        word = f"The split `{split}` has {count['pairs']} pairs of N = {count['photographs']} photographs"
        few = count["photographs"] < tables.RANKED_FROM
        remarks.append(
            f"{word}: {'a smoke test, not a ranking' if few else 'intervals are over photographs, not pairs'}."
        )
    return remarks
