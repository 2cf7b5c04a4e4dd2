"""Batches for training: of a data set, or of clean photographs that are degraded on the device.

Decoding runs ahead in threads (the decoders let go of the interpreter's lock), images travel as their 8 bits, and what
was decoded stays in memory as far as a limit allows. The batch of a step follows from the seed and the step alone.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench import augmentation
from exposurebench.dataset import MARKERS, Row, load_dataset, sides_of
from exposurebench.degradation import Degradation, degrade, read_degradation
from exposurebench.errors import InputError, RecipeError
from exposurebench.images import Image
from exposurebench.recipe import draw
from exposurebench.report.pictures import spread
from exposurebench.stock import Stock, Stocks, check_sizes, pairs_of, photographs_of, targets_of, too_small

CACHE_BYTES = 2 << 30
"""Decoded images are kept in memory up to so many bytes, over all processes."""
AHEAD = 2
"""Batches that lie ready before anybody asks for them, besides those that the threads are at."""
MOST_THREADS = 16
VALIDATION_SIDE = 512
"""Pictures to validate on are at most so many pixels wide and high."""


@dataclass(frozen=True)
class _Made:
    """A batch as threads make it: by side ``(N, H, W, 3)``, levels of 8 bits or floats; and of every picture what a
    degradation needs to know."""

    images: dict[str, torch.Tensor]
    seeds: list[int]
    versions: list[int]
    depths: list[int]


class Feed:
    """Batches by step; made by :func:`open_feed`.

    Attributes:
        steps_per_epoch: how many batches hold every pair once.
        waited: seconds that :meth:`batch` waited for a batch that was not made yet.
    """

    def __init__(
        self,
        stocks: Stocks,
        degradation: Degradation | None,
        *,
        batch: int,
        patch: int,
        seed: int,
        augment: str,
        device: torch.device,
        share: slice,
        sides: tuple[str, ...],
        threads: int,
        room: int,
    ) -> None:
        self.steps_per_epoch = -(-len(stocks.train) // batch)
        self.waited = 0.0
        self._stocks, self._degradation = stocks, degradation
        self._batch, self._patch, self._seed, self._augment = batch, patch, seed, augment
        self._device, self._share, self._sides = device, share, sides
        self._ahead, self._room = threads + AHEAD, room
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="feed")
        self._waiting: dict[int, Future[_Made]] = {}
        self._cache: dict[str, NDArray[Any]] = {}
        self._cached, self._lock = 0, threading.Lock()
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @functools.cached_property
    def about(self) -> dict[str, Any]:
        """What a checkpoint says of its data: ``name``, ``pixels`` (the fingerprint), ``seen`` (names and hashes)
        and ``targets`` (how many there are).

        Reads training targets, up to 50,000, when it is first asked for.
        """
        return self._stocks.about()

    def batch(self, step: int) -> dict[str, torch.Tensor]:
        """This process's share of one step's batch; any step may be asked for, one after the other is fastest.

        Returns:
            By side ``(N, 3, H, W)`` float32 on the device, display-encoded in [0, 1] or light as the data set says,
            channels last in memory.

        Raises:
            ExposureBenchError: an image cannot be read, is smaller than a patch, or differs in size.
        """
        wanted = range(step, step + self._ahead)
        for other in [s for s in self._waiting if s not in wanted]:
            self._waiting.pop(other).cancel()
        for s in wanted:
            if s not in self._waiting:
                self._waiting[s] = self._pool.submit(self._make, s)
        started = time.perf_counter()
        made = self._waiting.pop(step).result()
        self.waited += time.perf_counter() - started
        return self._on_device(made)

    def validation(self, count: int) -> dict[str, torch.Tensor] | None:
        """Pairs that are not trained on, spread over the val split; None where there is none.

        Whole pictures where they are of one size and at most 512 pixels a side, else their centres. Never augmented;
        a degradation is the same every time.
        """
        stock = self._stocks.held_out
        if stock is None or not len(stock) or count < 1:
            return None
        chosen = spread(len(stock), count)
        rows, versions = zip(*map(stock.at, chosen), strict=True)
        whole = [self._whole(stock, row) for row in rows]
        height, width = (min(VALIDATION_SIDE, *(a.shape[i] for pair in whole for a in pair.values())) for i in (0, 1))
        middles = [{side: _middle(pixels, height, width) for side, pixels in pair.items()} for pair in whole]
        seeds = [draw(self._seed, "validation", str(number)) for number in chosen]
        return self._on_device(_stacked(middles, seeds, list(versions)))

    def close(self) -> None:
        """End the threads; what was not begun is not made."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._waiting.clear()
        self._cache.clear()

    # ---- in the threads --------------------------------------------------------------------------------

    def _make(self, step: int) -> _Made:
        """The share of one step's batch: which pairs, cut where, turned how."""
        train, (epoch, number) = self._stocks.train, divmod(step, self.steps_per_epoch)
        order = _order(self._seed, epoch, len(train))
        places = range(number * self._batch, (number + 1) * self._batch)[self._share]
        pictures, seeds, versions = [], [], []
        for place in places:
            row, version = train.at(int(order[place % len(order)]))
            seed = draw(self._seed, "sample", str(epoch), str(place))
            pictures.append(self._cut(self._whole(train, row), row, seed))
            seeds.append(seed)
            versions.append(version)
            self._check_size(row, pictures[-1])
        made = _stacked(pictures, seeds, versions)
        if self._device.type == "cuda":
            made.images.update({side: images.pin_memory() for side, images in made.images.items()})
        return made

    def _cut(self, pair: dict[str, NDArray[Any]], row: Row, seed: int) -> dict[str, NDArray[Any]]:
        """The same random window of all sides, augmented."""
        height, width = next(iter(pair.values())).shape[:2]
        if self._patch:
            spare = (height - self._patch, width - self._patch)
            if min(spare) < 0:
                raise too_small(row["id"], width, height, self._patch)
            top, left = np.random.default_rng(seed).integers(0, (spare[0] + 1, spare[1] + 1))
            pair = {side: _window(a, top, left, self._patch, self._patch) for side, a in pair.items()}
        if self._augment:
            pair = augmentation.draw_augmented(pair, self._augment, seed=seed).sides
        return pair

    def _check_size(self, row: Row, pair: dict[str, NDArray[Any]]) -> None:
        """Pictures that are not cut are of the size of the first of them, whichever that is."""
        height, width = next(iter(pair.values())).shape[:2]
        self._size = self._size or (height, width)
        if (height, width) != self._size:
            raise InputError(
                f"{row['id']} is {width} x {height} and others are {self._size[1]} x {self._size[0]}: set patch to the side "
                "of crops that all can have"
            )

    def _whole(self, stock: Stock, row: Row) -> dict[str, NDArray[Any]]:
        """Every side of a pair as decoded; of a photograph that is degraded later, the photograph as its input."""
        sides = ("target",) if self._degradation else self._sides
        pair = {side: self._pixels(stock, row, side) for side in sides}
        shapes = {side: f"{a.shape[1]} x {a.shape[0]}" for side, a in pair.items()}
        if len(set(shapes.values())) > 1:
            raise InputError(
                f"the sides of {row['id']} differ in size ({shapes}): build the data set with registration"
            )
        return {"input": pair["target"]} if self._degradation else pair

    def _pixels(self, stock: Stock, row: Row, side: str) -> NDArray[Any]:
        """A decoded image: levels of 8 bits, or floats where the file is deeper; kept while there is room."""
        key = f"{stock.split}/{sides_of(row)[side]}"
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        image = stock.read(row, side)
        pixels = image.pixels if image.pixels.dtype == np.uint8 else image.as_float()
        with self._lock:
            if key not in self._cache and self._cached + pixels.nbytes <= self._room:
                self._cache[key] = pixels
                self._cached += pixels.nbytes
        return pixels

    # ---- on the device ---------------------------------------------------------------------------------

    def _on_device(self, made: _Made) -> dict[str, torch.Tensor]:
        batch = {}
        for side, images in made.images.items():
            moved = images.to(self._device, non_blocking=True).permute(0, 3, 1, 2)
            batch[side] = moved.float().div_(255) if moved.dtype == torch.uint8 else moved.float()
        if self._degradation:
            clean = batch["input"]
            how, drawn = self._degradation, {"seeds": made.seeds, "versions": made.versions, "bit_depths": made.depths}
            batch = {"input": degrade(clean, how, **drawn), "target": clean}
        return batch


def open_feed(
    data: str | Path,
    *,
    batch: int,
    patch: int,
    seed: int,
    augment: str = "",
    degrade: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
    rank: int = 0,
    world: int = 1,
    sides: tuple[str, ...] = ("input", "target"),
    threads: int = 0,
) -> Feed:
    """Open a data set, or clean photographs, for training.

    Every epoch goes through all pairs once, in an order drawn from the seed; where the batch does not divide them, its
    last batch is filled up with the first of that order, cut elsewhere. All processes together make one batch.

    Args:
        data: a data set's folder; with ``degrade`` also a folder of photographs, of which a tenth is held out.
        batch: pairs in a step, over all processes.
        patch: side of the crops, at the same place on all sides; 0 for whole images, which must be of one size.
        seed: of the order, the crops and all else that is drawn.
        augment: a name of :mod:`exposurebench.augmentation`, done to the crop; of its versions one is drawn each time.
        degrade: how inputs are made of the targets, or photographs, on the device (:mod:`exposurebench.degradation`).
        device: where batches go.
        rank: which process this is, of
        world: so many.
        sides: which images of a pair are read.
        threads: that decode; 0 chooses by the machine.

    Raises:
        RecipeError: settings that do not go together.
        MissingError: there is no such folder, or nothing in it.
        InputError: no train split, or images smaller than a patch.
    """
    _check(batch, patch, augment, degrade, rank, world, sides)
    path = Path(data)
    how = read_degradation(degrade) if degrade else None
    if not how:
        stocks = pairs_of(load_dataset(path), sides)
    elif path.is_dir() and not (path / "dataset.json").is_file() and not (path / MARKERS).is_dir():
        stocks = photographs_of(path, how.versions, seed)
    else:
        stocks = targets_of(load_dataset(path), how.versions)
    check_sizes(stocks.train, patch)
    part = batch // world
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Feed(
        stocks, how, batch=batch, patch=patch, seed=seed, augment=augment, device=torch.device(device),
        share=slice(rank * part, (rank + 1) * part), sides=sides, threads=threads or max(2, min(MOST_THREADS, cores // world)),
        room=CACHE_BYTES // world,
    )  # fmt: skip


def _check(
    batch: int,
    patch: int,
    augment: str,
    degrade: Mapping[str, Any] | None,
    rank: int,
    world: int,
    sides: tuple[str, ...],
) -> None:
    if batch < 1 or patch < 0 or not 0 <= rank < world:
        raise RecipeError(f"batch must be at least 1 and patch at least 0, not {batch} and {patch}")
    if batch % world:
        raise RecipeError(f"a batch of {batch} cannot be shared by {world} processes: set batch to a multiple")
    if augment:
        try:
            augmentation.check(augment)
        except ValueError as error:
            raise RecipeError(f"augment: {error}") from error
    if degrade and augment.startswith("paper1"):
        raise RecipeError(
            f"augment {augment!r} changes the input alone, which degrade makes later: use paper2, or build a data set"
        )
    if degrade and set(sides) != {"input", "target"}:
        raise RecipeError(f"degrade makes input and target, not {', '.join(sides)}: build a data set")


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of an epoch."""
    return np.random.default_rng(draw(seed, "epoch", str(epoch))).permutation(count)


def _window(pixels: NDArray[Any], top: int, left: int, height: int, width: int) -> NDArray[Any]:
    return pixels[top : top + height, left : left + width]


def _middle(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    return _window(pixels, (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2, height, width)


def _stacked(pictures: Sequence[dict[str, NDArray[Any]]], seeds: list[int], versions: list[int]) -> _Made:
    """Pictures of one size to a batch; one that is deeper than 8 bits makes floats of its side."""
    images = {}
    for side in pictures[0]:
        arrays = [picture[side] for picture in pictures]
        if any(array.dtype != np.uint8 for array in arrays):
            arrays = [Image(array).as_float() for array in arrays]
        images[side] = torch.from_numpy(np.stack(arrays))
    return _Made(images, seeds, versions, [8 if p["input"].dtype == np.uint8 else 16 for p in pictures])
