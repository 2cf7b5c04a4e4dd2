"""Photographs in, a paired data set out.

The list of scenes is walked twice (once to plan, once to build) and never held; scenes are built in shards,
each closed by a marker, so that whatever interrupts the work, running it again ends in the same tree.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exposurebench import engine, store
from exposurebench.dataset import MARKERS, SIDES, Dataset, is_finished, load_dataset
from exposurebench.describe import describe, versions
from exposurebench.engine import Share
from exposurebench.errors import InputError, RecipeError, StorageError
from exposurebench.files import make_folder, read_json, sha256_file, storage_error, write_json, write_text
from exposurebench.plan import Plan, check, items, make_plan
from exposurebench.recipe import DatasetRecipe, dataset_recipe
from exposurebench.shards import OnError, Shard, build_item, build_shard, close, marker, rejection, stands

FILTERED = ("not well exposed", "pair rejected")


@dataclass(frozen=True)
class Built:
    """A finished data set, and what this run did for it."""

    dataset: Dataset
    scenes: int
    seconds: float
    resumed: bool

    @property
    def failed(self) -> int:
        """Photographs that could not be read or built (not those left out by the filter or a pair's gate)."""
        return sum(n for kind, n in self.dataset.document["rejected"].items() if kind not in FILTERED)


def make_dataset(
    recipe: DatasetRecipe,
    out: str | Path,
    *,
    root: str | Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
    on_error: OnError = "skip",
    card: bool = True,
    progress: bool = False,
) -> Built:
    """Build a paired data set, or go on with one that was interrupted.

    Args:
        recipe: what to build.
        out: the data set's folder.
        root: the source's folder; by default the source's own choice.
        workers: processes; the bytes do not depend on it.
        cluster: the address of a Ray cluster (``auto``, ``HOST:6379``), all of which builds instead; its nodes see both
            folders under the same names.
        on_error: ``skip`` lists what cannot be read in ``rejected.csv``; ``fail`` stops at the first.
        card: also write the README with pictures.
        progress: show progress on standard error.

    Raises:
        RecipeError: the recipe cannot be used, or the folder holds another one.
        StorageError: the folder cannot be written; what was built stays, and the same call goes on.
        ExposureBenchError: the source is not there, or ``on_error`` is ``fail`` and something cannot be read.
    """
    started, out = time.monotonic(), Path(out)
    if cluster is not None:
        out, root = out.absolute(), None if root is None else Path(root).absolute()
    plan, resumed = _begin(recipe, out, root)
    with _locked(out, range(plan.shards)):
        if is_finished(out):
            built = load_dataset(out)
            _restore(plan, built)
            return Built(built, plan.scenes, time.monotonic() - started, True)
        _build(plan, out, range(plan.shards), workers, on_error, progress, cluster)
        _finish(plan, out, card)
    return Built(load_dataset(out), plan.scenes, time.monotonic() - started, resumed)


@dataclass(frozen=True)
class BuiltShare:
    """A share of a data set that stands: how many of the data set's shards, and how many scenes it has."""

    shards: int
    of: int
    scenes: int
    seconds: float


def make_share(
    recipe: DatasetRecipe,
    out: str | Path,
    share: Share,
    *,
    root: str | Path | None = None,
    workers: int = 1,
    on_error: OnError = "skip",
    progress: bool = False,
) -> BuiltShare:
    """Build a share of a data set, beside other processes that build the others in the same folder.

    They may run at once or one after the other, in any order, be killed and run again; :func:`merge` then makes of
    their work what :func:`make_dataset` makes alone, the same bytes. Each walks the whole source, so that a process that
    sees other files there is refused.

    Args:
        recipe, out, root, workers, on_error, progress: as in :func:`make_dataset`.
        share: which one.

    Raises:
        RecipeError, StorageError, ExposureBenchError: as in :func:`make_dataset`.
    """
    started, out = time.monotonic(), Path(out)
    plan, _ = _begin(recipe, out, root, share)
    numbers = share.of(plan.shards)
    with _locked(out, numbers):
        if not is_finished(out):
            _build(plan, out, numbers, workers, on_error, progress)
    return BuiltShare(len(numbers), plan.shards, plan.scenes_in(numbers), time.monotonic() - started)


def merge(out: str | Path, *, card: bool = True) -> Built:
    """Make a data set of the shares that were built in its folder; the source is not needed, but for links to it.

    Raises:
        InputError: something is missing, and the message says which shares, or which part of them.
        StorageError: a share is still being built, or the folder cannot be written.
    """
    started, out = time.monotonic(), Path(out)
    if is_finished(out):
        built = load_dataset(out)
        return Built(built, built.document["source"]["scenes"], time.monotonic() - started, True)
    stored = read_json(out / MARKERS / "plan.json", "the plan of an unfinished data set")
    _check_versions(stored, out)
    plan = Plan(
        dataset_recipe(stored["recipe"]), None, stored["scenes"], 0, stored["source_fingerprint"], None,
        frozenset(), frozenset(),
    )  # fmt: skip
    with _locked(out, range(plan.shards)):
        missing = {n for n in range(plan.shards) if not stands(Shard(n, (), plan.recipe, out, "skip"))}
        if missing:
            raise InputError(
                f"{str(out)!r} lacks {len(missing)} of {plan.shards} shards: run {_command(plan, out, missing)} again, "
                "then merge"
            )
        _finish(plan, out, card)
    return Built(load_dataset(out), plan.scenes, time.monotonic() - started, False)


def _command(plan: Plan, out: Path, missing: set[int]) -> str:
    """Which command builds the missing shards: as many shares as the last one that was built says that there are."""
    try:
        count = int((out / MARKERS / "shares").read_text())
    except (OSError, ValueError):
        return "the same make-dataset command"
    shares = [str(share) for share in (Share(i, count) for i in range(count)) if missing & set(share.of(plan.shards))]
    return f"the same make-dataset command with --shard {', '.join(shares)}"


def _begin(recipe: DatasetRecipe, out: Path, root: str | Path | None, share: Share | None = None) -> tuple[Plan, bool]:
    """The plan, which the folder holds from now on, and whether it held something to go on with."""
    check(recipe)
    if root is not None and out.resolve().is_relative_to(Path(root).resolve()):
        raise RecipeError(
            f"{str(out)!r} lies inside {str(root)!r} and would be read as photographs: choose another --out"
        )
    _refuse_foreign(out)
    plan = make_plan(recipe, root)
    with _locked(out, None):
        resumed = _prepare(plan, out)
        if share is not None:
            write_text(out / MARKERS / "shares", f"{share.count}\n")
    return plan, resumed


def _finish(plan: Plan, out: Path, card: bool) -> None:
    """Write what the shards add up to; ``dataset.json`` last."""
    document = describe(plan, _write_manifests(plan, out))
    if card:
        from exposurebench.report.card import write_card

        write_card(Dataset(out, document))
    write_json(out / "dataset.json", document)


def _refuse_foreign(out: Path) -> None:
    """Leave a folder alone, down to the lock, that is neither empty nor a data set."""
    if is_finished(out) or (out / MARKERS / "plan.json").is_file() or not out.is_dir():
        return
    try:
        foreign = any(entry.name != MARKERS for entry in out.iterdir())
    except OSError as error:
        raise storage_error(out, error) from error
    if foreign:
        raise RecipeError(f"{str(out)!r} is not empty and holds no data set: choose another --out")


def _prepare(plan: Plan, out: Path) -> bool:
    """Make sure that the folder is new or holds this very plan; True if something is there to go on with."""
    path = out / MARKERS / "plan.json"
    if path.is_file():
        stored = read_json(path, "the plan of an unfinished data set")
        recipe, fingerprint = stored.get("recipe", {}), stored.get("source_fingerprint")
        if not is_finished(out):
            _check_versions(stored, out)
    elif is_finished(out):
        document = load_dataset(out).document
        recipe, fingerprint = document["recipe"], document["source"]["fingerprint"]
    else:
        write_json(path, {**plan.document(), "versions": versions()}, durable=True)
        return False
    wanted = plan.recipe.document()
    differing = [
        f"{key} {recipe.get(key)!r} there, {wanted.get(key)!r} asked"
        for key in sorted({*recipe, *wanted})
        if recipe.get(key) != wanted.get(key)
    ]
    if not differing and fingerprint != plan.fingerprint:
        differing = ["the source has other files now"]
    if differing:
        raise RecipeError(f"{str(out)!r} holds another data set ({'; '.join(differing)}): choose another --out")
    return True


def _check_versions(stored: Mapping[str, Any], out: Path) -> None:
    if stored.get("versions") != versions():
        raise RecipeError(f"{str(out)!r} was begun with other versions of the codecs: delete it and start anew")


@contextlib.contextmanager
def _locked(out: Path, numbers: range | None) -> Iterator[None]:
    """One process at a time builds a shard, and one writes the plan (None), for whose moment the others wait.

    A byte of the file ``lock`` stands for the plan, one for each shard. A file system without locks has none, and
    nothing then holds a second process off.
    """
    import fcntl

    first, length = (0, 1) if numbers is None else (1 + numbers.start, len(numbers))
    make_folder(out / MARKERS)
    try:
        stream = (out / MARKERS / "lock").open("wb")
    except OSError as error:
        raise storage_error(out, error) from error
    with stream:
        try:
            if length:  # of no bytes would be of all that follow
                fcntl.lockf(stream, fcntl.LOCK_EX | (fcntl.LOCK_NB if numbers else 0), length, first)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise StorageError(f"{str(out)!r} is being built by another process: wait for it") from error
        yield


def _shards(plan: Plan, out: Path, numbers: Collection[int], on_error: OnError) -> Iterator[Shard]:
    walk = items(plan, numbers)
    for number in numbers:
        yield Shard(number, tuple(itertools.islice(walk, plan.shard_scenes)), plan.recipe, out, on_error)


def _build(
    plan: Plan, out: Path, numbers: range, workers: int, on_error: OnError, progress: bool, cluster: str | None = None
) -> None:
    from tqdm import tqdm

    left = dict.fromkeys(n for n in numbers if not stands(Shard(n, (), plan.recipe, out, on_error)))
    shards = _shards(plan, out, left, on_error)
    if cluster is None:
        run = engine.run(build_shard, shards, workers)
    else:
        run = engine.run_on_ray(functools.partial(_build_elsewhere, versions()), shards, cluster)
    scenes = plan.scenes_in(numbers)
    done = scenes - sum(plan.scenes_in(range(n, n + 1)) for n in left)
    with (
        tqdm(
            total=scenes, initial=done, unit="photograph", disable=not progress, file=sys.stderr, dynamic_ncols=True
        ) as bar,
        contextlib.closing(run) as results,
    ):
        for shard, result in results:
            if isinstance(result, BrokenProcessPool):
                _build_one_by_one(shard)
            bar.update(len(shard.items))


def _build_elsewhere(expected: dict[str, str], shard: Shard) -> None:
    """Build a shard on another machine, which must have the versions that the pixels depend on."""
    if versions() != expected:
        raise RecipeError(f"a node of the cluster has other packages, {versions()}: expected {expected}")
    build_shard(shard)


def _build_one_by_one(shard: Shard) -> None:
    """A shard that ended its process three times: each scene in a process of its own, the guilty one rejected."""
    outcomes = []
    for single in shard.singles():
        for _, result in engine.run(build_item, [single], workers=2):
            if isinstance(result, BrokenProcessPool):
                item = single.items[0]
                names = (f"{dot}{name}" for dot in ("", ".") for name in (f"{item.key}.*", f"{item.stem}-*"))
                for side, name in itertools.product(SIDES, names):
                    for left in (shard.out / item.split / side / item.below).glob(name):
                        left.unlink()
                result = rejection(item.scene.name, "crashed", "ends the process that reads it")
            outcomes.append(result)
    close(shard, outcomes)


def _write_manifests(plan: Plan, out: Path) -> dict[str, Any]:
    found = store.write_manifests(out, (store.read_marker(marker(out, n)) for n in range(plan.shards)))
    if not found["counts"]:
        reasons = ", ".join(f"{number} {kind}" for kind, number in found["rejected"].items())
        raise InputError(
            f"none of {plan.scenes} photographs can be used ({reasons}): see {str(out / 'rejected.csv')!r}"
        )
    return found


def _restore(plan: Plan, built: Dataset) -> None:
    """Build the files again that a finished data set has lost; they must be the ones that its manifest names.

    Raises:
        InputError: the source gives other bytes now; nothing in the data set was changed.
    """
    lost: dict[str, dict[str, str]] = {}
    for split in built.splits:
        for row in built.lines(split):
            for name, digest in store.files_of(row).items():
                if not _holds_something(f"{built.folder}/{split}/{name}"):
                    lost.setdefault(row["scene"], {})[f"{split}/{name}"] = digest
    if not lost:
        return
    workshop = built.folder / MARKERS / "restored"
    for item in items(plan):
        missing = lost.pop(item.scene.name, {})
        if missing:
            build_item(Shard(0, (item,), plan.recipe, workshop, "fail"))
        for name, digest in missing.items():
            if not (workshop / name).is_file() or sha256_file(workshop / name) != digest:
                raise InputError(
                    f"{str(built.folder / name)!r} is lost and {item.scene.name!r} gives another image now: bring the "
                    "photograph back as it was, or delete the data set's folder and build it anew"
                )
            make_folder((built.folder / name).parent)
            os.replace(workshop / name, built.folder / name)


def _holds_something(path: str) -> bool:
    """Not so a link whose file is gone, and the empty file that a power cut leaves."""
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


@dataclass(frozen=True)
class Estimate:
    """What a run would do, from a few photographs built in memory."""

    scenes: int
    source_bytes: int
    kept: int
    files: int
    bytes: int
    seconds: float


def estimate(recipe: DatasetRecipe, *, root: str | Path | None = None, workers: int = 1, tries: int = 32) -> Estimate:
    """Build up to 32 scenes spread over the source into a throw-away folder and scale up."""
    import tempfile

    check(recipe)
    plan = make_plan(recipe, root)
    step = max(1, plan.scenes // tries)
    tried = kept = files = size = 0
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        for number, item in enumerate(items(plan)):
            if number % step == 0 and tried < tries:
                outcome = build_item(Shard(0, (item,), recipe, Path(folder), "skip"))
                tried, kept = tried + 1, kept + bool(outcome.get("rows"))
        seconds = time.monotonic() - started
        for path in Path(folder).rglob("*"):
            if path.is_file():
                files, size = files + 1, size + path.lstat().st_size
    scale = plan.scenes / tried
    return Estimate(
        plan.scenes, plan.source_bytes, round(kept * scale), round(files * scale), round(size * scale),
        seconds * scale / max(1, workers),
    )  # fmt: skip
