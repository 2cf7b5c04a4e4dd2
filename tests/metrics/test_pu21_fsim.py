import numpy as np
import pytest
import torch

from exposurebench.alignment import align, to_nits
from exposurebench.metrics.fsim import fsim
from exposurebench.metrics.pu21_fsim import VARIANTS, pu21_fsim
from exposurebench.perception import pu21_luminance


def aligned(**steps):
    """The metric behind the steps of a protocol."""
    return lambda prediction, target: pu21_fsim(*align(prediction, target, **steps))


plain = aligned(**VARIANTS["plain"])


def test_reference_scores(references):
    rows = references.light_scores("PU21-FSIM", "banding_glare, luminance")
    assert len(rows) == 11
    for pair, score in rows:
        assert pu21_fsim(*references.light(pair)).item() == pytest.approx(score, abs=1e-9), pair
        single = (side.float() for side in references.light(pair))
        assert pu21_fsim(*single).item() == pytest.approx(score, abs=1e-4), pair


def test_is_fsim_of_the_encoded_luminance(light):
    prediction, target = to_nits(light.flip(3).clamp(max=0.9), light.clamp(max=0.9))
    ours, theirs = ((pu21_luminance(side) / 255).expand(-1, 3, -1, -1) for side in (prediction, target))
    torch.testing.assert_close(plain(prediction, target), fsim(ours, theirs))


def test_sparkle_gains_nothing_in_the_headline(light, unclipped, sparkling):
    honest, cheat = (to_nits(side, light) for side in (light.clamp(max=1), sparkling))
    headline = aligned(unclipped=unclipped)
    legacy = aligned(**VARIANTS["percentile"])
    assert (headline(*cheat) < headline(*honest)).all()
    assert (legacy(*cheat) - legacy(*honest) > 0.05).all()


def test_exposure_of_the_prediction_does_not_count(light, unclipped):
    clipped = light.clamp(max=1)
    scores = [aligned(unclipped=unclipped)(*to_nits(gain * clipped, light)) for gain in (1.0, 0.3)]
    torch.testing.assert_close(*scores, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["nancy", "still"])
def test_sparkle_on_real_light(references, name):
    """FSIM likes specks in a flat area a little, aligned or not; by percentiles they gained 0.2 to 0.3."""
    pixels = np.load(references.folder / "hdr" / f"{name}_ref.npy").astype(np.float64)
    light = torch.from_numpy(pixels / np.quantile(pixels, 0.97)).expand(1, 3, -1, -1)
    unclipped = light[:, :1] < 1
    cheat = light.clamp(max=1)
    places = np.random.default_rng(0).choice(np.flatnonzero(~unclipped), round(0.0015 * unclipped.numel()), False)
    cheat.flatten(2)[0][:, places] *= 30
    gains = {}
    for variant, settings in {"headline": {"unclipped": unclipped}, **VARIANTS}.items():
        honest, cheated = (aligned(**settings)(*to_nits(side, light)) for side in (light.clamp(max=1), cheat))
        gains[variant] = (cheated - honest).item()
    assert gains["headline"] <= max(gains["plain"], 0) < 0.01
    assert gains["percentile"] > 0.2
