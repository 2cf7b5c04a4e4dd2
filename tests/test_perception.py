import hashlib

import numpy as np
import pytest
import torch

from exposurebench.color import rgb_to_xyz
from exposurebench.perception import (
    PU21_BANDING_GLARE,
    pq_decode,
    pq_encode,
    pu21_encode,
    pu21_luminance,
    uv_to_xyz,
    xyz_to_uv,
)

LIGHT = np.geomspace(0.005, 10_000, 500)


def test_constants_are_pinned():
    """An earlier set of constants is still about; whoever changes ours changes every score and its protocol."""
    digest = hashlib.sha256(repr(PU21_BANDING_GLARE).encode()).hexdigest()
    assert digest == "5fd274d2f265de2da66cc7d3b73c48a7d867668b3756879cec95f2146b544ab0"


def test_pu21_values():
    """256.38, 36.54, 420.10 and 595.39: the authors' encoder at 100, 1, 1000 and 10,000 cd/m2."""
    values = pu21_encode(np.array([100.0, 1.0, 1000.0, 10_000.0]))
    np.testing.assert_allclose(values, [256.38, 36.54, 420.10, 595.39], atol=5e-3)


def test_pu21_of_reference_images(shared):
    """The mean code of the luminance of three images, by the authors' encoder."""
    folder = shared / "refs" / "metrics"
    if not folder.is_dir():
        pytest.skip(f"needs the reference scores: {folder} does not exist")
    means = {"nancy": 143.20582749, "mttamrgb": 143.796355214, "ramp": 188.231128759}
    for name, mean in means.items():
        light = np.load(folder / "hdr" / f"{name}_ref.npy").astype(np.float64)
        planes = (light if light.ndim == 3 else light[..., None].repeat(3, 2)).transpose(2, 0, 1)[None]
        assert pu21_luminance(planes).mean() == pytest.approx(mean, abs=1e-8), name


def test_pu21_grows_within_its_bounds_and_stops_beyond():
    values = pu21_encode(LIGHT)
    assert (np.diff(values) > 0).all()
    assert values[0] >= 0
    beyond = pu21_encode(np.array([1e-9, 0.0, 1e5]))
    np.testing.assert_array_equal(beyond, values[[0, 0, -1]])


def test_luminance_of_gray_is_the_gray():
    gray = torch.from_numpy(LIGHT).view(1, 1, 20, 25).expand(1, 3, -1, -1)
    torch.testing.assert_close(pu21_luminance(gray), pu21_encode(gray[:, :1]))


def test_pq_values():
    """ITU-R BT.2100: 0, 10,000, and the reference levels of BT.2408 (100 is 50.8 %, 203 is 58.1 %, 1000 is 75.2 %)."""
    signal = pq_encode(np.array([0.0, 100.0, 203.0, 1000.0, 10_000.0]))
    np.testing.assert_allclose(signal, [0, 0.508, 0.581, 0.752, 1], atol=5e-4)


def test_pq_round_trip():
    np.testing.assert_allclose(pq_decode(pq_encode(LIGHT)), LIGHT, rtol=1e-11)
    signal = np.linspace(0.01, 1, 200)
    np.testing.assert_allclose(pq_encode(pq_decode(signal)), signal, rtol=1e-12)


def test_pq_stops_beyond_its_bounds():
    np.testing.assert_array_equal(pq_encode(np.array([-1.0, 2e4])), pq_encode(np.array([0.0, 1e4])))
    np.testing.assert_array_equal(pq_decode(np.array([-0.1, 1.1])), pq_decode(np.array([0.0, 1.0])))


def test_uv_of_white_and_round_trip():
    white = rgb_to_xyz() @ np.ones(3)
    np.testing.assert_allclose(xyz_to_uv(*white), [0.1978, 0.4683], atol=5e-5)
    xyz = np.random.default_rng(0).uniform(0.1, 1, (3, 50))
    np.testing.assert_allclose(uv_to_xyz(*xyz_to_uv(*xyz), xyz[1]), xyz, rtol=1e-12)


@pytest.mark.parametrize("encode", [pu21_encode, pq_encode, lambda light: pq_decode(light / 2e4)])
def test_arrays_and_tensors_agree(encode):
    np.testing.assert_allclose(encode(torch.from_numpy(LIGHT)).numpy(), encode(LIGHT), rtol=1e-11)


@pytest.mark.parametrize("encode", [pu21_encode, pq_encode, lambda light: pq_decode(light / 2e4)])
def test_gradients(encode):
    light = torch.tensor([0.1, 1.0, 80.0, 3000.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(encode, (light,))
