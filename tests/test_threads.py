"""Threads: in order, one core each, and no waiting for one that hangs."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from exposurebench.errors import ModelError
from exposurebench.threads import Lanes, Watch, in_threads


def test_results_keep_their_order_and_all_threads_work() -> None:
    both = threading.Barrier(2, timeout=20)

    def work(number: int) -> tuple[int, int]:
        both.wait()
        time.sleep(0.01 * (5 - number))
        return number, torch.get_num_threads()

    assert list(in_threads(work, range(4), 2)) == [(number, 1) for number in range(4)]


def test_the_first_failure_is_raised_and_ends_the_others() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        list(in_threads(work, range(100), 1))
    assert len(begun) < 100


def test_what_hangs_is_not_waited_for() -> None:
    watch, release = Watch(), threading.Event()

    def work(number: int) -> None:
        with watch.over(f"picture {number}", 0.1):
            release.wait(60)

    begun = time.monotonic()
    with pytest.raises(
        ModelError, match=r"picture 0: took longer than 0\.1 s and was given up: allow more with --timeout"
    ):
        list(in_threads(work, [0], 1, watch.check))
    assert time.monotonic() - begun < 5
    release.set()


@pytest.mark.parametrize(("number", "most"), [(None, 3), (1, 1), (2, 2)])
def test_no_more_than_so_many_run_at_a_time(number: int | None, most: int) -> None:
    lanes, inside, seen = Lanes(number), [], []

    def work(item: int) -> None:
        with lanes.one():
            inside.append(item)
            time.sleep(0.05)
            seen.append(len(inside))
            inside.remove(item)

    list(in_threads(work, range(6), 3))
    assert max(seen) == most


def test_a_lane_that_is_the_only_one_has_every_core_and_gives_them_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        lanes = Lanes(1)

        def work(item: int) -> tuple[int, int]:
            with lanes.one():
                inside = torch.get_num_threads()
            return inside, torch.get_num_threads()

        assert list(in_threads(work, range(3), 2)) == [(2, 1)] * 3
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
