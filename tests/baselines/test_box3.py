import numpy as np

from exposurebench.baselines.box3 import box3
from exposurebench.scene import Evidence


def test_is_the_mean_of_nine_with_a_mirrored_edge() -> None:
    image = np.random.default_rng(0).random((6, 9, 3), dtype=np.float32)
    framed = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    mean = sum(framed[dy : dy + 6, dx : dx + 9] for dy in range(3) for dx in range(3)) / 9
    assert np.allclose(box3(Evidence(image)), mean, atol=1e-6)


def test_does_not_expose_anything() -> None:
    image = np.random.default_rng(1).random((40, 40, 3), dtype=np.float32)
    output = box3(Evidence(image))
    assert abs(output.mean() - image.mean()) < 0.003
    assert output.std() < 0.5 * image.std()
