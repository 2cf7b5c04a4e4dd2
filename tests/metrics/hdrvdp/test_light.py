import pytest
import torch

from exposurebench.metrics.hdrvdp.light import absolute, catches, differs, receptor_facts, through

ENCODINGS = ("rgb-bt.709", "XYZ", "luminance", "sRGB-display", "luma-display")


def checked(prediction, target=None, encoding="rgb-bt.709", scale=1.0):
    sides = {"prediction": prediction, "target": prediction if target is None else target}
    return [absolute(batch, name, encoding, scale, ENCODINGS) for name, batch in sides.items()]


@pytest.fixture
def light():
    return torch.linspace(0.01, 4000, 2 * 3 * 9 * 10, dtype=torch.float64).view(2, 3, 9, 10)


def test_display_encodings_become_light():
    gray = torch.tensor([0.0, 0.04, 0.5, 1.0], dtype=torch.float64).repeat(16).view(1, 1, 8, 8)
    luma = checked(gray, encoding="luma-display")[0][0, 0, 0, :4]
    torch.testing.assert_close(luma, 99 * gray[0, 0, 0, :4] ** 2.2 + 1)
    srgb = checked(gray.expand(1, 3, 8, 8), encoding="sRGB-display")[0][0, 0, 0, :4]
    expected = [1.0, 1 + 99 * 0.04 / 12.92, 1 + 99 * (0.555 / 1.055) ** 2.4, 100.0]
    torch.testing.assert_close(srgb, torch.tensor(expected, dtype=torch.float64))


def test_scale(light):
    assert torch.equal(checked(light / 8, encoding="rgb-bt.709", scale=8.0)[0], light)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, "lie above 0, .* lift it"),
        (-1.0, "lie above 0"),
        (float("nan"), "NaN or infinite"),
        (float("inf"), "NaN or infinite"),
    ],
)
@pytest.mark.parametrize("side", ["prediction", "target"])
def test_refuses_what_is_no_light(light, value, message, side):
    ruined = light.clone()
    ruined[1, 2, 3, 4] = value
    with pytest.raises(ValueError, match=f"{side}.*{message}"):
        checked(*((ruined, light) if side == "prediction" else (light, ruined)))


@pytest.mark.parametrize("side", ["prediction", "target"])
def test_refuses_relative_light(light, side):
    relative = light.clone()
    relative[1] /= relative[1].max()
    with pytest.raises(ValueError, match=f"{side}.* nowhere above 1 .*image 1.*luminance_scale"):
        checked(*((relative, light) if side == "prediction" else (light, relative)))
    checked(relative, scale=0.5)  # whoever states a scale means it


def test_refuses_display_values_out_of_range(light):
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
        checked(light, encoding="sRGB-display")
    with pytest.raises(ValueError, match="leave it at 1"):
        checked(light / 4000, encoding="sRGB-display", scale=100.0)


@pytest.mark.parametrize(
    ("prediction", "target", "encoding", "message"),
    [
        ((2, 1, 9, 9), (2, 1, 9, 9), "rgb-bt.709", "shape"),
        ((2, 3, 9, 9), (2, 3, 9, 9), "luminance", "shape"),
        ((3, 9, 9), (3, 9, 9), "rgb-bt.709", "shape"),
        ((0, 3, 9, 9), (0, 3, 9, 9), "rgb-bt.709", "shape"),
        ((1, 3, 7, 90), (1, 3, 7, 90), "rgb-bt.709", "8 px"),
    ],
)
def test_refuses_shapes(prediction, target, encoding, message):
    with pytest.raises(ValueError, match=message):
        checked(torch.full(prediction, 50.0), torch.full(target, 50.0), encoding)


def test_refuses_kinds(light):
    with pytest.raises(TypeError, match="float32 or float64"):
        checked(light.half())
    with pytest.raises(TypeError, match="float32 or float64"):
        checked(light.numpy())


def test_through_is_a_matrix_product(light):
    matrix = ((0.5, 0.2, 0.1), (-1.0, 2.0, 0.25))
    expected = torch.einsum("ij,njhw->nihw", torch.tensor(matrix, dtype=torch.float64), light)
    torch.testing.assert_close(through(light, matrix), expected)


def test_receptors():
    """Release 3 measures light in what L and M cones catch together, 2.2.2 does not."""
    for spectrum in ("d65", "led-lcd-srgb", "oled"):
        shares = receptor_facts("3.0.7", spectrum)["receptors"]
        assert sum(row[0] + row[1] for row in shares) == pytest.approx(1, abs=1e-9)
    gray = catches(torch.ones(1, 1, 8, 8, dtype=torch.float64), "2.2.2", "d65")
    assert gray[0, :, 0, 0].tolist() == [0.601847152245, 0.316708295579, 0.9046706546]


def test_differs_by_a_thousandth(light):
    other = light.clone()
    other[0, 1, 2, 3] *= 1.0011
    other[1, 1, 2, 3] *= 1.0009
    assert differs(other, light).nonzero().tolist() == [[0, 0, 2, 3]]
