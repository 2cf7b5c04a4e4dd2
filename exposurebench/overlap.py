"""What two data sets, folders or a checkpoint's training have in common: pictures that look alike, FiveK numbers.

A picture is told by a perceptual hash of ranks, so that neither size, JPEG nor exposure matter much: of the 72 shared
photographs all were known again at -4 to +2 EV with clipping, at 0.4 of the size, as JPEG of quality 50 and with 5 %
cut off, 71 at +3 EV and 69 at +4; of their 2,556 pairs none was taken for one. A picture that was flipped, turned or cropped more is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.camera import preview
from exposurebench.color import REC709, weighted
from exposurebench.dataset import SPLITS, Dataset, Row, load_dataset
from exposurebench.errors import ImageError, InputError, MissingError
from exposurebench.images import Image, read_image
from exposurebench.sources import LIGHT, PICTURES
from exposurebench.sources.folder import scene_name, walk

SIDE, FREQUENCIES = 64, 16
"""The picture is averaged to so many pixels a side, and so many of its cosine frequencies each way are kept."""
ALIKE = 0.3
"""Hashes that differ in at most this share of their 255 bits are of one picture; those of different photographs differ
in half of them, with a standard deviation of 3.3 %."""
FLAT = 0.98
"""A picture of which this share is one value has nothing to be told by."""
CHECKPOINTS = (".pt", ".pth", ".safetensors")
_FIVEK = re.compile(r"(?<![A-Za-z0-9])a(\d{4})(?![A-Za-z0-9])")
_BLOCK = 512
MOST_RECORDED = 50_000
"""A checkpoint keeps the hashes of so many pictures."""
Read = Callable[[], NDArray[Any]]


@dataclass(frozen=True)
class Picture:
    """One picture: its name, its hash (hexadecimal; empty where it is flat or unknown), its FiveK number."""

    name: str
    phash: str
    fivek: int | None


@dataclass(frozen=True)
class Overlap:
    """What A and B share.

    Attributes:
        pictures: how many each has.
        alike: names in A and B, and the share of bits in which they differ, nearest first.
        fivek: FiveK numbers that stand in names of both.
        same_set: whether the two are one data set by the fingerprint of its pixels.
        skipped: of each, files that cannot be read, or what a checkpoint keeps no hash of.
    """

    pictures: tuple[int, int]
    alike: list[tuple[str, str, float]]
    fivek: list[int]
    same_set: bool
    skipped: tuple[int, int]

    @property
    def shared(self) -> int:
        """How many pictures of A are in B, by either sign."""
        return len({name for name, _, _ in self.alike} | {f"a{number:04d}" for number in self.fivek})


def phash(pixels: NDArray[Any]) -> str:
    """A perceptual hash of 255 bits; empty for a flat picture.

    The luma is averaged to 64 x 64 pixels, its values replaced by their ranks (which an exposure does not change but
    where it clips), transformed by cosines, and each of the 16 x 16 lowest frequencies but the mean told by whether it
    is above their median.

    Args:
        pixels: ``(H, W, 3)``, display-encoded, of any depth.

    Returns:
        64 hexadecimal digits, or nothing.

    Source: after the widely used DCT hash; ranks and the size are ours.

    >>> rng = np.random.default_rng(0)
    >>> scene = cv2.resize(rng.random((40, 60, 3), np.float32), (300, 200), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    >>> difference(phash(scene), phash((1.5 * scene[::2, ::2]).clip(0, 1))) < 0.1
    True
    """
    small = cv2.resize(pixels.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    luma = np.rint(weighted(small[..., 0], small[..., 1], small[..., 2], REC709) * (255 / top))
    _, where, counts = np.unique(luma, return_inverse=True, return_counts=True)
    if counts.max() > FLAT * luma.size:
        return ""
    ranks = ((counts.cumsum() - counts / 2) / luma.size)[where].reshape(luma.shape)
    waves = cv2.dct(ranks)[:FREQUENCIES, :FREQUENCIES].ravel()
    bits = waves > np.median(waves[1:])
    bits[0] = False
    return np.packbits(bits).tobytes().hex()


def difference(a: str, b: str) -> float:
    """The share of bits in which two hashes differ.

    >>> difference("00ff", "01ff") * 255
    1.0
    """
    return float(np.bitwise_count(_bits([a])[0] ^ _bits([b])[0]).sum()) / (FREQUENCIES**2 - 1)


def fivek_number(name: str) -> int | None:
    """The number of a photograph of the MIT-Adobe FiveK set in a file's or a scene's name.

    >>> fivek_number("train/a0123-jmac_DSC1459_P1.5.jpg"), fivek_number("data0123.jpg"), fivek_number("a9999.jpg")
    (123, None, None)
    """
    numbers = [int(digits) for digits in _FIVEK.findall(name.replace("_", "-")) if 1 <= int(digits) <= 5000]
    return numbers[0] if numbers else None


def overlap(a: str | Path, b: str | Path) -> Overlap:
    """Compare two data sets, folders of pictures, or checkpoints; of a data set ``FOLDER:SPLIT`` is one split.

    Raises:
        MissingError: there is no such folder or file.
        InputError: a checkpoint without a record of what it has seen, a data set without such a split.
    """
    (seen_a, mark_a, lost_a), (seen_b, mark_b, lost_b) = _seen(a), _seen(b)
    shared = {p.fivek for p in seen_a} & {p.fivek for p in seen_b} - {None}
    same = bool(mark_a) and mark_a == mark_b
    return Overlap(
        (len(seen_a), len(seen_b)), alike(seen_a, seen_b), sorted(n for n in shared if n), same, (lost_a, lost_b)
    )


def alike(a: Iterable[Picture], b: Iterable[Picture], share: float = ALIKE) -> list[tuple[str, str, float]]:
    """Names of pictures whose hashes differ in at most a share of the bits, nearest first."""
    known_a, known_b = ([p for p in side if p.phash] for side in (a, b))
    if not known_a or not known_b:
        return []
    bits_a, bits_b = (_bits([p.phash for p in side]) for side in (known_a, known_b))
    found = []
    for start in range(0, len(known_a), _BLOCK):
        block = bits_a[start : start + _BLOCK, None]
        counts = np.zeros((len(block), len(known_b)), np.uint16)
        for word in range(bits_a.shape[1]):
            counts += np.bitwise_count(block[..., word] ^ bits_b[None, :, word])
        for i, j in np.argwhere(counts <= share * (FREQUENCIES**2 - 1)):
            found.append((known_a[start + i].name, known_b[j].name, float(counts[i, j] / (FREQUENCIES**2 - 1))))
    return sorted(found, key=lambda match: (match[2], match[0], match[1]))


def training_record(dataset: Dataset, split: str = "train") -> dict[str, Any]:
    """What a training has seen, for its checkpoint; of a data set its targets, each once.

    Returns:
        :func:`recorded` of them.
    """
    return recorded([(name, read) for name, read, _ in _targets(dataset, [split])])


def recorded(pictures: Sequence[tuple[str, Read]]) -> dict[str, Any]:
    """``seen``, the name and hash of pictures, and ``targets``, how many there are.

    Of more than :data:`MOST_RECORDED` only those of FiveK and so many others, evenly spread: a record of millions would
    take hours to make and weigh more than the weights.
    """
    others = [p for p in pictures if fivek_number(p[0]) is None]
    kept = set(others[:: -(-len(others) // MOST_RECORDED) or 1])
    chosen = [p for p in pictures if p in kept or fivek_number(p[0]) is not None]
    hashes = _hashed([read for _, read in chosen])
    return {"seen": [[name, code] for (name, _), code in zip(chosen, hashes, strict=True)], "targets": len(pictures)}


def _hashed(reads: Iterable[Read]) -> list[str]:
    """Hashes of pictures, decoded in threads (the decoders let go of the interpreter's lock)."""
    with ThreadPoolExecutor(thread_name_prefix="hash") as pool:
        return list(pool.map(lambda read: phash(read()), reads))


def _bits(hashes: list[str]) -> NDArray[np.uint64]:
    padded = [bytes.fromhex(text.ljust(FREQUENCIES**2 // 4, "0")) for text in hashes]
    return np.frombuffer(b"".join(padded), np.uint64).reshape(len(hashes), -1)


# ------------------------------------------------------------------------------------------ what there is


def _seen(what: str | Path) -> tuple[list[Picture], str, int]:
    """The pictures of one side, the fingerprint of its data set where it has one, and how many cannot be compared."""
    path = Path(what)
    head, _, split = str(what).rpartition(":")
    if head and split in SPLITS and not path.exists():
        path = Path(head)
    else:
        split = ""
    if path.suffix in CHECKPOINTS and path.is_file():
        return _trained(path)
    if (path / "dataset.json").is_file():
        dataset = load_dataset(path)
        if split and split not in dataset.splits:
            raise InputError(f"{str(path)!r} has no split {split!r}: it has {', '.join(dataset.splits)}")
        names, reads, numbers = zip(*_targets(dataset, [split] if split else dataset.splits), strict=True)
        return [Picture(*each) for each in zip(names, _hashed(reads), numbers, strict=True)], dataset.pixels, 0
    if not path.is_dir():
        raise MissingError(
            f"no folder or checkpoint {str(path)!r}: give a data set, a folder of pictures or a model.pt"
        )
    found = _folder(path)
    readable = [picture for picture in found if picture is not None]
    return readable, "", len(found) - len(readable)


def _trained(path: Path) -> tuple[list[Picture], str, int]:
    from exposurebench.checkpoint import load_checkpoint

    record: Mapping[str, Any] = load_checkpoint(path).dataset
    if "seen" not in record:
        raise InputError(f"{str(path)!r} does not say what it has seen: train it again, or compare its data set")
    seen = [Picture(name, code, fivek_number(name)) for name, code in record["seen"]]
    return seen, str(record.get("pixels", "")), record.get("targets", len(seen)) - len(seen)


def _targets(dataset: Dataset, splits: Iterable[str]) -> Iterator[tuple[str, Read, int | None]]:
    """Every target of a data set once, light by its preview: its name, how it is read, its FiveK number."""

    def read(split: str, row: Row, side: str) -> NDArray[Any]:
        return dataset.read(split, row, side).pixels

    for split in splits:
        done = set()
        for row in dataset.rows(split):
            side = "preview" if "preview_file_name" in row else "target"
            place = row[f"{side}_file_name"]
            if place not in done:
                done.add(place)
                yield f"{split}/{row['scene']}", partial(read, split, row, side), fivek_number(row["scene"])


def _folder(root: Path) -> list[Picture | None]:
    """Every picture and radiance map below a folder; None for one that cannot be read."""
    found: list[Picture | None] = []
    for path in walk(root):
        suffix = path.suffix.lower()
        if suffix in PICTURES or suffix in LIGHT:
            name = scene_name(path, root)
            try:
                image = read_image(path, encoding="linear" if suffix in LIGHT else "srgb")
            except ImageError:
                found.append(None)
                continue
            found.append(Picture(name, phash(_shown(image)), fivek_number(name)))
    return found


def _shown(image: Image) -> NDArray[Any]:
    return preview(image.pixels).pixels if image.encoding == "linear" else image.pixels
