import pytest
import torch

from exposurebench.alignment import align, to_nits
from exposurebench.metrics.ms_ssim import ms_ssim
from exposurebench.metrics.pu21_ms_ssim import VARIANTS, pu21_ms_ssim
from exposurebench.perception import pu21_luminance


def aligned(**steps):
    """The metric behind the steps of a protocol."""
    return lambda prediction, target: pu21_ms_ssim(*align(prediction, target, **steps))


plain = aligned(**VARIANTS["plain"])


def larger(light: torch.Tensor) -> torch.Tensor:
    """Twice as many pixels along each side: five scales need 176."""
    return light.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_reference_scores(references):
    rows = references.light_scores("PU21-MS-SSIM", "banding_glare, range=255 constants, 5 scales")
    assert len(rows) == 11
    for pair, score in rows:
        assert pu21_ms_ssim(*references.light(pair)).item() == pytest.approx(score, abs=1e-9), pair
        single = (side.float() for side in references.light(pair))
        assert pu21_ms_ssim(*single).item() == pytest.approx(score, abs=1e-5), pair


def test_is_ms_ssim_of_the_encoded_luminance(light):
    """Where the encoding stays below 255, levels of 8 bits would score the same."""
    prediction, target = to_nits(larger(light.flip(3)).clamp(max=0.9), larger(light).clamp(max=0.9))
    ours, theirs = ((pu21_luminance(side) / 255).expand(-1, 3, -1, -1) for side in (prediction, target))
    torch.testing.assert_close(plain(prediction, target), ms_ssim(ours, theirs, color="rgb"))


def test_sparkle_gains_nothing_in_the_headline(light, unclipped, sparkling):
    target = larger(light)
    honest, cheat = (to_nits(larger(side), target) for side in (light.clamp(max=1), sparkling))
    headline = aligned(unclipped=larger(unclipped))
    legacy = aligned(**VARIANTS["percentile"])
    assert (headline(*cheat) < headline(*honest)).all()
    assert (legacy(*cheat) - legacy(*honest) > 0.1).all()


def test_refuses_small_images(light):
    target = to_nits(light, light)[1]
    with pytest.raises(ValueError, match="176 px"):
        pu21_ms_ssim(target, target)
