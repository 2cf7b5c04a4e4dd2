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
def test_people_get_a_title_and_facts_below_it(run: Callable[..., Any], command: catalog.Kind) -> None:
    lines = run(command).out.splitlines()
    assert [line.partition(": ")[0] for line in lines if line[0] != " "] == catalog.names(command)
    assert all(line[0] != " " or line.startswith("    ") for line in lines)
    assert "None" not in "".join(lines)


def test_a_variants_own_facts_win(run: Callable[..., Any]) -> None:
    listed = run("baselines", "--json").document
    assert listed["inverse_clip"]["needs"] != listed["inverse_clip/blind"]["needs"]
    for name, facts in listed.items():
        assert facts["needs"] == list(catalog.load("baselines", name).fact("NEEDS"))


def test_metrics_say_what_they_take_which_way_is_better_and_what_variants_they_have(run: Callable[..., Any]) -> None:
    listed = run("metrics", "--json").document
    keys = {"title", "takes", "unit", "range", "better", "reference", "version", "variants"}
    assert all(facts.keys() == keys for facts in listed.values())
    assert listed["ssim"]["variants"] == {"ssim/wang": {"color": "luma", "downsample": True}}
    assert listed["psnr"]["range"] == [0.0, None]
    assert listed["consistency"]["unit"]["delta_e2000"] == "delta E"
    text = run("metrics").out
    assert "ssim/wang (color luma, downsample True)" in text
    assert "    range: 0.0 to any\n    better: higher\n" in text
    assert "luma_spread lower, delta_e2000 lower" in text


def test_models_say_what_they_cost_and_how_far_they_see(run: Callable[..., Any]) -> None:
    listed = run("models", "--json").document
    for name, facts in listed.items():
        assert facts["parameters"] == catalog.load("models", name).fact("PARAMETERS")
        assert facts["takes"] in ("srgb", "linear")
        assert facts["gives"] in ("srgb", "linear")
        assert facts["macs_per_megapixel"] > 0
        for field in ("field_of_view", "output_field_of_view"):
            assert facts[field] == "whole image" or facts[field] > 0
    assert listed["small_cnn"]["macs_per_megapixel"] == 1_000_000 * 9 * (3 * 16 + 16 * 16 + 16 * 3)
    assert "    macs per megapixel: 3,168,000,000\n" in run("models").out


@pytest.mark.parametrize("command", ["sources", "models"])
def test_tables_of_the_readme_are_written(run: Callable[..., Any], command: catalog.Kind) -> None:
    rows = run(command, "--markdown").out.splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == catalog.names(command)
