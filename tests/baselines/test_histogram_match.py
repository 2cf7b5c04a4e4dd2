import gc
from collections.abc import Iterator

import numpy as np
import pytest

from exposurebench.baselines import histogram_match as module
from exposurebench.baselines.histogram_match import histogram_match
from exposurebench.scene import Evidence


def image(low: float, high: float, seed: int = 0, power: float = 1) -> np.ndarray:
    return (low + (high - low) * np.random.default_rng(seed).random((50, 60, 3)) ** power).astype(np.float32)


class Counted:
    """Targets that count how often they are read."""

    def __init__(self, *images: np.ndarray) -> None:
        self.images, self.reads = images, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        self.reads += 1
        return iter(self.images)


def test_an_image_matched_to_itself_is_itself() -> None:
    for given in (image(0, 1), image(0.2, 0.9, power=3), image(0.5, 0.5)):
        assert np.abs(histogram_match(Evidence(given, training_targets=[given])) - given).max() <= 1 / 255


def test_takes_on_each_channels_distribution() -> None:
    ranges = ((0, 0.4), (0.2, 0.6), (0.5, 1))
    target = np.concatenate([image(low, high, 1)[..., :1] for low, high in ranges], axis=2)
    output = histogram_match(Evidence(image(0.5, 1, power=1.2), training_targets=[target]))
    shares = np.linspace(0.02, 0.98, 30)
    difference = np.quantile(output, shares, axis=(0, 1)) - np.quantile(target, shares, axis=(0, 1))
    assert np.abs(difference).max() < 0.01


def test_undoes_a_monotone_curve() -> None:
    target = image(0.1, 0.9, 2)
    output = histogram_match(Evidence(target ** np.float32(0.5), training_targets=[target]))
    assert np.abs(output - target).max() < 2.5 / 255


def test_targets_are_pooled_by_pixel() -> None:
    targets = [np.full((4, 4, 3), 0.2, np.float32), np.full((4, 12, 3), 0.8, np.float32)]
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1).repeat(3, axis=2)
    output = histogram_match(Evidence(ramp, training_targets=targets))
    assert np.median(output) > 0.5
    assert np.mean(output < 0.21) == pytest.approx(1 / 8, abs=0.01), "below the middle of the darker target"


def test_a_flat_image_goes_to_the_median() -> None:
    output = histogram_match(Evidence(np.full((3, 3, 3), 0.9, np.float32), training_targets=[image(0, 0.6)]))
    assert np.allclose(output, 0.3, atol=0.02)


def test_targets_are_read_once_and_forgotten_with_their_object() -> None:
    before = len(module._pooled)
    targets = Counted(image(0, 0.5), image(0.2, 0.7, 1))
    first = histogram_match(Evidence(image(0.5, 1), training_targets=targets))
    assert np.array_equal(first, histogram_match(Evidence(image(0.5, 1), training_targets=targets)))
    assert targets.reads == 1
    assert len(module._pooled) == before + 1
    del targets
    gc.collect()
    assert len(module._pooled) == before


def test_a_generator_serves_every_input() -> None:
    targets = (target for target in [image(0, 0.5)])
    first = histogram_match(Evidence(image(0.5, 1), training_targets=targets))
    assert np.array_equal(first, histogram_match(Evidence(image(0.5, 1), training_targets=targets)))


def test_a_reused_address_is_not_taken_for_the_old_targets() -> None:
    given = np.full((2, 2, 3), 0.5, np.float32)
    for number in range(50):
        level = np.float32(number / 51)
        for kind in (Counted, lambda *images: list(images)):
            targets = kind(np.full((2, 2, 3), level, np.float32))
            output = histogram_match(Evidence(given, training_targets=targets))
            assert np.abs(output - level).max() < 1 / 255
            del targets


def test_a_changed_list_is_counted_anew() -> None:
    targets = [np.full((2, 2, 3), 0.2, np.float32)]
    given = np.full((2, 2, 3), 0.5, np.float32)
    assert np.allclose(histogram_match(Evidence(given, training_targets=targets)), 0.2)
    targets[0] = np.full((2, 2, 3), 0.4, np.float32)
    assert np.allclose(histogram_match(Evidence(given, training_targets=targets)), 0.4)


@pytest.mark.parametrize("targets", [None, [], iter(())])
def test_no_targets_are_an_error(targets: object) -> None:
    with pytest.raises(ValueError, match="needs training targets"):
        histogram_match(Evidence(image(0, 1), training_targets=targets))
