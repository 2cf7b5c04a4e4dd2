"""What the training loop costs beside the plainest loop that one would write by hand, and how long it waits for data.

    python tests/benchmarks/bench_training.py [--model pix2pix] [--side 256] [--batch 4] [--steps 12] [--device cpu]
        [--photographs FOLDER | --data DATASET] [--set KEY=VALUE ...]

Both loops train a network of the same beginnings on the same batches, a step each, taking turns at being first; a line
gives both medians and the median of the ratios of neighbouring steps (hand-written over ours: above 1 ours is faster).
Then the verb itself trains on a data set made of the photographs (a model of light needs one of its own, ``--data``), and
says what share of its time it waited. The last line is the ratio; the aim is 0.95, and waiting under 3 %.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from exposurebench import catalog
from exposurebench.make_dataset import make_dataset
from exposurebench.optimisation import start, step
from exposurebench.processes import joined
from exposurebench.recipe import dataset_recipe, parse_settings
from exposurebench.train import train
from exposurebench.training_recipe import TrainingRecipe, training_recipe

SHARED = Path(os.environ.get("EXPOSUREBENCH_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
Batch = dict[str, torch.Tensor]


def by_hand(recipe: TrainingRecipe, device: torch.device) -> Callable[[Batch], float]:
    """A step as a tutorial has it: plain layouts, plain optimisers, no settings."""
    model, given = recipe.entry.module, {**recipe.loss}

    def taken(function: str, table: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in table.items() if name in catalog.keywords(getattr(model, function))}

    network = model.network(**taken("network", recipe.network)).to(device)
    adam = torch.optim.Adam(network.parameters(), recipe.learning_rate, tuple(recipe.betas))
    seen = {n: m.to(device).requires_grad_(False) for n, m in model.frozen(**taken("frozen", given)).items()} if hasattr(model, "frozen") else {}  # fmt: skip
    judge = None
    if hasattr(model, "discriminator"):
        judge = model.discriminator(**recipe.discriminator).to(device)
        judge_adam = torch.optim.Adam(judge.parameters(), recipe.learning_rate, tuple(recipe.betas))
        seen["discriminator"] = judge

    def one(batch: Batch) -> float:
        output = model.forward(network, batch, discriminator=judge) if hasattr(model, "forward") else network(batch["input"])  # fmt: skip
        if judge is not None:
            judge_adam.zero_grad()
            sum(model.discriminator_loss(judge, output.detach(), batch).values()).backward()
            judge_adam.step()
            judge.requires_grad_(False)
        total = sum(model.loss(output, batch, **seen, **taken("loss", given)).values())
        adam.zero_grad()
        total.backward()
        adam.step()
        if judge is not None:
            judge.requires_grad_(True)
        return total.item()

    return one


def seconds(one: Callable[[Batch], object], batch: Batch) -> float:
    started = time.perf_counter()
    one(batch)
    return time.perf_counter() - started


def compared(recipe: TrainingRecipe, device: str, steps: int, side: int) -> float:
    """The median of the ratios of neighbouring steps."""
    with joined(device) as place:
        training = start(recipe, place)
        numbers = iter(range(10**9))

        def ours(batch: Batch) -> float:
            return sum(term.item() for name, term in step(training, batch, next(numbers)).items() if "_" not in name)

        theirs = by_hand(recipe, place.device)
        target = torch.rand(recipe.batch, 3, side, side, generator=torch.Generator().manual_seed(0)).to(place.device)
        batch = {"input": (target / 0.73).clamp(0, 1), "target": target, "radiance": target.square()}
        for one in (ours, theirs, ours, theirs):  # warms caches
            one(batch)
        runs = []
        for number in range(steps):  # whichever comes first pays for the other's caches: they take turns
            if number % 2:
                other, own = seconds(theirs, batch), seconds(ours, batch)
            else:
                own, other = seconds(ours, batch), seconds(theirs, batch)
            runs.append((own, other))
    mine, others = (1e3 * statistics.median(times) for times in zip(*runs, strict=True))
    ratio = statistics.median(other / own for own, other in runs)
    rate = recipe.batch / mine * 1e3
    print(f"{recipe.model}, {recipe.batch} x {side} x {side}: {mine:.0f} ms a step ({rate:.1f} images/s) against {others:.0f} ms by hand", flush=True)  # fmt: skip
    return ratio


def waited(recipe: TrainingRecipe, photographs: Path, data: Path | None, device: str, side: int) -> float:
    """The share of a real training's time that passes in waiting for data."""
    with tempfile.TemporaryDirectory() as folder:
        if data is None:
            settings = {"source": "folder", "tau": 0.5, "size": side + side // 8, "split": "train=0.9,test=0.1"}
            made = make_dataset(dataset_recipe({**settings, "well_exposed": 1}), Path(folder) / "set", root=photographs, card=False)  # fmt: skip
            data = made.dataset.folder
        return train(recipe, data, Path(folder) / "run", device=device).waiting


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="pix2pix" if "pix2pix" in catalog.names("models") else "small_cnn")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--photographs", type=Path, default=SHARED / "data" / "kodak")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    plain = {"model": arguments.model, "batch": arguments.batch, "patch": arguments.side, "steps": arguments.steps}
    recipe = training_recipe({**plain, **parse_settings(arguments.settings)})
    ratio = compared(recipe, arguments.device, arguments.steps, arguments.side)
    if arguments.data or arguments.photographs.is_dir():
        share = waited(recipe, arguments.photographs, arguments.data, arguments.device, arguments.side)
        print(f"waiting for data: {share:.2%} of the time, over {arguments.steps} steps, aim under 3 %")
    else:
        print(f"waiting for data: not measured, no photographs in {arguments.photographs}")
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
