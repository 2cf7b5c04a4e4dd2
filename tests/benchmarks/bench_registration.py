"""How fast registration is beside one full-size ECC search of OpenCV's on the same pairs.

    python tests/benchmarks/bench_registration.py [--pairs 40] [--runs 3]

The pairs are two exposures (up to 3 EV apart) of light from the photographs that ship with scikit-image, one warped by
up to 20 px, 3 degrees and 3 %. Ours is all of `register`: exposure normalisation, the pyramid, correlation and
residual. Theirs is `cv2.findTransformECC` from the identity, 50 iterations, eps 1e-3, on 8-bit gray pictures, whose
conversion is not counted; it may end in an error. The two alternate on one thread; each line gives the medians over
pairs of the fastest runs. The last line is the ratio (theirs to ours) for affine, the default.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from exposurebench.color import srgb_to_display, srgb_to_light
from exposurebench.images import Image, quantize, read_image
from exposurebench.registration import register
from exposurebench.warp_search import Motion

MOTIONS: dict[Motion, int] = {"homography": 3, "translation": 0, "euclidean": 1, "affine": 2}


def make_pairs(count: int, motion: Motion) -> list[tuple[np.ndarray, np.ndarray]]:
    """Moving and fixed, 8 bits."""
    shipped = Path(str(files("skimage.data")))
    rng = np.random.default_rng(0)
    pairs = []
    for number in range(count):
        light = srgb_to_light(read_image(shipped / ("astronaut.png", "coffee.png")[number % 2]).as_float())
        light = cv2.resize(light, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
        angle = 0.0 if motion == "translation" else rng.uniform(-3, 3)
        scale = 1.0 if motion in ("translation", "euclidean") else rng.uniform(0.97, 1.03)
        turn = cv2.getRotationMatrix2D((light.shape[1] / 2, light.shape[0] / 2), angle, scale)
        turn[:, 2] += rng.uniform(-14, 14, 2)
        moved = cv2.warpAffine(light, turn, light.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        sides = [(moved, rng.uniform(-3, 3)), (light, 0.0)]
        pairs.append(tuple(quantize(srgb_to_display((p * 2**ev).clip(0, 1))[64:-64, 64:-64]) for p, ev in sides))
    return pairs  # type: ignore[return-value]


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    with contextlib.suppress(cv2.error):
        run()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-3)
    for motion, number in MOTIONS.items():
        ours, theirs = [], []
        for moving, fixed in make_pairs(arguments.pairs, motion):
            gray = [cv2.cvtColor(side, cv2.COLOR_RGB2GRAY) for side in (fixed, moving)]
            sides = Image(moving), Image(fixed)
            start = np.eye(3 if number == 3 else 2, 3, dtype=np.float32)
            rounds = [
                (
                    seconds(lambda s=sides, m=motion: register(*s, motion=m)),
                    seconds(lambda g=gray, w=start, n=number: cv2.findTransformECC(*g, w.copy(), n, ends)),
                )
                for _ in range(arguments.runs)
            ]
            ours.append(min(r[0] for r in rounds))
            theirs.append(min(r[1] for r in rounds))
        mine, one = statistics.median(ours), statistics.median(theirs)
        print(f"{motion}: {1000 * mine:.1f} ms, one full-size search {1000 * one:.1f} ms, {sides[0].pixels.shape[:2]}")
        print(f"ratio {one / mine:.2f}", flush=True)


if __name__ == "__main__":
    main()
