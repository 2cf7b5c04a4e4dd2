"""LCDP: FiveK photographs that are over- and underexposed in one picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exposurebench.scene import Frame, Scene
from exposurebench.sources import absent, below, check_whole, nothing, stems

TITLE = "LCDP: FiveK photographs rendered over- and underexposed at once, beside well-exposed ones"
URL = "https://github.com/onpix/LCDPNet"
LICENSE = (
    "not stated by the authors for the pictures (looked up 2026-11; the repository's MIT licence is its program's); they are "
    "renderings of MIT-Adobe FiveK (own research only)"
)
CITATION = "Wang, Xu and Lau 2022, Local Color Distributions Prior for Image Enhancement, ECCV"
LAYOUT = (
    "input and gt, valid-input and valid-gt, test-input and test-gt, with the same file names on both sides; in the root, "
    "in lcdp_dataset, or as first published in adobe5k and raise"
)
COMMAND = "--pair paired"

GET = f"get lcdp_dataset.7z from the Google Drive folder that {URL} links to (licence: {LICENSE}), and unpack it there"
_TOPS = ("", "lcdp_dataset", "adobe5k", "raise")
_WHOLE = _TOPS[:2]
"""The archive as it is now, which has every split."""
_SPLITS = {"train": ("input", "gt"), "val": ("valid-input", "valid-gt"), "test": ("test-input", "test-gt")}


def lcdp(root: str | Path) -> Iterator[Scene]:
    """One scene per pair: the badly exposed picture, and the other one as ``target``.

    Args:
        root: the folder that the archive was unpacked in.

    Raises:
        MissingError: no such folder, or one that lacks a split, or either side of a pair; the message names them.
    """
    root = Path(root)
    empty = True
    for top in _TOPS:
        there = {split: any(below(root / top, side) for side in sides) for split, sides in _SPLITS.items()}
        if top in _WHOLE and any(there.values()) and not all(there.values()):
            gone = ", ".join("/".join(_SPLITS[split]) for split, found in there.items() if not found)
            raise nothing(root / top, f"LCDP's {gone}, beside the other splits", GET)
        for split, (bad, good) in _SPLITS.items():
            sides = [below(root / top, bad), below(root / top, good)]
            if not any(sides):
                continue
            empty = False
            inputs, targets = (stems(side) if side else {} for side in sides)
            names = sorted({*inputs, *targets})
            lacking = {
                f"inputs ({bad})": absent(names, inputs),
                f"targets ({good})": absent(names, targets),
            }
            check_whole(root, lacking, len(names), GET)
            for name in names:
                frames = (Frame(inputs[name]), Frame(targets[name], role="target"))
                yield Scene("/".join(filter(None, (top, split, name))), frames, split=split, license=LICENSE)
    if empty:
        raise nothing(root, "LCDP (input, gt, ...)", GET)
