"""The command line in this process: quick, and with the exit codes that a shell would see."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ran]:
    """Runs a command in an empty folder, and sees to its exit code."""
    from exposurebench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXPOSUREBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: object, code: int = 0) -> Ran:
        monkeypatch.setattr(sys, "argv", ["exposurebench", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert (end.value.code or 0) == code, f"{words}: exit {end.value.code}\n{out}\n{err}"
        assert "\x1b" not in out + err, "no colours where nobody wants them"
        return Ran(out, err)

    return run


@pytest.fixture
def refused(run: Callable[..., Ran]) -> Callable[..., str]:
    """Runs a command that ends in one line on standard error and nothing else; gives the line."""

    def refused(*words: object, code: int) -> str:
        ran = run(*words, code=code)
        assert ran.out == ""
        assert ran.err.count("\n") == 1, ran.err
        assert ran.err.startswith("error: ")
        return ran.err

    return refused
