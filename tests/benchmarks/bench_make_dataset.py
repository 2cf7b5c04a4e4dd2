"""How fast `make-dataset` is beside a loop that only decodes, resizes and encodes the same two images a pair.

    python tests/benchmarks/bench_make_dataset.py [--pairs 600] [--workers 2] [--runs 5]

The photographs are 512-pixel JPEGs made from those that ship with scikit-image. Both sides start their
worker processes anew in every run, and that start is counted on both; the loop writes its files plainly,
keeps no manifest and hashes nothing. The two alternate; each line gives the median rates and their ratio.
The last line is the ratio for the settings that count: `--size 256`, PNG, the literal form at tau 0.5.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

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


def plain_loop(photographs: Path, out: Path, size: int | None, workers: int) -> None:
    """The same pixels through the same codecs, and nothing else."""
    (out / "input").mkdir(parents=True)
    (out / "target").mkdir()
    names = sorted(str(path) for path in photographs.rglob("*.jpg"))
    chunks = [(names[i : i + CHUNK], str(out), size) for i in range(0, len(names), CHUNK)]
    with ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        list(pool.map(plain_chunk, chunks))


def plain_chunk(chunk: tuple[list[str], str, int | None]) -> None:
    names, out, size = chunk
    table = np.minimum(np.arange(256) / 0.7297 + 0.5, 255).astype(np.uint8)
    for name in names:
        with open(name, "rb") as stream:
            data = stream.read()
        levels = simplejpeg.decode_jpeg(data, colorspace="BGR", strict=True)
        key = name.rsplit("/", 1)[1].removesuffix(".jpg")
        if size is not None:
            levels = cv2.resize(levels, (size, size), interpolation=cv2.INTER_AREA)
            data = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
        with open(f"{out}/target/{key}.{'png' if size else 'jpg'}", "wb") as stream:
            stream.write(data)
        data = cv2.imencode(".png", cv2.LUT(levels, table), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
        with open(f"{out}/input/{key}.png", "wb") as stream:
            stream.write(data)


def ours(photographs: Path, out: Path, settings: dict[str, object], workers: int) -> None:
    from exposurebench.make_dataset import make_dataset  # here, so that the loop's workers need not import it
    from exposurebench.recipe import dataset_recipe

    recipe = dataset_recipe({"source": "folder", "well_exposed": 1.0, **settings})
    make_dataset(recipe, out, root=photographs, workers=workers, card=False)


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
            seconds: dict[str, list[float]] = {"loop": [], "ours": []}
            for run in range(-1, arguments.runs):  # the first, for warm caches, is not counted
                for side in ("loop", "ours") if run % 2 else ("ours", "loop"):
                    out = Path(folder) / "out"
                    started = time.perf_counter()
                    if side == "ours":
                        ours(photographs, out, settings, arguments.workers)
                    else:
                        plain_loop(photographs, out, settings.get("size"), arguments.workers)
                    if run >= 0:
                        seconds[side].append(time.perf_counter() - started)
                    shutil.rmtree(out)
            loop, mine = (statistics.median(seconds[side]) for side in ("loop", "ours"))
            print(
                f"{title}: {arguments.pairs / mine:.0f} pairs/s, the loop {arguments.pairs / loop:.0f} pairs/s, "
                f"{arguments.workers} workers, start-up counted on both"
            )
            print(f"ratio {loop / mine:.2f}", flush=True)


if __name__ == "__main__":
    main()
