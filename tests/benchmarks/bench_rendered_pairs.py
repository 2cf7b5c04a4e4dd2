"""How fast rendered pairs are made beside a loop that only reads and writes the same files.

    python tests/benchmarks/bench_rendered_pairs.py [--scenes 60] [--runs 5]

The scenes are computed ones of 512 x 512 pixels, written as Radiance pictures. The loop decodes each, encodes the
images that the data set holds of it (decoded beforehand) with the same codecs, and writes them plainly. Both run in
one process and alternate; medians. RAW files are decoded by one and by two workers where a folder of them is given
(`--raw DIR`). The last line is the smaller ratio of `multi_ev` and `relative_luminance`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from exposurebench import engine
from exposurebench.dataset import load_dataset
from exposurebench.images import RAW_SUFFIXES, Image, encode_image, encode_radiance, read_image, read_raw
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.store import sides_of
from exposurebench.synthesis import KINDS, synthesize

CASES: dict[str, dict[str, Any]] = {
    "multi_ev, five exposures": {"pair": "multi_ev"},
    "relative_luminance, three exposures": {"pair": "relative_luminance"},
    "triplet, three exposures": {"pair": "triplet"},
}


def write_scenes(folder: Path, count: int) -> None:
    for number in range(count):
        light = synthesize(number, KINDS[number % len(KINDS)], 512, 512)
        (folder / f"{number:03d}.hdr").write_bytes(encode_radiance(light, "hdr"))


def images_of(folder: Path) -> dict[str, dict[str, Image]]:
    """Every scene's images as the data set holds them, by the name of their file."""
    dataset, found = load_dataset(folder), {}
    for row in dataset.rows("test"):
        for side, name in sides_of(row).items():
            found.setdefault(row["scene"], {})[name] = dataset.read("test", row, side)
    return found


def plain_loop(scenes: Path, out: Path, images: dict[str, dict[str, Image]]) -> None:
    for path in sorted(scenes.iterdir()):
        read_image(path, encoding="linear")
        for name, image in images[path.name].items():
            light = image.encoding == "linear"
            data = encode_radiance(image.pixels) if light else encode_image(image.pixels)
            (out / name.replace("/", "_")).write_bytes(data)


def seconds(work: Callable[[], None], out: Path) -> float:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(scenes: Path, folder: Path, settings: dict[str, Any], runs: int) -> float:
    recipe = dataset_recipe({"source": "radiance", "split": "test", **settings})
    make_dataset(recipe, folder / "first", root=scenes, card=False)
    images = images_of(folder / "first")
    shutil.rmtree(folder / "first")
    taken: dict[str, list[float]] = {"loop": [], "ours": []}
    for run in range(-1, runs):  # the first, for warm caches, is not counted
        loop = seconds(lambda: plain_loop(scenes, folder / "out", images), folder / "out")
        ours = seconds(lambda: (make_dataset(recipe, folder / "out", root=scenes, card=False), None)[1], folder / "out")
        if run >= 0:
            taken["loop"].append(loop)
            taken["ours"].append(ours)
    loop, mine = (statistics.median(taken[side]) for side in ("loop", "ours"))
    count = len(images)
    print(f"  {count / mine:.1f} scenes/s, the loop {count / loop:.1f} scenes/s, one process")
    return loop / mine


def decode(path: Path) -> float:
    return float(read_raw(path).pixels.mean())


def raw_cores(folder: Path) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in RAW_SUFFIXES]
    files = [path for path in files if not path.read_bytes().startswith(b"\xff\xd8")] * 4
    taken = {}
    for workers in (1, 2):
        started, before = time.perf_counter(), os.times()
        list(engine.run(decode, files, workers))
        after = os.times()
        taken[workers] = time.perf_counter() - started
        busy = sum(after[:4]) - sum(before[:4])
        print(
            f"RAW, {workers} workers: {len(files) / taken[workers]:.1f} files/s, {busy / taken[workers]:.2f} cores busy"
        )
    print(f"ratio of two workers to one {taken[1] / taken[2]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--raw", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.raw:
        raw_cores(arguments.raw)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        scenes = Path(folder, "scenes")
        scenes.mkdir()
        write_scenes(scenes, arguments.scenes)
        for title, settings in CASES.items():
            print(title)
            ratios.append(compare(scenes, Path(folder), settings, arguments.runs))
            print(f"ratio {ratios[-1]:.2f}", flush=True)
    print(f"ratio {min(ratios[:2]):.2f}")


if __name__ == "__main__":
    main()
