"""Work in threads, each holding its libraries to one core, in order, and never waiting for one that hangs."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import cv2
import torch

from exposurebench.errors import ModelError

T = TypeVar("T")
R = TypeVar("R")
POLLED_S = 0.2
PATIENCE_S = 5.0
"""How long threads may take to end what they are at, when one of them has failed."""


class Watch:
    """What is under way, and since when, so that what takes too long is noticed.

    >>> with Watch().over("a picture", 10.0):
    ...     pass
    """

    def __init__(self) -> None:
        self._begun: dict[int, tuple[float, float, str]] = {}

    @contextlib.contextmanager
    def over(self, what: str, allowed_s: float) -> Iterator[None]:
        """Watch over a block of this thread's."""
        self._begun[threading.get_ident()] = time.monotonic(), allowed_s, what
        try:
            yield
        finally:
            self._begun.pop(threading.get_ident(), None)

    def check(self) -> None:
        """See whether all is well.

        Raises:
            ModelError: something takes longer than it may.
        """
        for since, allowed, what in list(self._begun.values()):
            if time.monotonic() - since > allowed:
                raise ModelError(f"{what}: took longer than {allowed:g} s and was given up: allow more with --timeout")


class Lanes:
    """How many threads may run a method at a time; a lane that is the only one may use every core.

    Args:
        number: None for any number.
    """

    def __init__(self, number: int | None) -> None:
        self.number = number
        self._free = threading.Semaphore(number or 1)
        self._cores = torch.get_num_threads()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a lane, and hold it."""
        if self.number is None:
            yield
            return
        with self._free:
            torch.set_num_threads(self._cores if self.number == 1 else 1)
            try:
                yield
            finally:
                torch.set_num_threads(1)


def in_threads(
    work: Callable[[T], R],
    items: Sequence[T],
    workers: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[R]:
    """Work on items in threads, each holding its libraries to one core; results in the items' order.

    Args:
        work: may fail; the first failure in the items' order is raised.
        items: what is worked on.
        workers: threads; by default one for each core.
        check: called now and then while results are waited for; what it raises ends the waiting, though a thread
            hangs: threads do not keep the program alive.

    >>> list(in_threads(len, ["a", "bb", ""]))
    [1, 2, 0]
    """
    jobs: queue.SimpleQueue[tuple[int, T]] = queue.SimpleQueue()
    for job in enumerate(items):
        jobs.put(job)
    done: dict[int, tuple[R | None, BaseException | None]] = {}
    ready, stop = threading.Condition(), threading.Event()

    def loop() -> None:
        torch.set_num_threads(1)
        while not stop.is_set():
            try:
                place, item = jobs.get_nowait()
            except queue.Empty:
                return
            try:
                outcome: tuple[R | None, BaseException | None] = work(item), None
            except BaseException as error:  # raised again where the results are waited for
                outcome = None, error
                stop.set()
            with ready:
                done[place] = outcome
                ready.notify()

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(workers or _cores(), len(items)))]
    with _one_thread_each():
        for thread in threads:
            thread.start()
        patience = PATIENCE_S
        try:
            for place in range(len(items)):
                patience = 0.0  # whoever hangs is not waited for
                with ready:
                    while place not in done:
                        ready.wait(POLLED_S)
                        check()
                patience = PATIENCE_S
                result, error = done.pop(place)
                if error is not None:
                    raise error
                yield result  # type: ignore[misc]
        finally:
            stop.set()
            until = time.monotonic() + patience
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))


def _cores() -> int:
    return os.cpu_count() or 1


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)
