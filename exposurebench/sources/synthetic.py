"""HDR scenes computed from a seed: nothing to download."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from exposurebench.errors import RecipeError
from exposurebench.images import Image
from exposurebench.recipe import draw
from exposurebench.scene import Frame, Scene
from exposurebench.synthesis import KINDS, Kind, synthesize

TITLE = "HDR scenes computed from a seed: sky and sun, interiors, night, textures"
URL = ""
LICENSE = "CC0"
CITATION = ""
LAYOUT = "no files: the scenes are computed when they are read"
COMMAND = "--pair multi_ev"


def synthetic(
    root: None = None,
    *,
    scenes: int = 24,
    kinds: list[Kind] | None = None,
    height: int = 256,
    width: int = 384,
    seed: int = 0,
) -> Iterator[Scene]:
    """So many computed scenes, the kinds in turn: ``sky-0000``, ``interior-0001``, ...

    A scene depends on its name, its size and the seed, never on how many there are.

    Args:
        root: nothing; there is no folder to give.
        scenes: how many.
        kinds: of :func:`exposurebench.synthesis.synthesize`; all by default.
        height: in pixels.
        width: in pixels.
        seed: for everything in them.

    Raises:
        RecipeError: a folder was given, no or unknown kinds, a kind twice, or a number below 1.

    >>> [scene.name for scene in synthetic(scenes=3, kinds=["night", "sky"])]
    ['night-0000', 'sky-0001', 'night-0002']
    """
    if root is not None:
        raise RecipeError(f"synthetic scenes are computed, not read: give no --root, not {str(root)!r}")
    turns = list(KINDS if kinds is None else kinds)
    if not turns or set(turns) - set(KINDS) or len(set(turns)) < len(turns):
        raise RecipeError(f"kinds must be some of {', '.join(KINDS)}, each once, not {turns}")
    for name, value in (("scenes", scenes), ("height", height), ("width", width)):
        if value < 1:
            raise RecipeError(f"{name} must be at least 1, not {value}")
    for number in range(scenes):
        kind = turns[number % len(turns)]
        name = f"{kind}-{number:04d}"
        make = functools.partial(compute, draw(seed, "synthetic", name), kind, height, width)
        yield Scene(name, (Frame(Path("synthetic", name), encoding="linear", make=make),), license=LICENSE)


def compute(seed: int, kind: Kind, height: int, width: int) -> Image:
    """One scene, rounded to the half floats that a file of it holds."""
    light = synthesize(seed, kind, height, width).astype(np.float16).astype(np.float32)
    return Image(light, bit_depth=16, encoding="linear", facts={"kind": kind, "scene_seed": seed})
