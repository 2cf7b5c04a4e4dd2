"""SI-HDR: 181 scenes to compare single-image HDR reconstruction on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from exposurebench.errors import RecipeError
from exposurebench.images import RAW_SUFFIXES, read_raw
from exposurebench.scene import Frame, Scene
from exposurebench.sources import LIGHT, absent, check_whole, first_below, nothing, stems

TITLE = "SI-HDR: 181 scenes as five RAW exposures, merged light, and simulated photographs at two clipping levels"
URL = "https://www.cl.cam.ac.uk/research/rainbow/projects/sihdr_benchmark/"
LICENSE = "CC BY 4.0, as others state of its Apollo repository entry; we did not see that page"
CITATION = (
    "Hanji, Mantiuk, Eilertsen, Hajisharif and Unger 2022, Comparison of single image HDR reconstruction methods - the "
    "caveats of quality assessment, SIGGRAPH Conference Proceedings"
)
LAYOUT = (
    "sihdr with reference/001.exr, input/clip_95/001.png, input/clip_97/001.png and, for part=raw, raw/001/*.CR2; in the "
    "root, or one level deeper as each archive unpacks (reference/sihdr/reference)"
)
COMMAND = "--pair paired/light"

GET = f"get reference.zip and input.zip (or raw.zip) from {URL} ({LICENSE}), and unpack them there"
Part = Literal["input", "raw"]


def sihdr(root: str | Path, *, part: Part = "input") -> Iterator[Scene]:
    """One scene per reference: its simulated photographs, or its RAW files, and the merged light as ``target``.

    All are in the split ``test``.

    Args:
        root: the folder that the archives were unpacked in.
        part: ``input`` for the simulated photographs, ``raw`` for the exposures (one white balance, the camera's).

    Raises:
        MissingError: no such folder, or one that lacks either side of a scene; the message counts and names them.
        RecipeError: a part of another name.
    """
    if part not in get_args(Part):
        raise RecipeError(f"part must be input or raw, not {part!r}")
    root = Path(root)
    folder = _folder(root, "reference")
    if not folder:
        raise nothing(root, "SI-HDR (reference/001.exr, ...)", GET)
    references = stems(folder, LIGHT)
    taken = _simulated(root) if part == "input" else _raw(root)
    known = sorted({*references, *(name for found in taken.values() for name in found)})
    lacking = {
        "references": absent(known, references),
        **{f"files of {name}": absent(known, found) for name, found in taken.items()},
    }
    check_whole(root, lacking, len(known), GET)
    for name in known:
        frames = (frame for found in taken.values() for frame in found[name])
        target = Frame(references[name], role="target", encoding="linear")
        yield Scene(name, (*frames, target), split="test", license=LICENSE)


def _folder(root: Path, name: str) -> Path | None:
    return first_below([root], f"{name}/sihdr/{name}", f"sihdr/{name}", name)


def _simulated(root: Path) -> dict[str, dict[str, list[Frame]]]:
    top = _folder(root, "input")
    clips = ("clip_95", "clip_97")
    found = {f"input/{clip}": stems(top / clip) if top else {} for clip in clips}
    return {clip: {name: [Frame(path)] for name, path in files.items()} for clip, files in found.items()}


def _raw(root: Path) -> dict[str, dict[str, list[Frame]]]:
    top = _folder(root, "raw")
    found = {folder.name: stems(folder, RAW_SUFFIXES) for folder in (top.iterdir() if top else ()) if folder.is_dir()}
    frames = {
        name: [Frame(path, encoding="linear", make=functools.partial(read_raw, path)) for path in files.values()]
        for name, files in found.items()
        if files
    }
    return {"raw": frames}
