"""Where work runs: in this process, in a pool of processes that survives the loss of any of them, or on a Ray cluster."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import TypeVar

from exposurebench.errors import MissingError, RecipeError

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS = 3
"""A task that ends its process so often is given up."""
GRACE_SECONDS = 2
"""How long a worker that is told to stop may take."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@dataclass(frozen=True)
class Share:
    """What one of several processes does that know nothing of each other.

    >>> [list(Share(index, 3).of(7)) for index in range(3)]
    [[0, 1], [2, 3], [4, 5, 6]]
    """

    index: int
    count: int

    def __str__(self) -> str:
        """As the command line has it, counted from 1."""
        return f"{self.index + 1}/{self.count}"

    def of(self, number: int) -> range:
        """Which of so many things are this one's: neighbours, every one in exactly one share."""
        return range(number * self.index // self.count, number * (self.index + 1) // self.count)


def share_of(text: str, environment: Mapping[str, str] = os.environ) -> Share:
    """The share that is meant by ``3/8``, or by ``auto`` and the environment of a Slurm array or of torchrun.

    Raises:
        RecipeError: it is none.

    >>> share_of("3/8"), share_of("auto", {"RANK": "0", "WORLD_SIZE": "2"})
    (Share(index=2, count=8), Share(index=0, count=2))
    """
    array = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")
    try:
        if text != "auto":
            number, count = map(int, text.split("/"))
            found = Share(number - 1, count)
        elif all(name in environment for name in array):
            number, count = (int(environment[name]) for name in array)
            first, step = (int(environment.get(f"SLURM_ARRAY_TASK_{n}", v)) for n, v in (("MIN", 0), ("STEP", 1)))
            found = Share((number - first) // step, count)
        elif {"RANK", "WORLD_SIZE"} <= environment.keys():
            found = Share(int(environment["RANK"]), int(environment["WORLD_SIZE"]))
        else:
            raise RecipeError(
                f"the environment names no share: --shard auto needs {' and '.join(array)}, or RANK and WORLD_SIZE; or "
                "say which with --shard 3/8"
            )
    except ValueError as error:
        raise RecipeError(f"expected a share such as 3/8 (the third of eight), not {text!r}") from error
    if not 0 <= found.index < found.count:
        raise RecipeError(f"there is no share {found}: they are 1/{found.count} to {found.count}/{found.count}")
    return found


def run(
    work: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Generator[tuple[Task, Result | BrokenProcessPool], None, None]:
    """Do independent tasks and yield each with its result, in the order in which they finish.

    Tasks are taken from the iterable as workers get free, so it may be longer than memory. A process that
    is killed costs its task one of three attempts; tasks that were under way beside it are tried again
    alone, so that the one to blame is known.

    Args:
        work: a function that can be imported by name in another process.
        tasks: what it is called with.
        workers: how many processes; with 1 everything runs in this one.

    Yields:
        The task and its result, or the :class:`BrokenProcessPool` that its third crash raised. What
        ``work`` raises is raised here.
    """
    if workers <= 1:
        for task in tasks:
            yield task, work(task)
        return
    queue = iter(tasks)
    suspects: list[Task] = []
    while True:
        broken = yield from _pooled(work, queue, workers, suspects)
        for task in suspects:
            yield task, _alone(work, task)
        suspects.clear()
        if not broken:
            return


def run_on_ray(
    work: Callable[[Task], Result], tasks: Iterable[Task], address: str
) -> Generator[tuple[Task, Result | BrokenProcessPool], None, None]:
    """The same as :func:`run` on the nodes of a Ray cluster, which tries a task that lost its process again elsewhere.

    Tasks are taken as the cluster has room for them, twice as many as it has processors.

    Args:
        work: a function that can be imported by name on every node.
        tasks: what it is called with; paths in them must mean the same everywhere.
        address: ``auto`` for the cluster that this machine belongs to, or ``HOST:6379``.

    Yields:
        As :func:`run` does.

    Raises:
        MissingError: Ray is not installed, or there is no cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingError("--engine ray needs Ray: pip install 'exposurebench[cluster]'") from error
    try:
        cluster = ray.init(address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise MissingError(
            f"no Ray cluster at {address!r} ({str(error).partition(chr(10))[0]}): start one with ray start --head, and join "
            "it with ray start --address HOST:6379"
        ) from error
    with cluster:
        remote = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_do_on_ray)
        queue = iter(tasks)
        running: dict[ray.ObjectRef[Result], Task] = {}
        while True:
            room = 2 * max(1, int(ray.cluster_resources().get("CPU", 1))) - len(running)
            running |= {remote.remote(work, task): task for task in itertools.islice(queue, max(0, room))}
            if not running:
                return
            (done,), _ = ray.wait(list(running))
            task = running.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except ray.exceptions.RayError as error:
                yield task, BrokenProcessPool(str(error))
            else:
                yield task, result


def _do_on_ray(work: Callable[[Task], Result], task: Task) -> Result:
    """On a node, which holds the other libraries to one thread itself."""
    import cv2

    cv2.setNumThreads(1)
    return work(task)


def _pooled(
    work: Callable[[Task], Result], queue: Iterator[Task], workers: int, suspects: list[Task]
) -> Generator[tuple[Task, Result], None, bool]:
    """Run until the queue is empty (False) or a process died (True; what was under way goes to suspects)."""
    with _pool(workers) as pool:
        running: dict[Future[Result], Task] = {}
        broken = False
        while True:
            if not broken:
                for task in itertools.islice(queue, 2 * workers - len(running)):
                    try:
                        running[_submit(pool, work, task)] = task
                    except BrokenProcessPool:
                        suspects.append(task)
                        broken = True
                        break
            if not running:
                return broken
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    suspects.append(task)
                    broken = True
                else:
                    yield task, result


def _alone(work: Callable[[Task], Result], task: Task) -> Result | BrokenProcessPool:
    crash = BrokenProcessPool("its process ended")
    for _ in range(ATTEMPTS - 1):
        with _pool(1) as pool:
            try:
                return _submit(pool, work, task).result()
            except BrokenProcessPool as error:
                crash = error
    return crash


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _submit(pool: ProcessPoolExecutor, work: Callable[[Task], Result], task: Task) -> Future[Result]:
    """Submit a task; a worker that this starts inherits a blocked SIGINT, so that Ctrl-C is the parent's alone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_do, work, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _do(work: Callable[[Task], Result], task: Task) -> Result:
    """In a worker: do a task, or end as soon as the files that it has open are put away."""
    try:
        signal.signal(signal.SIGTERM, _leave)
        return work(task)
    except SystemExit:
        os._exit(1)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start_worker() -> None:
    """Hold OpenCV to one thread, and end when the parent is gone."""
    import cv2

    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _leave(*_: object) -> None:
    """Unwind, which puts away every file that is open; the alarm ends a worker that does not."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(GRACE_SECONDS)
    warnings.simplefilter("ignore", ResourceWarning)  # a file that was being opened just then has no owner yet
    raise SystemExit


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
