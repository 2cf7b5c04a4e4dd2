import numpy as np
import pytest
import torch

from exposurebench.metrics.hdrvdp2 import hdrvdp2

TOLERANCE = {torch.float64: (1e-6, 1e-6), torch.float32: (0.02, 5e-4)}
"""Of the qualities, and of the probabilities."""
QUICK = ("gabor50_c01", "mttamrgb_clip90", "camera_jpeg20")


def settings(params):
    surround = params["surround_l"]
    return {
        "encoding": params["color_encoding"],
        "pixels_per_degree": float(params["ppd"]),
        "surround": "mean" if surround == "-1" else float(surround),
        "luminance_scale": float(params["luminance_scale"]),
    }


def deviations(references, family, dtype, chosen=None):
    """The largest deviation of every column from the original program."""
    release = "2.2.0" if family == "2.2.0" else "2.2.2"
    worst, runs = {}, 0
    for pair_id, params, expected in references.hdrvdp(family):
        if chosen is not None and (pair_id not in chosen or params["ppd"] != "30" or params["surround_l"] != "1e-5"):
            continue
        found = hdrvdp2(*references.pair(pair_id, dtype), release=release, with_map=True, **settings(params))
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
    worst, runs = deviations(references, "2", torch.float64, QUICK)
    assert runs == 3
    check(worst, torch.float64)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("family", "count"), [("2", 70), ("2.2.0", 3)])
def test_agrees_with_the_original_program(references, family, count, dtype):
    worst, runs = deviations(references, family, dtype)
    assert runs == count
    check(worst, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arithmetic", "images"),
    [(torch.float64, torch.float64), (torch.float64, torch.float32), (torch.float32, torch.float32)],
    ids=str,
)
def test_maps(references, arithmetic, images):
    """In double precision every pixel of every map, of images in single precision too.

    Where strong bands cancel, contrast crosses 0 within a pixel, and is then summed over the whole image: there even the
    rounding of single precision's images shows (4.4e-4), and that of its arithmetic by more than is allowed.
    """
    paths = sorted((references.folder / "maps").glob("*__hdrvdp222_ppd30.npz"))
    assert len(paths) == 15
    for path in paths:
        pair_id = path.name.partition("__")[0]
        prediction, target = (side.to(images).to(arithmetic) for side in references.pair(pair_id))
        kind = references.pairs.loc[pair_id].kind
        encoding = {"ldr": "sRGB-display", "hdr_rgb": "rgb-bt.709", "hdr_luminance": "luminance"}[kind]
        found = hdrvdp2(prediction, target, encoding=encoding, with_map=True)["P_map"][0, 0]
        deviation = np.abs(found.numpy() - np.load(path)["P_map"].astype(np.float64))
        if arithmetic == torch.float64:
            assert deviation.max() < 5e-4, pair_id
        else:
            assert (deviation > 5e-4).mean() < 1 / 4000, pair_id
            assert deviation.max() < 0.01, pair_id


@pytest.fixture
def light():
    """Two pictures of odd size, with a gradient, edges and some texture, in cd/m2, float64."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:45, :62] / 60
    base = 0.5 + 150 * (np.sin(9 * x + 4 * y) + 1.05) * (1 + 5 * (x > 0.5))
    pictures = base * rng.uniform(0.8, 1.25, (2, 3, 45, 62))
    return torch.from_numpy(pictures)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_equal_images_score_exactly_100(light, dtype):
    found = hdrvdp2(light.to(dtype), light.to(dtype))
    assert found["Q"].dtype == dtype
    assert (found["Q"] == 100).all()
    assert (found["P_det"] == 0).all()
    assert (found["C_max"] == 0).all()


def test_many_predictions_of_one_target(light):
    predictions = torch.cat((light.clamp(max=200), 1.1 * light))
    target = light[:1]
    together = hdrvdp2(predictions, target, with_map=True)
    alone = hdrvdp2(predictions, target.expand_as(predictions), with_map=True)
    for column, values in together.items():
        torch.testing.assert_close(values, alone[column], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (8, 61), (17, 16), (33, 9), (40, 41)])
def test_any_size(light, size):
    target = light[..., : size[0], : size[1]]
    found = hdrvdp2(target.clamp(max=100), target, with_map=True)
    assert found["P_map"].shape == (2, 1, *size)
    assert (found["Q"] < 100).all()
    assert (found["P_map"] >= 0).all() and (found["P_map"] <= 1).all()


def test_encodings_of_the_same_light(light):
    """XYZ of Rec. 709 is Rec. 709 again, and this release takes it for the display's own."""
    to_xyz = torch.linalg.inv(
        torch.tensor(
            [[3.240708, -1.537259, -0.49857], [-0.969257, 1.875995, 0.041555], [0.055636, -0.203996, 1.057069]]
        ).double()
    )
    prediction = light.clamp(max=300)
    expected = hdrvdp2(prediction, light)["Q"]
    xyz = [torch.einsum("ij,njhw->nihw", to_xyz, side) for side in (prediction, light)]
    torch.testing.assert_close(hdrvdp2(*xyz, encoding="XYZ")["Q"], expected, rtol=0, atol=1e-8)
    assert torch.equal(hdrvdp2(prediction, light, encoding="rgb-native")["Q"], expected)
    relative = hdrvdp2(prediction / 1000, light / 1000, luminance_scale=1000.0)["Q"]
    torch.testing.assert_close(relative, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"release": "2.1"}, "release"),
        ({"encoding": "rgb-bt.2020"}, "encoding"),
        ({"pixels_per_degree": 0.0}, "pixels_per_degree"),
        ({"surround": "none"}, "surround"),
        ({"surround": -1.0}, "surround"),
        ({"luminance_scale": 0.0}, "luminance_scale"),
    ],
)
def test_refuses_settings(light, settings, message):
    with pytest.raises(ValueError, match=message):
        hdrvdp2(light, light, **settings)
