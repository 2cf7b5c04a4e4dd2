import importlib.util
import sys
from types import SimpleNamespace

import pytest
import torch

from exposurebench.alignment import to_nits
from exposurebench.errors import MissingError
from exposurebench.metrics import cvvdp as module
from exposurebench.metrics.cvvdp import cvvdp

needs_package = pytest.mark.skipif(importlib.util.find_spec("pycvvdp") is None, reason="needs the extra cvvdp")


@pytest.fixture
def package(monkeypatch):
    """A stand-in for the package: it keeps what it is told, and scores 10 less the error's mean size."""
    told = SimpleNamespace(displays=[], geometries=[], models=[], pairs=[])

    class Model:
        def __init__(self, **settings):
            told.models.append(settings)

        def predict(self, prediction, target, dim_order):
            told.pairs.append((prediction, target, dim_order))
            return 10 - (prediction - target).abs().mean(), None

    stand_in = SimpleNamespace(
        vvdp_display_photo_eotf=lambda peak, **settings: told.displays.append((peak, settings)) or "display",
        vvdp_display_geometry=lambda resolution, **settings: told.geometries.append(settings) or "geometry",
        cvvdp=Model,
    )
    monkeypatch.setitem(sys.modules, "pycvvdp", stand_in)
    module._predictor.cache_clear()
    yield told
    module._predictor.cache_clear()


def test_display_and_distance_reach_the_package(package, light):
    sides = to_nits(light.flip(3), light)
    cvvdp(*sides)
    cvvdp(*sides)
    cvvdp(*sides, peak_nits=4000, pixels_per_degree=60)
    settings = {"contrast": 1_000_000, "source_colorspace": "BT.709", "EOTF": "linear", "E_ambient": 0}
    assert package.displays == [(1000, settings), (4000, settings)], "built once for each display"
    assert package.geometries == [{"ppd": 30}, {"ppd": 60}]
    model = {"display_photometry": "display", "display_geometry": "geometry", "quiet": True}
    assert package.models == [{**model, "device": torch.device("cpu")}] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_reach_the_package_one_by_one(package, light, dtype):
    prediction, target = (side.to(dtype) for side in to_nits(light.clamp(max=1) / 2, light))
    scores = cvvdp(prediction, target)
    assert scores.dtype == dtype
    assert scores.shape == (4,)
    assert len(package.pairs) == 4
    for i, (ours, theirs, dim_order) in enumerate(package.pairs):
        assert dim_order == "CHW"
        assert torch.equal(ours, prediction[i].float())
        assert torch.equal(theirs, target[i].float())
        assert scores[i].item() == pytest.approx(10 - (ours - theirs).abs().mean().item(), rel=1e-6)


def test_without_the_package(monkeypatch, light):
    monkeypatch.setitem(sys.modules, "pycvvdp", None)
    module._predictor.cache_clear()
    sides = to_nits(light, light)
    with pytest.raises(MissingError, match=r"pip install 'exposurebench\[cvvdp\]'"):
        cvvdp(*sides)


def test_refuses_before_it_loads_the_package(monkeypatch, light):
    monkeypatch.setitem(sys.modules, "pycvvdp", None)
    with pytest.raises(ValueError, match="pixels_per_degree must be positive, not 0"):
        cvvdp(light, light, pixels_per_degree=0)
    with pytest.raises(ValueError, match="cd/m2"):
        cvvdp(light / light.max(), light)


@needs_package
@pytest.mark.parametrize("pixels_per_degree", [30, 60])
def test_reference_scores(references, pixels_per_degree):
    params = (
        "linear BT.709 EOTF, peak=10000, contrast=1e6, E_ambient=0, "
        f"ppd={pixels_per_degree}, cd/m2 in, luminance replicated to 3 channels"
    )
    rows = references.light_scores("cvvdp-JOD", params)
    assert len(rows) == 14
    settings = {"peak_nits": 10_000, "pixels_per_degree": pixels_per_degree}
    for pair, score in rows:
        assert cvvdp(*references.light(pair), **settings).item() == pytest.approx(score, abs=1e-4), pair
