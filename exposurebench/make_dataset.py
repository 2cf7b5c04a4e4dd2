"""Photographs in, a paired data set out.

The list of scenes is walked twice (once to plan, once to build) and never held; scenes are built in shards,
each closed by a durable marker, so that whatever interrupts the work, running it again ends in the same tree.
"""

from __future__ import annotations

import array
import contextlib
import dataclasses
import hashlib
import inspect
import itertools
import json
import math
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import cv2
import numpy as np

from exposurebench import __version__, catalog, dataset, engine
from exposurebench.dataset import MARKERS, Dataset
from exposurebench.errors import ImageError, InputError, RecipeError, StorageError
from exposurebench.exposure import OVEREXPOSED, UNDEREXPOSED
from exposurebench.files import make_folder, read_json, safe_key, short_hash, storage_error, write_json, write_text
from exposurebench.images import Image, encode_image
from exposurebench.recipe import SCHEMA, DatasetRecipe, draw, parse_settings
from exposurebench.scene import Frame, Scene
from exposurebench.splits import parse_shares, split_of

OnError = Literal["skip", "fail"]
SHARD_SCENES = 64
"""Scenes in a shard of a large source; a small source makes smaller ones, so that every worker has some."""
FOLDER_SCENES = 10_000
"""Scenes in a numbered sub-folder, where a source has more than 50,000."""


@dataclass(frozen=True)
class Item:
    """One scene on its way: where it comes from and where it goes."""

    scene: Scene
    key: str
    split: str
    below: str


@dataclass(frozen=True)
class Shard:
    """Scenes that are built together and closed by one marker."""

    number: int
    items: tuple[Item, ...]
    recipe: DatasetRecipe
    out: Path
    on_error: OnError


@dataclass(frozen=True)
class Plan:
    """What one walk over the source says: which scenes, how many, and which names collide."""

    recipe: DatasetRecipe
    root: Path | None
    scenes: int
    source_bytes: int
    fingerprint: str
    last: int | None
    collisions: frozenset[int]

    @property
    def shard_scenes(self) -> int:
        """Depends on the number of scenes alone, so that a resumed run cuts the same shards."""
        return min(SHARD_SCENES, max(1, math.ceil(self.scenes / 64)))

    def document(self) -> dict[str, Any]:
        """What is stored beside the markers, to resume from."""
        return {
            "schema": SCHEMA,
            "recipe": self.recipe.document(),
            "scenes": self.scenes,
            "source_fingerprint": self.fingerprint,
            "versions": versions(),
        }


@dataclass(frozen=True)
class Built:
    """A finished data set, and what this run did for it."""

    dataset: Dataset
    scenes: int
    seconds: float
    resumed: bool

    @property
    def failed(self) -> int:
        """Photographs that could not be read or built (not those left out by the filter)."""
        return sum(n for kind, n in self.dataset.document["rejected"].items() if kind != "not well exposed")


def make_dataset(
    recipe: DatasetRecipe,
    out: str | Path,
    *,
    root: str | Path | None = None,
    workers: int = 1,
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
        on_error: ``skip`` lists what cannot be read in ``rejected.csv``; ``fail`` stops at the first.
        card: also write the README with pictures.
        progress: show progress on standard error.

    Raises:
        RecipeError: the recipe cannot be used, or the folder holds another one.
        StorageError: the folder cannot be written; what was built stays, and the same call goes on.
        ExposureBenchError: the source is not there, or ``on_error`` is ``fail`` and something cannot be read.
    """
    started = time.monotonic()
    out = Path(out)
    check(recipe)
    if root is not None and out.resolve().is_relative_to(Path(root).resolve()):
        raise RecipeError(
            f"{str(out)!r} lies inside {str(root)!r} and would be read as photographs: choose another --out"
        )
    _refuse_foreign(out)
    plan = make_plan(recipe, root)
    with _locked(out):
        resumed = _prepare(plan, out)
        if (out / "dataset.json").is_file():
            return Built(dataset.load_dataset(out), plan.scenes, time.monotonic() - started, True)
        _build(plan, out, workers, on_error, progress)
        document = _describe(plan, out)
        if card:
            from exposurebench.report.card import write_card

            write_card(Dataset(out, document))
        write_json(out / "dataset.json", document, durable=True)
    return Built(dataset.load_dataset(out), plan.scenes, time.monotonic() - started, resumed)


def check(recipe: DatasetRecipe) -> None:
    """Try the pairing and the split on a small gray picture, so that bad settings are known at once.

    Raises:
        RecipeError: the settings cannot be used; the message is the plug-in's.
    """
    gray = Frame(Path("gray.png"), image=Image(np.full((4, 4, 3), 128, np.uint8)))
    try:
        for _ in make_pairs(dataclasses.replace(recipe, size=None), Scene("gray", (gray,))):
            pass
        if "=" in recipe.split or recipe.split not in (*dataset.SPLITS, "official"):
            parse_shares(recipe.split)
    except ValueError as error:
        raise RecipeError(str(error)) from error


def make_pairs(recipe: DatasetRecipe, scene: Scene) -> Iterator[Any]:
    """The pairs of a scene that was read: resized, then paired, every random number drawn from its names."""
    entry = catalog.load("pairing", recipe.pair)
    settings = dict(recipe.pair_settings)
    if "seed" in entry.parameters():
        settings["seed"] = draw(recipe.seed, recipe.source, scene.name, "pair")
    resized = scene.resize(recipe.size, recipe.crop, draw(recipe.seed, recipe.source, scene.name, "crop"))
    yield from entry.function()(resized, **settings)


# ---- planning ------------------------------------------------------------------------------------------


def make_plan(recipe: DatasetRecipe, root: str | Path | None = None) -> Plan:
    """Walk the source once: count, choose for ``limit``, fingerprint, find names that collide."""
    draws, keys = array.array("Q"), array.array("Q")
    for scene in _source(recipe, root):
        keys.append(_key_hash(_key(scene.name)))
        if recipe.limit is not None:
            draws.append(draw(recipe.seed, "limit", scene.name))
    last = None
    if recipe.limit is not None and recipe.limit < len(draws):
        last = int(np.partition(np.frombuffer(draws, np.uint64), recipe.limit - 1)[recipe.limit - 1])
    found, counts = np.unique(np.frombuffer(keys, np.uint64), return_counts=True)
    digest, scenes, size = hashlib.sha256(), 0, 0
    for scene in _chosen(recipe, root, last):
        scenes += 1
        digest.update(f"{scene.name}\0".encode("utf-8", "surrogateescape"))
        for frame in scene.frames:
            length = _size(frame.path)
            size += length
            digest.update(f"{length}\n".encode())
    if not scenes:
        raise InputError(f"{recipe.source}: no files in {str(root)!r}: give the photographs' folder with --root")
    return Plan(
        recipe, None if root is None else Path(root), scenes, size, digest.hexdigest(), last,
        frozenset(found[counts > 1].tolist()),
    )  # fmt: skip


def _source(recipe: DatasetRecipe, root: str | Path | None) -> Iterator[Scene]:
    function = catalog.load("sources", recipe.source).function()
    if root is None and inspect.signature(function).parameters["root"].default is inspect.Parameter.empty:
        raise RecipeError(f"the source {recipe.source} needs a folder: give it with --root")
    yield from (function(**recipe.source_settings) if root is None else function(root, **recipe.source_settings))


def _chosen(recipe: DatasetRecipe, root: str | Path | None, last: int | None) -> Iterator[Scene]:
    for scene in _source(recipe, root):
        if last is None or draw(recipe.seed, "limit", scene.name) <= last:
            yield scene


def _items(plan: Plan) -> Iterator[Item]:
    recipe = plan.recipe
    for number, scene in enumerate(_chosen(recipe, plan.root, plan.last)):
        key = _key(scene.name)
        if _key_hash(key) in plan.collisions:
            key = f"{key}-{short_hash(scene.name)}"
        below = f"{number // FOLDER_SCENES:04d}/" if plan.scenes > 50_000 else ""
        yield Item(scene, key, split_of(scene.name, scene.split, recipe.split, recipe.seed), below)


def _key(name: str) -> str:
    return safe_key(str(PurePosixPath(name).with_suffix("")))


def _key_hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


# ---- building ------------------------------------------------------------------------------------------


def _refuse_foreign(out: Path) -> None:
    """Leave a folder alone, down to the lock, that is neither empty nor a data set."""
    if (out / "dataset.json").is_file() or (out / MARKERS / "plan.json").is_file() or not out.is_dir():
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
        if not (out / "dataset.json").is_file() and stored.get("versions") != plan.document()["versions"]:
            raise RecipeError(f"{str(out)!r} was begun with other versions of the codecs: delete it and start anew")
    elif (out / "dataset.json").is_file():
        document = dataset.load_dataset(out).document
        recipe, fingerprint = document["recipe"], document["source"]["fingerprint"]
    else:
        write_json(path, plan.document(), durable=True)
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


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One process at a time builds in a folder."""
    import fcntl

    make_folder(out / MARKERS)
    try:
        stream = (out / MARKERS / "lock").open("wb")
    except OSError as error:
        raise storage_error(out, error) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(f"{str(out)!r} is being built by another process: wait for it") from error
        yield


def _marker(out: Path, number: int) -> Path:
    return out / MARKERS / f"shard-{number:06d}.json"


def _shards(plan: Plan, out: Path, on_error: OnError) -> Iterator[Shard]:
    items: list[Item] = []
    number = 0
    for item in _items(plan):
        items.append(item)
        if len(items) == plan.shard_scenes:
            yield Shard(number, tuple(items), plan.recipe, out, on_error)
            number, items = number + 1, []
    if items:
        yield Shard(number, tuple(items), plan.recipe, out, on_error)


def _build(plan: Plan, out: Path, workers: int, on_error: OnError, progress: bool) -> None:
    from tqdm import tqdm

    shards = _shards(plan, out, on_error)
    with tqdm(total=plan.scenes, unit="photograph", disable=not progress, file=sys.stderr, dynamic_ncols=True) as bar:

        def unfinished() -> Iterator[Shard]:
            for shard in shards:
                if _marker(out, shard.number).is_file():
                    bar.update(len(shard.items))
                else:
                    yield shard

        with contextlib.closing(engine.run(build_shard, unfinished(), workers)) as results:
            for shard, result in results:
                if isinstance(result, BrokenProcessPool):
                    _build_one_by_one(shard)
                bar.update(len(shard.items))


def build_shard(shard: Shard) -> None:
    """Build and write every scene of a shard, then its marker."""
    _close(shard, [build_item(single) for single in _singles(shard)])


def build_item(shard: Shard) -> dict[str, Any]:
    """Build a shard's first scene: its manifest rows, or why it was left out."""
    item, recipe = shard.items[0], shard.recipe
    name, failure = item.scene.name, "unreadable"
    try:
        scene = item.scene.read()
        over, under = badly_exposed_shares(scene.frames[0].pixels) if len(scene.frames) == 1 else (0.0, 0.0)
        numbers = {"overexposed": round(over, 6), "underexposed": round(under, 6)}
        if over + under > recipe.well_exposed:
            return _rejection(name, "not well exposed", f"not well exposed (limit {recipe.well_exposed:g})", **numbers)
        failure = "not paired"
        pairs = make_pairs(recipe, scene)
        rows = dataset.write_pairs(shard.out, item.split, item.key, item.below, pairs, recipe)
    except (ImageError, ValueError, MemoryError, cv2.error) as error:
        if shard.on_error == "fail":
            raise InputError(f"{name!r} {error}; leave it out with --on-error skip") from error
        return _rejection(name, failure, str(error))
    about = {
        "scene": name,
        "license": item.scene.license or "not stated",
        "notes": "; ".join(scene.frames[0].pixels.notes) or "none",
    }
    return {"rows": [{**row, **about, **numbers, "_split": item.split} for row in rows], "split": item.split}


def badly_exposed_shares(image: Image) -> tuple[float, float]:
    """The shares of pixels whose brightest channel is >= 250 or <= 5 of 255.

    >>> badly_exposed_shares(Image(np.array([[[255, 0, 0], [5, 5, 5], [9, 9, 9], [90, 0, 0]]], np.uint8)))
    (0.25, 0.25)
    """
    height, width = image.pixels.shape[:2]
    pixels, top = height * width, (1 << image.bit_depth) - 1
    over = image.count_above(round(OVEREXPOSED * top) - 1)
    return over / pixels, (pixels - image.count_above(round(UNDEREXPOSED * top))) / pixels


def _rejection(source: str, kind: str, reason: str, **numbers: float) -> dict[str, Any]:
    return {"rejected": {"source": source, "kind": kind, "reason": reason, **numbers}}


def _singles(shard: Shard) -> Iterator[Shard]:
    for item in shard.items:
        yield dataclasses.replace(shard, items=(item,))


def _build_one_by_one(shard: Shard) -> None:
    """A shard that ended its process three times: each scene in a process of its own, the guilty one rejected."""
    outcomes = []
    for single in _singles(shard):
        for _, result in engine.run(build_item, [single], workers=2):
            if isinstance(result, BrokenProcessPool):
                item = single.items[0]
                for side, name in itertools.product(("input", "target"), (f"{item.key}.*", f".{item.key}.*")):
                    for left in (shard.out / item.split / side / item.below).glob(name):
                        left.unlink()
                result = _rejection(item.scene.name, "crashed", "ends the process that reads it")
            outcomes.append(result)
    _close(shard, outcomes)


def _close(shard: Shard, outcomes: list[dict[str, Any]]) -> None:
    photographs: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.get("rows"):
            photographs[outcome["split"]] = photographs.get(outcome["split"], 0) + 1
    marker = {
        "rows": [row for outcome in outcomes for row in outcome.get("rows", ())],
        "rejected": [outcome["rejected"] for outcome in outcomes if "rejected" in outcome],
        "photographs": photographs,
    }
    write_text(_marker(shard.out, shard.number), json.dumps(marker, allow_nan=False), durable=True)


def _describe(plan: Plan, out: Path) -> dict[str, Any]:
    """Assemble the manifests and say everything about the data set that does not depend on how it was made."""
    shards = math.ceil(plan.scenes / plan.shard_scenes)
    found = dataset.write_manifests(out, (dataset.read_marker(_marker(out, n)) for n in range(shards)))
    if not found["counts"]:
        raise InputError(
            f"none of {plan.scenes} photographs can be used ({_spelled(found['rejected'])}): see "
            f"{str(out / 'rejected.csv')!r}"
        )
    source, pairing = catalog.load("sources", plan.recipe.source), catalog.load("pairing", plan.recipe.pair)
    return {
        "format": dataset.FORMAT,
        "schema": SCHEMA,
        "name": default_name(plan.recipe),
        "title": plan.recipe.title or f"{source.fact('TITLE')}; {pairing.fact('TITLE')}",
        "recipe": plan.recipe.document(),
        "command": canonical_command(plan.recipe),
        "source": {
            **{key.lower(): source.fact(key) for key in ("TITLE", "URL", "LICENSE", "CITATION")},
            "scenes": plan.scenes,
            "fingerprint": plan.fingerprint,
        },
        "pairing": {key.lower(): pairing.fact(key) for key in ("TITLE", "TAKES", "GIVES", "REFERENCE")},
        **found,
        "versions": versions(),
    }


def _spelled(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in reasons.items())


def versions() -> dict[str, str]:
    """The versions of everything that the pixels depend on."""
    from importlib.metadata import version

    packages = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")
    return {"exposurebench": __version__, **{name: version(name) for name in packages}}


def default_name(recipe: DatasetRecipe) -> str:
    """What a data set is called when nobody says: its source and its settings that matter.

    >>> default_name(DatasetRecipe("places365", pair_settings={"tau": 0.5}))
    'places365-tau0.5'
    """
    tau = recipe.pair_settings.get("tau")
    if tau is None:
        return f"{recipe.source}-{recipe.pair.replace('/', '-').replace('_', '-')}"
    text = "-".join(f"{t:g}" for t in tau) if isinstance(tau, list) else f"{tau:g}" if not isinstance(tau, str) else tau
    return f"{recipe.source}-tau{text.replace(':', '-').replace(',', '-')}"


def canonical_command(recipe: DatasetRecipe) -> str:
    """The command that makes this data set anywhere: no paths, workers or shards.

    >>> canonical_command(DatasetRecipe("folder", size=256, pair_settings={"tau": 0.5}))
    'exposurebench make-dataset folder --set size=256 --set tau=0.5'
    """
    plain = DatasetRecipe(recipe.source)
    words = ["exposurebench", "make-dataset", recipe.source]
    for item in dataclasses.fields(DatasetRecipe):
        value = getattr(recipe, item.name)
        if not item.name.endswith("_settings") and item.name != "source" and value != getattr(plain, item.name):
            words += ["--set", f"{item.name}={_toml(value)}"]
    for kind, name, settings in (
        ("pairing", recipe.pair, recipe.pair_settings),
        ("sources", recipe.source, recipe.source_settings),
    ):
        parameters = catalog.load(kind, name).parameters()
        for key, value in settings.items():
            if key == "tau" or value != parameters[key].default:
                words += ["--set", f"{key}={_toml(value)}"]
    return shlex.join(words)


def _toml(value: Any) -> str:
    """A value that ``--set`` reads back as it is: text that would be read as something else is quoted."""
    if isinstance(value, str) and parse_settings([f"key={value}"])["key"] == value:
        return value
    return json.dumps(value)


# ---- rebuilding and trying -----------------------------------------------------------------------------


def rebuild(folder: str | Path, number: int, *, root: str | Path | None = None, seed: int = 0) -> Iterator[str]:
    """Build some pairs of a data set again from their sources and say what differs, a line each.

    Args:
        folder: the data set.
        number: how many scenes, drawn evenly by the seed.
        root: the source's folder.
        seed: which scenes.
    """
    built = dataset.load_dataset(folder)
    recipe = built.recipe()
    stored: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for split in built.splits:
        for row in built.rows(split):
            stored.setdefault(row["scene"], []).append((split, row))
    wanted = set(sorted(stored, key=lambda name: draw(seed, "rebuild", name))[:number])
    for scene in _source(recipe, root):
        name = scene.name
        if name not in wanted:
            continue
        wanted.discard(name)
        try:
            pairs = list(make_pairs(recipe, scene.read()))
            if len(pairs) != len(stored[name]):
                yield f"{name}: gives {len(pairs)} pairs, the data set has {len(stored[name])}"
            for pair, (split, row) in zip(pairs, stored[name], strict=False):
                for side, image in (("input", pair.input), ("target", pair.target)):
                    levels = image.as_levels()
                    if recipe.format == "jpg" and image.file is None:
                        levels = dataset.decoded(encode_image(levels, recipe.format, recipe.quality))
                    if not np.array_equal(getattr(built, f"read_{side}")(split, row).pixels, levels):
                        yield f"{name}: the {side} {split}/{row[f'{side}_file_name']} is not what its source gives"
        except (InputError, ValueError) as error:
            yield f"{name}: {error}"
    for name in sorted(wanted):
        yield f"{name}: is not in the source"


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
        for number, item in enumerate(_items(plan)):
            if number % step == 0 and tried < tries:
                outcome = build_item(Shard(0, (item,), recipe, Path(folder), "skip"))
                tried, kept = tried + 1, kept + bool(outcome.get("rows"))
        seconds = time.monotonic() - started
        for path in Path(folder).rglob("*"):
            if path.is_file():
                files, size = files + 1, size + path.stat().st_size
    scale = plan.scenes / tried
    return Estimate(
        plan.scenes, plan.source_bytes, round(kept * scale), round(files * scale), round(size * scale),
        seconds * scale / max(1, workers),
    )  # fmt: skip
