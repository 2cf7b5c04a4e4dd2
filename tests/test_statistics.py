import math
import time

import numpy as np
import pytest
import torch

from exposurebench.metrics.histogram_similarity import histogram_similarity
from exposurebench.statistics import SimilarityEstimate, bin_numbers, mean_interval, mean_intervals, similarity_interval

# --------------------------------------------------------------------------------------- mean_interval


def test_mean_interval_is_near_the_textbook():
    """For many independent values it is the mean plus or minus 1.96 standard errors."""
    values = np.random.default_rng(0).normal(5, 2, 1000)
    low, high = mean_interval(values, range(1000))
    error = values.std(ddof=1) / math.sqrt(1000)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.1 * error)


def test_few_values_follow_the_t_distribution():
    values = np.random.default_rng(1).normal(0, 1, 8)
    low, high = mean_interval(values, range(8), resamples=50_000)
    width = 2 * 2.3646 * values.std(ddof=1) / math.sqrt(8)
    assert high - low == pytest.approx(width, rel=0.12)


def test_groups_count_not_values():
    """Copies of a score tell nothing new; taken as independent they would shorten the interval."""
    values = np.random.default_rng(2).normal(size=50)
    single = mean_interval(values, range(50))
    assert mean_interval(np.repeat(values, 9), np.repeat(range(50), 9)) == pytest.approx(single)
    naive = mean_interval(np.repeat(values, 9), range(450))
    assert naive[1] - naive[0] < 0.4 * (single[1] - single[0])


def test_groups_may_be_any_names():
    values = [1.0, 2.0, 3.0, 5.0]
    expected = mean_interval(values, [0, 0, 1, 2])
    assert mean_interval(values, ["b", "b", "a", "c"]) == expected
    assert mean_interval(values, [("b", 1), ("b", 1), ("a", 1), ("a", 2)]) == expected


def test_equal_values_have_no_spread():
    assert mean_interval([0.1] * 7, range(7)) == (0.1, 0.1)


def test_one_group_says_nothing():
    assert all(map(math.isnan, mean_interval([3.0], ["a"])))
    assert all(map(math.isnan, mean_interval([3.0, 4.0], ["a", "a"])))


def test_seed_decides_and_chunks_do_not(monkeypatch):
    values = np.random.default_rng(3).normal(size=40)
    first = mean_interval(values, range(40), seed=1)
    assert mean_interval(values, range(40), seed=1) == first
    assert mean_interval(values, range(40), seed=2) != first
    monkeypatch.setattr("exposurebench.statistics._CHUNK", 1234)
    assert mean_interval(values, range(40), seed=1) == pytest.approx(first, abs=1e-12)


def test_wider_at_a_higher_level():
    values = np.random.default_rng(3).normal(size=40)
    widths = [np.diff(mean_interval(values, range(40), level=level))[0] for level in (0.5, 0.9, 0.99)]
    assert widths == sorted(widths)


@pytest.mark.parametrize(
    ("values", "groups", "settings"),
    [
        ([], [], {}),
        ([1.0, math.nan], [1, 2], {}),
        ([1.0, math.inf], [1, 2], {}),
        ([[1.0], [2.0]], [1, 2], {}),
        ([1.0, 2.0], [1], {}),
        ([1.0, 2.0], [1, 2], {"level": 1.0}),
        ([1.0, 2.0], [1, 2], {"resamples": 0}),
    ],
)
def test_mean_interval_refuses(values, groups, settings):
    with pytest.raises(ValueError):
        mean_interval(values, groups, **settings)


# --------------------------------------------------------------------------------- similarity_interval


def paired(name, number, seed, patches=()):
    """Prediction and target of a named pair of laws, paired image by image."""
    rng = np.random.default_rng((seed, number))
    size = (number, *patches)
    target = rng.beta(2.5, 3, size)
    if name == "equal laws":
        return rng.beta(2.5, 3, size), target
    if name == "equal laws, paired":
        noise = 0.03 * rng.normal(size=(2, *size))
        return tuple((target + noise).clip(0, 1))
    if name == "half the bins":
        same, dark = rng.random(size) < 0.5, 0.5 * rng.random((2, *size))
        bright = 0.5 + 0.5 * np.stack((rng.beta(4, 3, size), rng.beta(2, 5, size)))
        return tuple(np.where(same, dark, bright))
    shift, spread = {"top": (0.01, 0.03), "near": (0.03, 0.05), "apart": (0.1, 0.05), "far": (0.3, 0.05)}[name]
    return (target + shift + spread * rng.normal(size=size)).clip(0, 1), target


@pytest.mark.parametrize("patches", [(), (16,)])
def test_value_is_that_of_the_metric(patches):
    columns = [dict.fromkeys(("luminance", "contrast", "saturation"), side) for side in paired("near", 90, 0, patches)]
    columns[0]["contrast"] = columns[0]["contrast"] ** 2
    estimates = similarity_interval(*columns, range(90), resamples=50)
    metric = histogram_similarity(*columns, patches="hu2018" if patches else "image")
    assert {name: estimate.value for name, estimate in estimates.items()} == {name: metric[name] for name in estimates}
    assert all(estimate.n == 90 for estimate in estimates.values())


@pytest.mark.parametrize("patches", [(), (16,)])
def test_equal_sets(patches):
    column = {
        "luminance": np.random.default_rng(0).random((30, *patches)),
        "contrast": np.zeros((30, *patches)),
    }
    estimates = similarity_interval(column, column, range(30), resamples=50)
    assert list(estimates) == ["luminance", "contrast", "mean"]
    assert all(e == SimilarityEstimate(1.0, 1.0, 1.0, 1.0, 30) for e in estimates.values())


def test_noise_floor_is_what_equal_laws_reach():
    values, floors = [], []
    for seed in range(40):
        ours, theirs = ({"luminance": side} for side in paired("equal laws", 200, seed))
        estimate = similarity_interval(ours, theirs, range(200), resamples=100)["luminance"]
        values.append(estimate.value)
        floors.append(estimate.noise_floor)
    assert np.mean(floors) == pytest.approx(np.mean(values), abs=0.01)
    assert np.mean(values) < 0.85


def test_patches_of_an_image_are_one_cluster():
    """Sixteen copies of a value tell nothing new."""
    ours, theirs = paired("near", 100, 0)
    single = similarity_interval({"a": ours}, {"a": theirs}, range(100), resamples=200)["a"]
    copies = [{"a": np.repeat(side[:, None], 16, 1)} for side in (ours, theirs)]
    many = similarity_interval(*copies, range(100), resamples=200)["a"]
    assert (many.value, many.low, many.high, many.noise_floor) == pytest.approx(
        (single.value, single.low, single.high, single.noise_floor)
    )


def test_one_group_has_no_interval():
    ours, theirs = paired("near", 10, 0)
    estimate = similarity_interval({"a": ours}, {"a": theirs}, ["x"] * 10, resamples=10)["a"]
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert estimate.noise_floor == pytest.approx(estimate.value)


@pytest.mark.parametrize(
    ("ours", "theirs", "groups"),
    [
        ({"a": [0.1]}, {"b": [0.1]}, [0]),
        ({}, {}, []),
        ({"a": [0.1, 0.2]}, {"a": [0.1]}, [0, 1]),
        ({"a": [0.1, 0.2]}, {"a": [0.1, 0.2]}, [0]),
        ({"a": [0.1, 1.2]}, {"a": [0.1, 0.2]}, [0, 1]),
        ({"a": [0.1, math.nan]}, {"a": [0.1, 0.2]}, [0, 1]),
    ],
)
def test_similarity_interval_refuses(ours, theirs, groups):
    with pytest.raises(ValueError):
        similarity_interval(ours, theirs, groups)


def test_bin_numbers_close_below():
    assert bin_numbers(np.arange(33) / 32, 32).tolist() == [*range(32), 31]
    assert bin_numbers(np.nextafter(np.arange(1, 33) / 32, 0), 32).tolist() == list(range(32))
    assert bin_numbers(torch.tensor([0.5]), 4).tolist() == [2]


# -------------------------------------------------------------------------------------------- coverage


def test_mean_intervals_are_those_of_each_column_and_cover():
    """95 % of them hold the truth, give or take 2, with 50 photographs of one to five pairs."""
    hits = []
    for seed in range(50):
        rng = np.random.default_rng((4, seed))
        groups = np.repeat(np.arange(50), rng.integers(1, 6, 50))
        columns = 20 + rng.normal(size=(40, 50))[:, groups] + 0.5 * rng.normal(size=(40, len(groups)))
        found = mean_intervals(columns, groups, resamples=500)
        assert found[7] == mean_interval(columns[7], groups, resamples=500)
        hits += [low <= 20 <= high for low, high in found]
    assert 0.93 <= np.mean(hits) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("number", [20, 60, 200])
@pytest.mark.parametrize("law", ["normal", "bounded"])
def test_mean_interval_covers(law, number):
    hits, runs = 0, 600
    for seed in range(runs):
        rng = np.random.default_rng((seed, number))
        groups = np.repeat(np.arange(number), rng.integers(1, 6, number))
        base = rng.normal(20, 3, number) if law == "normal" else 1 - rng.beta(2, 8, number)
        values = base[groups] + (rng.normal(size=len(groups)) if law == "normal" else 0)
        low, high = mean_interval(values, groups, resamples=500, seed=seed)
        hits += low <= (20 if law == "normal" else 0.8) <= high
    assert 0.92 <= hits / runs <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("number", "patches"), [(60, ()), (300, ()), (60, (16,))])
@pytest.mark.parametrize("law", ["equal laws", "equal laws, paired", "top", "near", "apart", "far", "half the bins"])
def test_similarity_interval_covers(law, number, patches):
    """Between 0.89 and 1: it cannot be 0.95 throughout, for at the top there is nothing above to miss."""
    ours, theirs = (np.bincount(bin_numbers(side, 32), minlength=32) for side in paired(law, 2_000_000, 1))
    truth = 1.0 if law.startswith("equal") else np.minimum(ours, theirs).sum() / 2_000_000
    hits, runs = 0, 200
    for seed in range(runs):
        ours, theirs = ({"a": side} for side in paired(law, number, seed, patches))
        estimate = similarity_interval(ours, theirs, range(number), resamples=300, seed=seed)["a"]
        hits += estimate.low <= truth <= estimate.high
    assert hits / runs >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("number", [60, 300])
def test_interval_of_the_mean_covers(number):
    laws = ("near", "apart", "half the bins")
    counts = [[np.bincount(bin_numbers(s, 32)) for s in paired(law, 2_000_000, 1)] for law in laws]
    truth = np.mean([np.minimum(*both).sum() / 2_000_000 for both in counts])
    hits, runs = 0, 200
    for seed in range(runs):
        drawn = {law: paired(law, number, 10 * seed + i) for i, law in enumerate(laws)}
        sides = [{law: both[side] for law, both in drawn.items()} for side in (0, 1)]
        estimate = similarity_interval(*sides, range(number), resamples=300, seed=seed)["mean"]
        hits += estimate.low <= truth <= estimate.high
    assert hits / runs >= 0.92


@pytest.mark.benchmark
def test_intervals_of_ten_metrics_cost_little_more_than_those_of_one():
    values = np.random.default_rng(0).normal(size=(10, 5000))
    start = time.process_time()
    mean_interval(values[0], range(5000))
    alone = time.process_time() - start
    start = time.process_time()
    mean_intervals(values, range(5000))
    assert time.process_time() - start < 4 * alone


@pytest.mark.benchmark
def test_intervals_take_seconds():
    rng = np.random.default_rng(0)
    sides = [{name: rng.random((1000, 16)) for name in "abc"} for _ in range(2)]
    start = time.perf_counter()
    mean_interval(rng.random(3000), np.arange(3000) // 3)
    similarity_interval(*sides, range(1000))
    assert time.perf_counter() - start < 5
