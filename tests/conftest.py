"""What every test may ask for."""

import os
from pathlib import Path

# One thread for each test process: the tests run side by side. Before torch is imported, or it is not heeded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

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


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded data set, small: six photographs of 128 pixels, light clipped at tau 0.5, all in test."""
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe

    recipe = dataset_recipe({"source": "samples", "tau": 0.5, "size": 128, "well_exposed": 1})
    return make_dataset(recipe, tmp_path_factory.mktemp("samples") / "set", card=False).dataset.folder


@pytest.fixture(scope="session")
def trainable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photographs at three thresholds, one of which changes nothing, cut into train and test."""
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe

    recipe = dataset_recipe(
        {
            "source": "samples",
            "tau": [0.4, 0.7, 1.0],
            "size": 96,
            "well_exposed": 1,
            "split": "train=0.5,test=0.5",
            "seed": 1,
        }
    )
    return make_dataset(recipe, tmp_path_factory.mktemp("trainable") / "set", card=False).dataset.folder
