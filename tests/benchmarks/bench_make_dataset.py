"""How fast `make-dataset` is beside a loop that only decodes, resizes and encodes the same two images a pair.

    python tests/benchmarks/bench_make_dataset.py [--pairs 600] [--workers 2] [--runs 5]

The photographs are 512-pixel JPEGs made from those that ship with scikit-image. Both sides start their worker
processes anew in every run, and that start is counted on both. The loop decodes and shrinks each photograph, encodes
the target, encodes the input that the data set holds (it lies decoded in one mapped file: making it costs the loop
nothing), writes both files plainly, keeps no manifest and hashes nothing. The two alternate. Each line gives the median
rates, the processor time of a pair on both sides, workers and parent together, and the ratio of the rates. The last line
is the ratio for the settings that count: `--size 256`, PNG, the literal form at tau 0.5.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

CHUNK = 10
CASES = {
    "drawn tau (camera form), size 256": {"tau": "0.5:1", "size": 256},
    "tau 0.5, own size": {"tau": 0.5},
    "tau 0.5, size 256": {"tau": 0.5, "size": 256},
}


def write_photographs(folder: Path, count: int) -> None:
    """512-pixel crops of the shipped photographs, each shifted, flipped and toned differently."""
    shipped = Path(str(files("skimage.data")))
    pictures = [cv2.imread(str(shipped / name)) for name in ("astronaut.png", "chelsea.png", "coffee.png")]
    pictures = [cv2.resize(p, None, fx=s, fy=s) for p in pictures for s in [640 / min(p.shape[:2])]]
    rng = np.random.default_rng(0)
    for number in range(count):
        picture = pictures[number % len(pictures)]
        top, left = rng.integers(0, (picture.shape[0] - 511, picture.shape[1] - 511))
        crop = picture[top : top + 512, left : left + 512, :][:, :: rng.choice([-1, 1])]
        toned = (20 + crop * rng.uniform(0.7, 0.85)).astype(np.uint8)
        path = folder / f"class{number % 10}" / f"{number:05d}.jpg"
        path.parent.mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(path), toned, [cv2.IMWRITE_JPEG_QUALITY, 92])


def plain_loop(photographs: Path, inputs: Path, out: Path, size: int | None, workers: int) -> None:
    """The same pixels through the same codecs, and nothing else."""
    (out / "input").mkdir(parents=True)
    (out / "target").mkdir()
    names = names_of(photographs)
    chunks = [(first, names[first : first + CHUNK], inputs, out, size) for first in range(0, len(names), CHUNK)]
    with ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        list(pool.map(plain_chunk, chunks))


def plain_chunk(chunk: tuple[int, list[str], Path, Path, int | None]) -> None:
    first, names, inputs, out, size = chunk
    for name, levels in zip(names, np.load(inputs, mmap_mode="r")[first:], strict=False):
        with open(name, "rb") as stream:
            data = stream.read()
        target = simplejpeg.decode_jpeg(data, colorspace="BGR", strict=True)
        key = name.rsplit("/", 1)[1].removesuffix(".jpg")
        if size is not None:
            target = cv2.resize(target, (size, size), interpolation=cv2.INTER_AREA)
            data = encoded(target)
        with open(f"{out}/target/{key}.{'png' if size else 'jpg'}", "wb") as stream:
            stream.write(data)
        with open(f"{out}/input/{key}.png", "wb") as stream:
            stream.write(encoded(np.asarray(levels)))


def encoded(levels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def names_of(photographs: Path) -> list[str]:
    return sorted(str(path) for path in photographs.rglob("*.jpg"))


def inputs_of(photographs: Path, dataset: Path, path: Path) -> None:
    """Write the input of every photograph as the loop's encoder takes it, in the order of the loop's names."""
    from exposurebench.dataset import load_dataset

    found = load_dataset(dataset)
    files = {r["scene"]: dataset / split / r["input_file_name"] for split in found.splits for r in found.rows(split)}
    names = [os.path.relpath(name, photographs) for name in names_of(photographs)]
    np.save(path, np.stack([cv2.imread(str(files[name])) for name in names]))


def ours(photographs: Path, out: Path, settings: dict[str, object], workers: int) -> None:
    from exposurebench.make_dataset import make_dataset  # here, so that the loop's workers need not import it
    from exposurebench.recipe import dataset_recipe

    recipe = dataset_recipe({"source": "folder", "well_exposed": 1.0, **settings})
    make_dataset(recipe, out, root=photographs, workers=workers, card=False)


def processor_seconds() -> float:
    return sum(os.times()[:4])


def compare(photographs: Path, folder: Path, settings: dict[str, Any], workers: int, runs: int) -> None:
    out, inputs = folder / "out", folder / "inputs.npy"
    ours(photographs, out, settings, workers)  # not counted: it gives the loop's inputs, and warm caches
    inputs_of(photographs, out, inputs)
    shutil.rmtree(out)
    sides: dict[str, Callable[[], None]] = {
        "loop": lambda: plain_loop(photographs, inputs, out, settings.get("size"), workers),
        "ours": lambda: ours(photographs, out, settings, workers),
    }
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for run in range(-1, runs):
        for side in sorted(sides, reverse=bool(run % 2)):
            started, busy = time.perf_counter(), processor_seconds()
            sides[side]()
            if run >= 0:
                taken[side].append((time.perf_counter() - started, processor_seconds() - busy))
            shutil.rmtree(out)
    pairs = len(names_of(photographs))
    (loop, loop_busy), (mine, mine_busy) = (
        [statistics.median(column) for column in zip(*taken[side], strict=True)] for side in sides
    )
    print(
        f"{pairs / mine:.0f} pairs/s, the loop {pairs / loop:.0f} pairs/s, {workers} workers, start-up counted on both; "
        f"{1e3 * mine_busy / pairs:.1f} and {1e3 * loop_busy / pairs:.1f} ms of processor time a pair, "
        f"ratio {loop_busy / mine_busy:.2f}"
    )
    print(f"ratio {loop / mine:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photographs = Path(folder) / "photographs"
        write_photographs(photographs, arguments.pairs)
        for title, settings in CASES.items():
            print(title)
            compare(photographs, Path(folder), settings, arguments.workers, arguments.runs)


if __name__ == "__main__":
    main()
