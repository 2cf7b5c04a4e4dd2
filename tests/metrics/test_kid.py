import numpy as np
import pytest
import torch

from exposurebench.metrics.kid import discrepancy, kid


def features(seed, number=30, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (number, 16))


def by_hand(x, y):
    def kernel(a, b):
        return (np.dot(a, b) / len(a) + 1) ** 3

    def within(side):
        pairs = [kernel(a, b) for i, a in enumerate(side) for j, b in enumerate(side) if i != j]
        return np.mean(pairs)

    return within(x) + within(y) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def test_is_the_definition():
    x, y = features(1, 9), features(2, 7, 0.5)
    assert discrepancy(x, y) == pytest.approx(by_hand(x, y), abs=1e-12)


def test_is_unbiased():
    """Two sets of one law are 0 apart on average, however few they are."""
    found = [discrepancy(features(2 * i, 8), features(2 * i + 1, 8)) for i in range(400)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 20
    assert min(found) < 0 < max(found)


def test_falls_apart_with_the_sets():
    target = {"features": features(1, 60)}
    found = [kid({"features": features(2, 60, shift)}, target)["distance"] for shift in (0, 0.3, 1)]
    assert found == sorted(found)


def test_blocks_are_cut_at_whole_shares():
    ours, theirs = features(1, 25), features(2, 25, 0.2)
    found = kid({"features": ours}, {"features": theirs}, block=10)
    parts = [discrepancy(ours[low:high], theirs[low:high]) for low, high in ((0, 12), (12, 25))]
    assert found == {"distance": np.mean(parts), "spread": np.std(parts)}
    assert kid({"features": ours}, {"features": theirs})["spread"] == 0, "one block where there are few"


def test_order_within_a_block_does_not_matter_and_tensors_may_be_given():
    ours, theirs = features(1), features(2)
    turned = {"features": torch.from_numpy(ours[::-1].copy())}
    expected = kid({"features": ours}, {"features": theirs})["distance"]
    assert kid(turned, {"features": theirs})["distance"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs", "settings", "message"),
    [
        (features(1, 3), features(1, 4), {}, "one size"),
        (features(1, 1), features(1, 1), {}, "at least 2 images"),
        (features(1, 3), features(1, 3), {"block": 1}, "a block must have at least 2"),
        (features(1, 3)[0], features(1, 3)[0], {}, "shape"),
        (np.full((3, 4), np.nan), features(1, 3)[:, :4], {}, "finite"),
    ],
)
def test_refuses(ours, theirs, settings, message):
    with pytest.raises(ValueError, match=message):
        kid({"features": ours}, {"features": theirs}, **settings)
