"""What large data sets cost: each pairing by the ten thousand pairs, and memory and resuming at many tiny pairs.

    python tests/benchmarks/bench_scale.py pairings [--scenes 60] [--side 512]
    python tests/benchmarks/bench_scale.py tiny [--pairs 100000]

`pairings` builds a small data set in a process of its own for each pairing, with one worker, and scales its cost up to
10,000 pairs: the processor time (of a machine of two cores, half of it is the least that can pass), the largest memory
of the process, and the disk. What starting costs is measured on one scene and taken off first. Light comes from
half-float OpenEXR files, photographs are 512-pixel JPEGs, brackets are three frames and a render.

`tiny` builds pairs of 8-pixel photographs in this process and prints the memory after every tenth of them, the slope of a
line through the second half, and the processor time of listing (planning), of resuming when every shard stands, of the same command
on the finished data set, and of reading all manifest rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

TARGET = 10_000
BUILD = """
import json, resource, sys
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
settings, root, out = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
built = make_dataset(dataset_recipe({"well_exposed": 1.0, "split": "test", **settings}), out, root=root, card=False)
used = resource.getrusage(resource.RUSAGE_SELF)
pairs = sum(n["pairs"] for n in built.dataset.document["counts"].values())
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, pairs]))
"""
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gamma_clip, tau 0.5, size 256": ("photographs", {"source": "folder", "tau": 0.5, "size": 256}),
    "gamma_clip, tau 0.5, own size": ("photographs", {"source": "folder", "tau": 0.5}),
    "gamma_clip, drawn tau, size 256": ("photographs", {"source": "folder", "tau": "0.5:1", "size": 256}),
    "multi_ev, five exposures": ("light", {"source": "radiance", "pair": "multi_ev"}),
    "relative_luminance, three exposures": ("light", {"source": "radiance", "pair": "relative_luminance"}),
    "triplet": ("light", {"source": "radiance", "pair": "triplet"}),
    "paired, links": ("pairs", {"source": "lol", "pair": "paired"}),
    "paired, copies": ("pairs", {"source": "lol", "pair": "paired", "copy": True}),
    "bracket, three frames": ("brackets", {"source": "brackets", "pair": "bracket", "max_residual_px": 100}),
}


def picture(number: int, side: int) -> Any:
    """A crop of a shipped photograph, another one for every number, toned into the middle of the scale."""
    from importlib.resources import files

    names = ("astronaut.png", "chelsea.png", "coffee.png")
    photograph = cv2.imread(str(files("skimage.data") / names[number % 3]))
    photograph = cv2.resize(photograph, None, fx=(side + 100) / 300, fy=(side + 100) / 300)
    top, left = np.random.default_rng(number).integers(0, 90, 2)
    return (20 + 0.8 * photograph[top : top + side, left : left + side]).astype(np.uint8)


def write_sources(folder: Path, scenes: int, side: int) -> None:
    """The photographs, the light, the pairs and the brackets."""
    from exposurebench.files import make_folder, write_bytes
    from exposurebench.images import encode_image, encode_radiance

    for kind in ("photographs", "light", "pairs/our485/low", "pairs/our485/high"):
        make_folder(folder / kind)
    for number in range(scenes):
        bgr = picture(number, side)
        rgb = bgr[..., ::-1]
        write_bytes(folder / "photographs" / f"{number:05d}.jpg", encode_image(rgb, "jpg", 92))
        light = (rgb.astype(np.float32) / 255) ** np.float32(2.2) * 4
        write_bytes(folder / "light" / f"{number:05d}.exr", encode_radiance(light.astype(np.float16)))
        for half, share in (("low", 0.3), ("high", 1.0)):
            data = encode_image((rgb * share).astype(np.uint8))
            write_bytes(folder / "pairs" / "our485" / half / f"{number}.png", data)
        for frame, stops in enumerate((-1, 0, 1)):
            levels = np.clip((light / 4 * 2.0**stops) ** (1 / 2.2), 0, 1) * 255
            name = folder / "brackets" / f"{number:05d}" / f"{frame}.jpg"
            write_bytes(name, encode_image(levels.astype(np.uint8), "jpg", 92))
        write_bytes(folder / "brackets" / f"{number:05d}" / "render.jpg", encode_image(rgb, "jpg", 92))


def cost(settings: dict[str, Any], root: Path, out: Path) -> tuple[float, float, int, int]:
    """Processor seconds, MB of memory, pairs, and bytes on the disk."""
    command = [sys.executable, "-c", BUILD, json.dumps(settings), str(root), str(out)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory, pairs = json.loads(ran.stdout)
    size = sum(p.lstat().st_blocks * 512 for p in out.rglob("*") if ".exposurebench" not in p.parts)
    return seconds, memory, pairs, size


def pairings(scenes: int, side: int) -> None:
    print(f"| pairing, {side} pixels | core seconds | on two cores | memory | disk |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sources(folder, scenes, side)
        for title, (kind, settings) in CASES.items():
            started, _, first, _ = cost({**settings, "limit": 1}, folder / kind, folder / f"{title}-1")
            seconds, memory, pairs, size = cost(settings, folder / kind, folder / title)
            whole = started + (seconds - started) / (pairs - first) * TARGET
            disk = size / pairs * TARGET / 1e9
            print(f"| {title} | {whole:.0f} | {whole / 120:.1f} min | {memory:.0f} MB | {disk:.2f} GB |", flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began, busy = time.perf_counter(), time.process_time()
    yield
    print(
        f"{what}: {time.process_time() - busy:.1f} s of processor time, {time.perf_counter() - began:.1f} s", flush=True
    )


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def tiny(pairs: int) -> None:
    from exposurebench import engine
    from exposurebench.dataset import load_dataset
    from exposurebench.files import make_folder
    from exposurebench.images import encode_image
    from exposurebench.make_dataset import make_dataset
    from exposurebench.plan import make_plan
    from exposurebench.recipe import dataset_recipe

    recipe = dataset_recipe({"source": "folder", "tau": 0.5, "well_exposed": 1.0, "split": "train"})
    with tempfile.TemporaryDirectory() as name:
        root, out = Path(name, "in"), Path(name, "out")
        for number in range(pairs):
            if number % 1000 == 0:
                folder = make_folder(root / f"{number // 1000:04d}")
            data = encode_image(np.random.default_rng(number).integers(40, 200, (8, 8, 3)).astype(np.uint8))
            (folder / f"{number}.png").write_bytes(data)
        with timed(f"listing {pairs} photographs"):
            make_plan(recipe, root)
        memory: list[tuple[int, float]] = []
        run, done = engine.run, 0

        def watched(work: Any, tasks: Any, workers: int) -> Iterator[Any]:
            nonlocal done
            for task, result in run(work, tasks, workers):
                done += len(task.items)
                if done // (pairs // 20) > len(memory):
                    memory.append((done, resident_mb()))
                    print(f"  {done} pairs: {memory[-1][1]:.1f} MB", flush=True)
                yield task, result

        engine.run = watched
        with timed("building"):
            make_dataset(recipe, out, root=root, card=False)
        half = np.array(memory[len(memory) // 2 :])
        print(f"slope {np.polyfit(half[:, 0], half[:, 1], 1)[0] * TARGET:.2f} MB per {TARGET} pairs")
        print(f"largest {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, manifests included")
        engine.run = run
        (out / "dataset.json").unlink()
        with timed("resuming, every shard standing"):
            make_dataset(recipe, out, root=root, card=False)
        with timed("the same command, finished"):
            make_dataset(recipe, out, root=root, card=False)
        with timed("reading all rows"):
            print(f"  {len(load_dataset(out).rows('train'))} rows")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["pairings", "tiny"])
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.part == "pairings":
        pairings(arguments.scenes, arguments.side)
    else:
        tiny(arguments.pairs)


if __name__ == "__main__":
    main()
