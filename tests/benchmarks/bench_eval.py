"""What an evaluation costs beside the inference of the model that it scores, on the processor.

    python tests/benchmarks/bench_eval.py [--photographs 200] [--side 512] [--model vgg16_autoencoder] [--rounds 3]

The network has random weights. The bare loop holds the inputs in memory and does nothing but run the network on one after
another, with as many threads as torch takes by itself. The evaluation is `evaluate` as the command line calls it, with
psnr, ssim, fsimc and histogram_similarity: it reads and decodes both sides, corrects, checks, quantises, measures, keeps a
journal and summarises with intervals. Both run in one process, in turns of a share of the photographs each, so that
whatever else the machine does falls on both. The last line is the ratio of the two times over all turns, 1.1 is the aim,
and that of the processor's times, which what else runs does not stretch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench import catalog
from exposurebench.checkpoint import Checkpoint, save_checkpoint
from exposurebench.dataset import load_dataset
from exposurebench.evaluate import evaluate
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.tensors import to_tensor

METRICS = ("psnr", "ssim", "fsimc", "histogram_similarity")


def photographs(folder: Path, count: int, side: int) -> None:
    """Smooth colours with edges and grain, which no codec or metric finds easy."""
    for number in range(count):
        rng = np.random.default_rng(number)
        coarse = rng.integers(20, 236, (9, 9, 3)).astype(np.float32)
        picture = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        for _ in range(12):
            corner, size = rng.integers(0, side, 2), rng.integers(side // 16, side // 3, 2)
            picture[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]] *= rng.uniform(0.5, 1.3)
        picture += rng.normal(0, 4, picture.shape)
        cv2.imwrite(str(folder / f"p{number:04d}.png"), picture.clip(0, 255).astype(np.uint8))


def clocks() -> NDArray[np.float64]:
    """The wall's, and that of this process on all cores."""
    return np.array((time.perf_counter(), time.process_time()))


def main() -> None:
    """Take turns, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=200)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--model", default="vgg16_autoencoder")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        torch.manual_seed(0)
        network = catalog.load("models", asked.model).function()().eval().requires_grad_(False)
        save_checkpoint(root / "model.pt", Checkpoint(asked.model, {}, network.state_dict()))
        network = network.to(memory_format=torch.channels_last)
        loop, evaluation = np.zeros(2), np.zeros(2)
        share = -(-asked.photographs // asked.rounds)
        for turn in range(asked.rounds):
            (root / f"photographs{turn}").mkdir()
            photographs(root / f"photographs{turn}", share, asked.side)
            recipe = dataset_recipe({"source": "folder", "tau": 0.5, "well_exposed": 1.0, "split": "test=1"})
            made = make_dataset(recipe, root / f"set{turn}", root=root / f"photographs{turn}", card=False).dataset
            opened = load_dataset(made.folder)
            inputs = [to_tensor(opened.read_input("test", row).as_float()) for row in opened.rows("test")]
            begun = clocks()
            with torch.inference_mode():
                for image in inputs:
                    network(image.contiguous(memory_format=torch.channels_last))
            middle = clocks()
            evaluate(str(root / "model.pt"), made.folder, metrics=METRICS, out=root / f"result{turn}")
            ended = clocks()
            loop, evaluation = loop + middle - begun, evaluation + ended - middle
            inside, whole = (
                f"{wall:.1f} s ({used:.1f} of processors)" for wall, used in (middle - begun, ended - middle)
            )
            print(f"{len(inputs)} photographs: network {inside}, evaluation {whole}", flush=True)
    wall, used = evaluation / loop
    print(f"evaluation over inference: {wall:.3f}, of processor time {used:.3f}")


if __name__ == "__main__":
    main()
