"""MIT-Adobe FiveK: 5,000 RAW photographs, each retouched by five experts."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exposurebench.errors import RecipeError
from exposurebench.images import read_raw
from exposurebench.images.raw import Demosaic, HighlightMode, check_settings
from exposurebench.scene import Frame, Scene
from exposurebench.sources import absent, check_whole, nothing
from exposurebench.sources.folder import walk

TITLE = "MIT-Adobe FiveK: 5,000 RAW photographs, each retouched by experts a to e (16-bit TIFF)"
URL = "https://data.csail.mit.edu/graphics/fivek/"
LICENSE = "own research only, nothing commercial (LicenseAdobe.txt or LicenseAdobeMIT.txt, by the list a file is in)"
CITATION = (
    "Bychkovsky, Paris, Chan and Durand 2011, Learning Photographic Global Tonal Adjustment with a Database of Input / "
    "Output Image Pairs, CVPR"
)
LAYOUT = (
    "a0001-....dng in any folders (raw_photos/HQa1to700/photos, dng, one folder a camera, ...), a0001-....tif in folders "
    "called tiff16_a to tiff16_e; where filesAdobe.txt and filesAdobeMIT.txt lie there too, all that they list must be there"
)
COMMAND = "--pair multi_ev --ev -1.5,-1,0,1,1.5 --set crf=srgb --set target=expert_c"

GET = (
    f"get fivek_dataset.tar (DNG) and the TIFF files of img/tiff16_a to tiff16_e from {URL} ({LICENSE}), and unpack them "
    "there; to use a part, move the lists away"
)
_LISTS = {"filesadobe.txt": "LicenseAdobe.txt", "filesadobemit.txt": "LicenseAdobeMIT.txt"}
_NAME = re.compile(r"a[0-9]{4}-", re.IGNORECASE)


@dataclass
class _Found:
    """What a walk over the folder found, by the photographs' names."""

    raw: dict[str, Path] = field(default_factory=dict)
    experts: dict[str, dict[str, Path]] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)


def fivek(
    root: str | Path,
    *,
    experts: str = "c",
    highlight_mode: HighlightMode = "clip",
    demosaic: Demosaic = "ahd",
    half_size: bool = False,
) -> Iterator[Scene]:
    """One scene per photograph: the RAW file as linear light, and the experts' pictures that are there.

    There are no official splits. The experts' TIFF files as published are ProPhoto RGB.

    Args:
        root: the folder that the archive was unpacked in.
        experts: whose pictures to give, of those that are there: letters of ``abcde``, or none.
        highlight_mode: see :func:`exposurebench.images.read_raw`.
        demosaic: see there.
        half_size: one pixel for each 2 x 2 photosites: four times faster.

    Raises:
        MissingError: no such folder, or one that lacks listed RAW files or the pictures of an expert who is there;
            the message counts and names them.
        RecipeError: no such expert or setting.
    """
    if not set(experts) <= set("abcde"):
        raise RecipeError(f"experts must be some of the letters abcde, not {experts!r}")
    settings: dict[str, Any] = {"highlight_mode": highlight_mode, "demosaic": demosaic}
    try:
        check_settings(white_balance="camera", output_color="srgb", **settings)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    root = Path(root)
    found = _walked(root, experts)
    known = sorted({*found.raw, *found.terms, *(name for pictures in found.experts.values() for name in pictures)})
    if not known:
        raise nothing(root, "MIT-Adobe FiveK", GET)
    lacking = {
        "RAW files (.dng)": absent(known, found.raw),
        **{f"pictures of {role}": absent(known, pictures) for role, pictures in sorted(found.experts.items())},
    }
    check_whole(root, lacking, len(known), GET)
    for name in known:
        make = functools.partial(read_raw, found.raw[name], half_size=half_size, **settings)
        finished = [Frame(found.experts[role][name], role=role) for role in sorted(found.experts)]
        terms = f"{LICENSE}: {found.terms[name]}" if name in found.terms else LICENSE
        yield Scene(name, (Frame(found.raw[name], encoding="linear", make=make), *finished), license=terms)


def _walked(root: Path, experts: str) -> _Found:
    found = _Found()
    wanted = {f"tiff16_{letter}": f"expert_{letter}" for letter in experts}
    for path in walk(root) if root.is_dir() else ():
        kind, folder = path.suffix.lower(), path.parent.name.lower()
        if path.name.lower() in _LISTS:
            terms = _LISTS[path.name.lower()]
            lines = path.read_text(encoding="utf-8", errors="replace").split()
            found.terms |= {name: terms for name in lines if _NAME.match(name)}
        elif _NAME.match(path.name) and kind == ".dng":
            found.raw[path.stem] = path
        elif _NAME.match(path.name) and kind in (".tif", ".tiff") and folder in wanted:
            found.experts.setdefault(wanted[folder], {})[path.stem] = path
    return found
