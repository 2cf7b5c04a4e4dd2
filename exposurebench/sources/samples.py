"""The natural colour photographs that ship with scikit-image: nothing to download."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from exposurebench.errors import InputError, MissingError
from exposurebench.files import sha256_file
from exposurebench.scene import Frame, Scene

TITLE = "six photographs that ship with scikit-image; a smoke test"
URL = "https://github.com/scikit-image/scikit-image/tree/main/src/skimage/data"
LICENSE = "public domain, CC0, and the Middlebury stereo data; stated per photograph"
CITATION = "van der Walt et al. 2014, scikit-image: image processing in Python, PeerJ 2:e453"
LAYOUT = "inside the installed scikit-image"
COMMAND = "--tau 0.5"

_PHOTOGRAPHS = {
    "astronaut.png": (
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "public domain (NASA)",
    ),
    "chelsea.png": (
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "CC0 (S. van der Walt)",
    ),
    "coffee.png": (
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "CC0 (R. Michetti)",
    ),
    "hubble_deep_field.jpg": (
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
        "public domain (NASA)",
    ),
    "motorcycle_left.png": (
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
        "Middlebury 2014 stereo data (D. Scharstein et al.), as shipped with scikit-image",
    ),
    "rocket.jpg": (
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        "CC0 (SpaceX)",
    ),
}


def samples(root: str | Path | None = None) -> Iterator[Scene]:
    """The six photographs, in the order of their names, all in the split ``test``.

    Left out are scikit-image's textures, documents, drawings and micrographs, and the second picture of
    its stereo pair.

    Args:
        root: another copy of scikit-image's data folder; by default the installed one.

    Raises:
        MissingError: scikit-image is not there.
        InputError: a file is not the one that results were published for.
    """
    folder = Path(str(files("skimage.data"))) if root is None else Path(root)
    for name, (digest, terms) in _PHOTOGRAPHS.items():
        path = folder / name
        if not path.is_file():
            raise MissingError(f"{name} is not in {str(folder)!r}: reinstall scikit-image")
        if sha256_file(path) != digest:
            raise InputError(f"{str(path)!r} is not the published photograph (SHA-256 differs): reinstall scikit-image")
        yield Scene(name, (Frame(path),), split="test", license=terms)
