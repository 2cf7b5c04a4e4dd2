"""Scenes and pairs: what sources give, what pairings make, what methods see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import Transfer
from exposurebench.images import Image, read_image, resize
from exposurebench.images.resizing import Crop


@dataclass(frozen=True)
class Frame:
    """One photograph of a scene: where it lies, how it was exposed, and its pixels once they are read."""

    path: Path
    exposure_ev: float | None = None
    image: Image | None = None

    @property
    def pixels(self) -> Image:
        """The image.

        Raises:
            ValueError: it was not read yet.
        """
        if self.image is None:
            raise ValueError(f"{self.path} was not read yet: call Scene.read() first")
        return self.image


@dataclass(frozen=True)
class Scene:
    """Everything a source knows about one scene.

    Attributes:
        name: unique within the source: the relative path without the suffix, with forward slashes.
        frames: its photographs.
        split: ``train``, ``val`` or ``test`` where the data set has official ones.
        license: the terms of these photographs.
    """

    name: str
    frames: tuple[Frame, ...]
    split: str | None = None
    license: str = ""

    def read(self) -> Scene:
        """The same scene with every frame's image in memory.

        Raises:
            ImageError: a frame cannot be read.
        """
        return replace(self, frames=tuple(replace(f, image=read_image(f.path)) for f in self.frames))

    def resize(self, size: int | None, crop: Crop, seed: int) -> Scene:
        """The same scene with every frame shrunk and cropped alike.

        Raises:
            ImageError: a frame is smaller than asked.
        """
        return replace(self, frames=tuple(replace(f, image=resize(f.pixels, size, crop, seed)) for f in self.frames))


@dataclass(frozen=True)
class Pair:
    """A badly exposed input and what it should have been, with the settings that make it again.

    Attributes:
        name: tells the pairs of one scene apart; empty where a scene has one.
        input: the image to be corrected.
        target: the image it should become; pairs of one scene may share it.
        settings: every setting, drawn ones included: they rebuild the pair. Numbers, strings, booleans.
        facts: what else the manifest says of the pair (the clipped share, ...).
    """

    name: str
    input: Image
    target: Image
    settings: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ExposedFrame:
    """One frame of a bracket as a method sees it.

    Attributes:
        pixels: ``(H, W, 3)`` float32, display-encoded, [0, 1]; not to be written to.
        exposure_ev: how it was exposed, plus meaning brighter, where that is known.
    """

    pixels: NDArray[np.float32]
    exposure_ev: float | None


@dataclass(frozen=True)
class Evidence:
    """What a baseline may look at: the input, and of the rest only what its NEEDS declare.

    Attributes:
        input: ``(H, W, 3)`` float32, display-encoded, [0, 1].
        tau: the true clipping threshold, for methods that declare ``tau``.
        transfer: how display values and light relate in this data set, for methods that declare ``transfer``.
        training_targets: well-exposed photographs, read one by one, for methods that declare them.
        frames: every exposure that there is of the scene, darkest first, the input among them, for methods that
            declare ``frames``.
    """

    input: NDArray[np.float32]
    tau: float | None = None
    transfer: Transfer | None = None
    training_targets: Iterable[NDArray[np.float32]] | None = None
    frames: tuple[ExposedFrame, ...] | None = None
