import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from exposurebench.metrics.consistency import consistency, statistics


@pytest.fixture
def outputs() -> torch.Tensor:
    """What a method made of four exposures of a scene: each a little brighter."""
    picture = np.random.default_rng(1).random((3, 20, 31)) * 0.7
    return torch.from_numpy(np.stack([picture * gain for gain in (0.7, 0.9, 1.0, 1.3)]))


def test_agrees_with_scikit_image(outputs):
    """Its conversion to L*a*b* has matrices of six digits, so the two agree to 1e-3 and no further."""
    labs = [rgb2lab(image) for image in outputs.permute(0, 2, 3, 1).numpy()]
    apart = np.array([[deltaE_ciede2000(one, other).mean() for one in labs] for other in labs])
    measured = statistics(outputs)
    assert measured["delta_e2000"].numpy() == pytest.approx(apart.sum(1) / 3, abs=1e-3)
    luma = outputs.numpy().mean((2, 3)) @ [0.2126, 0.7152, 0.0722]
    assert measured["luma"].numpy() == pytest.approx(luma, abs=1e-12)
    found = consistency(measured, ["a"] * 4)
    assert found["luma_spread"] == pytest.approx(luma.std(), abs=1e-12)
    assert found["delta_e2000"] == pytest.approx(apart[np.triu_indices(4, 1)].mean(), abs=1e-3)


def test_equal_outputs_are_exactly_consistent(outputs):
    found = consistency(statistics(outputs[:1].expand(5, -1, -1, -1)), ["a"] * 5)
    assert {name: values.tolist() for name, values in found.items()} == {"luma_spread": [0], "delta_e2000": [0]}


def test_grows_as_outputs_part(outputs):
    found = [consistency(statistics(outputs[[2, i]]), ["a", "a"]) for i in (2, 1, 0)]
    for name in found[0]:
        values = [one[name].item() for one in found]
        assert values == sorted(set(values))


def test_scenes_are_apart_and_their_order_does_not_matter(outputs):
    other = outputs.flip(1)
    columns = {
        name: torch.cat((statistics(outputs)[name], statistics(other[:2])[name])) for name in ("luma", "delta_e2000")
    }
    groups = ["b"] * 4 + ["a"] * 2
    found = consistency(columns, groups)
    turn = np.random.default_rng(2).permutation(6)
    turned = consistency({name: column[turn] for name, column in columns.items()}, np.array(groups)[turn])
    alone = consistency(statistics(other[:2]), ["a", "a"])
    for name, values in found.items():
        assert values.shape == (2,)
        assert values[0] == alone[name][0]
        assert turned[name] == pytest.approx(values, abs=1e-14)


def test_one_output_has_no_other():
    assert statistics(torch.full((1, 3, 2, 2), 0.5))["delta_e2000"].isnan().all()


def test_float32_against_float64(outputs):
    for name, values in statistics(outputs.float()).items():
        torch.testing.assert_close(values.double(), statistics(outputs)[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("luma", "groups", "message"),
    [([0.1, 0.2], ["a", "b"], "at least two"), ([0.1], ["a", "a"], "2 outputs"), ([], [], "at least two")],
)
def test_refuses(luma, groups, message):
    columns = {"luma": np.array(luma), "delta_e2000": np.array(luma)}
    with pytest.raises(ValueError, match=message):
        consistency(columns, groups)
