"""exposurebench train"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("recipe")
@options.folder("--data", required=True, help="A finished data set, or clean photographs for a recipe that degrades.")
@options.folder("--out", required=True, help="The run's folder; what lies there already is gone on from.")
@options.settings
@click.option("--seeds", type=click.IntRange(2), help="Train so many, with seeds one after another, and compare them.")
@click.option("--device", default="auto", show_default=True, help="Where it runs: auto, cpu, cuda, ...")
@options.as_json
def train(
    recipe: str, data: Path, out: Path, settings: tuple[str, ...], seeds: int | None, device: str, as_json: bool
) -> None:
    """Train the model of RECIPE: a file, or a name under recipes/training.

    \b
    exposurebench train small_cnn --data sets/random --out runs/small --set steps=500 --set network.width=8
    torchrun --nproc-per-node 2 -m exposurebench train small_cnn --data sets/random --out runs/small
    """
    from tqdm import tqdm

    from exposurebench.processes import others
    from exposurebench.recipe import parse_settings, read_recipe
    from exposurebench.seeds import train_seeds
    from exposurebench.train import train as run
    from exposurebench.training_recipe import overridden, training_recipe

    resolved = training_recipe(overridden(read_recipe(recipe, "training"), parse_settings(settings)))
    silent = others()
    with tqdm(unit="step", disable=as_json or silent or None, file=sys.stderr) as bar:

        def show(done: int, total: int, losses: Mapping[str, float]) -> None:
            if bar.total != total or done < bar.n:  # a run begins, perhaps in its middle
                bar.reset(total)
                bar.initial = bar.n = done
            rate = bar.format_dict["rate"] or 0.0
            shown = {name: f"{value:.4f}" for name, value in losses.items() if name != "step"}
            bar.set_postfix({**shown, "images/s": f"{rate * resolved.batch:.1f}"}, refresh=False)
            bar.update(done - bar.n)

        def note(text: str) -> None:
            bar.write(f"note: {text}", file=sys.stderr)

        if seeds:
            spread = train_seeds(resolved, data, out, seeds=seeds, device=device, on_progress=show, on_note=note)
        else:
            trained = run(resolved, data, out, device=device, on_progress=show, on_note=note)
    if silent:
        return
    if seeds:
        if as_json:
            options.emit({"out": str(out), "summary": spread.to_dict("records")})
        else:
            click.echo(f"{spread.to_string(index=False)}\n{out / 'summary.csv'}: {seeds} trainings compared")
    elif as_json:
        options.emit(asdict(trained))
    elif not trained.made:
        click.echo(f"{trained.checkpoint}: finished before, after {trained.steps} steps; nothing to do")
    else:
        click.echo(
            f"{trained.checkpoint}: trained, {trained.images_per_second:.1f} images/s, {trained.waiting:.1%} of the time "
            f"waiting for data; now run exposurebench eval {trained.checkpoint} --dataset {data}"
        )
