import numpy as np

from exposurebench.baselines.identity import identity
from exposurebench.scene import Evidence


def test_every_bit_of_a_copy() -> None:
    image = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    output = identity(Evidence(image))
    assert np.array_equal(output, image)
    output[:] = 0
    assert image.max() > 0
