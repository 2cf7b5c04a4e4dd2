"""exposurebench doctor"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_it_names_everything_that_is_needed(run: Callable[..., Any], tmp_path: Path) -> None:
    about = run("doctor", "--json").document
    assert about["broken"] == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert about["packages"].keys() == {re.split("[<>=]", need)[0] for need in project["dependencies"]}
    assert all(re.match(r"\d+\.", number) for number in about["packages"].values())
    assert about["cache"] == str(tmp_path / "cache")
    assert (Path(about["recipes"]) / "datasets").is_dir()
    text = run("doctor")
    assert all(name in text.out for name in about["packages"])
    assert text.err == ""


@pytest.mark.parametrize("error", [ImportError("libGL.so.1: not found"), RuntimeError("operator nms does not exist")])
def test_what_does_not_import_is_told_with_what_to_do(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = importlib.import_module

    def broken(name: str, package: str | None = None) -> ModuleType:
        if name == "cv2":
            raise error
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", broken)
    about = run("doctor", "--json", code=4)
    assert about.document["broken"] == {"opencv-python-headless": f"{type(error).__name__}: {error}"}
    assert "opencv-python-headless" not in about.document["packages"]
    assert about.err == ""
    shown = run("doctor", code=4)
    assert "pip install --force-reinstall opencv-python-headless" in shown.err
    assert shown.err.count("\n") == 1
