"""What every test may ask for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session")
def write_photographs() -> Callable[..., Path]:
    """Writes so many photographs, all alike in size but for a few rows, into class folders; gives the folder."""
    import cv2
    import numpy as np

    def write(folder: Path, count: int, height: int = 40, width: int = 48) -> Path:
        for number in range(count):
            path = folder / f"class{number % 3}" / f"photo{number:04d}.{'png' if number % 4 == 0 else 'jpg'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            # Smooth colours in the middle of the scale, other ones for every number.
            coarse = np.random.default_rng(number).integers(20, 236, (5, 6, 3)).astype(np.uint8)
            assert cv2.imwrite(str(path), cv2.resize(coarse, (width, height + number % 5)))
        return folder

    return write


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory, write_photographs: Callable[..., Path]) -> Path:
    """Thirty small photographs, none of them badly exposed; nobody changes them."""
    return write_photographs(tmp_path_factory.mktemp("photographs"), 30)


@pytest.fixture(scope="session")
def build() -> Callable[..., Any]:
    """Builds a data set out of a folder of photographs in this process; gives the data set."""
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe

    def build(out: Path, root: Path, *, card: bool = False, **settings: Any) -> Any:
        recipe = dataset_recipe({"source": "folder", **settings})
        return make_dataset(recipe, out, root=root, card=card).dataset

    return build
