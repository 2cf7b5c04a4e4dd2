"""Files that are no models, or would do harm: one line, an exit code, nothing run and nothing left behind."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

MADE = runpy.run_path(str(Path(__file__).parents[1] / "model_files.py"))
REFUSED = MADE["REFUSED"]


def seen(folder: Path) -> dict[str, str]:
    """Every file, folder and link below a folder, with what it holds; large ones by their size."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            what = str(path.readlink())
        elif path.is_dir():
            what = "folder"
        elif path.stat().st_size > 1 << 30:
            what = str(path.stat().st_size)
        else:
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = what
    return found


def test_there_are_many_of_them() -> None:
    assert len(REFUSED) >= 25


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_it_is_refused(refused: Callable[..., str], samples: Path, tmp_path: Path, name: str) -> None:
    build, code, said = REFUSED[name]
    canary = tmp_path / "canary"
    words = build(tmp_path, canary)
    before = seen(tmp_path)
    line = refused("eval", *words, "--dataset", samples, "--metric", "psnr", "--limit", 1, code=code)
    assert said in line
    assert not canary.exists()
    assert seen(tmp_path) == before
