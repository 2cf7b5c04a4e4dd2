"""Any tree of radiance maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exposurebench.scene import Scene
from exposurebench.sources.folder import tree

TITLE = "any tree of radiance maps"
URL = ""
LICENSE = "not stated"
CITATION = ""
LAYOUT = "any .hdr and .exr files below the folder; hidden ones are passed over, links to folders are followed once"
COMMAND = "--root maps --pair multi_ev"


def radiance(root: str | Path, *, license: str = LICENSE) -> Iterator[Scene]:  # noqa: A002 - the setting's name
    """Every file below a folder as linear light, one scene each, in the order of their names.

    What a file holds is decided on reading; files that hold no light are listed as rejected.

    Args:
        root: the top of the tree.
        license: the terms of the maps, for the manifest.

    Raises:
        MissingError: there is no such folder.
        InputError: a folder in it cannot be listed.
    """
    yield from tree(root, license, "radiance maps", "linear")
