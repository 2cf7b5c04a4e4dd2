"""Processes that die, results in any order, tasks that are taken only as they are needed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from exposurebench import engine
from exposurebench.engine import Share, share_of
from exposurebench.errors import RecipeError

# Workers import what they run by name, and a test file has no name that another process could import: what
# they run here is therefore a function of the standard library, or of the file that `helpers` writes.
HELPERS = """
import os, signal, time
from pathlib import Path
from exposurebench.files import writing

def square(number):
    return number * number

def wait_for_last(task):
    folder, number = task
    while number == 0 and not (Path(folder) / "5").exists():
        time.sleep(0.01)
    (Path(folder) / str(number)).touch()
    return number

def refuse(number):
    if number == 3:
        raise ValueError(f"no {number}")
    return number

def die(task):
    folder, number, times = task
    marks = Path(folder) / f"{number}.attempts"
    with marks.open("a") as stream:
        stream.write("x")
    if marks.stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number

def threads(_):
    import cv2
    return cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]

def stay(folder):
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(60)

def write_slowly(task):
    folder, number = task
    if number:
        while not list(Path(folder).glob(".*.tmp")):
            time.sleep(0.01)
        raise ValueError("stop")
    with writing(Path(folder) / "slow") as stream:
        stream.write(b"half")
        stream.flush()
        time.sleep(60)
"""


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    folder = tmp_path / "importable"
    folder.mkdir()
    (folder / "engine_helpers.py").write_text(HELPERS)
    monkeypatch.syspath_prepend(str(folder))
    import engine_helpers  # type: ignore[import-not-found,unused-ignore]

    yield engine_helpers
    sys.modules.pop("engine_helpers")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_task_comes_back_with_its_result(helpers, workers):
    assert sorted(engine.run(helpers.square, range(40), workers)) == [(n, n * n) for n in range(40)]


def test_results_come_as_they_finish(helpers, tmp_path):
    order = [number for _, number in engine.run(helpers.wait_for_last, [(str(tmp_path), n) for n in range(6)], 2)]
    assert sorted(order) == list(range(6))
    assert order[0] != 0, "the first task waits for the last"


def test_no_tasks_no_results(helpers):
    assert list(engine.run(helpers.square, [], 2)) == []


def test_a_worker_that_is_killed_once_costs_nothing(helpers, tmp_path):
    tasks = [(str(tmp_path), number, 1 if number == 4 else 0) for number in range(10)]
    assert sorted(result for _, result in engine.run(helpers.die, tasks, 2)) == list(range(10))


def test_a_task_that_always_dies_is_given_back_after_three_attempts(helpers, tmp_path):
    tasks = [(str(tmp_path), number, 99 if number == 2 else 0) for number in range(8)]
    results = {task[1]: result for task, result in engine.run(helpers.die, tasks, 2)}
    assert isinstance(results.pop(2), BrokenProcessPool)
    assert results == {number: number for number in (0, 1, 3, 4, 5, 6, 7)}
    assert len((tmp_path / "2.attempts").read_text()) == engine.ATTEMPTS


@pytest.mark.parametrize("workers", [1, 2])
def test_what_work_raises_is_raised(helpers, workers):
    with pytest.raises(ValueError, match="no 3"):
        list(engine.run(helpers.refuse, range(100), workers))


def test_tasks_are_taken_as_workers_get_free(helpers):
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    with contextlib.closing(engine.run(helpers.square, tasks(), 2)) as results:
        for done, _ in enumerate(results, 1):
            assert taken - done <= 4
            if done == 50:
                break


def test_workers_hold_their_libraries_to_one_thread_and_the_parent_keeps_its_own(helpers, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    ((_, found),) = engine.run(helpers.threads, [0], 2)
    assert found == (1, "1")
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_stopped_workers_leave_no_temporary_file(helpers, tmp_path):
    folder = tmp_path / "written"
    folder.mkdir()
    started = time.monotonic()
    with pytest.raises(ValueError, match="stop"):
        list(engine.run(helpers.write_slowly, [(str(folder), 0), (str(folder), 1)], 2))
    assert time.monotonic() - started < 20
    assert not list(folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(helpers, tmp_path, number):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import engine_helpers; from exposurebench import engine\n"
        "if __name__ == '__main__':\n    list(engine.run(engine_helpers.stay, [sys.argv[2]] * 2, 2))\n"
    )
    (tmp_path / "parent.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), str(tmp_path / "importable"), str(tmp_path)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    workers = _wait_for_pids(tmp_path, 2)
    parent.send_signal(number)
    parent.wait(20)
    deadline = time.monotonic() + 3
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if _alive(pid)]


def _wait_for_pids(folder: Path, number: int) -> list[int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [int(path.stem) for path in folder.glob("*.pid")]
        if len(found) == number:
            return found
        time.sleep(0.02)
    raise AssertionError("the workers did not start")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# ---- shares ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 100])
@pytest.mark.parametrize("number", [0, 1, 5, 64, 1000])
def test_shares_are_neighbours_that_leave_nothing_out(number, count):
    parts = [Share(index, count).of(number) for index in range(count)]
    assert [thing for part in parts for thing in part] == list(range(number))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


SLURM = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4"}


@pytest.mark.parametrize(
    ("environment", "share"),
    [
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4"}, "4/4"),
        ({**SLURM, "SLURM_ARRAY_TASK_MIN": "5"}, "3/4"),
        ({**SLURM, "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "2"}, "4/4"),
        ({**SLURM, "SLURM_ARRAY_TASK_MIN": "5", "RANK": "0", "WORLD_SIZE": "2"}, "3/4"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "2/2"),
    ],
)
def test_the_environment_says_which_share(environment, share):
    assert str(share_of("auto", environment)) == share


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("0/8", {}, "there is no share 0/8: they are 1/8 to 8/8"),
        ("9/8", {}, "there is no share 9/8"),
        ("1/0", {}, "there is no share 1/0"),
        ("3", {}, "expected a share such as 3/8"),
        ("a/b", {}, "expected a share such as 3/8"),
        ("1/2/3", {}, "expected a share such as 3/8"),
        ("auto", {}, "the environment names no share"),
        ("auto", {"RANK": "1"}, "the environment names no share"),
        ("auto", {"RANK": "x", "WORLD_SIZE": "2"}, "expected a share such as 3/8"),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_MIN": "1"}, "there is no share 7/4"),
    ],
)
def test_what_is_no_share_is_said(text, environment, said):
    with pytest.raises(RecipeError, match=said):
        share_of(text, environment)
