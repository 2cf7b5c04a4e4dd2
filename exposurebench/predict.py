"""Photographs in, corrected photographs out, and a record of what was made of what by which method."""

from __future__ import annotations

import functools
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench import __version__
from exposurebench.color import srgb_to_display
from exposurebench.dataset import load_dataset, sides_of
from exposurebench.engine import Share
from exposurebench.errors import ImageError, InputError, ModelError, RecipeError
from exposurebench.files import (
    safe_key,
    sha256,
    short_hash,
    write_bytes,
)
from exposurebench.images import (
    RAW_SUFFIXES,
    Encoding,
    Image,
    encode_image,
    encode_radiance,
    holds_light,
    quantize,
    read_image,
    upright_exif,
    with_exif,
)
from exposurebench.method import Method, checked_output
from exposurebench.prediction_record import SAVED_EVERY_S, Record
from exposurebench.sources import LIGHT, PICTURES
from exposurebench.sources.folder import walk

FORMATS = {"srgb": ("png", "jpg"), "linear": ("exr", "hdr")}
"""What a method's output can be written as; the first one where nobody says."""
TOGETHER, TOGETHER_PIXELS = 16, 32_000_000
"""Photographs of one size that a network gets at once, where that is quicker, and how many pixels wait for each other."""
LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class Predicted:
    """What became of each photograph.

    Attributes:
        written: the files that were written.
        kept: those that an earlier run had made of the same photographs by the same method.
        failed: photographs that were left out, and why.
    """

    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    """One photograph: what it is called, where it lies, what it becomes, and how it is read."""

    source: Path
    output: Path
    row: Mapping[str, Any]
    read: Callable[[], Image]


@dataclass(frozen=True, eq=False)
class _Input:
    job: _Job
    image: Image
    digest: str
    exif: bytes


def predict(
    method: Method,
    photographs: Sequence[str | Path],
    out: str | Path,
    *,
    file_format: str | None = None,
    on_error: str = "skip",
    progress: bool = False,
) -> Predicted:
    """Correct photographs and write them under their own names.

    A folder is walked, and its tree stands again below ``out``. Pictures come out upright, in the depth of the file
    (8 or 16 bits), with its EXIF; light comes out as OpenEXR of halves (floats where a half would overflow) or as a
    Radiance picture. A method of photographs takes a RAW file developed plainly: camera white balance, no brightening,
    the sRGB curve, 16 bits. ``predictions.json`` beside them says what was made of what by which method; what stands
    there with the same hashes is not made again.

    Args:
        method: what corrects them.
        photographs: files, and folders of files.
        out: a folder; made when missing.
        file_format: ``png`` or ``jpg`` of a method that gives pictures, ``exr`` or ``hdr`` of one that gives light.
        on_error: ``skip`` what cannot be read or corrected, or ``fail`` at the first.
        progress: whether to show it.

    Raises:
        InputError: there is nothing to correct; with ``fail``, a photograph cannot be read.
        RecipeError: a format that does not suit the method, or a photograph would be overwritten.
        ModelError: with ``fail``, the method gave something that is no corrected photograph.
        StorageError: the folder cannot be written.
    """
    allowed = FORMATS["srgb" if method.gives == "srgb" else "linear"]
    if file_format not in (None, *allowed):
        what = "pictures" if method.gives == "srgb" else "light"
        raise RecipeError(f"{method.name} gives {what}, which is written as {' or '.join(allowed)}, not {file_format}")
    out, suffix = Path(out), file_format or allowed[0]
    found = list(dict.fromkeys(_found(photographs, out, method.takes)))
    names = Counter(str(name).casefold() for _, name in found)
    jobs = []
    for path, name in found:
        if names[str(name).casefold()] > 1:  # a.jpg beside a.png, or of two folders
            name = name.with_name(f"{safe_key(name.name)}-{short_hash(str(path))}")
        read = _reader(path, method.takes)
        jobs.append(_Job(path, out / f"{name}.{suffix}", {"id": str(name)}, read))
    return _run(method, jobs, out, {"format": suffix}, on_error, progress)


def predict_dataset(
    method: Method,
    folder: str | Path,
    split: str,
    out: str | Path,
    *,
    share: Share | None = None,
    on_error: str = "fail",
    progress: bool = False,
) -> Predicted:
    """Correct the inputs of a data set's split; the files are named after their keys, as ``eval --predictions`` wants.

    Light is written as floats, so that it scores as it would unwritten. With ``share`` only its part of the pairs, into
    a folder where other processes write the others; all of them together are the files of one run.
    """
    dataset = load_dataset(folder)
    rows = dataset.rows(split)
    part = share.of(len(rows)) if share else range(len(rows))
    suffix = "png" if method.gives == "srgb" else "exr"
    jobs = [
        _Job(
            dataset.folder / split / sides_of(row)["input"],
            Path(out) / f"{row['id']}.{suffix}",
            row,
            lambda row=row: dataset.read_input(split, row),  # type: ignore[misc]
        )
        for row in rows[part.start : part.stop]
    ]
    return _run(method, jobs, Path(out), {"format": "scored", "dataset": dataset.pixels}, on_error, progress, share)


# ------------------------------------------------------------------------------- what is read, and how


def _found(photographs: Sequence[str | Path], out: Path, takes: Encoding) -> Iterator[tuple[Path, Path]]:
    """Every photograph, and what it is called below the output folder, without its suffix."""
    suits = {*RAW_SUFFIXES, *((*PICTURES, ".gif") if takes == "srgb" else LIGHT)}
    for what in map(Path, photographs):
        if not what.is_dir():
            yield what, Path(what.stem)
            continue
        if out.resolve().is_relative_to(what.resolve()):
            raise RecipeError(
                f"{str(out)!r} lies inside {str(what)!r} and would be read as photographs: choose another --out"
            )
        below = [path for path in walk(what) if path.suffix.lower() in suits]
        if not below:
            raise InputError(f"{str(what)!r} holds no files to correct: expected {', '.join(sorted(suits)[:6])}, ...")
        yield from ((path, path.relative_to(what).with_suffix("")) for path in below)


def _reader(path: Path, takes: Encoding) -> Callable[[], Image]:
    def read() -> Image:
        if takes != "srgb":
            return read_image(path, encoding="linear")
        if holds_light(path):
            raise ImageError(
                "holds scene light, and this model takes photographs: render it at an exposure first, such as by "
                "make-dataset radiance --pair multi_ev"
            )
        if path.suffix.lower() not in RAW_SUFFIXES:
            return read_image(path)
        light = read_image(path, encoding="linear").pixels
        return Image(quantize(srgb_to_display(light.clip(0, 1)), 16), 16)

    return read


def _input(job: _Job, record: Record) -> _Input | Path | Exception:
    """A photograph and what its file says; its output's path where that was made before; or why it cannot be read."""
    try:
        try:
            data = job.source.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot be opened ({error.strerror})") from error
        digest = sha256(data)
        if record.has(job.output, digest):
            return job.output
        image = job.read()
    except InputError as error:
        return error
    height, width = image.pixels.shape[:2]
    return _Input(job, image, digest, upright_exif(data, height, width))


# ----------------------------------------------------------------------------------- one after the other


def _run(
    method: Method,
    jobs: Sequence[_Job],
    out: Path,
    how: Mapping[str, str],
    on_error: str,
    progress: bool,
    share: Share | None = None,
) -> Predicted:
    """Read ahead, correct, write behind; what was finished when something ends it is on record."""
    from tqdm import tqdm

    if on_error not in ("skip", "fail"):
        raise RecipeError(f"on_error must be skip or fail, not {on_error!r}")
    _check_outputs(jobs)
    record = Record(out, _maker(method, how), share)
    done, writes = Predicted(), deque[tuple[_Input, Future[str]]]()
    together, ahead = (1, 2) if method.several is None else (TOGETHER, TOGETHER)

    def fail(job: _Job, error: Exception) -> None:
        if on_error == "fail":
            raise error if isinstance(error, ModelError) else InputError(f"{str(job.source)!r} {error}") from error
        done.failed[str(job.source)] = str(error)

    def finish(still: int = 0) -> None:
        while len(writes) > still:
            given, written = writes.popleft()
            record.add(given.job.output, given.digest, written.result())
            done.written.append(given.job.output)

    def correct(group: Sequence[_Input]) -> None:
        images, rows = [given.image.as_float() for given in group], [given.job.row for given in group]
        try:
            several = method.several if len(group) > 1 else None
            outputs = several(images, rows) if several else [method.run(images[0], rows[0])]
        except (InputError, ModelError) as error:
            for given in group:
                fail(given.job, error)
            return
        for given, image, output in zip(group, images, outputs, strict=True):
            try:
                depth = min(given.image.bit_depth, 8 if how["format"] == "jpg" else 16)
                levels = checked_output(method, output, image, given.job.row, depth)
            except ModelError as error:
                fail(given.job, error)
            else:
                writes.append((given, pool.submit(_write, given, levels, how["format"])))
        finish(ahead)

    bar = tqdm(total=len(jobs), unit="photograph", disable=not progress, file=sys.stderr, dynamic_ncols=True)
    waiting: dict[tuple[int, ...], list[_Input]] = {}
    with ThreadPoolExecutor(ahead) as pool, bar, record:
        try:
            for job, found in _ahead(pool, functools.partial(_input, record=record), jobs, ahead):
                if isinstance(found, Exception):
                    fail(job, found)
                elif isinstance(found, Path):
                    done.kept.append(found)
                else:
                    group = waiting.setdefault(found.image.pixels.shape, [])
                    group.append(found)
                    if len(group) == together or found.image.pixels[..., 0].size * len(group) > TOGETHER_PIXELS:
                        correct(waiting.pop(found.image.pixels.shape))
                        record.store(every_s=SAVED_EVERY_S)
                bar.update()
            for group in waiting.values():
                correct(group)
        finally:
            finish()
    return done


def _maker(method: Method, how: Mapping[str, str]) -> dict[str, Any]:
    """Everything that an output depends on besides its input."""
    facts = {name: fact for name, fact in method.facts.items() if name != "trained_on"}
    return {"name": method.name, **facts, **how, "exposurebench": __version__}


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[_Job], _Input | Path | Exception], jobs: Sequence[_Job], number: int
) -> Iterator[tuple[_Job, _Input | Path | Exception]]:
    """What work makes of each job, in their order; so many are under way before they are asked for."""
    begun: deque[tuple[_Job, Future[_Input | Path | Exception]]] = deque()
    for job in jobs:
        begun.append((job, pool.submit(work, job)))
        if len(begun) > number:
            first, result = begun.popleft()
            yield first, result.result()
    for first, result in begun:
        yield first, result.result()


def _write(given: _Input, levels: NDArray[Any], how: str) -> str:
    """Write one output, and give its hash."""
    if levels.dtype == np.float32:
        exact = how == "scored" or levels.max() > LARGEST_HALF
        data = encode_radiance(levels, "hdr" if how == "hdr" else "exr32" if exact else "exr")
    else:
        data = with_exif(encode_image(levels, "jpg" if how == "jpg" else "png"), given.exif)
    write_bytes(given.job.output, data)
    return sha256(data)


def _check_outputs(jobs: Sequence[_Job]) -> None:
    """Refuse to write over a photograph that is read."""
    read = {_identity(job.source) for job in jobs} - {None}
    for job in jobs:
        if _identity(job.output) in read:
            raise RecipeError(
                f"{str(job.output)!r} is one of the photographs and would be overwritten: choose another --out"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
