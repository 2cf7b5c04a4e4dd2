"""HDR-Real and HDR-Synth: the data of SingleHDR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from exposurebench.errors import InputError, RecipeError
from exposurebench.scene import Frame, Scene
from exposurebench.sources import LIGHT, absent, check_whole, first_below, nothing, stems
from exposurebench.sources.folder import scene_name, walk

TITLE = "HDR-Real (photographs beside merged light) and HDR-Synth (public HDR maps), the data of SingleHDR"
URL = "https://alex04072000.github.io/SingleHDR/"
LICENSE = "none stated that we found; HDR-Synth gathers maps of several authors, each under terms of its own"
CITATION = (
    "Liu, Lai, Chen, Kao, Yang, Chuang and Huang 2020, Single-Image HDR Reconstruction by Learning to Reverse the Camera "
    "Pipeline, CVPR"
)
LAYOUT = (
    "HDR-Real with LDR_in (.jpg) and HDR_gt (.hdr), paired by name, or by order where no names agree; HDR-Synth with .hdr "
    "and .exr maps in any folders; both in the root or in SingleHDR_training_data"
)
COMMAND = "--pair paired/light"

GET = f"get the training or testing data from the links of {URL} ({LICENSE}), and unpack it there"
Part = Literal["real", "synth"]
_TOPS = ("", "SingleHDR_training_data")


def singlehdr(root: str | Path, *, part: Part = "real") -> Iterator[Scene]:
    """HDR-Real's pairs, the light as ``target``, or HDR-Synth's maps as light.

    The published lists of HDR-Synth's splits are pickled and are not opened.

    Args:
        root: the folder that the archive was unpacked in.
        part: ``real`` or ``synth``.

    Raises:
        MissingError: no such folder, or one that lacks either side of a pair; the message counts and names them.
        InputError: the sides have no names in common and differ in number.
        RecipeError: a part of another name.
    """
    if part not in get_args(Part):
        raise RecipeError(f"part must be real or synth, not {part!r}")
    root = Path(root)
    tops = [root / top for top in _TOPS]
    if part == "synth":
        folder = first_below(tops, "HDR-Synth")
        maps = [path for path in walk(folder) if path.suffix.lower() in LIGHT] if folder else []
        if not folder or not maps:
            raise nothing(root, "HDR-Synth", GET)
        for path in maps:
            yield Scene(scene_name(path, folder), (Frame(path, encoding="linear"),), license=LICENSE)
        return
    sides = [first_below(tops, f"HDR-Real/{side}", side) for side in ("LDR_in", "HDR_gt")]
    if not sides[0] and not sides[1]:
        raise nothing(root, "HDR-Real", GET)
    inputs, targets = (stems(side, LIGHT | {".jpg", ".png"}) if side else {} for side in sides)
    for name, (photograph, light) in _matched(root, inputs, targets).items():
        yield Scene(name, (Frame(photograph), Frame(light, role="target", encoding="linear")), license=LICENSE)


def _matched(root: Path, inputs: dict[str, Path], targets: dict[str, Path]) -> dict[str, tuple[Path, Path]]:
    """By name where any name agrees; else by order, as the authors' own program pairs them."""
    if inputs and targets and not inputs.keys() & targets.keys():
        if len(inputs) != len(targets):
            raise InputError(
                f"{str(root)!r} has {len(inputs):,} files in LDR_in and {len(targets):,} in HDR_gt, and no name in common: "
                f"they cannot be paired; {GET}"
            )
        return dict(zip(inputs, zip(inputs.values(), targets.values(), strict=True), strict=True))
    names = sorted({*inputs, *targets})
    lacking = {"photographs (LDR_in)": absent(names, inputs), "maps (HDR_gt)": absent(names, targets)}
    check_whole(root, lacking, len(names), GET)
    return {name: (inputs[name], targets[name]) for name in names}
