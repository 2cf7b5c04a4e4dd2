"""How fast metrics are beside the libraries that people use.

    python tests/benchmarks/bench_metrics.py [--runs 15] [--threads 2] [--size 512]

One pair of square RGB images, float32, on the processor. The two sides of a comparison score the same channels
with the same settings and alternate; a line gives both medians and the median of the ratios of neighbouring
runs. The last line is the smallest ratio as a share of its aim.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
import warnings
from collections.abc import Callable

import piq
import torch
from skimage.metrics import structural_similarity

from exposurebench.metrics.fsimc import fsimc
from exposurebench.metrics.ms_ssim import ms_ssim
from exposurebench.metrics.ssim import ssim

Score = Callable[[torch.Tensor, torch.Tensor], object]


def scikit_image_ssim(prediction: torch.Tensor, target: torch.Tensor) -> float:
    return structural_similarity(
        target[0].numpy(),
        prediction[0].numpy(),
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


CASES: dict[str, tuple[Score, Score, float]] = {
    "ssim, piq (downsample=False)": (ssim, functools.partial(piq.ssim, downsample=False), 3),
    "ssim, scikit-image": (ssim, scikit_image_ssim, 3),
    "ms_ssim/rgb, piq": (functools.partial(ms_ssim, color="rgb"), piq.multi_scale_ssim, 2),
    "fsimc, piq": (fsimc, piq.fsim, 2),
}


def seconds(score: Score, pair: tuple[torch.Tensor, torch.Tensor]) -> float:
    started = time.perf_counter()
    score(*pair)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")
    target = torch.rand(1, 3, arguments.size, arguments.size, generator=torch.Generator().manual_seed(0))
    pair = 0.9 * target + 0.05, target
    shares = []
    for title, (ours, theirs, aim) in CASES.items():
        values = [float(score(*pair)) for score in (ours, theirs)]  # warms caches, and both do the same work
        if abs(values[0] - values[1]) > 1e-3:
            raise SystemExit(f"{title}: {values[0]:.6f} against {values[1]:.6f}: not the same score")
        runs = [(seconds(ours, pair), seconds(theirs, pair)) for _ in range(arguments.runs)]
        mine, others = (1e3 * statistics.median(side) for side in zip(*runs, strict=True))
        ratio = statistics.median(other / own for own, other in runs)
        shares.append(ratio / aim)
        print(f"{title}: {mine:.1f} ms against {others:.1f} ms, ratio {ratio:.2f}, aim {aim:g}", flush=True)
    print(f"ratio {min(shares):.2f}")


if __name__ == "__main__":
    main()
