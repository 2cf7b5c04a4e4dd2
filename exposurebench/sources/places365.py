"""Places365: ten million photographs of 365 kinds of places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from exposurebench.archives import unpack
from exposurebench.download import download
from exposurebench.errors import InputError, MissingError
from exposurebench.files import split_suffix
from exposurebench.scene import Frame, Scene
from exposurebench.sources.folder import files_below, scene_name

TITLE = "Places365: photographs of 365 kinds of places"
URL = "http://places2.csail.mit.edu/download.html"
LICENSE = "non-commercial research and education only; the photographs must not be passed on"
CITATION = (
    "Zhou, Lapedriza, Khosla, Oliva and Torralba 2018, Places: A 10 Million Image Database for Scene "
    "Recognition, IEEE TPAMI 40(6):1452-1464"
)
LAYOUT = (
    "as the archives unpack (data_256, data_large, val_256, val_large, test_256, test_large), as torchvision "
    "renames them (data_256_standard, data_large_challenge, ...), the easy format (train/<class>, "
    "val/<class>), one of these folders alone, or any tree of photographs; file lists, where there are any, "
    "beside them or in filelist_places365-standard or -challenge"
)
COMMAND = "--tau 0.5"

Part = Literal["all", "train", "val", "test"]
Edition = Literal["auto", "standard", "challenge"]
Resolution = Literal["auto", "small", "large"]


class _Copy(NamedTuple):
    """One copy of one part: its folder and, where there is one, its file list."""

    part: str
    resolution: str
    edition: str
    folder: Path
    listed: Path | None

    def __str__(self) -> str:
        words = (self.part, self.edition, self.resolution)
        return f"{self.folder.name} ({', '.join(word for word in words if word)})"


# In the order of preference. The archives call both editions alike; their file lists tell which it is.
_FOLDERS = (
    ("data_256_standard", "train", "small", "standard"),
    ("train", "train", "small", "standard"),
    ("data_256", "train", "small", "standard"),
    ("data_256", "train", "small", "challenge"),
    ("data_256_challenge", "train", "small", "challenge"),
    ("data_large_standard", "train", "large", "standard"),
    ("data_large", "train", "large", "standard"),
    ("data_large", "train", "large", "challenge"),
    ("data_large_challenge", "train", "large", "challenge"),
    ("val_256", "val", "small", ""),
    ("val", "val", "small", ""),
    ("val_large", "val", "large", ""),
    ("test_256", "test", "small", ""),
    ("test", "test", "small", ""),
    ("test_large", "test", "large", ""),
)
_UNLISTED = ("train", "val", "test")  # the easy format sorts its files otherwise than the file lists
_LISTS_IN = ("", "filelist_places365-standard", "filelist_places365-challenge")
_NO_PHOTOGRAPHS = (".txt", ".tar", ".part")

_ARCHIVES = "http://data.csail.mit.edu/places/places365"
_VALIDATION = {
    "small": ("val_256", 525_158_400, "e27b17d8d44f4af9a78502beb927f808"),
    "large": ("val_large", None, "9b71c4993ad89d2d8bcbdc4aef38042f"),
}


def places365(
    root: str | Path, *, part: Part = "all", edition: Edition = "auto", resolution: Resolution = "auto"
) -> Iterator[Scene]:
    """One scene per photograph, named alike whatever the folder is called: ``train/a/airfield/00000001.jpg``.

    Where there is a file list, it is followed line by line and no folder is listed; a listed file that is
    missing is given too, and rejected on reading. Of several copies the small one is taken before the
    large one and the standard edition before the challenge's; all parts come in one resolution where that
    is possible. Scenes have their official split where more than one part is read.

    Args:
        root: the folder that the archives were unpacked in, one of theirs, or any tree of photographs.
        part: which of the three parts.
        edition: of the training photographs.
        resolution: small is 256 x 256, large has a short side of 512.

    Raises:
        MissingError: no photographs, or none as asked; the message says what is there or what to get.
        InputError: a file list leads outside its folder, or a folder cannot be listed.

    Source: Zhou et al. 2018; the layouts are those of the published archives.
    """
    root = Path(root)
    there = _copies(root)
    if not there and (part, edition, resolution) == ("all", "auto", "auto"):
        yield from _any_tree(root)
        return
    chosen = _choose(root, there, part, edition, resolution)
    for copy in chosen:
        split = copy.part if len(chosen) > 1 else None
        for path in files_below(copy.folder) if copy.listed is None else _listed(copy.listed, copy.folder):
            name = f"{copy.part}/{scene_name(path, copy.folder)}"
            yield Scene(name, (Frame(path),), split=split, license=LICENSE)


def fetch(
    root: str | Path,
    *,
    resolution: Literal["small", "large"] = "small",
    offline: bool = False,
    progress: bool = False,
) -> Path:
    """Get the 36,500 validation photographs and unpack them in a folder.

    An archive that lies there already is used and kept; one that was downloaded is removed afterwards.

    Args:
        root: the folder that :func:`places365` will read.
        resolution: small is 256 x 256 (0.5 GB), large has a short side of 512 (2.1 GB).
        offline: take what is there, never the network.
        progress: draw a bar on stderr.

    Returns:
        ``root/val_256`` or ``root/val_large``.

    Raises:
        MissingError: offline, or the network fails.
        InputError: the archive is not the published one.
        StorageError: the disk is full, the folder cannot be written, ...
    """
    name, size, md5 = _VALIDATION[resolution]
    folder = Path(root) / name
    if _holds_something(folder):
        return folder
    archive = folder.with_suffix(".tar")
    was_there = archive.is_file()
    url = f"{_ARCHIVES}/{archive.name}"
    download(url, archive, size=size, md5=md5, offline=offline, progress=progress)
    unpack(archive, folder)
    if not was_there:
        archive.unlink(missing_ok=True)
    return folder


def _copies(root: Path) -> list[_Copy]:
    """Every copy of every part in the root, or the root itself where it is one."""
    for top in (root, root / "places365_standard"):
        found = [row for row in _FOLDERS if _holds_something(top / row[0])]
        if found:
            break
    else:
        top = Path(os.path.abspath(root))  # resolve() would take a link's name away
        found = [row for row in _FOLDERS if row[0] == top.name and _holds_something(top)]
        top = top.parent
    copies = []
    for name, part, resolution, edition in found:
        file = f"places365_{part}_{edition}.txt" if edition else f"places365_{part}.txt"
        lists = (t / place / file for t in dict.fromkeys((root, top)) for place in _LISTS_IN)
        listed = None if name in _UNLISTED else next((path for path in lists if path.is_file()), None)
        copies.append(_Copy(part, resolution, edition, top / name, listed))
    told = {copy.folder for copy in copies if copy.listed}
    return [copy for copy in copies if copy.listed or copy.folder not in told]


def _choose(root: Path, there: list[_Copy], part: Part, edition: Edition, resolution: Resolution) -> list[_Copy]:
    """One copy of each part, all in one resolution where that is possible."""
    parts = list(dict.fromkeys(copy.part for copy in there)) if part == "all" else [part]
    fitting = [
        copy
        for copy in there
        if edition in ("auto", copy.edition or edition) and resolution in ("auto", copy.resolution)
    ]
    for resolutions in (("small",), ("large",), ("small", "large")):
        first: dict[str, _Copy] = {}
        for copy in fitting:
            if copy.resolution in resolutions:
                first.setdefault(copy.part, copy)
        if parts and all(name in first for name in parts):
            return [first[name] for name in parts]
    if not _holds_something(root):
        raise _nothing(root)
    raise MissingError(
        f"{str(root)!r} holds no Places365 photographs for part={part}, edition={edition}, "
        f"resolution={resolution}; there is: {', '.join(map(str, there)) or 'none of its folders'}; "
        f"other archives: {URL}"
    )


def _listed(file: Path, folder: Path) -> Iterator[Path]:
    """The files that a list names, line by line: ``/a/airfield/00000001.jpg 0``, the label may be absent."""
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            text = line.strip()
            name, _, label = text.rpartition(" ")
            name = (name.rstrip() if name and label.isdecimal() else text).lstrip("/")
            if ".." in name.split("/") or "\0" in name:
                raise InputError(f"line {number} of {str(file)!r} is no file below a folder: {text!r}")
            if name:
                yield folder / name


def _any_tree(root: Path) -> Iterator[Scene]:
    empty = True
    for path in files_below(root) if root.is_dir() else ():
        if split_suffix(path)[1] not in _NO_PHOTOGRAPHS:
            empty = False
            yield Scene(scene_name(path, root), (Frame(path),), license=LICENSE)
    if empty:
        raise _nothing(root)


def _nothing(root: Path) -> MissingError:
    name, size, _ = _VALIDATION["small"]
    return MissingError(
        f"no Places365 photographs in {str(root)!r}: get {_ARCHIVES}/{name}.tar ({size:,} bytes, the 36,500 "
        f"validation photographs) and unpack it there, or give --download; training archives: {URL}"
    )


def _holds_something(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False
