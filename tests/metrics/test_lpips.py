"""LPIPS: everything around the authors' package, and the package itself where it is installed."""

import hashlib
import importlib.util
import sys
from types import SimpleNamespace

import pytest
import torch

from exposurebench.errors import InputError, MissingError
from exposurebench.metrics import lpips as module
from exposurebench.metrics.lpips import BACKBONES, lpips

PICTURES = torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(0))


class Backbone(torch.nn.Module):
    """Two convolutions in slices that are named as the package names them."""

    def __init__(self):
        super().__init__()
        self.slice1, self.slice2 = torch.nn.Sequential(), torch.nn.Sequential()
        self.slice1.add_module("0", torch.nn.Conv2d(3, 4, 3))
        self.slice2.add_module("3", torch.nn.Conv2d(4, 5, 3))


class Network(torch.nn.Module):
    """Stands for the package's: mean squared difference of features."""

    def __init__(self, net, pnet_rand, verbose):
        super().__init__()
        assert pnet_rand, "nothing is downloaded"
        assert not verbose
        self.net = Backbone()

    def forward(self, first, second):
        assert first.min() >= -1
        assert first.min() < -0.9, "the package takes [-1, 1]"
        features = [self.net.slice2(self.net.slice1(side)) for side in (first, second)]
        return (features[0] - features[1]).square().mean((1, 2, 3), keepdim=True)


@pytest.fixture(autouse=True)
def forget():
    module._model.cache_clear()
    yield
    module._model.cache_clear()


@pytest.fixture
def package(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=Network))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Seeded weights for the stand-in, in a file whose name begins its hash, as torchvision's do."""
    generator = torch.Generator().manual_seed(1)
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "3.weight": (5, 4, 3, 3), "3.bias": (5,)}
    state = {f"features.{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    plain = tmp_path / "plain.pth"
    torch.save({**state, "classifier.6.bias": torch.zeros(2)}, plain)
    path = tmp_path / f"alexnet-{hashlib.sha256(plain.read_bytes()).hexdigest()[:8]}.pth"
    plain.rename(path)
    monkeypatch.setitem(BACKBONES, "alex", path.name)
    return path


def test_scores_by_the_given_weights(package, weights):
    before = torch.random.get_rng_state()
    found = lpips(0.5 * PICTURES, PICTURES, weights=str(weights))
    assert torch.equal(torch.random.get_rng_state(), before), "no random number of the caller's was drawn"
    state = torch.load(weights, weights_only=True)

    def features(images):
        first = torch.nn.functional.conv2d(2 * images - 1, state["features.0.weight"], state["features.0.bias"])
        return torch.nn.functional.conv2d(first, state["features.3.weight"], state["features.3.bias"])

    expected = (features(0.5 * PICTURES) - features(PICTURES)).square().mean((1, 2, 3))
    torch.testing.assert_close(found, expected)
    assert (lpips(PICTURES, PICTURES, weights=str(weights)) == 0).all()
    double = lpips(0.5 * PICTURES.double(), PICTURES.double(), weights=str(weights))
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), found)


def test_finds_the_weights_in_torchs_cache(package, weights, monkeypatch):
    expected = lpips(0.5 * PICTURES, PICTURES, weights=str(weights))
    folder = weights.parent / "checkpoints"
    folder.mkdir()
    weights.rename(folder / weights.name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(weights.parent))
    assert torch.equal(lpips(0.5 * PICTURES, PICTURES), expected)


def test_serves_training_after_inference_mode(package, weights):
    with torch.inference_mode():
        expected = lpips(0.5 * PICTURES, PICTURES, weights=str(weights))
    prediction = (0.5 * PICTURES).requires_grad_()
    found = lpips(prediction, PICTURES, weights=str(weights))
    found.sum().backward()
    assert torch.equal(found.detach(), expected)
    assert prediction.grad.abs().max() > 0


def test_says_what_to_get_where_weights_are_missing(package, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(MissingError, match=r"get https://.*/alexnet-owt-7be5be79.pth and put it at .*checkpoints"):
        lpips(PICTURES, PICTURES)


def test_refuses_other_weights(package, weights, monkeypatch):
    other = weights.with_name("other.pth")
    other.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(InputError, match="its SHA-256 begins with"):
        lpips(PICTURES, PICTURES, weights=str(other))
    torch.save({"features.0.weight": torch.zeros(1)}, other)
    monkeypatch.setitem(BACKBONES, "alex", f"x-{hashlib.sha256(other.read_bytes()).hexdigest()[:8]}.pth")
    with pytest.raises(InputError, match="not those of"):
        lpips(PICTURES, PICTURES, weights=str(other))


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(MissingError, match=r"pip install 'exposurebench\[lpips\]'"):
        lpips(PICTURES, PICTURES)


def test_refuses_before_it_loads_anything():
    with pytest.raises(ValueError, match="network"):
        lpips(PICTURES, PICTURES, network="resnet")
    with pytest.raises(ValueError, match="32 px"):
        lpips(PICTURES[..., :31], PICTURES[..., :31])
    with pytest.raises(ValueError, match="lie in"):
        lpips(2 * PICTURES, PICTURES)


@pytest.mark.skipif(not importlib.util.find_spec("lpips"), reason="needs the extra lpips")
@pytest.mark.parametrize("network", list(BACKBONES))
def test_is_the_packages_own_number(tmp_path, monkeypatch, network):
    """With seeded random backbones, as torchvision builds and saves them."""
    import warnings

    import torchvision

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        from lpips import LPIPS

        torch.manual_seed(0)
        names = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
        backbone = torchvision.models.get_model(names[network], weights=None)
        plain = tmp_path / "plain.pth"
        torch.save(backbone.state_dict(), plain)
        path = plain.rename(tmp_path / f"net-{hashlib.sha256(plain.read_bytes()).hexdigest()[:8]}.pth")
        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: backbone.state_dict())
        theirs = LPIPS(net=network, verbose=False)
    monkeypatch.setitem(BACKBONES, network, path.name)
    found = lpips(0.5 * PICTURES, PICTURES, network=network, weights=str(path))
    expected = theirs(0.5 * PICTURES, PICTURES, normalize=True).flatten()
    assert (found > 0).all()
    torch.testing.assert_close(found, expected.detach())
