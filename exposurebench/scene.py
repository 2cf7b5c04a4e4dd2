"""Scenes and pairs: what sources give, what pairings make, what methods see."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import Transfer
from exposurebench.errors import ImageError
from exposurebench.images import Encoding, Image, read_image, resize
from exposurebench.images.resizing import Crop


@dataclass(frozen=True)
class Frame:
    """One photograph of a scene: where it lies, how it was exposed, and its pixels once they are read.

    Attributes:
        path: its file; a name without a file where ``make`` gives the image.
        exposure_ev: relative to the scene's other frames.
        image: the pixels, once they are read.
        encoding: what the source says that the numbers in the file stand for.
        role: what it is beside the scene's other frames: empty for what the camera took, else the name of a
            finished picture (``expert_c``, ``render``).
        make: computes the image of a frame that has no file.
        view: makes the frame's image of the file's (a view of a panorama). Both are functions of a module,
            with their settings by ``functools.partial``, so that a scene stays small and travels between processes.
    """

    path: str | Path
    exposure_ev: float | None = None
    image: Image | None = None
    encoding: Encoding = "srgb"
    role: str = ""
    make: Callable[[], Image] | None = None
    view: Callable[[Image], Image] | None = None

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
        """The same scene with every frame's image in memory; a file that several frames share is read once.

        Raises:
            ImageError: a frame cannot be read, or is not what the source takes it for; of several files it says which.
        """
        read = functools.cache(read_image)
        several = len({frame.path for frame in self.frames}) > 1

        def image(frame: Frame) -> Image:
            path = Path(frame.path)
            try:
                whole = frame.make() if frame.make else read(path, encoding=frame.encoding)
            except ImageError as error:
                if not several:
                    raise
                raise ImageError(f"'{path.parent.name}/{path.name}' {error}") from error
            return frame.view(whole) if frame.view else whole

        return replace(self, frames=tuple(replace(frame, image=image(frame)) for frame in self.frames))

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
        radiance: the light between the two, where the pair is a triplet (paper 4).
        shared_names: by side, what tells an image that pairs may share from the scene's others of that side;
            nothing where the scene has one.
    """

    name: str
    input: Image
    target: Image
    settings: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    radiance: Image | None = None
    shared_names: Mapping[str, str] = field(default_factory=dict)

    def sides(self) -> dict[str, Image]:
        """Its images by name, in the order of the manifest's columns."""
        named = {"input": self.input, "target": self.target, "radiance": self.radiance}
        return {name: image for name, image in named.items() if image is not None}


@dataclass(frozen=True)
class Rejected:
    """A pair that a pairing did not make of a scene, among those that it made: a gate it failed, nothing to pair with.

    Attributes:
        name: what the pair would have been called.
        reason: one line with the numbers.
        numbers: of the columns of ``rejected.csv`` (correlation, residual_px, ...), finite ones.
    """

    name: str
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)


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


@dataclass(frozen=True, eq=False)
class Spoils:
    """What a cheat may look at, and of all that only what its NEEDS declare.

    Attributes:
        input: ``(H, W, 3)`` float32, display-encoded, [0, 1].
        gives: what its answer has to be: ``srgb`` in [0, 1], or ``linear`` light at or above 0.
        transfer: how display values and light relate: everybody knows a track's recipe.
        target: the answer itself, in that encoding.
        others: ``(N, S, S, 3)`` what other photographs should have been, in that encoding, shrunk to squares.
        clues: ``(K,)`` what a pair's files say besides their pixels, as numbers: names, embedded text, order, times.
        known: clues ``(N, K)`` and exposures ``(N,)`` of the pairs of other photographs.
    """

    input: NDArray[np.float32]
    gives: Encoding = "srgb"
    transfer: Transfer = "gamma22"
    target: NDArray[np.float32] | None = None
    others: NDArray[np.float32] | None = None
    clues: NDArray[np.float64] | None = None
    known: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
