"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples everywhere, however busy the machine.
settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test files that does not travel with the project."""
    folder = Path(os.environ.get("EXPOSUREBENCH_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared test files: {folder} does not exist (set EXPOSUREBENCH_SHARED)")
    return folder
