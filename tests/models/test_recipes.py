"""Recipes of training: their settings are the models', and their values those of the papers' tables."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from exposurebench import catalog
from exposurebench.files import shipped
from exposurebench.pairing.gamma_clip import gamma_clip
from exposurebench.training_recipe import training_recipe

RECIPES = sorted((shipped("recipes") / "training").glob("*.toml"))
TABLES = {
    "network": ("network",),
    "discriminator": ("discriminator",),
    "loss": ("loss", "discriminator_loss", "frozen"),
}


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_settings_are_the_models(path: Path) -> None:
    recipe = read(path)
    entry = catalog.load("models", recipe["model"])
    for table, functions in TABLES.items():
        known = {n for f in functions if hasattr(entry.module, f) for n in catalog.keywords(getattr(entry.module, f))}
        assert set(recipe.get(table, {})) <= known
    degradation = {name for name in recipe.get("degrade", {}) if name != "pairing"}
    assert degradation <= set(catalog.keywords(gamma_clip))
    with torch.device("meta"):
        for table in ("network", "discriminator"):
            if hasattr(entry.module, table):
                assert list(entry.function(table)(**recipe.get(table, {})).parameters())


@pytest.mark.parametrize(
    ("name", "generator", "discriminator", "noise", "l1", "perceptual", "tau"),
    [
        ("", 140, 70, "everywhere", 50, 100, 0.5),
        ("-random", 140, 70, "everywhere", 50, 100, "0.5:1"),
        ("-table2-none", 47, 70, "none", 50, 0, 0.5),
        ("-table2-decoder", 47, 70, "decoder", 50, 0, 0.5),
        ("-table2-everywhere", 47, 70, "everywhere", 50, 0, 0.5),
        ("-table3-94", 47, 94, "everywhere", 50, 0, 0.5),
        ("-table3-140", 47, 142, "everywhere", 50, 0, 0.5),
        ("-table3-perceptual-34", 47, 34, "everywhere", 50, 100, 0.5),
        ("-table3-perceptual-70", 47, 70, "everywhere", 50, 100, 0.5),
        ("-table3-perceptual-94", 47, 94, "everywhere", 50, 100, 0.5),
        ("-table3-perceptual-140", 47, 142, "everywhere", 50, 100, 0.5),
        ("-table4-70-70", 70, 70, "everywhere", 50, 100, 0.5),
        ("-table4-140-70", 140, 70, "everywhere", 50, 100, 0.5),
        ("-table4-140-140", 140, 142, "everywhere", 50, 100, 0.5),
        ("-figure6-1", 47, 70, "everywhere", 1, 0, 0.5),
        ("-figure6-10", 47, 70, "everywhere", 10, 0, 0.5),
        ("-figure6-100", 47, 70, "everywhere", 100, 0, 0.5),
    ],
)
def test_paper_0s_experiments(name, generator, discriminator, noise, l1, perceptual, tau):
    recipe = read(shipped("recipes") / "training" / f"noise_unet{name}.toml")
    assert recipe["network"] == {"field_of_view": generator, "noise": noise}
    assert recipe["discriminator"] == {"field_of_view": discriminator}
    assert recipe["loss"] == {"adversarial": 1, "l1": l1, "perceptual": perceptual}
    assert recipe["degrade"] == {"pairing": "gamma_clip", "tau": tau}


def test_every_recipe_of_paper_0_is_one_of_its_experiments() -> None:
    mark = next(m for m in test_paper_0s_experiments.pytestmark if m.name == "parametrize")
    assert {f"noise_unet{row[0]}" for row in mark.args[1]} == {p.stem for p in RECIPES if p.stem.startswith("noise")}


@pytest.mark.parametrize(
    ("name", "model", "augment", "learning_rate"),
    [
        ("pix2pix", "pix2pix", "paper1/corrected", 1e-4),
        ("pix2pix-2e-4", "pix2pix", "paper1/corrected", 2e-4),
        ("pix2pix-published", "pix2pix/as_published", "paper1", 1e-4),
        ("pix2pix-published-2e-4", "pix2pix/as_published", "paper1", 2e-4),
    ],
)
def test_paper_1s_experiments(name, model, augment, learning_rate):
    recipe = read(shipped("recipes") / "training" / f"{name}.toml")
    assert (recipe["model"], recipe["augment"], recipe["learning_rate"]) == (model, augment, learning_rate)
    assert (recipe["epochs"], recipe["batch"], recipe["patch"]) == (150, 64, 256)
    assert recipe["loss"] == {"adversarial": 1, "l1": 100}


STUDIES = {
    "vgg16_autoencoder": {
        "l1": {"loss.total_variation": 0},
        "l2": {"loss.l1": 0, "loss.l2": 1, "loss.total_variation": 0},
        "l1-l2": {"loss.l2": 1, "loss.total_variation": 0},
        "relu": {"network.output": "relu"},
        **{f"skips-{count}": {"network.skips": count} for count in range(6)},
        "frozen": {"network.freeze": "all"},
        "trainable": {"network.freeze": "none"},
        "regularised": {"network.dropout": 0.2, "loss.weight_decay": 1e-3},
        "batch-norm": {"network.batch_norm": True},
        "bilinear": {"network.upsampling": "bilinear"},
        "1k": {},
        "5k": {},
        "misaligned": {},
    },
    "gated_radiance": {
        "no-skips": {"network.skips": False},
        "linear": {"loss.sees": "linear"},
        "after-relu": {"loss.before_relu": False},
        "absolute": {},
        "reexposed": {"loss.rendering_ev": -3},
    },
    "drht": {
        "separate": {"network.training": "separate"},
        "literal": {"loss.hdr": 0.1},
        "released": {"network.layout": "released"},
    },
}
"""What each study of papers 2, 3 and 4 changes in its system's own recipe; nothing where only the data differ."""
CASES = [(base, study) for base, studies in STUDIES.items() for study in studies]


@pytest.mark.parametrize(("base", "study"), CASES, ids=lambda value: value)
def test_a_study_changes_what_it_says_and_nothing_else(base: str, study: str) -> None:
    own, changed = (
        training_recipe(read(shipped("recipes") / "training" / f"{name}.toml")).document()
        for name in (base, f"{base}-{study}")
    )
    assert changed.pop("model").partition("/")[0] == own.pop("model")
    for key, value in STUDIES[base][study].items():
        table, _, name = key.partition(".")
        assert own[table][name] != value
        own[table][name] = value
    assert changed == own


def test_every_recipe_of_papers_2_to_4_is_one_of_their_studies() -> None:
    known = {f"{base}-{study}" for base, study in CASES} | set(STUDIES)
    assert known == {path.stem for path in RECIPES if path.stem.partition("-")[0] in STUDIES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_header_says_how_to_run_it_what_was_published_and_what_it_costs(path: Path) -> None:
    header = path.read_text(encoding="utf-8").partition("schema = ")[0]
    assert f"exposurebench train {path.stem} --data " in header
    if path.stem != "small_cnn":  # of no paper
        assert "exposurebench make-dataset " in header
        assert "\n# Published" in header and "\n# Cost: " in header
