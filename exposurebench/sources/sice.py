"""SICE: series of exposures of one scene, each with the best of thirteen fusions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from exposurebench.errors import RecipeError
from exposurebench.scene import Frame, Scene
from exposurebench.sources import below, check_whole, nothing, stems

TITLE = "SICE: 589 series of exposures (4,413 photographs), each with a fused reference"
URL = "https://github.com/csjcai/SICE"
LICENSE = (
    "not stated by the authors (their repository, looked up 2026-11; a reader's question about it there has no answer)"
)
CITATION = (
    "Cai, Gu and Zhang 2018, Learning a Deep Single Image Contrast Enhancer from Multi-Exposure Images, IEEE TIP "
    "27(4):2049-2062"
)
LAYOUT = (
    "Dataset_Part1 (360 series) and Dataset_Part2 (229), of which one is enough: a numbered folder a series, with 1.JPG, "
    "2.JPG, ... from dark to bright; the references in Label, named after the series; any case of letters"
)
COMMAND = "--pair paired"

GET = f"get Part1 and Part2 from the links of {URL} (licence: {LICENSE}), and unpack them there"
Exposures = Literal["all", "under", "over"]
_PARTS = {"part1": ("Dataset_Part1", "Part1"), "part2": ("Dataset_Part2", "Dataset_Part2(1)", "Part2")}


def sice(root: str | Path, *, exposures: Exposures = "all") -> Iterator[Scene]:
    """One scene per series, darkest first, with its reference under the role ``label``.

    Nothing tells how far apart the exposures of a series are. By convention the darker half is underexposed and
    the brighter one overexposed; the middle one of an odd number is neither.

    Args:
        root: the folder that the parts were unpacked in.
        exposures: ``under`` and ``over`` give one half of each series.

    Raises:
        MissingError: no such folder, or series without reference or the reverse; the message counts and names them.
        RecipeError: exposures of another name.
    """
    if exposures not in get_args(Exposures):
        raise RecipeError(f"exposures must be one of {', '.join(get_args(Exposures))}, not {exposures!r}")
    root = Path(root)
    empty = True
    for part, names in _PARTS.items():
        top = next((folder for name in names if (folder := below(root, name))), None)
        if not top:
            continue
        empty = False
        folder = below(top, "Label")
        labels = stems(folder) if folder else {}
        series = {entry.name: stems(entry) for entry in top.iterdir() if entry.is_dir() and entry != folder}
        series = {name: frames for name, frames in series.items() if frames or name in labels}
        known = sorted({*series, *labels}, key=_number)
        lacking = {
            f"photographs in {top.name}": [
                *(name for name in known if not series.get(name)),
                *(f"{name}/{number}" for name, frames in series.items() for number in _gaps(frames)),
            ],
            f"references in {top.name}/Label": [name for name in known if name not in labels],
        }
        check_whole(root, lacking, len(known), GET)
        for name in known:
            taken = [series[name][stem] for stem in sorted(series[name], key=_number)]
            half = len(taken) // 2
            taken = {"all": taken, "under": taken[:half], "over": taken[len(taken) - half :]}[exposures]
            frames = (*(Frame(path) for path in taken), Frame(labels[name], role="label"))
            yield Scene(f"{part}/{name}", frames, license=LICENSE)
    if empty:
        raise nothing(root, "SICE (Dataset_Part1, Dataset_Part2)", GET)


def _gaps(frames: Mapping[str, Path]) -> list[int]:
    """The numbers that a series lacks between 1 and its last."""
    numbers = {int(name) for name in frames if name.isdecimal()}
    return sorted(set(range(1, max(numbers, default=0))) - numbers)


def _number(name: str) -> tuple[int, str]:
    """Numbers by their value, before anything else."""
    return (int(name) if name.isdecimal() else 1 << 62, name)
