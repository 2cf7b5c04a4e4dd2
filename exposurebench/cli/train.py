"""exposurebench train"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("recipe")
@options.folder("--data", required=True, help="A finished data set; its train split is used.")
@options.folder("--out", required=True, help="Where model.pt and log.csv go.")
@options.settings
@options.device
@options.as_json
def train(recipe: str, data: Path, out: Path, settings: tuple[str, ...], device: str, as_json: bool) -> None:
    """Train the model of RECIPE: a file, or a name under recipes/training."""
    from tqdm import tqdm

    from exposurebench.recipe import parse_settings, read_recipe
    from exposurebench.train import train as run
    from exposurebench.train import training_recipe

    resolved = training_recipe({**read_recipe(recipe, "training"), **parse_settings(settings)})
    with tqdm(total=resolved.steps, unit="step", disable=as_json or None, file=sys.stderr) as bar:

        def show(step: int, loss: float) -> None:
            bar.update()
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

        path = run(resolved, data, out, device=device, on_step=show)
    if as_json:
        options.emit({"checkpoint": str(path)})
    else:
        click.echo(f"{path}: trained; now run exposurebench eval {path} --dataset {data}")
