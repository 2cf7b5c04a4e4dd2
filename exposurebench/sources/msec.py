"""MSEC: FiveK photographs rendered at five exposures (paper 1's data)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exposurebench.errors import InputError, RecipeError
from exposurebench.scene import Frame, Scene
from exposurebench.sources import check_whole, first_below, nothing, stems

TITLE = "MSEC: 4,866 FiveK photographs at -1.5, -1, 0, 1 and 1.5 EV, with retouched targets"
URL = "https://github.com/mahmoudnafifi/Exposure_Correction"
LICENSE = "that of MIT-Adobe FiveK, whose photographs these are: own research only, nothing commercial"
CITATION = "Afifi, Derpanis, Ommer and Brown 2021, Learning Multi-Scale Photo Exposure Correction, CVPR"
LAYOUT = (
    "training, validation and testing (or train, val, test), of which one is enough: each with INPUT_IMAGES "
    "(a0001-..._N1.5.JPG, read at the last underscore); GT_IMAGES beside the first two, expert_a_testing_set to "
    "expert_e_testing_set beside the last"
)
COMMAND = "--pair paired"

GET = (
    f"get the training, validation and testing archives that {URL} links to ({LICENSE}), and unpack each with its own "
    "folder name"
)
EVS = {"N1.5": -1.5, "N1": -1.0, "0": 0.0, "P1": 1.0, "P1.5": 1.5}
_SPLITS = {"train": ("training", "train"), "val": ("validation", "val"), "test": ("testing", "test")}


def msec(root: str | Path, *, experts: str = "c") -> Iterator[Scene]:
    """One scene per photograph: five exposures, darkest first, and its finished pictures.

    The targets of training and validation (GT_IMAGES) count as expert C's, as those who train on them say, so all
    splits have the role ``expert_c``.

    Args:
        root: the folder that the archives were unpacked in.
        experts: whose pictures to give, of the five that the test split has.

    Raises:
        MissingError: no such folder, or one that lacks exposures or targets; the message counts and names them.
        InputError: an input whose name does not end in one of the five exposures.
        RecipeError: no such expert.

    Source: the released archives; 3,535, 150 and 1,181 scenes.
    """
    root = Path(root)
    if not set(experts) <= set("abcde"):
        raise RecipeError(f"experts must be some of the letters abcde, not {experts!r}")
    empty = True
    for split, names in _SPLITS.items():
        top = first_below([root], *names)
        if not top:
            continue
        targets = {letter: top / f"expert_{letter}_testing_set" for letter in experts}
        if split != "test":
            targets = {"c": top / "GT_IMAGES"} if "c" in experts else {}
        if (top / "INPUT_IMAGES").is_dir() or any(folder.is_dir() for folder in targets.values()):
            empty = False
            yield from _scenes(root, split, top / "INPUT_IMAGES", targets)
    if empty:
        raise nothing(root, "MSEC (training/INPUT_IMAGES, ...)", GET)


def _scenes(root: Path, split: str, inputs: Path, targets: dict[str, Path]) -> Iterator[Scene]:
    exposures: dict[str, dict[float, Path]] = {}
    for stem, path in stems(inputs).items():
        base, _, ev = stem.rpartition("_")
        if ev not in EVS:
            raise InputError(f"{str(path)!r} ends in no exposure: expected _{', _'.join(EVS)} before the suffix")
        exposures.setdefault(base, {})[EVS[ev]] = path
    pictures = {f"expert_{letter}": stems(folder) for letter, folder in targets.items()}
    bases = sorted({*exposures, *(base for found in pictures.values() for base in found)})
    lacking = {
        "inputs": [f"{base}_{ev}" for base in bases for ev in EVS if EVS[ev] not in exposures.get(base, {})],
        **{f"targets of {role}": [b for b in bases if b not in found] for role, found in pictures.items()},
    }
    check_whole(root, lacking, len(bases), GET)
    for base in bases:
        taken = [Frame(exposures[base][ev], exposure_ev=ev) for ev in sorted(EVS.values())]
        finished = [Frame(found[base], role=role) for role, found in pictures.items()]
        yield Scene(f"{split}/{base}", (*taken, *finished), split=split, license=LICENSE)
