"""How fast `hdrvdp2` and `hdrvdp3` are beside ColorVideoVDP on the same 512 x 512 pair, and how much memory 1920 x 1080 takes.

    python tests/benchmarks/bench_hdrvdp.py [--runs 15] [--threads 2]

ColorVideoVDP is the package `cvvdp`, with its standard 4K display, its JOD alone and no map; without it the
ratios to it are left out. All take turns in one process, in float32; each line gives the median time and the
ratio. The last lines are the peak of resident memory of a process of its own that scores one pair of
1920 x 1080, interpreter and libraries included, and the ratio of six predictions scored against one target to
six pairs.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from exposurebench.metrics.hdrvdp2 import hdrvdp2
from exposurebench.metrics.hdrvdp3 import hdrvdp3

METRICS = {"hdrvdp3": hdrvdp3, "hdrvdp2": hdrvdp2}


def pair(height: int, width: int, count: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth light of 0.1 to 1000 cd/m2 with some texture, and the same clipped at 300 with some noise."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 12, 12, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    texture = torch.rand(1, 3, height, width, generator=generator)
    target = 0.1 + 900 * smooth**3 + 30 * texture
    noise = torch.randn(count, 3, height, width, generator=generator)
    return (target * (1 + 0.03 * noise)).clamp(0.1, 300), target


def timed(rivals: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Median seconds of each, in turns; the first, for warm caches, is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for run in range(runs + 1):
        for name in rivals if run % 2 else reversed(list(rivals)):
            started = time.perf_counter()
            rivals[name]()
            if run:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}


def colour_video_vdp(prediction: torch.Tensor, target: torch.Tensor) -> Callable[[], Any] | None:
    try:
        import pycvvdp
    except (ImportError, RuntimeError, AttributeError) as error:
        print(f"ColorVideoVDP is not there: {error}")
        return None
    metric = pycvvdp.cvvdp(display_name="standard_4k", quiet=True, device=torch.device("cpu"))
    peak = target.max()
    ours, theirs = prediction[0] / peak, target[0] / peak
    return lambda: metric.predict(ours, theirs, dim_order="CHW")


def memory(name: str) -> None:
    """Peak resident memory of this process after one pair of 1920 x 1080."""
    METRICS[name](*pair(1080, 1920), with_map=True)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-of", choices=METRICS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        memory(arguments.memory_of)
        return

    prediction, target = pair(512, 512)
    rivals: dict[str, Callable[[], Any]] = {}
    for name, metric in METRICS.items():
        rivals[name] = lambda metric=metric: metric(prediction, target)
        rivals[f"{name} with map"] = lambda metric=metric: metric(prediction, target, with_map=True)
    theirs = colour_video_vdp(prediction, target)
    if theirs:
        rivals["cvvdp"] = theirs
    medians = timed(rivals, arguments.runs)
    for name, seconds in medians.items():
        print(f"{name}: {1000 * seconds:.0f} ms for a pair of 512 x 512, {arguments.threads} threads, float32")
    for name in METRICS:
        if theirs:
            print(f"ratio {name} to cvvdp {medians[name] / medians['cvvdp']:.2f}")
        print(f"ratio {name} with map to without {medians[f'{name} with map'] / medians[name]:.2f}")

    many, one = pair(512, 512, 6)
    every = one.expand_as(many).contiguous()
    for name, metric in METRICS.items():
        shared = timed(
            {"one": lambda metric=metric: metric(many, one), "six": lambda metric=metric: metric(many, every)},
            max(3, arguments.runs // 3),
        )
        print(f"ratio {name} of six predictions with one target to six pairs {shared['one'] / shared['six']:.2f}")
    for name in METRICS:
        command = [sys.executable, __file__, "--memory-of", name, "--threads", str(arguments.threads)]
        peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        print(f"{name}: {peak} GiB at most for a pair of 1920 x 1080")


if __name__ == "__main__":
    main()
