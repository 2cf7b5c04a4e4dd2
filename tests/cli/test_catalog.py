"""exposurebench sources, baselines, models, metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench import catalog

PACKAGE = Path(catalog.__file__).parent
COMMANDS = ("sources", "baselines", "models", "metrics")


@pytest.mark.parametrize("command", COMMANDS)
def test_lists_agree_with_the_folder(run: Callable[..., Any], command: catalog.Kind) -> None:
    listed = run(command, "--json")
    files = {path.stem for path in (PACKAGE / command).glob("*.py")} - {"__init__"}
    assert {name.partition("/")[0] for name in listed.document} == files
    assert list(listed.document) == catalog.names(command)
    assert all(facts["title"] for facts in listed.document.values())
    assert listed.err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_people_get_a_title_and_a_line_of_facts(run: Callable[..., Any], command: catalog.Kind) -> None:
    lines = run(command).out.splitlines()
    assert [line.partition(": ")[0] for line in lines[::2]] == catalog.names(command)
    assert all(line.startswith("    ") for line in lines[1::2])
    assert "None" not in "".join(lines)


def test_a_variants_own_facts_win(run: Callable[..., Any]) -> None:
    listed = run("baselines", "--json").document
    assert listed["inverse_clip"]["needs"] != listed["inverse_clip/blind"]["needs"]
    for name, facts in listed.items():
        assert facts["needs"] == list(catalog.load("baselines", name).fact("NEEDS"))
