"""The studies that the headers of training recipes list are recipes, too: each ``--set`` of theirs is read."""

import re
import tomllib
from pathlib import Path

import pytest
import torch

from exposurebench.training_recipe import training_recipe

ROOT = Path(__file__).resolve().parent.parent


def studies() -> list[tuple[str, str]]:
    found = []
    for path in sorted((ROOT / "recipes" / "training").glob("*.toml")):
        for line in path.read_text("utf-8").splitlines():
            listed = line.startswith("#   ") and "exposurebench" not in line  # not a command, nor what was measured
            changes = re.findall(r"--set (\S+=\S+)", line) if listed else []
            if changes:
                found.append((path.stem, " ".join(changes)))
    return found


@pytest.mark.parametrize(("recipe", "changes"), studies())
def test_a_study_is_a_recipe_and_makes_a_network(recipe: str, changes: str) -> None:
    document = tomllib.loads((ROOT / "recipes" / "training" / f"{recipe}.toml").read_text("utf-8"))
    for change in changes.split():
        key, _, value = change.partition("=")
        table, dot, inner = key.partition(".")
        parsed = tomllib.loads(f"value = {value if re.fullmatch(r'[-+.e0-9]+|true|false', value) else repr(value)}")[
            "value"
        ]
        (document.setdefault(table, {}) if dot else document)[inner if dot else table] = parsed
    resolved = training_recipe(document)
    settings = {name: value for name, value in resolved.network.items() if name in resolved.entry.parameters()}
    with torch.device("meta"):
        assert list(resolved.entry.function()(**settings).parameters())
