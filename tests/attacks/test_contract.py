"""What every cheat promises, checked of every file in the folder and of its variants."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

from exposurebench import catalog
from exposurebench.defence import must_be_refused
from exposurebench.scene import Spoils

NAMES = catalog.names("attacks")
SIDES = [("NEEDS", None), ("HONEST_NEEDS", "honest")]
FIELDS = {field.name for field in dataclasses.fields(Spoils)}
CASES = [(name, gives) for name in NAMES for gives in catalog.load("attacks", name).fact("GIVES")]


class Guarded:
    """Spoils that give what was declared and raise on everything else."""

    def __init__(self, spoils: Spoils, needs: tuple[str, ...]) -> None:
        self._given = {name: getattr(spoils, name) for name in needs}

    def __getattr__(self, name: str) -> Any:
        if name not in self._given:
            raise AssertionError(f"looked at {name}, which is not declared")
        return self._given[name]


def spoils(gives: Any, height: int = 33, width: int = 47) -> Spoils:
    """A smooth picture, a quarter of it clipped, and what it was."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = np.stack([x + 1, y + 1, x + y + 1], -1) / (0.75 * (height + width))
    target = light.astype(np.float32) if gives == "linear" else np.sqrt(light / light.max()).astype(np.float32)
    image = np.sqrt(light.clip(0, 1)).astype(np.float32)
    for array in (image, target):
        array.flags.writeable = False
    return Spoils(
        image,
        gives,
        target=target,
        others=np.stack([np.full((4, 4, 3), level, np.float32) for level in (0.2, 0.6)]),
        clues=np.array([1.0, 5.0]),
        known=(np.array([[0.0, 3.0], [1.0, 3.0], [0.0, 3.0], [1.0, 3.0]]), np.array([0.0, 1.0, 0.0, 1.0])),
    )


@pytest.mark.parametrize("name", NAMES)
def test_facts(name: str) -> None:
    entry = catalog.load("attacks", name)
    assert all(entry.fact(fact).strip() for fact in ("TITLE", "EXPLOITS", "REFERENCE", "HONEST"))
    assert set(entry.fact("GIVES")) <= {"srgb", "linear"}
    assert entry.fact("GIVES")
    for needs in (entry.fact("NEEDS"), entry.fact("HONEST_NEEDS")):
        assert type(needs) is tuple
        assert len(set(needs)) == len(needs)
        assert {"input"} <= set(needs) <= FIELDS
    titles = [catalog.load("attacks", other).fact("TITLE") for other in NAMES]
    assert titles.count(entry.fact("TITLE")) == 1


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_keywords_with_defaults(name: str) -> None:
    first, *settings = inspect.signature(catalog.load("attacks", name).function()).parameters.values()
    assert first.name == "spoils"
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in settings)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (33, 47)])
@pytest.mark.parametrize(("name", "gives"), CASES)
def test_answers_can_be_scored_and_the_input_is_untouched(name: str, gives: str, size: tuple[int, int]) -> None:
    given = spoils(gives, *size)
    for function in (catalog.load("attacks", name).function(), catalog.load("attacks", name).function("honest")):
        output = function(given)
        assert output.dtype == np.float32
        assert np.isfinite(output).all()
        assert output.min() >= 0
        assert gives == "linear" or output.max() <= 1
        assert not np.shares_memory(output, given.input)
        assert np.array_equal(output, function(given))
        if not must_be_refused(catalog.load("attacks", name)):
            assert output.shape == given.input.shape


@pytest.mark.parametrize(("needs", "side"), SIDES, ids=["cheat", "honest"])
@pytest.mark.parametrize(("name", "gives"), CASES)
def test_looks_at_all_that_it_declares_and_at_nothing_else(name: str, gives: str, needs: str, side: str | None) -> None:
    entry = catalog.load("attacks", name)
    declared = entry.fact(needs)
    function, given = entry.function(side), spoils(gives)
    assert np.array_equal(function(Guarded(given, declared)), function(given))


@pytest.mark.parametrize(("needs", "side"), SIDES, ids=["cheat", "honest"])
@pytest.mark.parametrize("name", NAMES)
def test_needs_everything_it_declares(name: str, needs: str, side: str | None) -> None:
    entry = catalog.load("attacks", name)
    declared = entry.fact(needs)
    for need in declared:
        looked = 0
        for gives in entry.fact("GIVES"):
            fewer = tuple(other for other in declared if other != need)
            try:
                entry.function(side)(Guarded(spoils(gives), fewer))
            except AssertionError as error:
                looked += f"looked at {need}," in str(error)
        assert looked, f"{name} declares {need} and never looks at it"


@pytest.mark.parametrize("name", [n for n in NAMES if not must_be_refused(catalog.load("attacks", n))])
def test_a_cheat_is_something_else_than_its_honest_row(name: str) -> None:
    """But for the gap reader, who finds no comb in a smooth picture: nothing to read gives the honest row itself."""
    entry = catalog.load("attacks", name)
    for gives in entry.fact("GIVES"):
        given = spoils(gives)
        same = np.array_equal(entry.function()(given), entry.function("honest")(given))
        assert same == (name == "gap_reader")
