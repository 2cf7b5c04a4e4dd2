"""What a data set says of itself: its name, the command that makes it, and what it depends on."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from typing import Any

from exposurebench import __version__, catalog
from exposurebench.dataset import FORMAT
from exposurebench.plan import Plan
from exposurebench.recipe import SCHEMA, DatasetRecipe, parse_settings

FLAGS = ("pair", "size", "crop", "split", "limit", "seed", "format", "quality", "well_exposed", "tau")
"""Settings that the command line has a flag for."""


def describe(plan: Plan, found: Mapping[str, Any]) -> dict[str, Any]:
    """The document ``dataset.json``: everything that does not depend on how the data set was made.

    Args:
        plan: what was built.
        found: counts, hashes and fingerprints, from :func:`exposurebench.store.write_manifests`.
    """
    source, pairing = catalog.load("sources", plan.recipe.source), catalog.load("pairing", plan.recipe.pair)
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "name": default_name(plan.recipe),
        "title": plan.recipe.title or f"{source.fact('TITLE')}; {pairing.fact('TITLE')}",
        "recipe": plan.recipe.document(),
        "command": canonical_command(plan.recipe),
        "source": {
            **{key.lower(): source.fact(key) for key in ("TITLE", "URL", "LICENSE", "CITATION")},
            "scenes": plan.scenes,
            "fingerprint": plan.fingerprint,
        },
        "pairing": {key.lower(): pairing.fact(key) for key in ("TITLE", "TAKES", "GIVES", "REFERENCE")},
        **found,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of everything that the pixels depend on."""
    from importlib.metadata import version

    packages = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")
    return {"exposurebench": __version__, **{name: version(name) for name in packages}}


def default_name(recipe: DatasetRecipe) -> str:
    """What a data set is called when nobody says: its source and its settings that matter.

    >>> default_name(DatasetRecipe("places365", pair_settings={"tau": 0.5}))
    'places365-tau0.5'
    """
    tau = recipe.pair_settings.get("tau")
    if tau is None:
        return f"{recipe.source}-{recipe.pair.replace('/', '-').replace('_', '-')}"
    text = "-".join(f"{t:g}" for t in tau) if isinstance(tau, list) else f"{tau:g}" if not isinstance(tau, str) else tau
    return f"{recipe.source}-tau{text.replace(':', '-').replace(',', '-')}"


def canonical_command(recipe: DatasetRecipe) -> str:
    """The command that makes this data set anywhere: no paths, workers or shards.

    >>> canonical_command(DatasetRecipe("folder", size=256, pair_settings={"tau": 0.5}))
    'exposurebench make-dataset folder --size 256 --tau 0.5'
    """
    plain = DatasetRecipe(recipe.source)
    words = ["exposurebench", "make-dataset", recipe.source]
    for item in dataclasses.fields(DatasetRecipe):
        value = getattr(recipe, item.name)
        if not item.name.endswith("_settings") and item.name != "source" and value != getattr(plain, item.name):
            words += _option(item.name, value)
    for kind, name, settings in (
        ("pairing", recipe.pair, recipe.pair_settings),
        ("sources", recipe.source, recipe.source_settings),
    ):
        parameters = catalog.load(kind, name).parameters()
        for key, value in settings.items():
            if key == "tau" or value != parameters[key].default:
                words += _option(key, value)
    return shlex.join(words)


def _option(key: str, value: Any) -> list[str]:
    """A flag where there is one that takes the value as it is, else ``--set``."""
    if key in FLAGS and not isinstance(value, list):
        return [f"--{key.replace('_', '-')}", str(value)]
    return ["--set", f"{key}={_toml(value)}"]


def _toml(value: Any) -> str:
    """A value that ``--set`` reads back as it is: text that would be read as something else is quoted."""
    if isinstance(value, str) and parse_settings([f"key={value}"])["key"] == value:
        return value
    return json.dumps(value)
