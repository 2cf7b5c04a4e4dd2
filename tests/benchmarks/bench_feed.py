"""How long training waits for its data: the share of the time that `Feed.batch` blocks, beside a step of about 100 ms.

    python tests/benchmarks/bench_feed.py [PHOTOGRAPHS] [--step 0.1] [--steps 100] [--runs 3]

A data set of 256-pixel photographs (of the folder given, else those that ship with scikit-image) is fed in batches of
eight to a small network on all cores, whose forward and backward passes are repeated until a step has taken so long.
The first batch, for which everything waits, counts. The cases take turns; each line gives the median share, and the last
the worst of those in which files are decoded anew each time, as of a data set that memory cannot hold.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from exposurebench import feed as feeding
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe

CASES: dict[str, tuple[dict[str, Any], int]] = {
    "decoded once, whole": ({"patch": 0}, 2 << 30),
    "decoded anew, whole": ({"patch": 0}, 0),
    "decoded anew, crops of 128, turned": ({"patch": 128, "augment": "paper2/corrected"}, 0),
    "decoded anew, degraded, camera form": ({"patch": 0, "degrade": {"tau": "0.5:1"}}, 0),
}


def waiting(data: Path, settings: dict[str, Any], room: int, step_s: float, steps: int) -> float:
    """The share of a short training that waited."""
    feeding.CACHE_BYTES = room
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))
    optimizer = torch.optim.Adam(network.parameters())
    with feeding.open_feed(data, batch=8, seed=0, **settings) as feed:
        began = time.perf_counter()
        for step in range(steps):
            batch, started = feed.batch(step), time.perf_counter()
            while time.perf_counter() - started < step_s:
                optimizer.zero_grad()
                (network(batch["input"]) - batch["target"]).abs().mean().backward()
                optimizer.step()
        return feed.waited / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", nargs="?", type=Path, default=Path(str(files("skimage.data"))))
    parser.add_argument("--step", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recipe = {"source": "folder", "size": 256, "crop": "center", "split": "train", "well_exposed": 1.0}
        built = make_dataset(
            dataset_recipe(recipe), Path(folder) / "set", root=arguments.photographs, card=False
        ).dataset
        print(
            f"{len(built.rows('train'))} pairs, a step of {1000 * arguments.step:.0f} ms on {torch.get_num_threads()} threads"
        )
        shares: dict[str, list[float]] = {name: [] for name in CASES}
        for _ in range(arguments.runs):
            for name, (settings, room) in CASES.items():
                shares[name].append(waiting(built.folder, settings, room, arguments.step, arguments.steps))
    medians = {name: statistics.median(found) for name, found in shares.items()}
    for name, share in medians.items():
        print(f"{name}: {100 * share:.2f} % of the time waiting ({', '.join(f'{100 * s:.2f}' for s in shares[name])})")
    print(f"ratio {max(share for name, share in medians.items() if CASES[name][1] == 0):.4f}")


if __name__ == "__main__":
    main()
