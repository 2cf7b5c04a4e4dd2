"""The options that commands share, and the one document that they print."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from exposurebench.cli import options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"a": [1, 2.5, True, None]}, {"a": [1, 2.5, True, None]}),
        ({"a": math.nan, "b": (math.inf, {"c": -math.inf})}, {"a": None, "b": [None, {"c": None}]}),
        (Path("a/b"), "a/b"),
        ({"é": "\N{GRINNING FACE}\n"}, {"é": "\N{GRINNING FACE}\n"}),
        ([], []),
    ],
)
def test_the_document_is_json_that_any_reader_takes(
    capsys: pytest.CaptureFixture[str], given: Any, expected: Any
) -> None:
    options.emit(given)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) == expected


def test_names_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    options.emit({"name": "café"})
    assert "café" in capsys.readouterr().out


def test_shared_options_give_what_they_say() -> None:
    @click.command()
    @options.folder("--root", default=Path("here"))
    @options.settings
    @options.workers
    @options.split
    @options.device
    @options.as_json
    def command(**given: Any) -> None:
        options.emit(given)

    runner = CliRunner()
    assert json.loads(runner.invoke(command, []).output) == {
        "root": "here",
        "settings": [],
        "workers": None,
        "split": "test",
        "device": "auto",
        "as_json": False,
    }
    words = ["--set", "a=1", "--set", "b=2", "--workers", "2", "--root", "there", "--json"]
    given = json.loads(runner.invoke(command, words).output)
    assert (given["settings"], given["workers"], given["root"], given["as_json"]) == (["a=1", "b=2"], 2, "there", True)
