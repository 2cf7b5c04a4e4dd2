"""Recipes: every mistake at once, settings by signature, seeds that depend on names alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposurebench import recipe
from exposurebench.errors import RecipeError
from exposurebench.images import FORMATS
from exposurebench.images.resizing import Crop
from exposurebench.recipe import dataset_recipe, draw, fill, parse_settings, read_recipe


def mistakes(document: dict[str, Any]) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        dataset_recipe(document)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value).replace("; did", ", did").split("; ")


def test_defaults_are_resolved() -> None:
    made = dataset_recipe({"source": "folder"})
    assert made.pair == "gamma_clip"
    assert made.well_exposed == 0.05
    assert made.pair_settings == {"tau": 0.5, "transfer": "gamma22", "form": "auto", "noise": 0.0}
    assert made.source_settings == {"license": "not stated"}
    assert "seed" not in made.pair_settings, "drawn per pair"
    assert made.document()["schema"] == 1


def test_the_choices_are_those_of_the_images() -> None:
    """The recipe spells them out, so that reading one does not load every image library."""
    hints = get_type_hints(recipe.DatasetRecipe)
    assert get_args(hints["crop"]) == get_args(Crop)
    assert get_args(hints["format"]) == FORMATS


def test_settings_go_to_their_plug_in() -> None:
    made = dataset_recipe({"source": "folder", "tau": "0.5:1", "license": "CC0", "size": 256, "crop": "center"})
    assert made.pair_settings["tau"] == "0.5:1"
    assert made.source_settings == {"license": "CC0"}
    assert (made.size, made.crop) == (256, "center")


def test_a_variant_is_its_settings_and_may_be_overridden() -> None:
    assert dataset_recipe({"source": "samples", "pair": "gamma_clip/camera"}).pair_settings["form"] == "camera"
    assert dataset_recipe({"source": "samples", "pair": "gamma_clip/literal"}).pair_settings["form"] == "literal"
    made = dataset_recipe({"source": "samples", "pair": "gamma_clip/camera", "noise": 1})
    assert made.pair_settings["noise"] == 1.0
    assert isinstance(made.pair_settings["noise"], float), "1 and 1.0 are one recipe"


@pytest.mark.parametrize(
    "document",
    [
        {"source": "samples"},
        {"source": "folder", "tau": [0.2, 0.5], "limit": 7, "license": "CC0", "format": "jpg", "well_exposed": 1},
        {"source": "samples", "pair": "gamma_clip/camera", "tau": "0.5:1", "transfer": "srgb", "seed": 9, "title": "é"},
    ],
)
def test_the_resolved_document_makes_the_recipe_again(document: dict[str, Any]) -> None:
    made = dataset_recipe(document)
    assert dataset_recipe(made.document()) == made


def test_the_document_is_left_alone() -> None:
    document = {"source": "samples", "tau": 0.3, "schema": 1}
    dataset_recipe(document)
    assert document == {"source": "samples", "tau": 0.3, "schema": 1}


def test_every_mistake_is_told_at_once() -> None:
    told = mistakes({"source": "smples", "size": "big", "seed": 1.5, "crop": "middle", "limit": True})
    assert len(told) == 5
    assert any("unknown source 'smples'" in t and "did you mean 'samples'?" in t for t in told)
    assert "size must be a whole number, not 'big'" in told
    assert "seed must be a whole number, not 1.5" in told
    assert "crop must be 'none' or 'center' or 'random', not 'middle'" in told
    assert "limit must be a whole number, not True" in told


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "source is missing; known: brackets, fairchild"),
        ({"source": "samples", "tua": 0.5}, "unknown setting 'tua'; did you mean 'tau'?"),
        ({"source": "samples", "license": "CC0"}, "unknown setting 'license'"),
        ({"source": "samples", "pair": "gamma_clip/camra"}, "did you mean 'gamma_clip/camera'?"),
        ({"source": "samples", "tau": True}, "tau must be"),
        ({"source": "samples", "tau": [0.5, "x"]}, "tau must be"),
        ({"source": "samples", "transfer": "linear"}, "transfer must be 'gamma22' or 'srgb', not 'linear'"),
        ({"source": "samples", "schema": 2}, "schema 2 is newer than this program reads (1)"),
        ({"source": "samples", "schema": "one"}, "schema 'one'"),
        ({"source": "samples", "limit": 0}, "limit must be at least 1, not 0"),
        ({"source": "samples", "quality": 101}, "quality must be in 1 to 100, not 101"),
        ({"source": "samples", "well_exposed": 1.5}, "well_exposed must be in 0 to 1, not 1.5"),
    ],
)
def test_mistakes(document: dict[str, Any], expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        dataset_recipe(document)
    assert expected in str(caught.value)


@dataclass(frozen=True)
class Example:
    name: str
    share: float = 0.5
    kinds: tuple[str, ...] = ()
    mode: Literal["a", "b"] | None = None


def test_fill() -> None:
    assert fill(Example, {"schema": 1, "name": "x", "share": 1, "mode": "b"}) == Example("x", 1.0, (), "b")
    with pytest.raises(RecipeError) as caught:
        fill(Example, {"share": "much", "kinds": [1], "nme": "x"})
    told = str(caught.value)
    for part in ("unknown key 'nme'; did you mean 'name'?", "name is missing", "share must be a number"):
        assert part in told
    assert "kinds must be a list of text, not [1]" in told


def test_read_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = tmp_path / "recipes"
    (shelf / "datasets").mkdir(parents=True)
    (shelf / "datasets" / "small.toml").write_text("# one\nsource = 'samples'\n")
    monkeypatch.setattr(recipe, "shipped", lambda *parts: tmp_path.joinpath(*parts))
    assert read_recipe("small", "datasets") == {"source": "samples"}
    assert read_recipe(shelf / "datasets" / "small.toml", "datasets") == {"source": "samples"}
    with pytest.raises(RecipeError, match="did you mean 'small'"):
        read_recipe("smal", "datasets")
    (tmp_path / "bad.toml").write_bytes(b"a = \xff")
    (tmp_path / "worse.toml").write_text("a = = 1")
    for name in ("bad.toml", "worse.toml"):
        with pytest.raises(RecipeError, match="cannot be read"):
            read_recipe(tmp_path / name, "datasets")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("a=1", 1),
        ("a=1.0", 1.0),
        ("a=true", True),
        ("a=[1, 2]", [1, 2]),
        ("a='x'", "x"),
        ("a=x y", "x y"),
        ("a=0.5:1", "0.5:1"),
        ("a=", ""),
        (" a =b=c", "b=c"),
        ("a=1\nb = 2", "1\nb = 2"),
    ],
)
def test_flags(flag: str, value: object) -> None:
    parsed = parse_settings([flag])
    assert parsed == {"a": value}
    assert type(parsed["a"]) is type(value)


@pytest.mark.parametrize("flag", ["a", "=1", " =1"])
def test_bad_flags(flag: str) -> None:
    with pytest.raises(RecipeError, match="expected key=value"):
        parse_settings([flag])


def test_draw_is_fixed_for_ever() -> None:
    """Published data sets hang on these numbers."""
    assert draw(0, "places365", "a/airfield/00000001") == 9090250228432093434
    assert draw(1) == 3874038210105081456


@given(st.integers(), st.lists(st.text(max_size=5), max_size=4))
def test_draw(seed: int, names: list[str]) -> None:
    drawn = draw(seed, *names)
    assert 0 <= drawn < 2**63
    assert drawn != draw(seed + 1, *names)
    assert drawn != draw(seed, *names, "")
    assert drawn == draw(seed, *names)


def test_draw_takes_names_that_are_no_text() -> None:
    assert draw(0, "\udcff") != draw(0, "\udcfe")
