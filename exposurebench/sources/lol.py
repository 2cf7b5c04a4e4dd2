"""LOL: photographs taken in low light, and the same scenes in normal light."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from exposurebench.scene import Frame, Scene
from exposurebench.sources import absent, check_whole, first_below, nothing, stems

TITLE = "LOL: low-light photographs beside normal-light ones: 500 pairs (v1), 789 captured and 1,000 synthetic (v2)"
URL = "https://daooshee.github.io/BMVC2018website/"
LICENSE = (
    "not stated by the authors on project page or repository (looked up 2026-11); copies on Hugging Face say 'unknown'"
)
CITATION = (
    "v1: Wei, Wang, Yang and Liu 2018, Deep Retinex Decomposition for Low-Light Enhancement, BMVC; v2: Yang, Wang, Huang, "
    "Wang and Liu 2021, Sparse Gradient Regularized Deep Retinex Network for Robust Low-Light Image Enhancement, IEEE TIP"
)
LAYOUT = (
    "v1: our485 and eval15, each with low and high; v2: Real_captured and Synthetic, each with Train and Test, each with "
    "Low and Normal (low00001.png beside normal00001.png, or equal names); also Train and Test with input and target"
)
COMMAND = "--pair paired"

GET = (
    f"get LOLdataset.zip from {URL}, or LOL-v2 from the links of https://github.com/caiyuanhao1998/Retinexformer "
    f"(licence: {LICENSE}), unpack it there, or name another edition"
)
Edition = Literal["auto", "v1", "v2_real", "v2_synthetic"]
_TOPS = {
    "v1": ("", "LOLdataset", "LOL-v1", "LOLv1", "LOL"),
    "v2_real": ("Real_captured", "LOL-v2/Real_captured", "LOLv2/Real_captured"),
    "v2_synthetic": ("Synthetic", "LOL-v2/Synthetic", "LOLv2/Synthetic"),
}
_HALVES = {"train": ("our485", "Train"), "test": ("eval15", "Test")}
_SIDES = (("low", "high"), ("Low", "Normal"), ("input", "target"))


def lol(root: str | Path, *, edition: Edition = "auto") -> Iterator[Scene]:
    """One scene per pair: the dark photograph, and the bright one as ``target``.

    Args:
        root: the folder that an archive was unpacked in.
        edition: ``auto`` is the first of the three that is there.

    Raises:
        MissingError: no such folder, or one that lacks a half, or either side of a pair; the message names them.
    """
    root = Path(root)
    for name in _TOPS if edition == "auto" else (edition,):
        tops = [root / top for top in _TOPS[name]]
        found = {split: _sides(tops, halves) for split, halves in _HALVES.items()}
        if any(found.values()):
            for split, sides in found.items():
                if not sides:
                    raise nothing(root, f"LOL's {split} half ({' or '.join(_HALVES[split])}, beside the other)", GET)
            for split, sides in found.items():
                yield from _scenes(root, split, sides)
            return
    raise nothing(root, f"LOL (edition {edition})", GET)


def _sides(tops: list[Path], halves: tuple[str, ...]) -> list[Path | None]:
    """Both sides' folders, or the one that there is, or nothing."""
    ways = [[first_below(tops, *(f"{half}/{side}" for half in halves)) for side in (low, high)] for low, high in _SIDES]
    return next((way for way in sorted(ways, key=lambda way: way.count(None)) if any(way)), [])


def _scenes(root: Path, split: str, sides: list[Path | None]) -> Iterator[Scene]:
    low, high = (stems(side) if side else {} for side in sides)
    dark = {stem.removeprefix("low"): path for stem, path in low.items()}
    bright = {stem.removeprefix("normal"): path for stem, path in high.items()}
    keys = sorted({*dark, *bright})
    lacking = {f"dark photographs ({split})": absent(keys, dark), f"bright ones ({split})": absent(keys, bright)}
    check_whole(root, lacking, len(keys), GET)
    for key in keys:
        yield Scene(
            f"{split}/{key}", (Frame(dark[key]), Frame(bright[key], role="target")), split=split, license=LICENSE
        )
