"""A recipe and a data set in, a checkpoint out.

One loop for every model: batches from the feed, a step of the discriminator and one of the network, a row of the log,
and every so often a save and a picture. A run can be killed at any moment; the same call goes on from its last save
and ends with the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from exposurebench.color import srgb_to_display
from exposurebench.dataset import MARKERS, SIDES, Dataset, load_dataset, sides_of
from exposurebench.errors import InputError, MissingError, ModelError, RecipeError
from exposurebench.feed import Feed, open_feed
from exposurebench.method import open_method
from exposurebench.optimisation import Training, prediction, settled, start, step
from exposurebench.processes import Place, joined
from exposurebench.run import Saved, held, save, saved
from exposurebench.training_recipe import TrainingRecipe

SHOWN = 4
"""Photographs in a validation picture."""
SPACED = 250
"""Steps that lie between two pictures, at least, unless a recipe says how many; always whole epochs."""
LARGEST_PX = 1 << 21
"""Pixels of a photograph on the sample sheet: larger ones would need more memory than the training did."""
SETTLING = 32
"""Batches over which batch norm's statistics are taken for a checkpoint."""
LOOK_S = 0.5
"""Seconds between two looks at the losses: each look waits for the device."""
Progress = Callable[[int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Trained:
    """What a training ended with.

    Attributes:
        checkpoint: ``model.pt``.
        steps: how many steps were made in all.
        made: how many of them by this call; 0 when the run was finished before.
        losses: those of the last step.
        images_per_second: over the steps of this call, saves and pictures included.
        waiting: the share of that time in which the loop waited for data.
    """

    checkpoint: Path
    steps: int
    made: int
    losses: Mapping[str, float]
    images_per_second: float
    waiting: float


def train(
    recipe: TrainingRecipe,
    data: str | Path,
    out: str | Path,
    *,
    device: str = "auto",
    on_progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Trained:
    """Train a model, or go on training it.

    Args:
        recipe: what and how.
        data: a finished data set, of which the train split is used, or a folder of clean photographs where the
            recipe says how to degrade them.
        out: the run's folder; see :mod:`exposurebench.run`.
        device: ``auto``, ``cpu``, ``cuda``, ...
        on_progress: told of the steps done, the steps there are, and the last losses; in the first process only.
        on_note: told what is not as the paper has it, such as pretrained weights that are missing; likewise.

    Raises:
        InputError: the data set has nothing that this model can be trained on; another process trains in ``out``.
        RecipeError: the recipe cannot be used, or ``out`` holds another training.
        ModelError: the loss is no longer finite, or the memory does not suffice; the last good state stays.
        StorageError: the folder cannot be written; the last good state stays.
    """
    folder = Path(out)
    dataset = _opened(recipe, Path(data))
    with joined(device) as place, held(folder) if place.rank == 0 else contextlib.nullcontext():
        if recipe.batch % (place.world * recipe.accumulate):
            pieces = f"{place.world} processes" + (f" x {recipe.accumulate} pieces" if recipe.accumulate > 1 else "")
            raise RecipeError(f"batch ({recipe.batch}) must be a multiple of {pieces}")
        with _memory(recipe, place), _fed(recipe, Path(data), dataset, place) as feed:
            before = saved(folder, recipe, dataset.pixels if dataset else "")
            if before.step == recipe.total(feed.steps_per_epoch):
                return Trained(folder / "model.pt", before.step, 0, before.log.rows[-1], 0.0, 0.0)
            training = start(recipe, place)
            if before.step:
                training.load(before.state)
            if training.note and on_note and place.rank == 0:
                on_note(training.note)
            trained = _Loop(training, feed, folder, before, dataset.gives if dataset else "srgb", on_progress).run()
            if dataset and place.rank == 0:
                _sheet(recipe, dataset, trained.checkpoint, place)
            place.wait()
            return trained


class _Loop:
    """One training from where it stands to its end."""

    def __init__(
        self, training: Training, feed: Feed, folder: Path, before: Saved, gives: str, on_progress: Progress | None
    ) -> None:
        self.training, self.feed, self.folder, self.gives = training, feed, folder, gives
        self.done, self.log, self.about = before.step, before.log, before.about
        self.first = training.place.rank == 0
        self.on_progress = on_progress if self.first else None
        self.total = training.recipe.total(feed.steps_per_epoch)
        self.kept = before.step
        self.pending: list[tuple[int, dict[str, torch.Tensor]]] = []
        self.settled: tuple[int, dict[str, torch.Tensor]] = (-1, {})

    def run(self) -> Trained:
        recipe, began, begun = self.training.recipe, self.done, time.perf_counter()
        looked, epoch = begun, self.feed.steps_per_epoch
        pictured = recipe.picture_every or epoch * -(-SPACED // epoch)
        self._tell()
        with _interruptible() as stopped, _board(recipe, self.folder, began, self.first) as self.board:
            while self.done < self.total:
                batch = self.feed.batch(self.done)
                decline = recipe.decline(self.done, epoch)
                self.pending.append((self.done, self._step(batch, decline)))
                self.done += 1
                stop = stopped()
                keep = stop or self._due(recipe.save_every)
                picture = self._due(pictured)
                if keep or picture or time.perf_counter() - looked > LOOK_S:
                    self._look()
                    looked = time.perf_counter()
                if keep:
                    self._save()
                if stop:
                    raise KeyboardInterrupt
                if picture:
                    self._picture(self._statistics())
        made, spent = self.done - began, time.perf_counter() - begun
        speed = made * recipe.batch / spent
        return Trained(self.folder / "model.pt", self.done, made, self.log.rows[-1], speed, self.feed.waited / spent)

    def _step(self, batch: Mapping[str, torch.Tensor], decline: float) -> dict[str, torch.Tensor]:
        try:
            return step(self.training, batch, self.done, decline)
        except KeyError as error:
            if error.args[0] not in SIDES or error.args[0] in batch:
                raise
            raise InputError(
                f"{self.training.recipe.model} is trained with {error.args[0]} images, and the data have only "
                f"{', '.join(batch)}: build a data set that has them, such as make-dataset --pair triplet"
            ) from error
        except ValueError as error:  # settings that do not go together, which only the model knows
            raise RecipeError(f"{self.training.recipe.model} cannot be trained so: {error}") from error

    def _due(self, every: int) -> bool:
        return self.done % every == 0 or self.done == self.total

    def _look(self) -> None:
        """Fetch the losses of the steps since the last look into the log."""
        pending, self.pending = self.pending, []
        if not pending:
            return
        values = torch.stack([torch.stack(list(terms.values())) for _, terms in pending]).tolist()
        for (number, terms), row in zip(pending, values, strict=True):
            if not all(map(math.isfinite, row)):
                self._stop_for_nan(number, dict(zip(terms, row, strict=True)))
            self.log.add(number, dict(zip(terms, row, strict=True)))
            if self.board:
                for name, value in zip(terms, row, strict=True):
                    self.board.add_scalar(name, value, number)
        if self.first:
            self.log.write(self.folder)
        self._tell()

    def _tell(self) -> None:
        if self.on_progress:
            self.on_progress(self.done, self.total, self.log.rows[-1] if self.log.rows else {})

    def _save(self) -> None:
        if not self.training.is_finite():  # the loss was, of the weights before this step
            self._stop_for_nan(self.done - 1, {"weights": math.nan})
        statistics = self._statistics()
        if self.first:
            self.about = self.about or self.feed.about  # reads every training target, so once a run
            save(self.folder, Saved(self.done, self.training.state(), self.log, self.about), self.training, statistics)
        self.kept = self.done

    def _statistics(self) -> dict[str, torch.Tensor]:
        """Batch norm's for the weights as they are now, over the last batches; the same in a run that was interrupted."""
        if self.settled[0] != self.done:
            last = range(max(0, self.done - SETTLING), self.done)
            self.settled = self.done, settled(self.training, map(self.feed.batch, last))
        return self.settled[1]

    def _stop_for_nan(self, number: int, terms: Mapping[str, float]) -> None:
        recipe = self.training.recipe
        wrong = ", ".join(f"{name} is {value}" for name, value in terms.items() if not math.isfinite(value))
        kept = f"the state after {self.kept} steps stays in {str(self.folder)!r}" if self.kept else "nothing was saved"
        raise ModelError(
            f"{wrong} at step {number}, and {kept}: train in another folder with a lower learning_rate "
            f"({recipe.learning_rate:g})" + ("" if recipe.clip else " or with clip=1")
        )

    def _picture(self, statistics: Mapping[str, torch.Tensor]) -> None:
        """Plots of the losses so far, and what the network makes of a few photographs of the val split."""
        from exposurebench.report.training import plot_losses, validation_picture

        if not self.first:
            return
        plot_losses(self.log.rows, self.folder / "plots", steps_per_epoch=self.feed.steps_per_epoch)
        sides = self.feed.validation(SHOWN)
        if sides is not None:
            output = prediction(self.training, sides["input"], statistics)
            if self.gives == "srgb" != self.training.recipe.entry.fact("GIVES"):  # a variant that stops at the light
                output = srgb_to_display(output.clamp(0, 1))
            path = self.folder / "validation" / f"step-{self.done:07d}.png"
            validation_picture(sides["input"], output, sides["target"], path, gives=self.gives)


def _opened(recipe: TrainingRecipe, data: Path) -> Dataset | None:
    """The data set, if its images are what the model takes and gives; None for photographs that the recipe degrades."""
    if data.is_dir() and not (data / "dataset.json").is_file() and not (data / MARKERS).is_dir():
        if recipe.degrade:
            return None
        raise InputError(
            f"{str(data)!r} is no data set; if it holds clean photographs, say how to degrade them, such as "
            "--set degrade.pairing=gamma_clip --set degrade.tau=0.5:1"
        )
    dataset, entry = load_dataset(data), recipe.entry
    linear = "train" in dataset.splits and "input_exr" in dataset.rows("train")[0]
    for side, fact, theirs in (
        ("inputs", "TAKES", "linear" if linear else "srgb"),
        ("targets", "GIVES", "linear" if dataset.gives == "nits" else dataset.gives),
    ):
        ours = entry.fact(fact)
        if theirs not in (ours, getattr(entry.module, fact)):  # a variant that gives a part is trained like the whole
            raise InputError(
                f"{recipe.model} is trained on {ours} {side}, and those of {dataset.name} are {theirs}: choose another "
                "data set or model (exposurebench models)"
            )
    return dataset


def _fed(recipe: TrainingRecipe, data: Path, dataset: Dataset | None, place: Place) -> Feed:
    sides = ["input", "target"]
    if dataset and "train" in dataset.splits and not recipe.degrade:
        sides += [side for side in sides_of(dataset.rows("train")[0]) if side == "radiance"]
    return open_feed(
        data,
        batch=recipe.batch,
        patch=recipe.patch,
        seed=recipe.seed,
        augment=recipe.augment,
        degrade=recipe.degrade,
        device=place.device,
        rank=place.rank,
        world=place.world,
        sides=tuple(sides),
    )


def _sheet(recipe: TrainingRecipe, dataset: Dataset, checkpoint: Path, place: Place) -> None:
    """What the finished checkpoint makes of photographs that it was not trained on, as whole pictures."""
    from exposurebench.report.training import sample_sheet

    held_out = next((split for split in ("val", "test") if split in dataset.splits), "")
    if not held_out or recipe.entry.fact("GIVES") != dataset.gives:
        return
    if max(int(row["width"]) * int(row["height"]) for row in dataset.rows(held_out)) <= LARGEST_PX:
        method = open_method(str(checkpoint), device=str(place.device))
        sample_sheet(method, dataset, checkpoint.parent / "samples.png", split=held_out)


@contextlib.contextmanager
def _memory(recipe: TrainingRecipe, place: Place) -> Iterator[None]:
    """A want of memory as one line that names what to lower."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        lacks = isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error)
        if not lacks:
            raise
        width = f", network.width ({recipe.network['width']})" if "width" in recipe.network else ""
        raise ModelError(
            f"out of memory on {place.device}: lower batch ({recipe.batch}), patch ({recipe.patch}){width}, or cut the "
            f"batch with accumulate={2 * recipe.accumulate}; what was saved stays"
        ) from error


@contextlib.contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Whether somebody wants the loop to end: it finishes its step and saves first; a second signal ends it at once."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _board(recipe: TrainingRecipe, folder: Path, done: int, first: bool) -> Iterator[Any]:
    """TensorBoard's writer, in the first process; None where nobody wants it."""
    if not (recipe.tensorboard and first):
        yield None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingError(
            "tensorboard is not installed: pip install 'exposurebench[tensorboard]', or leave out tensorboard=true"
        ) from error
    with SummaryWriter(str(folder / "tensorboard"), purge_step=done) as writer:
        yield writer
