import pytest
import torch

from exposurebench.metrics import hdrvdp2
from exposurebench.metrics.hdrvdp import detection


def test_probability():
    assert detection.probability(torch.tensor([0.0, 1.0, 3.0])).tolist() == [0.0, 0.5, 0.875]


def test_pooling_nearby():
    certain = torch.zeros(1, 1, 60, 60, dtype=torch.float64)
    assert detection.pooled_nearby(certain, 5.0)[0, 0, 30, 30].item() == pytest.approx(-1e-4)
    certain[..., 30, 30] = 1.0
    near = detection.pooled_nearby(certain, 5.0)[0, 0, 30]
    assert near[30] > near[35] > near[45]
    assert near[45] > -1e-4


def test_summed_contrast_keeps_its_shape():
    contrast = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    torch.testing.assert_close(detection.summed(contrast), contrast * 2.5)
    assert not detection.summed(torch.zeros(1, 1, 2, 2)).any()


def test_contrast_stands_where_the_difference_is():
    bands = [torch.zeros(1, n, s, s) for n, s in ((1, 40), (4, 40), (4, 20), (1, 10))]
    bands[1][0, 0, 10, 30] = 2.0
    found = detection.contrast(bands, hdrvdp2._MASKING, "sp3")[0, 0]
    row, column = divmod(int(found.argmax()), 40)
    assert abs(row - 10) <= 2 and abs(column - 30) <= 2
    assert found[30:, :10].max() == 0
