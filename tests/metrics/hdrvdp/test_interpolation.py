import numpy as np
import pytest
import torch

from exposurebench.metrics.hdrvdp.interpolation import bicubic, looked_up, resized, table

CPU = torch.device("cpu")


def test_original_weights():
    shrinking = bicubic(9, 5, torch.float64, CPU)[0].tolist()
    growing = bicubic(5, 9, torch.float64, CPU)[1].tolist()
    assert shrinking == pytest.approx([0.605505, 0.392202, 0.04052, -0.038226, 0, 0, 0, 0, 0], abs=1e-6)
    assert growing == pytest.approx([0.703704, 1 / 3, -0.037037, 0, 0], abs=1e-6)


@pytest.mark.parametrize(("before", "after"), [(700, 350), (351, 701), (600, 601), (9, 5), (1, 2), (1000, 37), (2, 2)])
def test_blocks_are_the_whole_matrix(before, after):
    images = torch.rand(2, 3, before, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    matrix = bicubic(before, after, torch.float64, CPU)
    torch.testing.assert_close(matrix.sum(1), torch.ones(after, dtype=torch.float64))
    torch.testing.assert_close(resized(images, (after, 5)), torch.einsum("ab,ncbw->ncaw", matrix, images))
    torch.testing.assert_close(resized(images.mT, (5, after)), torch.einsum("ab,ncbw->ncaw", matrix, images).mT)


def test_a_table_is_read_linearly():
    values = np.random.default_rng(0).normal(size=40)
    at = np.random.default_rng(1).uniform(0, 39, (3, 5))
    found = looked_up(torch.from_numpy(at), table(values, torch.float64, CPU))
    np.testing.assert_allclose(found.numpy(), np.interp(at, np.arange(40), values))
