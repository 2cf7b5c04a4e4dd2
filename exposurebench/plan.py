"""What a recipe asks of a source: which scenes, under which names, and the pairs of each.

The list of scenes is walked anew each time and never held.
"""

from __future__ import annotations

import array
import dataclasses
import hashlib
import inspect
import math
import os
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench import augmentation, catalog
from exposurebench.dataset import SPLITS
from exposurebench.errors import InputError, RecipeError
from exposurebench.files import safe_key, short_hash, split_suffix
from exposurebench.images import Image
from exposurebench.pairing import numbers
from exposurebench.recipe import SCHEMA, DatasetRecipe, draw
from exposurebench.scene import Frame, Pair, Rejected, Scene
from exposurebench.splits import counted, parse_shares, position, split_of

SHARD_SCENES = 64
"""Scenes in a shard of a large source; a small source makes smaller ones, so that every worker has some."""
FOLDER_SCENES = 10_000
"""Scenes in a numbered sub-folder, where a source has more than 50,000."""


@dataclass(frozen=True)
class Item:
    """One scene on its way: where it comes from and where it goes.

    Attributes:
        scene: what the source gives.
        key: what its files are called where nothing tells its pairs apart.
        stem: what comes before a pair's name: the key, with a hash where another scene's key goes on as this one's
            pairs may (``a`` with the pair ``ev1``, beside ``a-ev1``).
        split: its split.
        below: its numbered sub-folder, if any.
    """

    scene: Scene
    key: str
    stem: str
    split: str
    below: str


@dataclass(frozen=True)
class Plan:
    """What one walk over the source says: which scenes, how many, which names collide, and which begin others."""

    recipe: DatasetRecipe
    root: Path | None
    scenes: int
    source_bytes: int
    fingerprint: str
    last: int | None
    collisions: frozenset[int]
    beginnings: frozenset[int]
    positions: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64), compare=False)

    @property
    def shard_scenes(self) -> int:
        """Depends on the number of scenes alone, so that a resumed run cuts the same shards."""
        return min(SHARD_SCENES, max(1, math.ceil(self.scenes / 64)))

    @property
    def shards(self) -> int:
        """How many shards that makes."""
        return math.ceil(self.scenes / self.shard_scenes)

    def scenes_in(self, shards: range) -> int:
        """How many scenes neighbouring shards have."""
        first, end = (min(self.scenes, number * self.shard_scenes) for number in (shards.start, shards.stop))
        return end - first

    def document(self) -> dict[str, Any]:
        """What is stored beside the markers, to resume from."""
        return {
            "schema": SCHEMA,
            "recipe": self.recipe.document(),
            "scenes": self.scenes,
            "source_fingerprint": self.fingerprint,
        }


def check(recipe: DatasetRecipe) -> None:
    """Try the pairing and the split on a small gray picture (or gray light), so that bad settings are known at once.

    Raises:
        RecipeError: the settings cannot be used; the message is the plug-in's.
    """
    entry = catalog.load("pairing", recipe.pair)
    picture, light = Image(np.full((4, 4, 3), 128, np.uint8)), Image(np.full((4, 4, 3), 0.18, np.float32), 16, "linear")
    taken = light if entry.fact("TAKES") == "linear" else picture
    target, ev = recipe.pair_settings.get("target"), recipe.pair_settings.get("ev")
    try:
        if recipe.augment is not None:
            augmentation.check(recipe.augment)
        exposure = numbers("ev", ev)[0] if ev is not None else None
        frames = [Frame(Path("gray"), exposure, taken, taken.encoding)]
        if target:  # the pairing may ask for a finished picture: there is one, of the kind that it gives
            finished = light if entry.fact("GIVES") == "linear" else picture
            frames.append(Frame(Path("gray"), image=finished, encoding=finished.encoding, role=target))
        for _ in make_pairs(dataclasses.replace(recipe, size=None), Scene("gray", tuple(frames))):
            pass
        if "=" in recipe.split or recipe.split not in (*SPLITS, "official"):
            parse_shares(recipe.split)
    except ValueError as error:
        raise RecipeError(str(error)) from error


def make_pairs(recipe: DatasetRecipe, scene: Scene, split: str = "train") -> Iterator[Pair | Rejected]:
    """The pairs of a scene that was read: resized, then paired, every random number drawn from its names.

    Outside the test split they are augmented, where the recipe says so.
    """
    entry = catalog.load("pairing", recipe.pair)
    settings = dict(recipe.pair_settings)
    if "seed" in entry.parameters():
        settings["seed"] = draw(recipe.seed, recipe.source, scene.name, "pair")
    resized = scene.resize(recipe.size, recipe.crop, draw(recipe.seed, recipe.source, scene.name, "crop"))
    pairs = entry.function()(resized, **settings)
    yield from pairs if recipe.augment is None else _augmented(recipe, scene.name, split, pairs)


def _augmented(
    recipe: DatasetRecipe, scene: str, split: str, pairs: Iterator[Pair | Rejected]
) -> Iterator[Pair | Rejected]:
    held: list[Pair] = []  # so that their images' ids stay their own
    done: dict[tuple[int, str], Image] = {}
    for pair in pairs:
        if isinstance(pair, Rejected):
            yield pair
        elif split == "test":
            yield dataclasses.replace(pair, facts={**pair.facts, "augmentation": "none"})
        else:
            held.append(pair)
            seed = draw(recipe.seed, recipe.source, scene, pair.name, "augment")
            yield from augmentation.augment_pair(pair, str(recipe.augment), seed=seed, done=done)


class _Census:
    """How many scenes there are, the size of their files, and a hash of names and sizes."""

    def __init__(self, recipe: DatasetRecipe) -> None:
        self.scenes, self.bytes, self.digest = 0, 0, hashlib.sha256()
        self._seed, self._wanted = recipe.seed, counted(parse_shares(recipe.split)) if "=" in recipe.split else 0
        self._positions = array.array("Q")

    def add(self, scene: Scene) -> None:
        self.scenes += 1
        if self._wanted:
            self._positions.append(position(scene.name, self._seed))
        sizes = [_size(path) for path in dict.fromkeys(frame.path for frame in scene.frames)]
        self.bytes += sum(sizes)
        lines = "".join(f"{size}\n" for size in sizes)
        self.digest.update(f"{scene.name}\0{lines}".encode("utf-8", "surrogateescape"))

    def positions(self) -> NDArray[np.uint64]:
        """Those of all scenes, in order, where the split counts scenes; else none.

        Raises:
            RecipeError: it counts others than there are.
        """
        if self._wanted and self._wanted != self.scenes:
            raise RecipeError(
                f"the split counts {self._wanted} scenes, and the source has {self.scenes}: make them agree"
            )
        return np.sort(np.frombuffer(self._positions, np.uint64))


def make_plan(recipe: DatasetRecipe, root: str | Path | None = None) -> Plan:
    """Walk the source: count, choose for ``limit`` (then a second time), fingerprint, find names that collide."""
    draws, keys, beginnings = array.array("Q"), array.array("Q"), array.array("Q")
    census, last = _Census(recipe), None
    for number, scene in enumerate(scenes_of(recipe, root)):
        if not number:
            _check_encoding(recipe, scene)
            _check_target(recipe, scene)
        key = _key(scene.name)
        keys.append(_key_hash(key))
        if "-" in key:
            beginnings.extend(_key_hash(key[:end]) for end, letter in enumerate(key) if letter == "-")
        if recipe.limit is None:
            census.add(scene)
        else:
            draws.append(draw(recipe.seed, "limit", scene.name))
    if recipe.limit is not None:
        if recipe.limit < len(draws):
            last = int(np.partition(np.frombuffer(draws, np.uint64), recipe.limit - 1)[recipe.limit - 1])
        for scene in _chosen(recipe, root, last):
            census.add(scene)
    found, counts = np.unique(np.frombuffer(keys, np.uint64), return_counts=True)
    if not census.scenes:
        layout = catalog.load("sources", recipe.source).fact("LAYOUT")
        raise InputError(
            f"{recipe.source}: no files in {str(root)!r} that it takes: give the photographs' folder with --root ({layout})"
        )
    return Plan(
        recipe, None if root is None else Path(root), census.scenes, census.bytes, census.digest.hexdigest(), last,
        frozenset(found[counts > 1].tolist()),
        frozenset(np.intersect1d(found, np.array(beginnings, np.uint64)).tolist()), census.positions(),
    )  # fmt: skip


def _check_encoding(recipe: DatasetRecipe, scene: Scene) -> None:
    takes = catalog.load("pairing", recipe.pair).fact("TAKES")
    if all(frame.encoding != takes for frame in scene.frames):
        words = {"srgb": "display-encoded photographs", "linear": "light (RAW files, radiance maps, computed scenes)"}
        raise RecipeError(
            f"the pairing {recipe.pair} takes {words[takes]}, and the source {recipe.source} gives "
            f"{words[scene.frames[0].encoding]}: choose another source or --pair"
        )


def _check_target(recipe: DatasetRecipe, scene: Scene) -> None:
    """A target must be a finished picture that the source gives, or what the pairing makes itself."""
    target, roles = recipe.pair_settings.get("target"), [frame.role for frame in scene.frames if frame.role]
    module = catalog.load("pairing", recipe.pair).module
    made = module.targets(bool(recipe.pair_settings.get("light"))) if hasattr(module, "targets") else ()
    if target is not None and target not in ("auto", *made, *roles):
        others = ", ".join(recipe.source_settings)
        raise RecipeError(
            f"the source {recipe.source} gives no finished picture {target!r}: target may be "
            f"{', '.join(['auto', *made, *roles])}{f' (its settings: {others}; see exposurebench sources)' if others else ''}"
        )


def scenes_of(recipe: DatasetRecipe, root: str | Path | None) -> Iterator[Scene]:
    entry = catalog.load("sources", recipe.source)
    function, settings = entry.function(), dict(recipe.source_settings)
    if "seed" in entry.parameters():
        settings["seed"] = recipe.seed
    if root is None and inspect.signature(function).parameters["root"].default is inspect.Parameter.empty:
        raise RecipeError(f"the source {recipe.source} needs a folder: give it with --root")
    yield from (function(**settings) if root is None else function(root, **settings))


def default_root(source: str) -> Path | None:
    """Where the command line looks for a source's files: nowhere, where the source has its own."""
    own = inspect.signature(catalog.load("sources", source).function()).parameters["root"].default
    return None if own is None else Path("data", source)


def _chosen(recipe: DatasetRecipe, root: str | Path | None, last: int | None) -> Iterator[Scene]:
    for scene in scenes_of(recipe, root):
        if last is None or draw(recipe.seed, "limit", scene.name) <= last:
            yield scene


def items(plan: Plan, shards: Container[int] | None = None) -> Iterator[Item]:
    """The scenes on their way: all of them, or those of some shards."""
    recipe, together = plan.recipe, plan.shard_scenes
    for number, scene in enumerate(_chosen(recipe, plan.root, plan.last)):
        if shards is not None and number // together not in shards:
            continue
        stem = key = _key(scene.name)
        known = _key_hash(key)
        if known in plan.beginnings or known in plan.collisions:
            stem = f"{key}-{short_hash(scene.name)}"
            key = stem if known in plan.collisions else key
        below = f"{number // FOLDER_SCENES:04d}/" if plan.scenes > 50_000 else ""
        place = int(plan.positions.searchsorted(position(scene.name, recipe.seed))) if plan.positions.size else 0
        split = split_of(scene.name, scene.split, recipe.split, recipe.seed, place)
        yield Item(scene, key, stem, split, below)


def _key(name: str) -> str:
    return safe_key(split_suffix(name)[0])


def _key_hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def _size(path: str | Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
