"""More pairs out of a pair: crops, flips and turns of both sides, colour jitter of the input.

Pure functions of arrays and a seed, to be used while training; a data set recipe's ``augment`` applies them to every
pair outside the test split when the data set is built.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.color import REC601, weighted
from exposurebench.errors import unknown_name
from exposurebench.images import Image
from exposurebench.scene import Pair

Array = NDArray[Any]

TURNS: dict[str, Callable[[Array], Array]] = {
    "whole": lambda a: a,
    "h": lambda a: a[:, ::-1],
    "v": lambda a: a[::-1],
    "hv": lambda a: a[::-1, ::-1],
    "rot90": lambda a: np.rot90(a, 1),
    "rot180": lambda a: np.rot90(a, 2),
    "rot270": lambda a: np.rot90(a, 3),
    "transpose": lambda a: a.swapaxes(0, 1),
    "antitranspose": lambda a: np.rot90(a, 2).swapaxes(0, 1),
}
"""Left to right, upside down, quarter turns to the left, and both diagonals; ``hv`` and ``rot180`` are the same."""
PAPER2_TURNS = ("whole", "h", "v", "hv", "rot90", "rot180", "rot270")
DIHEDRAL = ("whole", "h", "v", "rot90", "rot180", "rot270", "transpose", "antitranspose")
_CHOICE = 1
"""The stream that a version is drawn from, beside the one of its amounts."""
FLIP_SHARE, JITTER_SHARE, JITTER = 0.5, 0.2, 0.2
NAMES = ("paper1", "paper1/corrected", "paper2", "paper2/corrected")


@dataclass(frozen=True, eq=False)
class Augmented:
    """One augmented version of a pair's sides.

    Attributes:
        name: what was done, as a file's name may say it; empty where nothing was.
        sides: by name, as given, contiguous.
        geometry: by side, what was done to the places of its pixels; sides of one geometry still match.
        settings: what was drawn.
    """

    name: str
    sides: dict[str, Array]
    geometry: dict[str, str]
    settings: dict[str, float]


def augment(sides: Mapping[str, Array], how: str, *, seed: int = 0) -> Iterator[Augmented]:
    """The augmented versions of one pair.

    ``paper2``: square crops as wide as the short side along the long one, the last flush with the end (two of a
    3:2 picture), each in seven orientations: 14, of which two are doubles (both flips are the half turn).
    ``paper2/corrected``: the eight of the dihedral group: 16, all different. ``paper1``: one version, the input alone
    flipped with probability 0.5, its colours jittered with 0.2; ``paper1/corrected`` flips all sides or none, so that
    they still match.

    Args:
        sides: ``(H, W, C)`` arrays of one height and width by name, ``input`` among them; integers, or floats in
            [0, 1] where jittered.
        how: one of :data:`NAMES`.
        seed: for what is drawn (paper 1); the same seed gives the same.

    Yields:
        New arrays; those given are not changed.

    Raises:
        ValueError: an unknown name, or sides of different sizes.

    Source: paper 1, section on augmentation; paper 2, section 3.1 and its program. Paper 1 gives no amounts of jitter:
    0.2 of brightness, contrast, saturation and hue are the defaults of the library that its template uses.

    >>> pair = {"input": np.zeros((4, 6, 3)), "target": np.zeros((4, 6, 3))}
    >>> [len(list(augment(pair, how))) for how in NAMES]
    [1, 1, 14, 16]
    """
    for number in range(_count(sides, how)):
        yield _version(sides, how, number, seed)


def draw_augmented(sides: Mapping[str, Array], how: str, *, seed: int = 0) -> Augmented:
    """One of what :func:`augment` gives, all alike probable: for training, which comes by every pair many times.

    Raises:
        ValueError: an unknown name, or sides of different sizes.

    >>> draw_augmented({"input": np.zeros((4, 6, 3))}, "paper2", seed=1).name
    'crop1-whole'
    """
    return _version(sides, how, int(np.random.default_rng((seed, _CHOICE)).integers(_count(sides, how))), seed)


def _count(sides: Mapping[str, Array], how: str) -> int:
    """How many versions there are."""
    check(how)
    shapes = {array.shape[:2] for array in sides.values()}
    if len(shapes) != 1 or "input" not in sides:
        raise ValueError(f"expected an input and other sides of its size, not {sorted(sides)} of {sorted(shapes)}")
    if not how.startswith("paper2"):
        return 1
    ((height, width),) = shapes
    crops: int = math.ceil(max(height, width) / min(height, width))
    return crops * len(_turns(how))


def _version(sides: Mapping[str, Array], how: str, number: int, seed: int) -> Augmented:
    if how.startswith("paper2"):
        crop, turn = divmod(number, len(_turns(how)))
        return _cropped_and_turned(sides, crop, _turns(how)[turn])
    return _flipped_and_jittered(sides, joint=how.endswith("corrected"), rng=np.random.default_rng(seed))


def _turns(how: str) -> tuple[str, ...]:
    return DIHEDRAL if how.endswith("corrected") else PAPER2_TURNS


def check(how: str) -> None:
    """Refuse what is no augmentation.

    Raises:
        ValueError: an unknown name; it lists the known.
    """
    if how not in NAMES:
        raise ValueError(unknown_name("augmentation", how, NAMES))


def augment_pair(
    pair: Pair, how: str, *, seed: int = 0, done: dict[tuple[int, str], Image] | None = None
) -> Iterator[Pair]:
    """The augmented versions of a pair, named after what was done; the fact ``augmentation`` says it.

    Args:
        pair: images of one size.
        how: one of :data:`NAMES`.
        seed: for what is drawn.
        done: holds what became of targets, so that pairs that share one still do.
    """
    images = pair.sides()
    done = {} if done is None else done
    for version in augment({name: image.pixels for name, image in images.items()}, how, seed=seed):
        made: dict[str, Any] = {}
        for side, image in images.items():
            place, pixels = version.geometry[side], version.sides[side]
            new = dataclasses.replace(image, pixels=pixels, file=None, saturated=None)
            if side == "input":
                made[side] = new if place or version.settings else image
            else:
                made[side] = done.setdefault((id(image), place), new if place else image)
        shared = {
            side: _joined(pair.shared_names.get(side, ""), place)
            for side, place in version.geometry.items()
            if side != "input"
        }
        yield dataclasses.replace(
            pair,
            **made,
            name=_joined(pair.name, version.name),
            facts={**pair.facts, "augmentation": version.name or "none"},
            shared_names=shared,
        )


def _joined(*parts: str) -> str:
    return "_".join(filter(None, parts))


def _cropped_and_turned(sides: Mapping[str, Array], crop: int, turn: str) -> Augmented:
    height, width = sides["input"].shape[:2]
    side, longest = min(height, width), max(height, width)
    start = min(crop * side, longest - side)
    top, left = (start, 0) if height > width else (0, start)
    name = f"crop{crop}-{turn}"
    made = {
        key: np.ascontiguousarray(TURNS[turn](array[top : top + side, left : left + side]))
        for key, array in sides.items()
    }
    return Augmented(name, made, dict.fromkeys(sides, name), {})


def _flipped_and_jittered(sides: Mapping[str, Array], *, joint: bool, rng: np.random.Generator) -> Augmented:
    flip, jitter = rng.random() < FLIP_SHARE, rng.random() < JITTER_SHARE
    amounts = dict(zip(("brightness", "contrast", "saturation", "hue"), rng.uniform(-JITTER, JITTER, 4), strict=True))
    settings = {name: float(amount) for name, amount in amounts.items()} if jitter else {}
    geometry = {side: "h" if flip and (joint or side == "input") else "" for side in sides}
    made = {s: np.ascontiguousarray(a[:, ::-1]) if geometry[s] else a.copy() for s, a in sides.items()}
    if jitter:
        made["input"] = jittered(made["input"], **settings)
    name = "-".join(word for word, done in (("h", flip), ("jitter", jitter)) if done)
    return Augmented(name, made, geometry, settings)


def jittered(display: Array, *, brightness: float, contrast: float, saturation: float, hue: float) -> Array:
    """Colours changed in this order; every amount is 0 for no change.

    ``x * (1 + brightness)``, then away from the mean gray by ``1 + contrast``, then away from each pixel's gray by
    ``1 + saturation``, then the hue turned by ``hue`` of a circle; clipped to [0, 1] after each.

    Args:
        display: ``(H, W, 3)``, integers of 8 or 16 bits, or float32 in [0, 1].
        brightness: above -1.
        contrast: above -1.
        saturation: above -1.
        hue: in turns, in [-0.5, 0.5].

    Returns:
        As given: integers are rounded once.

    >>> gray = np.full((1, 1, 3), 100, np.uint8)
    >>> jittered(gray, brightness=0.2, contrast=0, saturation=0.5, hue=0.1)[0, 0].tolist()
    [120, 120, 120]
    """
    top = np.float32(1 if display.dtype.kind == "f" else np.iinfo(display.dtype).max)
    values = (display.astype(np.float32) / top * np.float32(1 + brightness)).clip(0, 1)
    mean = np.float32(_gray(values).mean())
    values = (mean + (values - mean) * np.float32(1 + contrast)).clip(0, 1)
    gray = _gray(values)[..., None]
    values = (gray + (values - gray) * np.float32(1 + saturation)).clip(0, 1)
    if hue:
        hsv = cv2.cvtColor(values, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + np.float32(360 * hue)) % 360
        values = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).clip(0, 1)
    return values if display.dtype.kind == "f" else np.rint(values * top).astype(display.dtype)


def _gray(values: NDArray[np.float32]) -> NDArray[np.float32]:
    gray: NDArray[np.float32] = weighted(values[..., 0], values[..., 1], values[..., 2], REC601)
    return gray
