"""One pair's cells of a per-image table: both sides as metrics take them, and what each measure makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench.catalog import Entry, keywords
from exposurebench.errors import InputError
from exposurebench.exposure import clipping_regions
from exposurebench.images import Image
from exposurebench.measures import Arrays, is_per_scene, is_per_set, region_of, takes
from exposurebench.recipe import draw
from exposurebench.tables import rounded
from exposurebench.tensors import to_tensor

WIDEST_CELL = 64
"""Statistics of more numbers an image lie beside the table."""
Cells = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Sides:
    """A prediction and its target as metrics take them.

    Attributes:
        prediction: ``(1, 3, H, W)``: display values in [0, 1] as float64, or light as float32.
        target: the same.
        encoding: what the numbers stand for, ``srgb`` or ``linear``.
        regions: ``(1, 1, H, W)`` booleans by the name of the region of the input; none where there is no input.
        done: what was computed of them already, so that metrics may share it.
        of_target: what was computed of the target alone, which pairs of one target share; None where no other has it.
    """

    prediction: torch.Tensor
    target: torch.Tensor
    encoding: str
    regions: Mapping[str, torch.Tensor] = field(default_factory=dict)
    done: dict[Any, Any] = field(default_factory=dict, repr=False)
    of_target: dict[Any, Any] | None = field(default=None, repr=False)

    def once(self, key: Any, compute: Callable[[], T]) -> T:
        """A value, computed the first time it is asked for."""
        return _once(self.done, key, compute)

    def once_a_target(self, key: Any, compute: Callable[[], T]) -> T:
        """A value that follows from the target alone, computed the first time a pair of that target asks for it."""
        return _once(self.done if self.of_target is None else self.of_target, key, compute)


def _once(done: dict[Any, Any], key: Any, compute: Callable[[], T]) -> T:
    if key not in done:
        done[key] = compute()
    found: T = done[key]
    return found


def sides_of(
    prediction: NDArray[Any], target: Image, given: Image | None = None, of_target: dict[Any, Any] | None = None
) -> Sides:
    """Both sides of a pair, and the regions of its input.

    Args:
        prediction: ``(H, W, 3)``: levels as a file holds them, or float32 light.
        target: what it is compared with.
        given: the input, display-encoded.
        of_target: see :class:`Sides`; one dictionary for all pairs of one target, empty at first.
    """
    dtype = torch.float64 if target.encoding == "srgb" else torch.float32
    regions = {}
    if given is not None:
        red, green, blue = to_tensor(given.as_float()).unsqueeze(1).unbind(2)
        regions = clipping_regions(red, green, blue)
    theirs = to_tensor(target.pixels, dtype)
    return Sides(to_tensor(prediction, dtype), theirs, target.encoding, regions, of_target=of_target)


def check_unmended(path: Path, image: Image, broken: Sequence[str] = ("nan", "infinite", "negative")) -> None:
    """Refuse light that reading had to mend: a score must not be of numbers that the file does not hold.

    Raises:
        InputError: the file holds NaN, infinite values or light below 0.
    """
    for kind in broken:
        if count := image.facts.get(f"{kind}_pixels", 0):
            what = {"nan": "NaN", "infinite": "infinite values", "negative": "light below 0"}[kind]
            raise InputError(
                f"{str(path)!r} holds {what} in {count:,} pixels: write finite light at or above 0, and score that"
            )


def cells_of(entries: Mapping[str, Entry], key: str, sides: Sides) -> tuple[Cells, Arrays]:
    """A pair's cells for every measure that looks at one pair at a time, and what lies beside the table.

    Raises:
        InputError: a metric cannot score the pair; the message says which and why.
    """
    cells: Cells = {}
    arrays: dict[str, NDArray[Any]] = {}
    for measure, entry in entries.items():
        if is_per_scene(measure):
            continue
        try:
            if not is_per_set(measure):
                cells |= _values(measure, entry, sides)
                continue
            for side in ("prediction", "target"):
                for column, values in _statistics(entry, key, sides, side).items():
                    _place(f"{measure}:{side}:{column}", values[0], cells, arrays)
        except ValueError as error:
            raise InputError(f"{key}: {measure}: {error}: choose other metrics with --metric") from error
    return cells, arrays


def scene_cells(entries: Mapping[str, Entry], keys: Sequence[str], sides: Sequence[Sides]) -> list[Cells]:
    """The cells of a scene's pairs for every measure that compares its predictions with each other.

    Raises:
        InputError: they cannot be compared; the message says why.
    """
    cells: list[Cells] = [{} for _ in keys]
    for measure, entry in entries.items():
        if not is_per_scene(measure):
            continue
        try:
            if len({pair.prediction.shape for pair in sides}) > 1:
                raise ValueError("the predictions of a scene must have one size")
            found = entry.function("statistics")(torch.cat([pair.prediction for pair in sides]))
        except ValueError as error:
            raise InputError(f"{keys[0]}: {measure}: {error}: choose other metrics with --metric") from error
        for column, values in found.items():
            for row, value in zip(cells, values.tolist(), strict=True):
                row[f"{measure}:prediction:{column}"] = rounded(value)
    return cells


def _values(measure: str, entry: Entry, sides: Sides) -> Cells:
    """A metric's value of a pair, or its named values; NaN where the region has no pixel."""
    region = region_of(measure)
    if region and region not in sides.regions:
        raise ValueError(f"it is measured over {region} pixels of the input, and here is no input")
    if region and not sides.regions[region].any():
        names = getattr(entry.module, "COLUMNS", None)
        return dict.fromkeys([f"{measure}:{name}" for name in names] if names else [measure], float("nan"))
    found = _answers(measure, entry, sides, drawn=False)
    if not isinstance(found, Mapping):
        return {measure: rounded(found.item())}
    return {f"{measure}:{name}": rounded(value.item()) for name, value in found.items() if value.ndim == 1}


def map_of(measure: str, entry: Entry, sides: Sides) -> NDArray[np.float32] | None:
    """Where a metric sees the difference of a pair, ``(H, W)`` in [0, 1]; None where it draws no map.

    A metric that draws one takes ``with_map``, gives it as the column ``P_map`` and says what it is in ``MAP``. What
    it answers besides is kept, so that scores that are asked for later come from the same pass.
    """
    if not takes(entry, "with_map"):
        return None
    drawn: NDArray[np.float32] = _answers(measure, entry, sides, drawn=True)["P_map"][0, 0].clamp(0, 1).float().numpy()
    return drawn


def _answers(measure: str, entry: Entry, sides: Sides, *, drawn: bool) -> Any:
    """What a metric says of a pair: a value, or several by name."""
    if region := region_of(measure):
        known: dict[str, Any] = {"mask": sides.regions[region].to(sides.prediction.dtype)}
    else:
        drawn = drawn or ("answers", measure, True) in sides.done
        known = {"with_map": True} if drawn else {}
        if sides.regions and takes(entry, "unclipped"):
            known["unclipped"] = ~sides.regions["clipped"]

    def answered() -> Any:
        ours, theirs = as_taken(entry, sides)
        target: Any = theirs
        if sides.of_target is not None and hasattr(entry.module, "prepared"):
            half = entry.module.prepared
            settings = {name: value for name, value in entry.settings.items() if name in keywords(half)}
            # What the steps before the metric make of the target depends on their settings alone.
            target = sides.once_a_target((half, str(entry.settings)), lambda: half(theirs, **settings))
        return entry.function()(ours, target, **known)

    return sides.once(("answers", measure, drawn), answered)


def as_taken(entry: Entry, sides: Sides) -> tuple[torch.Tensor, torch.Tensor]:
    """Prediction and target in the numbers that a metric takes: one of cd/m2 gets what the steps before it show.

    Metrics share the steps; they get them in the precision that their protocol states.
    """
    before = entry.before()
    if before is None:
        return sides.prediction, sides.target
    settings = {name: value for name, value in entry.settings.items() if name in keywords(before)}
    unclipped = ~sides.regions["clipped"] if sides.regions else None
    dtype = torch.float64 if entry.fact("PROTOCOL").get("precision") == "float64" else sides.prediction.dtype

    def aligned() -> tuple[torch.Tensor, torch.Tensor]:
        found: tuple[torch.Tensor, torch.Tensor] = before(
            sides.prediction, sides.target, unclipped=unclipped, **settings
        )
        return found

    both = sides.once(("shown", str(settings)), aligned)
    ours, theirs = sides.once(("shown", str(settings), dtype), lambda: tuple(side.to(dtype) for side in both))
    return ours, theirs


def _statistics(entry: Entry, key: str, sides: Sides, side: str) -> dict[str, torch.Tensor]:
    """A side's statistics, those columns that the metric's values follow from; metrics may share the function."""
    function = entry.module.statistics
    settings = {name: value for name, value in entry.settings.items() if name in keywords(function)}
    seeded = {}
    if entry.settings.get("patches", "image") != "image":
        seeded = {"seeds": [draw(0, entry.name, key)]}

    def measured() -> dict[str, torch.Tensor]:
        images = sides.prediction if side == "prediction" else sides.target
        found: dict[str, torch.Tensor] = function(images, **settings, **seeded)
        return found

    once = sides.once_a_target if side == "target" else sides.once
    answers = once((function, side, str(settings), str(seeded)), measured)
    return {name: answers[name] for name in getattr(entry.module, "COLUMNS", answers)}


def _place(name: str, values: torch.Tensor, cells: Cells, arrays: dict[str, NDArray[Any]]) -> None:
    """One image's statistics: a cell of one or several numbers, or a row beside the table."""
    if values.numel() > WIDEST_CELL:
        arrays[name] = values.cpu().numpy().astype(np.float32)
        return
    numbers = [rounded(v) for v in values.reshape(-1).tolist()]
    cells[name] = numbers[0] if len(numbers) == 1 else " ".join(map(str, numbers))
