"""Pairs of a data set on their way to a table: read, corrected, measured, in threads and together where that pays."""

from __future__ import annotations

import itertools
import math
import os
import statistics
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench import measures
from exposurebench.catalog import Entry
from exposurebench.dataset import Dataset, Row
from exposurebench.errors import ImageError, InputError, ModelError
from exposurebench.images import Image
from exposurebench.measures import Arrays
from exposurebench.method import Method, checked_output
from exposurebench.scoring import Cells, Sides, cells_of, scene_cells, sides_of
from exposurebench.tables import rounded
from exposurebench.threads import Lanes, Watch, in_threads

Scored = tuple[Cells, Arrays]
SPREAD = "spread"
"""Before the column of a value stands that of its standard deviation over draws, ``spread:psnr``."""


class Pairs:
    """The pairs of an evaluation.

    Args:
        method: what corrects them.
        opened: the data set.
        split: theirs.
        rows: their rows of the manifest.
        entries: every measure's metric.
        facts: columns of the manifest that the table takes over.
        draws: how often noise is drawn.
        batch: how many of one size go through a network at once, where it takes several.
        timeout_s: how long a picture may take.
    """

    def __init__(
        self,
        method: Method,
        opened: Dataset,
        split: str,
        rows: Sequence[Row],
        entries: Mapping[str, Entry],
        facts: Sequence[str],
        draws: int,
        batch: int,
        timeout_s: float,
    ) -> None:
        self.method, self.opened, self.split, self.rows = method, opened, split, rows
        self.entries, self.facts, self.draws, self.timeout_s = entries, facts, draws, timeout_s
        self.batch = batch if method.several else 1
        self.together = any(measures.is_per_scene(measure) for measure in entries)
        self.again = {measure: entry for measure, entry in entries.items() if not measures.is_per_set(measure)}
        self.watch, self.lanes = Watch(), Lanes(method.lanes)

    def units(self, done: Container[str], workers: int | None) -> list[list[Row]]:
        """The pairs that one thread takes at a time: those of a scene, or of a target, and as many as go together."""
        if self.together:
            scenes = _grouped(self.rows, "scene", len(self.rows))
            return [rows for rows in scenes if not all(row["id"] in done for row in rows)]
        left = [row for row in self.rows if row["id"] not in done]
        units: list[list[Row]] = []
        for group in _grouped(left, "target_sha256", -(-len(left) // (workers or os.cpu_count() or 1))):
            if units and len(units[-1]) < self.batch:
                units[-1] += group
            else:
                units.append(group)
        return units

    def over(self, units: Sequence[list[Row]], workers: int | None) -> Iterator[list[Scored]]:
        """Score units in threads: while one thread's picture is in the network, others read, and measure theirs."""
        return in_threads(self._unit, units, workers, self.watch.check)

    def _unit(self, rows: Sequence[Row]) -> list[Scored]:
        targets = _Targets(self.opened, self.split, Counter(row["target_sha256"] for row in rows))
        if self.together:
            made = list(self._pairs(rows, targets))
            shared = scene_cells(self.entries, [row["id"] for row in rows], [drawn[0] for _, drawn in made])
            return [self._measured(*pair, more) for pair, more in zip(made, shared, strict=True)]
        # Some after the others, each gone before the next are read.
        pieces = (rows[start : start + self.batch] for start in range(0, len(rows), self.batch))
        return [self._measured(*pair, {}) for piece in pieces for pair in self._pairs(piece, targets)]

    def _pairs(self, rows: Sequence[Row], targets: _Targets) -> Iterable[tuple[Cells, list[Sides]]]:
        """What each pair is called and how it was made, and its sides, once for each draw."""
        given = [self.opened.read_input(self.split, row) for row in rows]
        aimed = [targets.of(row) for row in rows]
        images = [image for image, _ in aimed]
        drawn = [self._corrected(given, images, [{**row, "draw": draw} for row in rows]) for draw in range(self.draws)]
        for place, (row, image, (target, of_target)) in enumerate(zip(rows, given, aimed, strict=True)):
            sides = [sides_of(outputs[place], target, image, of_target) for outputs in drawn]
            yield self._about(row, image, target), sides

    def _measured(self, about: Cells, drawn: Sequence[Sides], more: Cells) -> Scored:
        cells, arrays = cells_of(self.entries, about["id"], drawn[0])
        others = [cells_of(self.again, about["id"], sides)[0] for sides in drawn[1:]]
        spread = _averaged([cells, *others]) if others else {}
        return {**about, **cells, **more, **spread}, arrays

    def _corrected(self, given: Sequence[Image], targets: Sequence[Image], rows: Sequence[Row]) -> list[NDArray[Any]]:
        images, made = [image.as_float() for image in given], []
        for places in _alike([image.shape for image in images], self.batch):
            some, theirs = [images[place] for place in places], [rows[place] for place in places]
            with self.lanes.one(), self.watch.over(theirs[0]["id"], self.timeout_s * len(some)):
                several = self.method.several if len(some) > 1 else None
                made += several(some, theirs) if several else [self._run(some[0], theirs[0])]
        outputs = []
        for output, image, row, target in zip(made, images, rows, targets, strict=True):
            outputs.append(checked_output(self.method, output, image, row, target.bit_depth))
            if outputs[-1].shape != target.pixels.shape:
                height, width = outputs[-1].shape[:2]
                raise ModelError(f"{row['id']}: the prediction has {width} x {height} pixels, the target not")
        return outputs

    def _run(self, image: NDArray[np.float32], row: Row) -> NDArray[np.float32]:
        try:
            return self.method.run(image, row)
        except ImageError as error:
            raise InputError(f"{row['id']} {error}") from error

    def _about(self, row: Row, given: Image, target: Image) -> Cells:
        """What a pair is called and how it was made."""
        comparable = given.encoding == target.encoding and given.pixels.shape == target.pixels.shape
        unchanged = comparable and bool(np.array_equal(given.pixels, target.pixels))
        about: Cells = {"id": row["id"], "scene": row["scene"], "split": self.split, "unchanged": unchanged}
        return about | {fact: row[fact] for fact in self.facts if fact in row}


def _alike(shapes: Sequence[tuple[int, ...]], most: int) -> Iterator[list[int]]:
    """Places of neighbours of one shape, at most so many at a time, in order."""
    for _, group in itertools.groupby(range(len(shapes)), lambda place: shapes[place]):
        places = list(group)
        yield from (places[i : i + most] for i in range(0, len(places), most))


def _averaged(draws: Sequence[Cells]) -> Cells:
    """The mean over draws of every value that they have, and beside it the standard deviation (n - 1)."""
    found: Cells = {}
    for name in draws[1]:
        values = [float(cells[name]) for cells in draws]
        found[name] = rounded(statistics.fmean(values))
        finite = all(math.isfinite(value) for value in values)
        found[f"{SPREAD}:{name}"] = rounded(statistics.stdev(values)) if finite else math.nan
    return found


def _grouped(rows: Sequence[Row], column: str, most: int) -> list[list[Row]]:
    """The rows of each name in a column, in pieces of at most so many that every thread has something to do."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return [group[start : start + most] for group in groups.values() for start in range(0, len(group), most)]


class _Targets:
    """The targets of some rows: one that the next row shares is kept, with what was found out about it."""

    def __init__(self, dataset: Dataset, split: str, shared_by: Mapping[str, int]) -> None:
        self.dataset, self.split, self.shared_by = dataset, split, shared_by
        self._kept: dict[str, tuple[Image, dict[Any, Any] | None]] = {}

    def of(self, row: Row) -> tuple[Image, dict[Any, Any] | None]:
        name = row["target_sha256"]
        if name not in self._kept:
            self._kept.clear()
            self._kept[name] = self.dataset.read_target(self.split, row), {} if self.shared_by[name] > 1 else None
        return self._kept[name]
