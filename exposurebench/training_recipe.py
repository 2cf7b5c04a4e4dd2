"""What is trained and how: a TOML document as a frozen dataclass, every mistake gathered before it is raised.

The keys of the recipe stand at the top; ``[network]``, ``[discriminator]`` and ``[loss]`` are settings of the model's
file, whose keyword-only parameters are their schema; ``[degrade]`` says how clean photographs become pairs.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from torch import nn

from exposurebench import catalog
from exposurebench.catalog import Entry
from exposurebench.errors import RecipeError, unknown_name
from exposurebench.recipe import SCHEMA, fill, fitted

TABLES: dict[str, tuple[str, ...]] = {
    "network": ("network", "start"),
    "discriminator": ("discriminator",),
    "loss": ("loss", "discriminator_loss", "frozen"),
}
"""The tables that hold a model's settings, and the functions of its file that take them."""
LENGTHS = ("steps", "epochs")
"""How long a training is, by one of them."""
MANNERS = ("save_every", "picture_every", "tensorboard")
"""Keys that change what is written and when, never the weights."""


@dataclass(frozen=True)
class TrainingRecipe:
    """What is trained and how; the resolved recipe is stored with the weights.

    Attributes:
        model: a file of ``models/``, variant included.
        steps: the network's gradient steps; this or ``epochs``.
        epochs: passes over the train split.
        batch: pairs in a step, over all processes.
        patch: side of the square crops in pixels; 0 for whole images.
        accumulate: into how many pieces a batch is cut, one after another, to need less memory; without batch norm
            the result is that of the whole batch.
        learning_rate: of Adam.
        discriminator_learning_rate: of the discriminator's Adam; by default the same.
        schedule: ``[[from, rate], ...]``: later learning rates, from an epoch on, or from a step on where the recipe
            counts ``steps``. The discriminator's changes in the same proportion.
        decay: over how many of the last epochs (or steps, in the same way) both learning rates fall in a straight line
            towards 0.
        betas: of both Adams.
        clip: the largest norm of a gradient, discriminator and network apart; 0 leaves it.
        average: decay per step of an exponential average of the weights, which then go into ``model.pt``; 0 for none.
        precision: ``float32``, or ``bf16`` for the networks' insides; losses are always in float32.
        compile: compile the networks first (minutes, then faster on a GPU).
        seed: of the weights, the batches, the crops and the noise.
        augment: a name of :mod:`exposurebench.augmentation`, drawn anew for each batch; empty for none.
        save_every: steps between two saves.
        picture_every: steps between two plots and validation pictures; 0 for one each epoch, or, where epochs are
            shorter than 250 steps, each so many epochs as make 250.
        tensorboard: write the losses for TensorBoard too.
        network: settings of the model's ``network``.
        discriminator: settings of its ``discriminator``.
        loss: settings of its losses, weights above all.
        degrade: the pairing that makes inputs out of clean photographs, with its settings; empty for ready pairs.
    """

    model: str
    steps: int | None = None
    epochs: int | None = None
    batch: int = 8
    patch: int = 256
    accumulate: int = 1
    learning_rate: float = 2e-4
    discriminator_learning_rate: float | None = None
    schedule: Sequence[Sequence[float]] = ()
    decay: int = 0
    betas: Sequence[float] = (0.9, 0.999)
    clip: float = 0.0
    average: float = 0.0
    precision: Literal["float32", "bf16"] = "float32"
    compile: bool = False
    seed: int = 0
    augment: str = ""
    save_every: int = 1000
    picture_every: int = 0
    tensorboard: bool = False
    network: Mapping[str, Any] = field(default_factory=dict)
    discriminator: Mapping[str, Any] = field(default_factory=dict)
    loss: Mapping[str, Any] = field(default_factory=dict)
    degrade: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> Entry:
        """The model's file."""
        return catalog.load("models", self.model)

    def document(self) -> dict[str, Any]:
        """The recipe as stored: plain values, resolved, with its schema."""
        return {"schema": SCHEMA, **_plain(dataclasses.asdict(self))}

    def total(self, steps_per_epoch: int) -> int:
        """How many steps there are."""
        return self.steps if self.steps is not None else (self.epochs or 0) * steps_per_epoch

    def decline(self, step: int, steps_per_epoch: int) -> float:
        """The factor on both learning rates at a step.

        >>> recipe = TrainingRecipe("small_cnn", epochs=9, learning_rate=2e-4, schedule=[[3, 1e-4]])
        >>> [recipe.decline(step, steps_per_epoch=10) for step in (0, 29, 30)]
        [1.0, 1.0, 0.5]
        >>> recipe = TrainingRecipe("small_cnn", steps=10, decay=4)
        >>> [recipe.decline(step, steps_per_epoch=1) for step in range(5, 10)]
        [1.0, 1.0, 0.75, 0.5, 0.25]
        """
        unit = 1 if self.steps is not None else steps_per_epoch
        rates = [rate for start, rate in self.schedule if start <= step // unit]
        left = (self.total(steps_per_epoch) - step) / (self.decay * unit) if self.decay else 1.0
        return (rates[-1] / self.learning_rate if rates else 1.0) * min(1.0, left)


def training_recipe(document: Mapping[str, Any]) -> TrainingRecipe:
    """A training recipe out of a document; ``network.width`` is the key ``width`` of the table ``network``.

    Raises:
        RecipeError: one line with every mistake.
    """
    mistakes: list[str] = []
    rest = _tables(document, mistakes)
    given = {table: rest.pop(table, {}) for table in TABLES}
    name = rest.get("model")
    entry = None
    if isinstance(name, str):
        try:
            entry = catalog.load("models", name)
        except RecipeError as error:
            mistakes.append(str(error))
    settings: dict[str, dict[str, Any]] = {}
    if entry:
        schemas = {table: _schema(entry, functions) for table, functions in TABLES.items()}
        for table, schema in schemas.items():
            settings[table] = _settings(entry, table, given[table], schema, mistakes)
        for key in [key for key in rest if not _is_key(key)]:
            for table in (table for table, schema in schemas.items() if key in schema):
                mistakes.append(f"{key} is a setting of [{table}]: write {table}.{key}")
                rest.pop(key, None)
    try:
        recipe = fill(TrainingRecipe, {**rest, **settings})
        mistakes.extend(_out_of_range(recipe))
    except RecipeError as error:
        mistakes.append(str(error))
    if mistakes:
        raise RecipeError("; ".join(mistakes))
    return recipe


def overridden(document: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's document with flags over it; ``steps`` takes the place of the document's ``epochs``, and vice versa.

    Raises:
        RecipeError: the document's schedule would then count in another unit.

    >>> overridden({"model": "small_cnn", "epochs": 20}, {"steps": 500})
    {'model': 'small_cnn', 'steps': 500}
    """
    replaced = [key for key in LENGTHS if key in document and key not in settings and set(LENGTHS) & set(settings)]
    for key, other in (("schedule", "[]"), ("decay", "0")):
        if replaced and document.get(key) and key not in settings:
            raise RecipeError(f"the recipe's {key} counts {replaced[0]}: set {key} too, such as {key}={other}")
    return {**{key: value for key, value in document.items() if key not in replaced}, **settings}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What two stored recipes differ in, but for keys that leave the weights alone.

    >>> differences({"steps": 3, "network": {"width": 4}}, {"steps": 3, "network": {"width": 8}})
    ['network.width is 4 here and 8 there']
    """
    flat = [_flat(document) for document in (ours, theirs)]
    keys = [key for key in dict.fromkeys((*flat[0], *flat[1])) if key not in MANNERS]
    return [
        f"{key} is {flat[0].get(key)!r} here and {flat[1].get(key)!r} there"
        for key in keys
        if flat[0].get(key) != flat[1].get(key)
    ]


def _is_key(name: str) -> bool:
    return name == "schema" or name in {f.name for f in dataclasses.fields(TrainingRecipe)}


def _tables(document: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    """The document with its dotted keys inside their tables."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        table, dot, inner = key.partition(".")
        if dot:
            value = {inner: value}
        if dot or table in (*TABLES, "degrade"):
            if not isinstance(value, Mapping) or not isinstance(found.setdefault(table, {}), dict):
                mistakes.append(f"[{table}] must be a table of settings, not {value!r}")
            else:
                found[table].update(value)
        else:
            found[key] = value
    return found


def _schema(entry: Entry, functions: Sequence[str]) -> dict[str, inspect.Parameter]:
    """The annotation and default of every setting that a model's functions take; networks are handed in by the loop."""
    schema: dict[str, inspect.Parameter] = {}
    for function in functions:
        if hasattr(entry.module, function):
            for name, parameter in catalog.keywords(getattr(entry.module, function)).items():
                kinds = get_args(parameter.annotation) or (parameter.annotation,)
                if not any(isinstance(kind, type) and issubclass(kind, nn.Module) for kind in kinds):
                    schema.setdefault(name, parameter)
    return schema


def _settings(
    entry: Entry, table: str, given: Mapping[str, Any], schema: Mapping[str, inspect.Parameter], mistakes: list[str]
) -> dict[str, Any]:
    """Every setting of a table, the model's own defaults among them."""
    if given and not schema:
        mistakes.append(f"{entry.name} has no {table} to set: leave out [{table}]")
    else:
        mistakes.extend(unknown_name(f"key of [{table}]", name, schema) for name in given if name not in schema)
    defaults = {name: entry.settings.get(name, parameter.default) for name, parameter in schema.items()}
    known = {name: value for name, value in given.items() if name in schema}
    return defaults | {
        name: fitted(f"{table}.{name}", value, schema[name].annotation, mistakes) for name, value in known.items()
    }


def _out_of_range(recipe: TrainingRecipe) -> list[str]:
    """What has the right type and no sense."""
    mistakes = []
    if (recipe.steps is None) == (recipe.epochs is None):
        mistakes.append("give steps or epochs, one of the two")
    for name, least in (
        *(("steps", 1), ("epochs", 1), ("batch", 1), ("patch", 0), ("accumulate", 1)),
        *(("decay", 0), ("save_every", 1), ("picture_every", 0)),
    ):
        value = getattr(recipe, name)
        if value is not None and value < least:
            mistakes.append(f"{name} must be at least {least}, not {value}")
    if recipe.decay > (recipe.steps or recipe.epochs or recipe.decay):
        mistakes.append(
            f"decay ({recipe.decay}) must be at most the {recipe.steps or recipe.epochs} of the whole training"
        )
    if recipe.accumulate > 0 and recipe.batch % recipe.accumulate:
        mistakes.append(f"batch ({recipe.batch}) must be a multiple of accumulate ({recipe.accumulate})")
    for name in ("learning_rate", "discriminator_learning_rate"):
        value = getattr(recipe, name)
        if value is not None and not 0 < value < math.inf:
            mistakes.append(f"{name} must be positive and finite, not {value}")
    later = [tuple(pair) for pair in recipe.schedule]
    if not all(len(pair) == 2 and pair[0] >= 0 and 0 < pair[1] < math.inf for pair in later) or sorted(later) != later:
        mistakes.append(f"schedule must be pairs [from, learning rate] in order, not {recipe.schedule!r}")
    if len(recipe.betas) != 2 or not all(0 <= beta < 1 for beta in recipe.betas):
        mistakes.append(f"betas must be two numbers in [0, 1), not {recipe.betas!r}")
    if not 0 <= recipe.clip < math.inf:
        mistakes.append(f"clip must be a norm, or 0 for none, not {recipe.clip}")
    if not 0 <= recipe.average < 1:
        mistakes.append(f"average must be in [0, 1), not {recipe.average}")
    return mistakes


def _plain(value: Any) -> Any:
    """Tuples as lists, as they are when they have been stored."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _flat(document: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat
