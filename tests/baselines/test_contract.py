"""What every baseline promises, checked of every file in the folder and of its variants."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from exposurebench import catalog
from exposurebench.scene import Evidence, ExposedFrame

NAMES = catalog.names("baselines")
SIZES = [(1, 1), (1, 7), (7, 1), (33, 47)]


class Guarded:
    """Evidence that gives what was declared and raises on everything else."""

    def __init__(self, evidence: Evidence, needs: tuple[str, ...]) -> None:
        self._given = {name: getattr(evidence, name) for name in needs}

    def __getattr__(self, name: str) -> Any:
        if name not in self._given:
            raise AssertionError(f"looked at {name}, which NEEDS does not declare")
        return self._given[name]


def picture(height: int = 33, width: int = 47, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


def evidence(image: np.ndarray) -> Evidence:
    image = frozen(image)
    return Evidence(
        image,
        tau=0.5,
        transfer="gamma22",
        training_targets=[picture(9, 11, seed=1), picture(8, 5, seed=2)],
        frames=tuple(ExposedFrame(frozen((image * 2 ** (ev / 2.2)).clip(0, 1)), ev) for ev in (-1.0, 0.0, 1.0)),
    )


def frozen(image: np.ndarray) -> np.ndarray:
    image = image.copy()
    image.flags.writeable = False
    return image


def check_output(output: np.ndarray, image: np.ndarray) -> None:
    assert type(output) is np.ndarray
    assert output.dtype == np.float32
    assert output.shape == image.shape
    assert np.isfinite(output).all()
    assert output.min() >= 0
    assert output.max() <= 1


def test_there_are_baselines() -> None:
    assert {"identity", "inverse_clip", "inverse_clip/blind", "auto_exposure/balanced"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_facts(name: str) -> None:
    entry = catalog.load("baselines", name)
    assert all(entry.fact(fact).strip() for fact in ("TITLE", "REFERENCE"))
    assert entry.fact("TAKES") == "srgb"
    assert entry.fact("GIVES") in ("srgb", "linear")
    needs = entry.fact("NEEDS")
    assert type(needs) is tuple
    assert {"input", "frames"} & set(needs)
    assert len(set(needs)) == len(needs)
    assert set(needs) <= {"input", "tau", "transfer", "training_targets", "frames"}
    known = {"tau", "frames"} & set(needs)
    assert entry.fact("ORACLE") is bool(known), "what a method of one photograph cannot know"
    literal = catalog.facts("baselines")[name.partition("/")[0]]
    assert {"TITLE", "TAKES", "GIVES", "REFERENCE", "NEEDS", "ORACLE"} <= set(literal), "not literal"
    assert set(literal.get("VARIANT_FACTS", {})) <= set(literal.get("VARIANTS", {}))


def test_titles_are_unique() -> None:
    titles = [catalog.load("baselines", name).fact("TITLE") for name in NAMES]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_keywords_with_defaults(name: str) -> None:
    entry = catalog.load("baselines", name)
    first, *settings = inspect.signature(getattr(entry.module, name.partition("/")[0])).parameters.values()
    assert first.name == "evidence"
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in settings)
    assert set(entry.settings) <= set(entry.parameters())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_any_size_input_untouched_and_deterministic(name: str, size: tuple[int, int]) -> None:
    image = picture(*size)
    given = evidence(image)
    method = catalog.load("baselines", name).function()
    output = method(given)
    check_output(output, image)
    assert np.array_equal(given.input, image)
    assert not np.shares_memory(output, given.input)
    assert np.array_equal(output, method(evidence(image)))


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (33, 47)])
@pytest.mark.parametrize("name", NAMES)
def test_constant_images_stay_constant(name: str, size: tuple[int, int], level: float) -> None:
    image = np.full((*size, 3), level, np.float32)
    output = catalog.load("baselines", name).function()(evidence(image))
    check_output(output, image)
    assert np.ptp(output, axis=(0, 1)).max() < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_view_is_as_good_as_a_copy(name: str) -> None:
    view = picture(66, 94)[::2, ::-2]
    method = catalog.load("baselines", name).function()
    given = evidence(view)
    frames = tuple(ExposedFrame(np.repeat(f.pixels, 2, axis=1)[:, ::2], f.exposure_ev) for f in given.frames)
    assert np.array_equal(method(replace(given, input=view, frames=frames)), method(given))


@pytest.mark.parametrize("name", NAMES)
def test_looks_at_nothing_it_did_not_declare(name: str) -> None:
    entry = catalog.load("baselines", name)
    given = evidence(picture())
    guarded = Guarded(given, entry.fact("NEEDS"))
    assert np.array_equal(entry.function()(guarded), entry.function()(given))


@pytest.mark.parametrize("name", NAMES)
def test_needs_everything_it_declares(name: str) -> None:
    entry = catalog.load("baselines", name)
    for need in entry.fact("NEEDS"):
        fewer = tuple(other for other in entry.fact("NEEDS") if other != need)
        with pytest.raises(AssertionError, match=f"looked at {need}"):
            entry.function()(Guarded(evidence(picture()), fewer))
