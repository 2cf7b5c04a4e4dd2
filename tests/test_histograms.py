"""Distances of histograms; how they agree with OpenCV's stands in the tests of histogram similarity."""

import numpy as np
import pytest

from exposurebench.histograms import chi_square, correlation, hellinger, intersection


def test_histogram_distances_of_equal_and_of_foreign_histograms():
    one, other = np.array([1.0, 2.0, 0.0, 0.0]) / 3, np.array([0.0, 0.0, 2.0, 1.0]) / 3
    assert [f(one, one) for f in (intersection, hellinger, chi_square)] == [1, 0, 0]
    assert correlation(one, 5 * one) == pytest.approx(1)
    assert hellinger(one, 5 * one) == pytest.approx(0, abs=1e-8)
    assert [f(one, other) for f in (intersection, hellinger)] == [0, pytest.approx(1)]
    assert correlation(one, other) < 0
    for symmetric in (intersection, correlation, hellinger):
        assert symmetric(one, other) == symmetric(other, one)


@pytest.mark.parametrize("function", [intersection, correlation, hellinger, chi_square])
@pytest.mark.parametrize("bad", [[1, 2], [0, 0, 0], [1, -1, 2], [1, np.nan, 2]])
def test_refuses_histograms(function, bad):
    with pytest.raises(ValueError):
        function([1, 2, 3], bad)
