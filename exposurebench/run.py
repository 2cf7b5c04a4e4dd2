"""A training's folder: what is kept so that it can be killed at any moment and go on as if nothing had happened.

```
RUN/log.csv    a row a step, as they come: the terms of the losses, those of the discriminator too
RUN/model.pt   the checkpoint to predict with
RUN/state.pt   weights, optimisers, average and step; written last, so what it says has been done is there
RUN/plots/  RUN/validation/step-N.png  RUN/samples.png    pictures of the losses and of photographs
```
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from exposurebench.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from exposurebench.errors import ExposureBenchError, InputError, RecipeError
from exposurebench.files import append_text, make_folder, write_bytes, write_text
from exposurebench.optimisation import Training
from exposurebench.recipe import SCHEMA
from exposurebench.training_recipe import TrainingRecipe, differences

FORMAT = "exposurebench.training"
DONE = "steps_done"
"""The key beside a checkpoint's recipe that says how far its training had come."""
STATISTICS = "batch_norm_statistics"
"""The key there that says how the statistics of its batch norms came about, if not from the training's steps."""
KINDS = {"recipe": dict, "dataset": dict, "step": int, "state": dict}


@dataclass
class Log:
    """The losses of every step so far.

    Attributes:
        rows: a dictionary a step, its number under ``step``.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    _text: io.StringIO = field(default_factory=io.StringIO)
    _written: int = 0

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """The next row, with the digits that are stored."""
        if not self.rows:
            self._text.write(",".join(("step", *losses)) + "\n")
        shown = {name: f"{value:.7g}" for name, value in losses.items()}
        self._text.write(",".join((str(step), *shown.values())) + "\n")
        self.rows.append({"step": step, **{name: float(digits) for name, digits in shown.items()}})

    @property
    def text(self) -> str:
        """The whole of ``log.csv``."""
        return self._text.getvalue()

    def write(self, folder: Path, *, durable: bool = False) -> None:
        """Put new rows at the end of ``log.csv``; the first time all of them, in the place of what lies there.

        Raises:
            StorageError: the disk is full, ...
        """
        self._text.seek(self._written)
        new = self._text.read()
        (append_text if self._written else write_text)(folder / "log.csv", new, durable=durable)
        self._written += len(new)


@dataclass(frozen=True)
class Saved:
    """How far a run has come.

    Attributes:
        step: the steps that are done.
        state: of the networks and optimisers.
        log: the losses of those steps.
        about: what the checkpoint says of its data.
    """

    step: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)
    log: Log = field(default_factory=Log)
    about: Mapping[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, for this training alone; it is removed again where nothing was written into it.

    Raises:
        StorageError: it cannot be made.
        InputError: another process trains in it.
    """
    new = not folder.exists()
    handle = os.open(make_folder(folder), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"another process trains in {str(folder)!r}: wait for it, or choose another --out"
            ) from error
        yield
    finally:
        os.close(handle)
        if new:
            with contextlib.suppress(OSError):  # it is not empty: something was kept
                folder.rmdir()


def save(folder: Path, now: Saved, training: Training, statistics: Mapping[str, torch.Tensor] | None = None) -> None:
    """Write log, checkpoint and state, the last two whole or not at all, the state last.

    Args:
        folder: the run's.
        now: how far it has come.
        training: its networks.
        statistics: batch norm's for the checkpoint (:func:`exposurebench.optimisation.settled`), which says so.

    Raises:
        StorageError: the disk is full, ...; the state that there was can still be gone on from.
    """
    recipe = training.recipe
    now.log.write(folder, durable=True)
    told = {"note": training.note, STATISTICS: "of the last batches, dropout off" if statistics else ""}
    described = {**recipe.document(), DONE: now.step, **{name: text for name, text in told.items() if text}}
    weights = {**training.weights(), **(statistics or {})}
    made = Checkpoint(recipe.model, training.settings, weights, described, now.about)
    save_checkpoint(folder / "model.pt", made)
    facts = {"recipe": recipe.document(), "dataset": dict(now.about), "step": now.step, "state": dict(now.state)}
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "schema": SCHEMA, **facts}, buffer)
    write_bytes(folder / "state.pt", buffer.getbuffer(), durable=True)


def saved(folder: Path, recipe: TrainingRecipe, pixels: str) -> Saved:
    """How far a run has come; nowhere if it has not begun.

    Args:
        folder: the run's.
        recipe: what is to be trained.
        pixels: the data set's fingerprint.

    Raises:
        RecipeError: another recipe or data set was trained there.
        InputError: a file of it is damaged, or not ours.
    """
    path = folder / "state.pt"
    if not path.exists():
        _refuse_foreign(folder / "model.pt", recipe)
        return Saved()
    payload = _read(path)
    other = differences(recipe.document(), payload["recipe"])
    if pixels != payload["dataset"].get("pixels", ""):
        other.append(f"the data set is another one than {payload['dataset'].get('name', '')!r} was")
    if other:
        raise RecipeError(f"{str(folder)!r} holds another training: {', '.join(other)}; choose another --out")
    log = read_log(folder / "log.csv", payload["step"])
    return Saved(payload["step"], payload["state"], log, payload["dataset"])


def _refuse_foreign(model: Path, recipe: TrainingRecipe) -> None:
    """Leave a checkpoint alone that this training did not begin: one without a state can be of a first save only."""
    if model.exists():
        try:
            stored = load_checkpoint(model).recipe
            known = {name: value for name, value in stored.items() if name not in (DONE, STATISTICS, "note")}
            ours = not differences(recipe.document(), known)
        except ExposureBenchError:
            ours = False
        if not ours:
            raise InputError(f"{str(model)!r} is of another training, without a state.pt: choose another --out")


def _read(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd pickle is refused below, in one line
            payload = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged pickle can fail in any way; whichever, the file is no state
        raise InputError(f"{str(path)!r} is damaged: delete it and model.pt to train anew") from error
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise InputError(f"{str(path)!r} is no state of a training: choose another --out")
    if not isinstance(payload.get("schema"), int) or payload["schema"] > SCHEMA:
        raise InputError(f"{str(path)!r} has schema {payload.get('schema')}, newer than {SCHEMA}: update exposurebench")
    if not all(isinstance(payload.get(name), kind) for name, kind in KINDS.items()):
        raise InputError(f"{str(path)!r} is damaged: delete it and model.pt to train anew")
    return payload


def read_log(path: Path, steps: int | None = None) -> Log:
    """The rows of so many steps, by default of all; later ones belong to steps that are done again."""
    log = Log()
    try:
        rows: Sequence[Mapping[str, str]] = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for row in rows[:steps]:
            log.add(int(row["step"]), {name: float(value) for name, value in row.items() if name != "step"})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(path)!r} cannot be read: delete state.pt and model.pt to train anew") from error
    if [row["step"] for row in log.rows] != list(range(len(rows) if steps is None else steps)):
        raise InputError(f"{str(path)!r} lacks steps that were done: delete state.pt and model.pt to train anew")
    return log
