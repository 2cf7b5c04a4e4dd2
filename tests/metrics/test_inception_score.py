import itertools
import re

import numpy as np
import pytest
import torch

from exposurebench.metrics.inception_score import check_count, inception_score, split_scores


def columns(seed, number=120, classes=7, spread=2.0):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, spread, (number, classes)))
    return {"log_probabilities": logits.log_softmax(1)}


def test_agrees_with_other_programs_on_given_logits(references):
    """Every value on record: torch-fidelity with and without its shuffle, torchmetrics with its own split rule."""
    rows = references.values[references.values.metric.isin(["IS-mean", "IS-std"])]
    assert len(rows) == 22
    for row in rows.itertuples():
        logits = torch.from_numpy(np.load(references.folder / "is" / f"{row.pair_id}.npy").astype(np.float64))
        splits = int(re.search(r"splits=(\d+)", row.params)[1])
        if "shuffle=True" in row.params:
            logits = logits[np.random.RandomState(2020).permutation(len(logits))]
        answers = logits.log_softmax(1)
        if "torchmetrics" in row.reference_implementation:  # splits of ceil(N / S), the last one short
            scores = np.array([split_scores(part, splits=1)[0] for part in torch.chunk(answers, splits)])
        else:
            scores = split_scores(answers, splits=splits)
        found = scores.mean() if row.metric == "IS-mean" else scores.std(ddof="ddof=1" in row.params)
        assert found == pytest.approx(row.value, abs=1e-9), row


def test_splits_are_cut_at_whole_shares():
    answers = columns(1, 97)["log_probabilities"]
    edges = [i * 97 // 10 for i in range(11)]
    alone = [split_scores(answers[low:high], splits=1)[0] for low, high in itertools.pairwise(edges)]
    assert split_scores(answers, splits=10).tolist() == alone


def test_bounds():
    same = np.log(np.full((60, 5), 0.2))
    assert split_scores(same, splits=3) == pytest.approx(np.ones(3))
    with np.errstate(divide="ignore"):
        sure = np.log(np.eye(5)[np.arange(60) % 5])
    assert split_scores(sure, splits=1)[0] == pytest.approx(5)
    assert split_scores(sure[:3], splits=1)[0] == pytest.approx(3), "no more than there are images"


def test_surer_and_more_various_is_higher():
    scores = [split_scores(columns(1, spread=spread)["log_probabilities"], splits=1)[0] for spread in (0.1, 1, 4)]
    assert scores == sorted(scores)


def test_the_targets_score_stands_beside():
    ours, theirs = columns(1), columns(2, spread=3)
    found = inception_score(ours, theirs, splits=2)
    assert list(found) == ["score", "spread", "target_score", "target_spread"]
    turned = inception_score(theirs, ours, splits=2)
    assert (turned["score"], turned["spread"]) == (found["target_score"], found["target_spread"])
    scores = split_scores(ours["log_probabilities"], splits=2)
    assert (found["score"], found["spread"]) == (scores.mean(), scores.std())


def test_tensors_and_arrays_are_the_same():
    ours, theirs = columns(1), columns(2)
    arrays = [{name: column.numpy() for name, column in side.items()} for side in (ours, theirs)]
    assert inception_score(*arrays, splits=2) == inception_score(ours, theirs, splits=2)


def test_small_splits_are_refused_unless_asked_for():
    ours = columns(1, 499)
    with pytest.raises(ValueError, match="499 images in 10 splits are 49 a split"):
        inception_score(ours, ours)
    assert inception_score(ours, ours, smallest_split=49)["score"] > 1
    check_count(500)
    with pytest.raises(ValueError, match="at least 1"):
        check_count(500, splits=0)


@pytest.mark.parametrize(
    ("answers", "splits", "message"),
    [
        (np.zeros((4, 3)), 1, "do not sum to 1"),
        (np.full((4, 3), np.nan), 1, "do not sum to 1"),
        (np.zeros(4), 1, r"the shape \(N, C\)"),
        (np.log(np.full((4, 2), 0.5)), 5, "from 1 to the 4 images, not 5"),
        (np.log(np.full((4, 2), 0.5)), 0, "from 1 to the 4 images, not 0"),
    ],
)
def test_refuses(answers, splits, message):
    with pytest.raises(ValueError, match=message):
        split_scores(answers, splits=splits)
