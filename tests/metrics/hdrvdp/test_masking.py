import dataclasses

import pytest
import torch

from exposurebench.metrics import hdrvdp2
from exposurebench.metrics.hdrvdp.masking import Masking, hiding, shared_pattern, visible_bands

PLAIN = Masking(difference=2.0, pattern=1.0, slope=3.5, own=1.0, across=0.0, beside=0.0)


def bands(value, orientations=4):
    return [torch.full((1, n, s, s), value) for n, s in ((1, 12), (orientations, 12), (orientations, 6), (1, 3))]


def test_what_is_shared_is_the_smaller():
    shared = shared_pattern(torch.full((1, 1, 5, 5), -2.0), torch.full((1, 1, 5, 5), 3.0))
    assert shared[0, 0, 2, 2].item() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("masking", "expected"),
    [
        (PLAIN, (2.0, 2.0, 2.0, 2.0)),
        (dataclasses.replace(PLAIN, pattern=2.0, own=3.0), (12.0,) * 4),
        (dataclasses.replace(PLAIN, across=1.0), (2.0, 8.0, 8.0, 2.0)),  # three other orientations
        (dataclasses.replace(PLAIN, beside=1.0), (4.0, 6.0, 4.0, 4.0)),  # the residual is nobody's neighbour
    ],
    ids=["own", "exponent", "across", "beside"],
)
def test_what_hides(masking, expected):
    patterns = bands(2.0)
    assert [hiding(patterns, b, masking)[0, 0, 1, 1].item() for b in range(4)] == pytest.approx(expected, rel=1e-5)


def test_sign_and_noise():
    darker, one = [-torch.ones(1, 1, 9, 9)], [torch.ones(1, 1, 9, 9)]
    (seen,) = visible_bands(darker, one, [torch.full((1, 1, 1, 1), 2.0)], PLAIN)
    torch.testing.assert_close(seen, torch.full_like(seen, -0.25))


def test_a_pattern_hides_a_difference():
    noise = [torch.ones(1, 1, 1, 1)] * 4
    seen = [visible_bands(bands(1.0), bands(v), noise, hdrvdp2._MASKING)[1].mean().item() for v in (0.0, 1.0, 4.0)]
    assert seen[0] > seen[1] > seen[2] > 0
