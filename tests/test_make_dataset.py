"""The road from photographs to pairs: the same bytes however it was travelled, and nothing half-written."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench import dataset as store
from exposurebench import files, make_dataset
from exposurebench.dataset import load_dataset
from exposurebench.engine import share_of
from exposurebench.errors import InputError, MissingError, RecipeError, StorageError
from exposurebench.recipe import dataset_recipe
from exposurebench.verify import rebuild, verify

BUILD = """
import sys, json
sys.path[:0] = json.loads(sys.argv[1])
from exposurebench.engine import share_of
from exposurebench.make_dataset import make_dataset, make_share
from exposurebench.recipe import dataset_recipe
if __name__ == "__main__":
    out, root, workers, document = sys.argv[2:6]
    recipe, how = dataset_recipe(json.loads(document)), {"root": root, "workers": int(workers)}
    if sys.argv[6:]:
        make_share(recipe, out, share_of(sys.argv[6]), **how)
    else:
        make_dataset(recipe, out, card=False, **how)
"""


def recipe(**settings):
    return dataset_recipe({"source": "folder", **settings})


def build(out, root, workers=1, **settings):
    return make_dataset.make_dataset(recipe(**settings), out, root=root, workers=workers, card=False)


def tree(folder: Path) -> dict[str, str]:
    """Every file but the markers, with its hash."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and store.MARKERS not in path.relative_to(folder).parts
    }


def temporary(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.tmp"))


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    found = {}
    for path in folder.glob("*/metadata.csv"):
        with path.open(newline="") as stream:
            found.update({row["scene"]: {**row, "split": path.parent.name} for row in csv.DictReader(stream)})
    return found


# ---- the same bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"tau": 0.5},
        {"tau": 0.5, "form": "camera", "noise": 0.01},
        {"tau": "0.5:1", "size": 24, "crop": "random", "seed": 3},
        {"tau": "0.2,0.5,1", "format": "jpg", "quality": 80},
        {"tau": [0.3, 0.6], "size": 32, "crop": "center", "transfer": "srgb"},
        {"tau": 0.4, "size": 32, "format": "jpg", "split": "train=0.5,test=0.5"},
    ],
    ids=lambda settings: "-".join(f"{k}={v}" for k, v in settings.items()),
)
def test_any_number_of_workers_gives_the_same_bytes(photographs, tmp_path, settings):
    for workers in (1, 2, 3):
        build(tmp_path / str(workers), photographs, workers, **settings)
        assert not temporary(tmp_path)
    assert tree(tmp_path / "1") == tree(tmp_path / "2") == tree(tmp_path / "3")
    assert list(verify(tmp_path / "2")) == []
    assert list(rebuild(tmp_path / "2", 30, root=photographs)) == []


def test_the_card_does_not_depend_on_the_workers_either(photographs, tmp_path):
    for workers in (1, 2):
        make_dataset.make_dataset(recipe(tau="0.5:1"), tmp_path / str(workers), root=photographs, workers=workers)
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
    assert {"README.md", "croissant.json"} <= tree(tmp_path / "1").keys()


def test_a_drawn_threshold_is_another_for_every_photograph(photographs, tmp_path):
    table = build(tmp_path, photographs, tau="0.5:1", split="test").dataset.table("test")
    assert table["tau"].nunique() == 30
    assert table["tau"].between(0.5, 1).all()
    assert set(table["form"]) == {"camera"}


# ---- interruptions ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def larger(tmp_path_factory, write_photographs) -> Path:
    return write_photographs(tmp_path_factory.mktemp("larger"), 120, 200, 260)


SETTINGS = {"source": "folder", "tau": "0.3,0.6", "size": 100}


@pytest.fixture(scope="module")
def undisturbed(larger, tmp_path_factory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed") / "set"
    build(out, larger, 2, tau="0.3,0.6", size=100)
    return tree(out)


def start(tmp_path: Path, root: Path, out: Path, workers: int = 2, share: str = "", **more) -> subprocess.Popen:
    script = tmp_path / "build.py"
    if not script.exists():  # another process may be reading it
        script.write_text(BUILD)
    command = [sys.executable, str(script), json.dumps(sys.path), str(out), str(root), str(workers)]
    return subprocess.Popen(
        [*command, json.dumps(SETTINGS), *([share] if share else [])],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def wait_for_images(out: Path, number: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if sum(1 for _ in out.glob("*/input/*.png")) >= number:
            return
        time.sleep(0.005)


def test_kill_9_at_any_moment_and_run_again(larger, undisturbed, tmp_path):
    moments = random.Random(0)  # noqa: S311
    out = tmp_path / "set"
    killed = 0
    for attempt in range(4):
        process = start(tmp_path, larger, out, workers=1 + attempt % 2)
        wait_for_images(out, moments.randrange(20, 60) * (attempt + 1), process)
        killed += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (out / "dataset.json").exists() or tree(out) == undisturbed
    assert killed >= 2
    if not (out / "dataset.json").exists():
        with pytest.raises(MissingError, match="not finished"):
            load_dataset(out)
    build(out, larger, 2, tau="0.3,0.6", size=100)
    assert tree(out) == undisturbed
    assert not temporary(out)


def test_ctrl_c_and_run_again(larger, undisturbed, tmp_path):
    out = tmp_path / "set"
    process = start(tmp_path, larger, out)
    wait_for_images(out, 30, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, errors = process.communicate(timeout=20)
    assert errors.count("Traceback") == 1
    assert "KeyboardInterrupt" in errors
    assert not temporary(out)
    assert not (out / "dataset.json").exists()
    assert build(out, larger, 2, tau="0.3,0.6", size=100).resumed
    assert tree(out) == undisturbed


def test_a_killed_worker_changes_nothing(larger, undisturbed, tmp_path):
    out = tmp_path / "set"
    process = start(tmp_path, larger, out)
    wait_for_images(out, 20, process)
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(int(child), signal.SIGKILL)
            break
    else:
        pytest.fail("no worker was found")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert tree(out) == undisturbed
    assert not temporary(out)


def test_a_photograph_that_ends_its_process_is_listed_and_the_rest_is_built(photographs, tmp_path, monkeypatch):
    """What the engine gives back after three crashes is taken apart scene by scene."""
    from concurrent.futures.process import BrokenProcessPool

    def run(work, tasks, workers):
        for task in tasks:
            result = work(task)
            guilty = any("photo0007" in item.scene.name for item in task.items)
            yield task, BrokenProcessPool("killed") if guilty else result

    monkeypatch.setattr(make_dataset.engine, "run", run)
    built = build(tmp_path, photographs, 2, tau="0.4,0.5")
    assert built.failed == 1
    with (tmp_path / "rejected.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["source"], row["reason"]) == ("class1/photo0007.jpg", "ends the process that reads it")
    assert len(rows_of(tmp_path)) == 29
    assert not list(tmp_path.rglob("*photo0007*")), "of its pairs nothing stays"


@pytest.mark.parametrize("limit", [6_000, 20_000], ids=["an image", "the manifest"])
def test_a_file_size_limit_is_one_line_and_nothing_half_written(larger, undisturbed, tmp_path, limit):
    out = tmp_path / "set"
    process = start(tmp_path, larger, out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    _, errors = process.communicate(timeout=60)
    assert errors.endswith("the file size limit of this process or disk is reached\n")
    assert ("metadata.csv" in errors) == (limit == 20_000)
    assert not temporary(out)
    assert not (out / "dataset.json").exists()
    build(out, larger, 2, tau="0.3,0.6", size=100)
    assert tree(out) == undisturbed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk to fill it")
def test_a_full_disk_is_one_line_and_the_rest_comes_later(larger, undisturbed, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(StorageError, match="the disk is full: free some space"):
            build(disk / "set", larger, 2, tau="0.3,0.6", size=100)
        assert not temporary(disk)
        assert not (disk / "set" / "dataset.json").exists()
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        build(disk / "set", larger, 2, tau="0.3,0.6", size=100)
        assert tree(disk / "set") == undisturbed
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("at", [0, 1, 17, 59, 62, 68, 72, 74, 78])
def test_no_space_at_any_write(photographs, tmp_path, monkeypatch, at):
    """The n-th rename fails, be it an image, a marker, a manifest or the last file."""
    build(tmp_path / "whole", photographs, tau=0.5)
    real, left = os.replace, at

    def replace(*names):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*names)

    monkeypatch.setattr(files.os, "replace", replace)
    with pytest.raises(StorageError, match="disk is full"):
        build(tmp_path / "set", photographs, tau=0.5)
    monkeypatch.undo()
    assert not temporary(tmp_path)
    assert not (tmp_path / "set" / "dataset.json").exists()
    build(tmp_path / "set", photographs, tau=0.5)
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


# ---- what lies there already -----------------------------------------------------------------------------


def test_another_recipe_is_refused_with_what_differs(photographs, tmp_path):
    build(tmp_path, photographs, tau=0.5)
    before = tree(tmp_path)
    with pytest.raises(RecipeError, match=r"holds another data set \(tau 0\.5 there, 0\.4 asked\)") as caught:
        build(tmp_path, photographs, tau=0.4)
    assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / store.MARKERS)
    with pytest.raises(RecipeError, match=r"tau 0\.5 there, 0\.4 asked"):
        build(tmp_path, photographs, tau=0.4)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("markers", [True, False])
def test_a_changed_source_is_refused(write_photographs, tmp_path, markers):
    source = write_photographs(tmp_path / "source", 6)
    build(tmp_path / "set", source, tau=0.5)
    if not markers:
        shutil.rmtree(tmp_path / "set" / store.MARKERS)
    write_photographs(tmp_path / "source", 7)
    with pytest.raises(RecipeError, match="the source has other files now"):
        build(tmp_path / "set", source, tau=0.5)


def test_a_finished_set_is_recognised_and_left_alone(photographs, tmp_path):
    first = build(tmp_path, photographs, tau=0.5)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = build(tmp_path, photographs, 2, tau=0.5)
    assert not first.resumed
    assert again.resumed
    assert again.dataset.document == first.dataset.document
    shutil.rmtree(tmp_path / store.MARKERS)
    assert build(tmp_path, photographs, tau=0.5).resumed
    assert {p: t for p, t in times.items() if store.MARKERS not in p.parts} == {
        p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file() and store.MARKERS not in p.parts
    }


@pytest.mark.parametrize("side", ["input", "target"])
def test_a_lost_image_is_built_again(photographs, tmp_path, side):
    build(tmp_path, photographs, tau=0.5, size=32)
    before = tree(tmp_path)
    lost = sorted(tmp_path.glob(f"*/{side}/*"))[:3]
    shutil.rmtree(lost[0].parent)
    assert build(tmp_path, photographs, tau=0.5, size=32).resumed
    assert tree(tmp_path) == before and not temporary(tmp_path)


def test_what_a_power_cut_leaves_is_built_again(photographs, tmp_path):
    """Files of no bytes or fewer than there were, under names that markers and manifests know."""
    build(tmp_path / "whole", photographs, tau=0.5, size=32)
    out = tmp_path / "set"
    shutil.copytree(tmp_path / "whole", out)
    images, markers = sorted(out.glob("*/input/*")), sorted((out / store.MARKERS).glob("shard-*"))
    images[0].write_bytes(b"")
    assert list(verify(out)) != []
    build(out, photographs, tau=0.5, size=32)  # finished but for an empty file
    assert tree(out) == tree(tmp_path / "whole")

    os.truncate(images[1], 100)
    images[2].unlink()
    os.truncate(markers[3], 50)
    markers[4].write_bytes(b"")
    markers[5].write_text("{}")
    (out / "dataset.json").write_bytes(b"")
    with pytest.raises(MissingError, match="not finished"):
        load_dataset(out)
    before = {path: path.stat().st_mtime_ns for path in images[6:]}
    assert build(out, photographs, 2, tau=0.5, size=32).resumed
    assert tree(out) == tree(tmp_path / "whole")
    untouched = sum(path.stat().st_mtime_ns == time for path, time in before.items())
    assert untouched >= len(before) - 3, "what stands is not built again"


def test_a_lost_image_whose_source_was_edited_is_an_error_that_changes_nothing(write_photographs, tmp_path):
    source = write_photographs(tmp_path / "photographs", 3)
    build(tmp_path / "set", source, tau=0.5)
    row = load_dataset(tmp_path / "set").rows("train")[0]
    edited = next(source.rglob(f"{Path(row['scene']).name}"))
    data = bytearray(edited.read_bytes())
    other = next(p for p in source.rglob("*.jpg") if p != edited) if edited.suffix == ".jpg" else None
    edited.write_bytes(other.read_bytes()[: len(data)].ljust(len(data), b"\0") if other else bytes(len(data)))
    (tmp_path / "set" / "train" / row["input_file_name"]).unlink()
    before = tree(tmp_path / "set")
    with pytest.raises(InputError):
        build(tmp_path / "set", source, tau=0.5)
    assert tree(tmp_path / "set") == before


def test_a_foreign_folder_is_refused_untouched(photographs, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RecipeError, match="is not empty and holds no data set"):
        build(tmp_path, photographs, tau=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_second_process_says_that_the_first_is_at_work(larger, undisturbed, tmp_path):
    out = tmp_path / "set"
    process = start(tmp_path, larger, out)
    wait_for_images(out, 1, process)
    with pytest.raises(StorageError, match="is being built by another process"):
        build(out, larger, 1, tau="0.3,0.6", size=100)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert tree(out) == undisturbed


# ---- shares ----------------------------------------------------------------------------------------------


def build_share(out, root, share, **settings):
    return make_dataset.make_share(recipe(**settings), out, share_of(share), root=root)


def test_eight_shares_in_random_order_make_the_bytes_of_one_process(larger, undisturbed, tmp_path):
    out = tmp_path / "set"
    killed = start(tmp_path, larger, out, workers=1, share="5/8")
    wait_for_images(out, 4, killed)
    assert killed.poll() is None
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    shares = [f"{number}/8" for number in range(1, 9)]
    random.Random(0).shuffle(shares)  # noqa: S311
    built = [build_share(out, larger, share, tau="0.3,0.6", size=100) for share in shares]
    assert sum(share.scenes for share in built) == 120
    assert not (out / "dataset.json").exists()
    whole = make_dataset.merge(out, card=False)
    assert tree(out) == undisturbed
    assert whole.scenes == 120
    assert not temporary(out)
    again = build_share(out, larger, "3/8", tau="0.3,0.6", size=100)
    assert (again.shards, again.of) == (7, 60)
    assert make_dataset.merge(out).resumed
    assert tree(out) == undisturbed


@pytest.mark.slow
def test_eight_processes_at_once_make_the_bytes_of_one(larger, undisturbed, tmp_path):
    out = tmp_path / "set"
    killed = start(tmp_path, larger, out, workers=1, share="3/8")
    wait_for_images(out, 3, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    others = [start(tmp_path, larger, out, workers=1, share=f"{n}/8") for n in (8, 1, 5, 2, 7, 4, 6)]
    for process in others:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with pytest.raises(InputError, match=r"lacks \d of 60 shards: run .* with --shard 3/8 again, then merge"):
        make_dataset.merge(out)
    build_share(out, larger, "3/8", tau="0.3,0.6", size=100)
    make_dataset.merge(out, card=False)
    assert tree(out) == undisturbed


def test_a_merge_names_the_shares_that_are_missing(photographs, tmp_path):
    out = tmp_path / "set"
    with pytest.raises(InputError, match="is missing: expected the plan of an unfinished data set"):
        make_dataset.merge(out)
    for share in ("1/3", "2/3"):
        build_share(out, photographs, share, tau=0.5)
    with pytest.raises(InputError, match=r"lacks 10 of 30 shards: run .* with --shard 3/3 again, then merge"):
        make_dataset.merge(out)
    build_share(out, photographs, "3/3", tau=0.5)
    next(out.glob("*/input/*.png")).write_bytes(b"half a pict")
    with pytest.raises(InputError, match=r"lacks 1 of 30 shards: .* --shard [123]/3 again"):
        make_dataset.merge(out)
    assert not (out / "dataset.json").exists()
    build(out, photographs, tau=0.5)  # the whole command mends it, too
    assert list(verify(out)) == []


def test_more_shares_than_shards_leave_some_without_work(photographs, tmp_path):
    build(tmp_path / "one", photographs, tau=0.5)
    built = [build_share(tmp_path / "set", photographs, f"{n}/40", tau=0.5).shards for n in range(1, 41)]
    assert (sum(built), set(built)) == (30, {0, 1})
    make_dataset.merge(tmp_path / "set", card=False)
    assert tree(tmp_path / "set") == tree(tmp_path / "one")


def test_a_share_of_another_source_or_recipe_is_refused(photographs, write_photographs, tmp_path):
    out = tmp_path / "set"
    build_share(out, photographs, "1/2", tau=0.5)
    with pytest.raises(RecipeError, match="the source has other files now"):
        build_share(out, write_photographs(tmp_path / "other", 29), "2/2", tau=0.5)
    with pytest.raises(RecipeError, match=r"tau 0.5 there, 0.6 asked"):
        build_share(out, photographs, "2/2", tau=0.6)


def test_who_builds_the_same_share_waits_and_who_builds_another_does_not(larger, undisturbed, tmp_path):
    out = tmp_path / "set"
    process = start(tmp_path, larger, out, workers=1, share="1/2")
    wait_for_images(out, 1, process)
    for call in (
        lambda: build_share(out, larger, "2/6", tau="0.3,0.6", size=100),
        lambda: build(out, larger, tau="0.3,0.6", size=100),
        lambda: make_dataset.merge(out),
    ):
        with pytest.raises(StorageError, match="is being built by another process"):
            call()
    build_share(out, larger, "2/2", tau="0.3,0.6", size=100)
    process.communicate(timeout=60)
    assert process.returncode == 0
    make_dataset.merge(out, card=False)
    assert tree(out) == undisturbed


# ---- seed and filter ---------------------------------------------------------------------------------------


def test_the_seed_changes_what_is_drawn(photographs, tmp_path):
    for seed in (0, 1):
        build(tmp_path / str(seed), photographs, tau="0.5:1", seed=seed, split="test")
    first, second = (rows_of(tmp_path / str(seed)) for seed in (0, 1))
    assert first.keys() == second.keys()
    assert all(first[name]["tau"] != second[name]["tau"] for name in first)


def test_the_filter_drops_by_its_numbers_and_lists_them(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    rng = np.random.default_rng(0)
    expected = {}
    for number in range(12):
        pixels = rng.integers(6, 250, (30, 40, 3)).astype(np.uint8)
        count = number * 12  # steps of 1 %
        pixels.reshape(-1, 3)[:count] = rng.choice(np.array([[0, 5, 3], [0, 250, 9], [255, 255, 255]], np.uint8), count)
        cv2.imwrite(str(source / f"{number:02d}.png"), pixels[..., ::-1])
        peaks = [max(pixel) for row in pixels.tolist() for pixel in row]
        expected[f"{number:02d}.png"] = (sum(p >= 250 for p in peaks) / 1200, sum(p <= 5 for p in peaks) / 1200)
    built = build(tmp_path / "set", source, tau=0.5, split="test")
    with (tmp_path / "set" / "rejected.csv").open(newline="") as stream:
        rejected = {row["source"]: row for row in csv.DictReader(stream)}
    kept = rows_of(tmp_path / "set")
    assert {name for name, shares in expected.items() if sum(shares) > 0.05} == rejected.keys()
    assert kept.keys() == expected.keys() - rejected.keys()
    for name, row in {**rejected, **kept}.items():
        assert float(row["overexposed"]) == pytest.approx(expected[name][0], abs=1e-6)
        assert float(row["underexposed"]) == pytest.approx(expected[name][1], abs=1e-6)
    assert all(row["reason"] == "not well exposed (limit 0.05)" for row in rejected.values())
    assert built.dataset.document["rejected"] == {"not well exposed": len(rejected)}
    assert built.failed == 0


# ---- size ------------------------------------------------------------------------------------------------

PEAK = """
import resource, sys
sys.path[:0] = sys.argv[1].split(":")
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
recipe = dataset_recipe({"source": "folder", "tau": 0.5, "well_exposed": 1.0})
make_dataset(recipe, sys.argv[2], root=sys.argv[3], card=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pairs(write_photographs, tmp_path):
    peaks = {}
    for count in (300, 1500):
        source = write_photographs(tmp_path / f"source{count}", count, 24, 24)
        command = [sys.executable, "-c", PEAK, ":".join(sys.path), str(tmp_path / f"set{count}"), str(source)]
        peaks[count] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert peaks[1500] - peaks[300] < 4096, peaks  # KiB


def test_a_dry_run_writes_nothing(photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = make_dataset.estimate(recipe(tau=0.5), root=photographs, tries=10)
    assert (found.scenes, found.kept, found.files) == (30, 30, 60)
    assert list(tmp_path.iterdir()) == []


def test_nothing_usable_says_why(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "empty.jpg").touch()
    with pytest.raises(InputError, match=r"none of 1 photographs can be used \(1 unreadable\)"):
        build(tmp_path / "set", source, tau=0.5)
    assert not (tmp_path / "set" / "dataset.json").exists()
    assert "is empty" in (tmp_path / "set" / "rejected.csv").read_text()


def test_nothing_but_the_plan_walks_the_source_where_every_shard_stands(photographs, tmp_path, monkeypatch):
    from exposurebench import plan

    whole = build(tmp_path, photographs, tau=0.5, size=32).dataset.document
    (tmp_path / "dataset.json").unlink()
    walks = []
    walk = plan.scenes_of
    monkeypatch.setattr(plan, "scenes_of", lambda *of: walks.append(of) or walk(*of))
    assert build(tmp_path, photographs, tau=0.5, size=32).dataset.document == whole
    assert len(walks) == 1
    (tmp_path / "dataset.json").unlink()
    sorted((tmp_path / store.MARKERS).glob("shard-*"))[1].unlink()
    assert build(tmp_path, photographs, tau=0.5, size=32).dataset.document == whole
    assert len(walks) == 3
