"""The frames of a bracket against a finished picture of the scene, or against a merge of the frames (paper 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median_low
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from exposurebench import catalog
from exposurebench.color import srgb_to_light
from exposurebench.exposure_ratio import estimate_exposure_ev
from exposurebench.images import Image, quantize
from exposurebench.merging import merge_debevec, merge_linear, merge_robertson
from exposurebench.registration import NUMBERS, Area, Register, Registration, align, common, crop, unregistered
from exposurebench.registration import register as find_warp
from exposurebench.scene import Evidence, ExposedFrame, Frame, Pair, Rejected, Scene
from exposurebench.warp_search import Motion

TITLE = "the frames of a bracket against a finished picture or a merge of the frames, registered"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Paper 2, section 3 (nine exposures of a scene against its render, aligned by ECC)"
VARIANTS = {"misaligned": {"register": "none"}, "light": {"light": True}}
VARIANT_FACTS = {"light": {"TITLE": "the frames of a bracket against their light, registered", "GIVES": "linear"}}

CLIPPED, BLACK = 253, 2


def bracket(
    scene: Scene,
    *,
    target: str = "auto",
    light: bool = False,
    register: Register = "ecc",
    motion: Motion = "affine",
    min_correlation: float = 0.8,
    max_residual_px: float = 0.3,
    max_shift: float = 0.1,
) -> Iterator[Pair | Rejected]:
    """Pair every exposure of a scene with one picture of it.

    Every frame is registered to the finished picture, or, where the target is a merge, to the frame of the middle
    exposure (where exposures are unknown, the one that has the fewest clipped pixels); it is warped once, in float display values, and quantised once. All sides end where the
    last of them does, so that the pairs of a scene share one target. A merge is made of the frames as they are
    written, except that ``linear`` takes RAW frames before they are quantised. What fails a gate is rejected alone, with
    its numbers, and has no part in the merge.

    Merged light is that of the exposure 0 EV. It is 1 at level 128 where a response is estimated (``debevec``,
    ``robertson``), and at white where the frames are taken for sRGB of light (``linear``).

    Args:
        scene: display-encoded frames, read (and resized) already, of about one scale; those with a role are
            finished pictures.
        target: the role of a finished picture such as ``render``, a baseline that needs a bracket's frames alone
            (``merge_reinhard``, ``mertens``), or ``auto``: the scene's only finished picture, else ``mertens``. With
            ``light`` a merge of the frames into light: ``debevec``, ``robertson``, ``linear``, or ``auto``: ``linear``
            for RAW frames, else ``debevec``.
        light: the target is light, not a picture; the variant ``bracket/light``.
        register: ``none`` lays centre on centre and keeps everything: paper 2's first data set.
        motion: ``translation``, ``euclidean``, ``affine`` or ``homography``.
        min_correlation: see :func:`exposurebench.registration.register`.
        max_residual_px: see there.
        max_shift: see there.

    Yields:
        One pair per frame; its settings rebuild it. Facts: the exposure that the source states and the one that the
        pixels tell (taken as sRGB, which a camera's JPEG is not quite; both count from the first frame that was kept),
        the correlation, the residual and the corner shift. In place of pairs that cannot be made, why.

    Raises:
        ValueError: an unknown setting, light, or a merge that the frames do not allow.

    Source: paper 2, section 3; the gates are ours.

    >>> from pathlib import Path
    >>> ramp = np.repeat(np.linspace(0, 200, 30).astype(np.uint8).reshape(5, 6, 1), 3, axis=2)
    >>> frames = (Frame(Path("a"), -1.0, Image(ramp)), Frame(Path("b"), 0.0, Image(ramp + np.uint8(40))))
    >>> pairs = bracket(Scene("ramp", frames), register="none", target="mertens")
    >>> [(pair.name, pair.facts["exposure_ev"]) for pair in pairs]
    [('frame0', -1.0), ('frame1', 0.0)]
    """
    if register not in get_args(Register):
        raise ValueError(f"register must be one of {', '.join(get_args(Register))}, not {register!r}")
    frames = [frame for frame in scene.frames if not frame.role]
    compared = frames if light else scene.frames
    wrong = next((frame.pixels.encoding for frame in compared if frame.pixels.encoding != TAKES), None)
    if wrong:
        raise ValueError(f"bracket takes {TAKES} images, not {wrong}: develop RAW frames through a curve")
    pictures = {} if light else {frame.role: frame.pixels for frame in scene.frames if frame.role}
    merges = targets(light)
    if target == "auto":
        target = next(iter(pictures)) if len(pictures) == 1 else _merge_for(frames) if light else "mertens"
    names = [f"frame{number}" if len(frames) > 1 else "" for number in range(len(frames))]
    merged = target not in pictures
    if merged and (target not in merges or len(frames) < 2):
        known = f"no picture {target!r} beside the frames: target may be {' or '.join([*pictures, *merges])}"
        missing = known if target not in merges else "a merge needs two frames or more"
        yield from (Rejected(name, missing) for name in names)
        return
    fixed = _middle(frames) if merged else pictures[target]
    gates: dict[str, Any] = {
        "motion": motion, "min_correlation": min_correlation, "max_residual_px": max_residual_px, "max_shift": max_shift,
    }  # fmt: skip
    kept: list[tuple[str, Frame, Registration]] = []
    for name, frame in zip(names, frames, strict=True):
        found = _found(frame.pixels, fixed, register, gates)
        if found.problem:
            yield Rejected(name, found.problem, found.numbers)
        else:
            kept.append((name, frame, found))
    settings = {"target": target, "light": light, "register": register, **gates}
    yield from _pairs(kept, None if merged else fixed, settings)


def targets(light: bool) -> list[str]:
    """The merges that may be targets: into light, or the baselines that make one picture of a bracket's frames alone."""
    if light:
        return list(LIGHT)
    return [n for n in catalog.names("baselines") if catalog.load("baselines", n).fact("NEEDS") == ("frames",)]


def _merge_for(frames: Sequence[Frame]) -> str:
    return "linear" if all(frame.pixels.saturated is not None for frame in frames) else "debevec"


def _found(moving: Image, fixed: Image, register: Register, gates: dict[str, Any]) -> Registration:
    if moving is fixed:
        return Registration(np.eye(3), Area(0, 0, *fixed.pixels.shape[:2]), 1.0, 0.0, 0.0, 0.0)
    return find_warp(moving, fixed, **gates) if register == "ecc" else unregistered(moving, fixed)


def _pairs(
    kept: list[tuple[str, Frame, Registration]], picture: Image | None, settings: dict[str, Any]
) -> Iterator[Pair | Rejected]:
    area = common(found for *_, found in kept) if kept else Area(0, 0, 0, 0)
    if area.empty or (picture is None and len(kept) < 2):
        why = "has nothing in common with the others" if kept and area.empty else "is left alone by the gates"
        yield from (Rejected(name, why, found.numbers) for name, _, found in kept)
        return
    aligned = [align(frame.pixels, found.warp, area) for _, frame, found in kept]
    inputs = [_quantized(image) for image in aligned]
    stated = [frame.exposure_ev for _, frame, _ in kept]
    if not picture and settings["target"] != "mertens" and None in stated:
        raise ValueError(
            f"the merge {settings['target']} needs the exposure of every frame, and the source states not all of them: give "
            "--set exposures=pixels or a list of EVs, or --set target=mertens"
        )
    if picture:
        finished = crop(picture, area)
    elif settings["light"]:
        finished = LIGHT[settings["target"]](aligned, inputs, stated)
    else:
        finished = _merge(settings["target"], inputs, stated)
    told = _told_by_pixels(inputs)
    for (name, frame, found), image, ev in zip(kept, inputs, told, strict=True):
        first = stated[0]
        known = frame.exposure_ev is not None and first is not None
        yield Pair(
            name=name,
            input=image,
            target=finished,
            settings=settings,
            facts={
                "exposure_ev": "" if frame.exposure_ev is None else round(frame.exposure_ev, 6),
                "stated_step_ev": round(float(frame.exposure_ev or 0) - float(first or 0), 6) if known else "",
                "estimated_step_ev": ev,
                **dict.fromkeys(NUMBERS, ""),
                **found.numbers,
            },
        )


def _quantized(image: Image) -> Image:
    """What is written: a frame that was not warped keeps its levels, and where nothing was cut off its file."""
    levels = image.as_levels()
    return image if levels is image.pixels else Image(levels, image.bit_depth, notes=image.notes, facts=image.facts)


def _merge(name: str, frames: Sequence[Image], exposures: Sequence[float | None]) -> Image:
    seen = [ExposedFrame(image.as_float(), ev) for image, ev in zip(frames, exposures, strict=True)]
    if None not in exposures:
        seen.sort(key=lambda frame: frame.exposure_ev or 0.0)
    return Image(quantize(catalog.load("baselines", name).function()(Evidence(seen[0].pixels, frames=tuple(seen)))))


def _debevec(_: Sequence[Image], written: Sequence[Image], exposures: Sequence[float | None]) -> Image:
    return Image(merge_debevec([_eight_bits(image) for image in written], exposures), 16, "linear")


def _robertson(_: Sequence[Image], written: Sequence[Image], exposures: Sequence[float | None]) -> Image:
    return Image(merge_robertson([_eight_bits(image) for image in written], exposures), 16, "linear")


def _linear(aligned: Sequence[Image], _: Sequence[Image], exposures: Sequence[float | None]) -> Image:
    frames = [np.asarray(srgb_to_light(image.as_float()), np.float32) for image in aligned]
    ends = [
        _eight_bits(image).max(axis=2) >= CLIPPED if image.saturated is None else image.saturated for image in aligned
    ]
    return Image(merge_linear(frames, exposures, ends), 16, "linear")


LIGHT = {"debevec": _debevec, "robertson": _robertson, "linear": _linear}
"""Merges into light, of frames as they were aligned and as they are written."""


def _eight_bits(image: Image) -> NDArray[np.uint8]:
    return image.pixels if image.pixels.dtype == np.uint8 else quantize(image.as_float())


def _told_by_pixels(frames: Sequence[Image]) -> list[float | str]:
    try:
        found = estimate_exposure_ev([srgb_to_light(image.as_float()) for image in frames])
    except ValueError:
        return [""] * len(frames)
    return [round(ev, 6) for ev in found]


def _middle(frames: Sequence[Frame]) -> Image:
    known = [frame.exposure_ev for frame in frames if frame.exposure_ev is not None]
    if len(known) < len(frames):
        return min((frame.pixels for frame in frames), key=_clipped)
    return frames[known.index(median_low(known))].pixels


def _clipped(image: Image) -> int:
    levels = _eight_bits(image)
    return int(np.count_nonzero((levels >= CLIPPED).any(axis=2) | (levels <= BLACK).all(axis=2)))
