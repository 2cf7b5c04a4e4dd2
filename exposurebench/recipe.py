"""Recipes: TOML to frozen dataclasses, every mistake gathered before anything is raised.

A recipe is read first, then flags, then ``--set key=value``. Keys that are no field of the recipe are
settings of its plug-ins (the pairing, then the source): their keyword-only parameters are the schema.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from exposurebench import catalog
from exposurebench.errors import RecipeError, unknown_name
from exposurebench.files import shipped

SCHEMA = 1
"""The version of every stored format; a reader refuses a newer one and reads every older one."""
T = TypeVar("T")


@dataclass(frozen=True)
class DatasetRecipe:
    """What a paired data set is made of and how; the resolved recipe is stored with the data set.

    Attributes:
        source: where scenes come from, a file of ``sources/``.
        pair: how a scene becomes pairs, a file of ``pairing/``.
        title: one line for the card.
        seed: every random number follows from it, the scene and the pair.
        limit: read only so many scenes, drawn evenly by the seed.
        size: shrink the short side to so many pixels.
        crop: ``none``, ``center`` or ``random`` square.
        split: ``official`` (the source's own where it has several, else 80 / 10 / 10), one split's name for
            everything, or shares such as ``train=0.8,val=0.1,test=0.1``; always by scene.
        well_exposed: leave out photographs with a larger share of over- and underexposed pixels; 1 keeps all.
        format: ``png`` or ``jpg``.
        quality: JPEG quality.
        augment: pairs are multiplied outside the test split, by a name of :mod:`exposurebench.augmentation`.
        source_settings: settings of the source.
        pair_settings: settings of the pairing.
    """

    source: str
    pair: str = "gamma_clip"
    title: str = ""
    seed: int = 0
    limit: int | None = None
    size: int | None = None
    crop: typing.Literal["none", "center", "random"] = "none"
    split: str = "official"
    well_exposed: float = 0.05
    format: typing.Literal["png", "jpg"] = "png"
    quality: int = 95
    augment: str | None = None
    source_settings: Mapping[str, Any] = field(default_factory=dict)
    pair_settings: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The recipe as stored: flat, resolved, with its schema."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if not f.name.endswith("_settings")}
        return {"schema": SCHEMA, **fields, **self.source_settings, **self.pair_settings}


def dataset_recipe(document: Mapping[str, Any]) -> DatasetRecipe:
    """A data set recipe out of a flat document; values may be strings as flags give them.

    Raises:
        RecipeError: one line with every mistake.
    """
    rest = dict(document)
    mistakes = _schema_mistakes(rest)
    plain = {f.name for f in dataclasses.fields(DatasetRecipe) if not f.name.endswith("_settings")}
    values = {name: rest.pop(name) for name in list(rest) if name in plain}
    if "source" not in values:
        mistakes.append(f"source is missing; known: {', '.join(catalog.names('sources'))}")
    entries = {}
    kinds: tuple[tuple[catalog.Kind, str, str], ...] = (
        ("pairing", "pair", "gamma_clip"),
        ("sources", "source", ""),
    )
    for kind, key, default in kinds:
        name = str(values.get(key, default))
        if not name:
            continue
        try:
            entries[kind] = catalog.load(kind, name)
        except RecipeError as error:
            mistakes.append(str(error))
    settings: dict[str, dict[str, Any]] = {"pairing": {}, "sources": {}}
    for kind, entry in entries.items():
        for name, parameter in entry.parameters().items():
            if name in ("seed",):
                continue  # drawn per pair from the recipe's seed
            if name in rest:
                settings[kind][name] = fitted(name, rest.pop(name), parameter.annotation, mistakes)
            else:
                settings[kind][name] = entry.settings.get(name, parameter.default)
    if len(entries) == 2:
        known = plain | {n for s in settings.values() for n in s}
        mistakes.extend(unknown_name("setting", name, known) for name in rest)
    filled = _filled(DatasetRecipe, values, mistakes)
    if mistakes:
        raise RecipeError("; ".join(mistakes))
    recipe = DatasetRecipe(**filled, pair_settings=settings["pairing"], source_settings=settings["sources"])
    _check_ranges(recipe)
    return recipe


def _check_ranges(recipe: DatasetRecipe) -> None:
    mistakes = []
    for name, low, high in (
        ("limit", 1, None),
        ("size", 1, None),
        ("well_exposed", 0, 1),
        ("quality", 1, 100),
    ):
        value = getattr(recipe, name)
        if value is not None and not (low <= value and (high is None or value <= high)):
            mistakes.append(
                f"{name} must be {f'at least {low}' if high is None else f'in {low} to {high}'}, not {value}"
            )
    if mistakes:
        raise RecipeError("; ".join(mistakes))


def fill(cls: type[T], document: Mapping[str, Any]) -> T:
    """A frozen dataclass out of a document whose keys are its fields.

    Raises:
        RecipeError: one line with every mistake: unknown keys, missing keys, wrong types.
    """
    rest = dict(document)
    mistakes = _schema_mistakes(rest)
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    mistakes.extend(unknown_name("key", name, known) for name in rest if name not in known)
    filled = _filled(cls, {n: v for n, v in rest.items() if n in known}, mistakes)
    if mistakes:
        raise RecipeError("; ".join(mistakes))
    return cls(**filled)


def read_recipe(name: str | Path, folder: str) -> dict[str, Any]:
    """The document of a recipe: a path, or the name of one that is shipped under ``recipes/<folder>/``.

    Raises:
        RecipeError: no such recipe, or no TOML.
    """
    path = Path(name)
    if path.suffix != ".toml" and path.name == str(name):
        path = shipped("recipes") / folder / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = [p.stem for p in (shipped("recipes") / folder).glob("*.toml")]
        raise RecipeError(unknown_name("recipe", str(name), known)) from error
    except (OSError, ValueError) as error:
        raise RecipeError(f"recipe {str(name)!r} cannot be read: {error}") from error


def parse_settings(pairs: Sequence[str], flag: str = "--set", expected: str = "key=value") -> dict[str, Any]:
    """``key=value`` flags to a document; a value is TOML where it parses as such, else a string.

    >>> parse_settings(["tau=0.5", "transfer=srgb", "ev=[-1, 1]"])
    {'tau': 0.5, 'transfer': 'srgb', 'ev': [-1, 1]}
    """
    document = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"{flag} {pair!r}: expected {expected}")
        try:
            parsed = tomllib.loads(f"v = {value}")
        except tomllib.TOMLDecodeError:
            parsed = {}
        document[key.strip()] = parsed["v"] if len(parsed) == 1 else value
    return document


def parse_range(name: str, value: float | str) -> tuple[float, float]:
    """A number, or a range ``low:high`` to draw from, as its two ends; whoever draws checks what they may be.

    Raises:
        ValueError: neither, or the ends are the wrong way round.

    >>> parse_range("noise", "0:0.01"), parse_range("noise", 0.01)
    ((0.0, 0.01), (0.01, 0.01))
    """
    low, colon, high = str(value).partition(":")
    try:
        ends = float(low), float(high if colon else low)
    except ValueError as error:
        raise ValueError(f"{name} must be a number or a range such as 0.5:1, not {value!r}") from error
    if not ends[0] <= ends[1]:
        raise ValueError(f"{name} {value!r} must be a range low:high")
    return ends


def parse_metric_settings(pairs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``METRIC.key=value`` flags to the settings of each metric.

    >>> parse_metric_settings(["inception_score.splits=5", "inception_score.weights=a.pth"])
    {'inception_score': {'splits': 5, 'weights': 'a.pth'}}
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in parse_settings(pairs, "--metric-set", "METRIC.key=value").items():
        metric, dot, key = name.rpartition(".")
        if not dot:
            raise RecipeError(f"--metric-set {name!r}: expected METRIC.key=value")
        found.setdefault(metric, {})[key] = value
    return found


def plugin_settings(entry: catalog.Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one plug-in, checked against its keyword-only parameters.

    Raises:
        RecipeError: one line with every unknown name and wrong type.
    """
    parameters = entry.parameters()
    mistakes = [unknown_name("setting", name, parameters) for name in given if name not in parameters]
    known = {name: value for name, value in given.items() if name in parameters}
    settings = {n: fitted(n, value, parameters[n].annotation, mistakes) for n, value in known.items()}
    if mistakes:
        raise RecipeError("; ".join(mistakes))
    return settings


def draw(seed: int, *names: str) -> int:
    """A seed for one thing: 63 bits of SHA-256 over the recipe's seed and the thing's names.

    Never depends on the worker, the order or the run.

    >>> draw(0, "places365", "a/airfield/00000001") == draw(0, "places365", "a/airfield/00000001")
    True
    """
    text = "\0".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big") >> 1


def _schema_mistakes(document: dict[str, Any]) -> list[str]:
    schema = document.pop("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        return [f"schema {schema!r} is newer than this program reads ({SCHEMA}): update exposurebench"]
    return []


def _filled(cls: Any, values: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    filled = {}
    for item in dataclasses.fields(cls):
        if item.name in values:
            filled[item.name] = fitted(item.name, values[item.name], hints[item.name], mistakes)
        elif (
            item.default is dataclasses.MISSING
            and item.default_factory is dataclasses.MISSING
            and item.name != "source"
        ):
            mistakes.append(f"{item.name} is missing")
    return filled


def fitted(name: str, value: Any, annotation: Any, mistakes: list[str]) -> Any:
    """The value if it fits the annotation (an int may stand for a float), else a mistake is noted."""
    if annotation is inspect.Parameter.empty or _fits(value, annotation):
        return float(value) if _only_float(annotation) and isinstance(value, int) else value
    mistakes.append(f"{name} must be {_spelled(annotation)}, not {value!r}")
    return value


def _only_float(annotation: Any) -> bool:
    options = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    return float in options and int not in options


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _fits(value: Any, annotation: Any) -> bool:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return True
    if _is_union(annotation):
        return any(_fits(value, option) for option in arguments)
    if origin is typing.Literal:
        return value in arguments
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation in (type(None), None):
        return value is None
    if origin in (list, tuple, Sequence) or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return isinstance(value, list | tuple) and all(_fits(v, arguments[0]) for v in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(_fits(v, arguments[1]) for v in value.values())
    return isinstance(value, annotation)


def _spelled(annotation: Any) -> str:
    if _is_union(annotation):
        return " or ".join(_spelled(option) for option in typing.get_args(annotation) if option is not type(None))
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(repr(option) for option in typing.get_args(annotation))
    names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    if typing.get_origin(annotation) is not None and typing.get_args(annotation):
        return f"a list of {_spelled(typing.get_args(annotation)[0])}"
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))
