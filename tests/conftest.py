"""What every test may ask for."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
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


class Register:
    """Registers metrics that live for one test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def __call__(self, name: str, **contents: Any) -> ModuleType:
        """A metric file of that name: ``<name>=function``, facts in capitals; those that are not given are plain."""
        from exposurebench import catalog

        facts = {"TITLE": name, "TAKES": "srgb", "UNIT": "", "RANGE": (0.0, None), "BETTER": "lower", "VERSION": 1}
        facts |= {"REFERENCE": "a test", "PROTOCOL": {}} | {k: v for k, v in contents.items() if k.isupper()}
        module = ModuleType(f"exposurebench.metrics.{name}")
        vars(module).update({**facts, **contents})
        self.monkeypatch.setitem(sys.modules, module.__name__, module)
        self.monkeypatch.setitem(catalog.facts("metrics"), name, facts)
        catalog.load.cache_clear()
        return module


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Makes metrics for one test."""
    from exposurebench import catalog

    yield Register(monkeypatch)
    catalog.load.cache_clear()


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts the adversarial model of ``toy_gan.py`` into the catalog for one test, with functions or facts replaced."""
    from exposurebench import catalog

    spec = importlib.util.spec_from_file_location("toy_gan", ROOT / "tests" / "toy_gan.py")
    toy_gan = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(toy_gan)

    def put(**changes: Any) -> None:
        made = toy_gan.module(**changes)
        monkeypatch.setitem(sys.modules, made.__name__, made)
        monkeypatch.setitem(catalog.facts("models"), toy_gan.NAME, toy_gan.FACTS)
        catalog.load.cache_clear()

    put()
    yield put
    catalog.load.cache_clear()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Pictures are not drawn, but noted."""
    from exposurebench.report import training

    noted: list[tuple[str, Any]] = []
    for name in ("plot_losses", "validation_picture", "sample_sheet"):
        monkeypatch.setattr(training, name, lambda *given, name=name, **more: noted.append((name, (given, more))))
    return noted


@pytest.fixture(scope="session")
def inception_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torch cache with weights of both Inceptions: seeded random ones, under the names of the real files."""
    import torch

    from exposurebench.metrics.inception import network, weights

    cache = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    for seed, name in enumerate(weights.NETWORKS):
        whole, generator = network.build(name), torch.Generator().manual_seed(seed)
        for parameter in whole.parameters():
            if parameter.ndim == 4:  # answers would fade away, layer by layer, with smaller ones
                parameter.data.normal_(0, (2 / parameter[0].numel()) ** 0.5, generator=generator)
            elif parameter.ndim == 2:
                parameter.data.normal_(0, 0.05, generator=generator)
        torch.save(whole.state_dict(), cache / weights.NETWORKS[name].file)
    return cache.parent.parent


@pytest.fixture
def inceptions(inception_files: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Those files, taken for the real ones, on images of 75 pixels, the fewest that the networks see anything in."""
    from exposurebench.files import sha256_file
    from exposurebench.metrics import inception
    from exposurebench.metrics.inception import weights

    monkeypatch.setenv("TORCH_HOME", str(inception_files))
    monkeypatch.setattr(inception, "SIDE_PX", 75)
    found = {}
    for name, known in weights.NETWORKS.items():
        found[name] = inception_files / "hub" / "checkpoints" / known.file
        monkeypatch.setitem(weights.NETWORKS, name, known._replace(sha256=sha256_file(found[name])[:8]))
    return found


@pytest.fixture(scope="session")
def vgg_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torch cache with both VGGs' convolutions: seeded random ones, under the names of the real files."""
    import torch

    from exposurebench import pretrained

    cache = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    for seed, (name, known) in enumerate(pretrained.VGG.items()):
        generator = torch.Generator().manual_seed(seed)
        layers = torch.nn.Sequential(*pretrained.vgg_layers(name)).state_dict()
        state = {
            f"features.{key}": (2 / t[0].numel()) ** 0.5 * torch.randn(t.shape, generator=generator)
            if t.ndim == 4
            else torch.zeros(t.shape)
            for key, t in layers.items()
        }
        torch.save({**state, "classifier.0.bias": torch.zeros(4096)}, cache / known.file)
    return cache.parent.parent


@pytest.fixture
def vggs(vgg_files: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Those files, taken for the real ones."""
    from exposurebench import pretrained
    from exposurebench.files import sha256_file

    monkeypatch.setenv("TORCH_HOME", str(vgg_files))
    found = {}
    for name, known in pretrained.VGG.items():
        found[name] = vgg_files / "hub" / "checkpoints" / known.file
        monkeypatch.setitem(pretrained.VGG, name, known._replace(sha256=sha256_file(found[name])[:8]))
    return found


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
def with_val(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs of 64 pixels, light clipped at tau 0.5, cut into train and val."""
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe

    settings = {"source": "samples", "tau": 0.5, "size": 64, "well_exposed": 1, "split": "train=0.5,val=0.5", "seed": 1}
    return make_dataset(dataset_recipe(settings), tmp_path_factory.mktemp("val") / "set", card=False).dataset.folder


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
