"""Recipes of training: their settings are the models', and their values those of the papers' tables."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from exposurebench import catalog
from exposurebench.files import shipped
from exposurebench.pairing.gamma_clip import gamma_clip

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
