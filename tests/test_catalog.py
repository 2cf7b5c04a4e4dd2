"""The folder listing is the catalog: what is read from the source is what importing gives."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

import pytest

from exposurebench import catalog
from exposurebench.catalog import Kind, facts, load, names
from exposurebench.errors import RecipeError

KINDS: tuple[Kind, ...] = get_args(Kind)
PACKAGE = Path(catalog.__file__).parent
FACTS = {
    *("TITLE", "URL", "LICENSE", "CITATION", "LAYOUT", "TAKES", "GIVES", "REFERENCE", "NEEDS", "ORACLE"),
    *("PAPER", "PARAMETERS", "FIELD_OF_VIEW", "UNIT", "RANGE", "BETTER", "VERSION", "VARIANTS", "VARIANT_FACTS"),
}
EVERYTHING = [(kind, name) for kind in KINDS for name in names(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_the_files_and_their_variants(kind: Kind) -> None:
    files = {path.stem for path in (PACKAGE / kind).glob("*.py")} - {"__init__"}
    assert set(names(kind, variants=False)) == files
    assert {name.partition("/")[0] for name in names(kind)} == files
    assert len(set(names(kind))) == len(names(kind))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in EVERYTHING if "/" not in name])
def test_the_facts_read_from_the_source_are_the_modules_own(kind: Kind, name: str) -> None:
    """An annotated or computed fact would be missing from lists and from ``--help`` without a word."""
    own = {n: v for n, v in vars(load(kind, name).module).items() if n.isupper() and not n.startswith("_")}
    read = facts(kind)[name]
    assert read == {n: own[n] for n in read}
    assert own.keys() & FACTS <= read.keys()


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_everything_listed_loads_and_its_settings_are_its_own(kind: Kind, name: str) -> None:
    entry = load(kind, name)
    stem, _, variant = name.partition("/")
    assert (entry.kind, entry.name) == (kind, name)
    assert entry.settings == (entry.module.VARIANTS[variant] if variant else {})
    assert callable(entry.function())
    beside = [n for n in ("statistics", "loss", "discriminator_loss", "frozen") if hasattr(entry.module, n)]
    for key, value in entry.settings.items():
        steps = [entry.function(), *(entry.function(step) for step in beside)]
        steps += [entry.before()] if entry.before() else []
        found = [inspect.signature(step).parameters.get(key) for step in steps]
        assert any(found), "a variant's settings are settings of the function, or of what is used with it"
        assert entry.before() or all(parameter.default == value for parameter in found if parameter)
    own = entry.module.VARIANT_FACTS.get(variant, {}) if hasattr(entry.module, "VARIANT_FACTS") else {}
    assert entry.fact("TITLE") == own.get("TITLE", load(kind, stem).fact("TITLE"))


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_every_setting_has_a_default(kind: Kind, name: str) -> None:
    parameters = load(kind, name).parameters()
    assert [n for n, p in parameters.items() if p.default is inspect.Parameter.empty] == []


def test_a_changed_variant_changes_nothing_for_the_next_who_asks() -> None:
    load.cache_clear()
    load("metrics", "ssim/wang").settings["broken"] = True
    load.cache_clear()
    assert "broken" not in load("metrics", "ssim/wang").settings


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("metrics", "psmr", "unknown metric 'psmr'; did you mean 'psnr'? Known: ceiling, "),
        ("baselines", "idenity", "unknown baseline 'idenity'; did you mean 'identity'?"),
        ("sources", "foldr", "unknown source 'foldr'; did you mean 'folder'?"),
        ("models", "smallcnn", "unknown model 'smallcnn'; did you mean 'small_cnn'?"),
        ("pairing", "gamma", "unknown pairing 'gamma'; did you mean 'gamma_clip'?"),
        ("metrics", "ssim/wnag", "did you mean 'ssim/wang'?"),
        ("metrics", "ssim/", "unknown metric 'ssim/'"),
        ("metrics", "", "unknown metric ''"),
        ("metrics", "__init__", "unknown metric '__init__'"),
        ("metrics", "../recipe", "unknown metric '../recipe'"),
        ("metrics", "PSNR", "unknown metric 'PSNR'"),
    ],
)
def test_an_unknown_name_lists_the_known_ones_and_the_nearest(kind: Kind, name: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(kind, name)
    assert said in str(caught.value)
    assert all(known in str(caught.value) for known in names(kind))
    assert "\n" not in str(caught.value)
