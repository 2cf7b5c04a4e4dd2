import itertools
import math
import time

import numpy as np
import pytest

from exposurebench.differences import holm, mean_differences, student_quantile, student_within
from exposurebench.statistics import mean_interval


def one(first, second, groups, **settings):
    """The difference of two methods of one training in one metric."""
    sides = (np.asarray(side, float)[None, :, None] for side in (first, second))
    [found] = mean_differences(*sides, groups, **settings)
    return found


def clustered(rng, number=50, columns=40, law="normal"):
    """Columns of differences around 1 in groups of one to five pairs, and the pairs' groups."""
    groups = np.repeat(np.arange(number), rng.integers(1, 6, number))
    draw = {"normal": rng.standard_normal, "skewed": lambda size: rng.gamma(2, size=size) / math.sqrt(2) - math.sqrt(2)}
    base = draw[law]((number, columns))
    return 1 + base[groups] + 0.5 * rng.standard_normal((len(groups), columns)), groups


def test_the_value_is_the_mean_of_the_differences():
    found = one([3, 5, 4, 6], [1, 2, 3, 4], [0, 0, 1, 2])
    assert (found.value, found.pairs, found.photographs) == (2.0, 4, 3)


def test_swapping_the_methods_swaps_the_ends():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(1, 2, 40), rng.normal(0, 2, 40)
    found, turned = one(ours, theirs, range(40)), one(theirs, ours, range(40))
    assert (turned.value, turned.low, turned.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert turned.p == pytest.approx(found.p)


def test_pairing_removes_what_the_photographs_share():
    rng = np.random.default_rng(1)
    hard = rng.normal(25, 5, 60)
    found = one(hard + 0.5 + rng.normal(0, 0.2, 60), hard, range(60))
    alone = mean_interval(hard, range(60))
    assert 0 < found.high - found.low < 0.1 * (alone[1] - alone[0])
    assert found.p < 1e-6


def test_groups_count_not_pairs():
    values = np.random.default_rng(2).normal(0.3, 1, 50)
    single = one(values, np.zeros(50), range(50))
    copies = one(np.repeat(values, 9), np.zeros(450), np.repeat(range(50), 9))
    assert (copies.low, copies.high, copies.p) == pytest.approx((single.low, single.high, single.p))
    assert copies.noise_floor == pytest.approx(single.noise_floor)


def test_interval_and_p_say_the_same():
    """The interval holds 0 exactly where p is not below 0.05."""
    rng = np.random.default_rng(3)
    sides = rng.normal(0.28, 1, (1, 50, 300)), np.zeros((1, 50, 300))
    found = mean_differences(*sides, range(50), resamples=2000)
    surely = [d.p < 0.05 for d in found]
    assert surely == [d.low > 0 or d.high < 0 for d in found]
    assert 0.2 < np.mean(surely) < 0.8


def test_p_goes_on_beyond_what_resamples_resolve():
    values = np.random.default_rng(4).normal(0.6, 1, 50)
    p = [one(values + shift, np.zeros(50), range(50), resamples=500).p for shift in (0, 0.2, 0.4)]
    assert p[0] > p[1] > p[2] > 0
    assert p[2] < 1e-4


def test_a_value_that_is_missing_leaves_out_its_pair():
    found = one([1, math.nan, 3, 4], [0, 0, math.nan, 0], [0, 1, 2, 3])
    assert (found.value, found.pairs, found.photographs) == (2.5, 2, 2)
    rest = one([1, 4], [0, 0], [0, 3])
    assert rest.p == pytest.approx(found.p, abs=0.1)


def test_no_spread_and_no_photographs():
    same = one([1, 2, 3], [1, 2, 3], range(3))
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    steady = one([2, 3, 4], [1, 2, 3], range(3))
    assert (steady.low, steady.high, steady.p) == (1, 1, 0)
    alone = one([2.0, 3.0], [1.0, 1.0], ["a", "a"])
    assert alone.value == 1.5
    assert all(map(math.isnan, (alone.low, alone.high, alone.p)))
    nothing = one([math.nan], [1.0], ["a"])
    assert math.isnan(nothing.value)
    assert nothing.pairs == 0


def test_seeds_that_agree_add_nothing_and_those_that_do_not_widen():
    rng = np.random.default_rng(5)
    base, other = rng.normal(1, 1, 60), np.zeros((1, 60, 1))
    single = one(base, other[0, :, 0], range(60))
    [agree] = mean_differences(np.stack([base] * 3)[..., None], other, range(60))
    assert (agree.low, agree.high) == pytest.approx((single.low, single.high))
    [apart] = mean_differences((base + np.array([[-1], [0], [1]]))[..., None], other, range(60))
    assert apart.value == pytest.approx(single.value)
    assert apart.high - apart.low > 3 * (single.high - single.low)
    assert apart.p > single.p


def test_the_noise_floor_is_what_swapping_gives():
    rng = np.random.default_rng(6)
    values = rng.normal(0.4, 1, 50)
    swapped = np.abs([np.mean(values * rng.choice((-1, 1), 50)) for _ in range(4000)])
    assert one(values, np.zeros(50), range(50)).noise_floor == pytest.approx(np.quantile(swapped, 0.95), rel=0.05)


@pytest.mark.parametrize(
    ("first", "second", "groups", "settings"),
    [
        (np.zeros((3, 1)), np.zeros((3, 1)), range(3), {}),
        (np.zeros((1, 3, 1)), np.zeros((1, 4, 1)), range(3), {}),
        (np.zeros((1, 3, 1)), np.zeros((1, 3, 2)), range(3), {}),
        (np.zeros((1, 3, 1)), np.zeros((1, 3, 1)), range(4), {}),
        (np.full((1, 3, 1), math.inf), np.zeros((1, 3, 1)), range(3), {}),
        (np.zeros((1, 3, 1)), np.zeros((1, 3, 1)), range(3), {"level": 0}),
        (np.zeros((1, 3, 1)), np.zeros((1, 3, 1)), range(3), {"resamples": 0}),
    ],
)
def test_refuses(first, second, groups, settings):
    with pytest.raises(ValueError):
        mean_differences(first, second, groups, **settings)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    adjusted = holm([0.01, math.nan, 0.02])
    assert math.isnan(adjusted[1])
    assert [adjusted[0], adjusted[2]] == pytest.approx([0.02, 0.02])
    assert holm([]) == []


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (50, 2.0086), (1000, 1.9623)]
)
def test_student_is_the_tables(freedom, quantile):
    """Abramowitz and Stegun 1964, table 26.10."""
    assert student_quantile(0.95, freedom) == pytest.approx(quantile, abs=1e-4)
    assert student_within(quantile, freedom) == pytest.approx(0.95, abs=1e-5)
    assert student_within(0.0, freedom) == 0


# -------------------------------------------------------------------------------------------- coverage


@pytest.mark.parametrize(("law", "trainings"), [("normal", 1), ("normal", 3), ("skewed", 1)])
def test_intervals_cover_and_p_is_rarely_small(law, trainings):
    """Of 2000 intervals over 50 photographs of several pairs each, 93 to 97 % hold the truth."""
    covered, alarms = [], []
    for run in range(50):
        rng = np.random.default_rng((7, run))
        apart, groups = clustered(rng, law=law)
        seeds = 0.3 * rng.standard_normal((2, trainings, 1, apart.shape[1])) * (trainings > 1)
        photographs = rng.normal(20, 5, (1, len(groups), 1))
        found = mean_differences(photographs + apart + seeds[0], photographs + seeds[1], groups, resamples=500)
        covered += [d.low <= 1 <= d.high for d in found]
        none = mean_differences(apart[None] - 1 + seeds[0], 0 * apart[None] + seeds[1], groups, resamples=500)
        alarms += [d.p < 0.05 for d in none]
    assert 0.93 <= np.mean(covered) <= 0.97
    assert 0.03 <= np.mean(alarms) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize(("law", "number"), list(itertools.product(("normal", "skewed"), (20, 50, 200))))
def test_intervals_cover_at_any_size(law, number):
    covered = []
    for run in range(100):
        apart, groups = clustered(np.random.default_rng((8, run, number)), number, law=law)
        found = mean_differences(apart[None], 0 * apart[None], groups, resamples=1000)
        covered += [d.low <= 1 <= d.high for d in found]
    assert 0.92 <= np.mean(covered) <= 0.97


@pytest.mark.benchmark
def test_ten_thousand_resamples_of_five_thousand_photographs_take_a_second():
    values = np.random.default_rng(9).normal(size=(2, 1, 5000, 10))
    mean_differences(*values[:, :, :50], range(50), resamples=10)
    start = time.process_time()
    mean_differences(*values, range(5000), resamples=10_000)
    assert time.process_time() - start < 1
