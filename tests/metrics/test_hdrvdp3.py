import numpy as np
import pytest
import torch

from exposurebench.alignment import shown
from exposurebench.metrics.hdrvdp3 import VARIANTS, hdrvdp3

TOLERANCE = {torch.float64: (1e-6, 1e-6), torch.float32: (1e-3, 5e-4)}
"""Of the qualities, and of the probabilities."""
QUICK = ("gabor50_c01", "mttamrgb_clip90", "nancy_clip90", "camera_jpeg20")


def settings(params):
    surround = params["surround"]
    return {
        "task": params["task"],
        "encoding": params["color_encoding"],
        "pixels_per_degree": float(params["ppd"]),
        "surround": surround if surround in ("none", "mean") else float(surround),
        "luminance_scale": float(params["luminance_scale"]),
    }


def deviations(references, dtype, chosen=None):
    """The largest deviation of every column from the original program."""
    worst, runs = {}, 0
    for pair_id, params, expected in references.hdrvdp("3"):
        if chosen is not None and not chosen(pair_id, params):
            continue
        found = hdrvdp3(*references.pair(pair_id, dtype), with_map=True, **settings(params))
        found["P_map_mean"] = found["P_map"].double().mean((1, 2, 3))
        runs += 1
        for column, value in expected.items():
            scale = max(value, 1e-3) if column == "C_max" else 1
            worst[column] = max(worst.get(column, 0), abs(found[column].item() - value) / scale)
    return worst, runs


def check(worst, dtype):
    quality, probability = TOLERANCE[dtype]
    for column, deviation in worst.items():
        assert deviation < (0.01 if column == "C_max" else quality if column.startswith("Q") else probability), column


def test_agrees_on_a_few(references):
    def chosen(pair_id, params):
        plain = params["ppd"] == "30" and params["surround"] == "none" and params["luminance_scale"] == "1"
        return plain and pair_id in QUICK and params["task"] in ("quality", "detection")

    worst, runs = deviations(references, torch.float64, chosen)
    assert runs == 7
    check(worst, torch.float64)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_agrees_with_the_original_program(references, dtype):
    worst, runs = deviations(references, dtype)
    assert runs == 116
    check(worst, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_maps(references, dtype):
    paths = sorted((references.folder / "maps").glob("*__hdrvdp307_sbs_ppd30.npz"))
    assert len(paths) == 15
    for path in paths:
        pair_id = path.name.partition("__")[0]
        prediction, target = references.pair(pair_id, dtype)
        kind = references.pairs.loc[pair_id].kind
        encoding = {"ldr": "sRGB-display", "hdr_rgb": "rgb-bt.709", "hdr_luminance": "luminance"}[kind]
        found = hdrvdp3(prediction, target, task="side-by-side", encoding=encoding, with_map=True)["P_map"][0, 0]
        deviation = np.abs(found.numpy() - np.load(path)["P_map"].astype(np.float64))
        assert deviation.max() < 5e-4, pair_id


@pytest.fixture
def light():
    """Two pictures of odd size, with a gradient, edges and some texture, in cd/m2, float64."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:45, :62] / 60
    base = 0.5 + 150 * (np.sin(9 * x + 4 * y) + 1.05) * (1 + 5 * (x > 0.5))
    pictures = base * rng.uniform(0.8, 1.25, (2, 3, 45, 62))
    return torch.from_numpy(pictures)


@pytest.mark.parametrize("task", ["quality", "flicker", "detection"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_equal_images_score_exactly_10(light, dtype, task):
    found = hdrvdp3(light.to(dtype), light.to(dtype), task=task)
    assert found["Q"].dtype == dtype
    assert (found["Q"] == 10).all()
    assert (found["Q_JOD"] == 10).all()
    assert (found["C_max"] == 0).all()
    assert (found["P_det"].abs() < 2e-4).all()


@pytest.mark.parametrize("task", ["quality", "detection"])
def test_many_predictions_of_one_target(light, task):
    predictions = torch.cat((light.clamp(max=200), 1.1 * light))
    target = light[:1]
    together = hdrvdp3(predictions, target, task=task, with_map=True)
    alone = hdrvdp3(predictions, target.expand_as(predictions), task=task, with_map=True)
    for column, values in together.items():
        torch.testing.assert_close(values, alone[column], rtol=1e-9, atol=1e-12)


def test_the_target_is_seen_once(light, monkeypatch):
    from exposurebench.metrics import hdrvdp3 as module

    seen = []
    original = module.optics.on_retina
    monkeypatch.setattr(module.optics, "on_retina", lambda x, *rest: seen.append(len(x)) or original(x, *rest))
    hdrvdp3(torch.cat((light, light)) * 1.2, light[:1])
    assert sorted(seen) == [1, 4]


@pytest.mark.parametrize(("name", "legacy", "headline"), [("nancy", 5.56, -0.27), ("still", 2.95, -0.29)])
def test_sparkle_gains_nothing_in_the_headline(references, name, legacy, headline):
    """0.15 % of the pixels, drawn from the clipped ones, thirty times as bright: JOD gained, measured and held."""
    pixels = torch.from_numpy(np.load(references.folder / "hdr" / f"{name}_ref.npy")).float()
    pixels = pixels if pixels.ndim == 3 else pixels[..., None].expand(-1, -1, 3)
    light = (pixels / np.quantile(pixels.amax(2), 0.97)).permute(2, 0, 1)[None]
    unclipped = light.amax(1, keepdim=True) < 1
    honest = light.clamp(max=1)
    cheat = honest.clone()
    places = np.random.default_rng(0).choice(np.flatnonzero(~unclipped), round(0.0015 * unclipped.numel()), False)
    cheat.flatten(2)[0][:, places] *= 30
    for steps, gain in (({"unclipped": unclipped}, headline), (VARIANTS["percentile"], legacy)):
        sides = [[side.float() for side in shown(prediction, light, **steps)] for prediction in (honest, cheat)]
        scores = [hdrvdp3(*pair)["Q_JOD"].item() for pair in sides]
        assert scores[1] - scores[0] == pytest.approx(gain, abs=0.1)


def test_side_by_side_is_quality(light):
    prediction = light.clamp(max=200)
    for column, values in hdrvdp3(prediction, light, task="side-by-side").items():
        assert torch.equal(values, hdrvdp3(prediction, light)[column])


@pytest.mark.parametrize("size", [(8, 8), (8, 61), (17, 16), (33, 9), (40, 41)])
@pytest.mark.parametrize("pixels_per_degree", [3.0, 12.0, 100.0])
def test_any_size(light, size, pixels_per_degree):
    target = light[..., : size[0], : size[1]]
    found = hdrvdp3(target.clamp(max=100), target, pixels_per_degree=pixels_per_degree, with_map=True)
    assert found["P_map"].shape == (2, 1, *size)
    assert (found["Q_JOD"] < 10).all()
    assert found["P_map"].isfinite().all()


def test_wide_encodings_of_the_same_light(light):
    """The same colours, written in two ways, meet the same display."""
    from exposurebench.color import Primaries, rgb_to_xyz

    rec2020 = Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290))
    to_xyz = torch.from_numpy(rgb_to_xyz(rec2020))
    prediction = light.clamp(max=200)
    xyz = [torch.einsum("ij,njhw->nihw", to_xyz, side) for side in (prediction, light)]
    expected = hdrvdp3(prediction, light, encoding="rgb-bt.2020")["Q"]
    torch.testing.assert_close(hdrvdp3(*xyz, encoding="XYZ")["Q"], expected, rtol=0, atol=2e-3)


def test_a_gradient_is_not_promised(light):
    assert not hdrvdp3(light.clone().requires_grad_(), light)["Q"].requires_grad


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "civdm"}, "task"),
        ({"encoding": "pq"}, "encoding"),
        ({"pixels_per_degree": float("nan")}, "pixels_per_degree"),
        ({"surround": "dark"}, "surround"),
        ({"surround": 0.0}, "surround"),
        ({"luminance_scale": float("inf")}, "luminance_scale"),
    ],
)
def test_refuses_settings(light, settings, message):
    with pytest.raises(ValueError, match=message):
        hdrvdp3(light, light, **settings)
