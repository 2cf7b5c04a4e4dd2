"""What predicting a 12-megapixel photograph costs beside its tiles: time, and the memory of the whole process.

    python tests/benchmarks/bench_predict.py [--megapixels 12] [--runs 3] [--width 16]

The network is a U-Net of four poolings with random weights (or, with --model, one of the models). Each run is a process
of its own, in which the photograph is read, cut, corrected and written as `exposurebench predict` does it; the time of
the network on each tile is taken inside it. The memory is the process's largest resident set, Python and torch
included. The last line is the time of the whole prediction over that of its tiles, 1.1 is the aim, and 3 GB; then the
same of the processor's times, which what else runs does not stretch.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from exposurebench import catalog
from exposurebench.images import encode_image
from exposurebench.method import Method
from exposurebench.predict import predict
from exposurebench.tensors import to_image, to_tensor
from exposurebench.tiling import Tiled


class UNet(nn.Module):
    """Two convolutions a scale, four poolings, skips by concatenation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sides = [width << k for k in range(5)]

        def block(before: int, after: int) -> nn.Module:
            layers = [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            return nn.Sequential(*layers, nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())

        self.down = nn.ModuleList(block(i, o) for i, o in zip([3, *sides], sides, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * side, side, 2, 2) for side in sides[-2::-1])
        self.joined = nn.ModuleList(block(2 * side, side) for side in sides[-2::-1])
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        x = nn.functional.pad(images, (0, -width % 16, 0, -height % 16), "replicate")
        skips: list[torch.Tensor] = []
        for block in self.down:
            x = block(nn.functional.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        skips.pop()
        for up, block in zip(self.up, self.joined, strict=True):
            x = block(torch.cat((up(x), skips.pop()), 1))
        return self.last(x)[..., :height, :width]


def clocks() -> NDArray[np.float64]:
    """The wall's, and that of this process on all cores."""
    return np.array((time.perf_counter(), time.process_time()))


def one_run(photograph: Path, model: str, width: int) -> dict[str, float]:
    torch.manual_seed(0)
    multiple, network = 16, UNet(width).eval()
    if model:
        entry = catalog.load("models", model)
        multiple, network = entry.fact("MULTIPLE"), entry.function()().eval()
    tiled = Tiled(network, multiple)
    whole = network.forward
    inside = []

    def timed(images: torch.Tensor) -> torch.Tensor:
        began = clocks()
        made: torch.Tensor = whole(images)
        if images.device.type != "meta":
            inside.append(clocks() - began)
        return made

    network.forward = timed
    method = Method("timed", lambda image, row: to_image(tiled(to_tensor(image)).sigmoid()))
    began = clocks()
    with tempfile.TemporaryDirectory() as out:
        predict(method, [photograph], out)
    (seconds, used), (in_tiles, used_in_tiles) = clocks() - began, sum(inside)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    processor = used / used_in_tiles
    return {"seconds": seconds, "tiles": len(inside), "inside": in_tiles, "processor": processor, "bytes": largest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--model", default="")
    parser.add_argument("--photograph", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.photograph:
        print(json.dumps(one_run(given.photograph, given.model, given.width)))
        return
    with tempfile.TemporaryDirectory() as folder:
        height = round((given.megapixels * 1e6 * 3 / 4) ** 0.5)
        y, x = np.mgrid[:height, : round(height * 4 / 3)] / height
        noise = np.random.default_rng(0).normal(0, 0.02, (*x.shape, 3))
        picture = 0.5 + 0.3 * np.sin(np.stack((9 * x, 7 * y, 5 * x + 6 * y), -1)) + noise
        photograph = Path(folder) / "photograph.jpg"
        photograph.write_bytes(encode_image((picture.clip(0, 1) * 255).astype(np.uint8), "jpg"))
        command = [sys.executable, __file__, "--photograph", str(photograph)]
        command += ["--width", str(given.width), "--model", given.model]
        runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(given.runs)]
    for run in runs:
        print(
            f"{run['seconds']:6.2f} s, of which {run['inside']:6.2f} s in {run['tiles']:.0f} tiles; "
            f"{run['bytes'] / 1e9:.2f} GB at most"
        )
    print(f"{max(run['bytes'] for run in runs) / 1e9:.2f} GB")
    wall = statistics.median(run["seconds"] / run["inside"] for run in runs)
    print(f"{wall:.3f}, of processor time {statistics.median(run['processor'] for run in runs):.3f}")


if __name__ == "__main__":
    main()
