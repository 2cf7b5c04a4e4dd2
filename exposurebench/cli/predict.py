"""exposurebench predict"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("what")
@click.argument("photographs", nargs=-1, type=click.Path(path_type=Path))
@options.folder("--dataset", help="Correct the inputs of this data set instead; files are named after their keys.")
@options.split
@options.folder("--training", help="The data set whose training targets a baseline may look at.")
@options.folder("--out", required=True, help="Where the corrected photographs go, as PNG.")
@options.settings
@options.device
@options.as_json
def predict(
    what: str,
    photographs: tuple[Path, ...],
    dataset: Path | None,
    split: str,
    training: Path | None,
    out: Path,
    settings: tuple[str, ...],
    device: str,
    as_json: bool,
) -> int:
    """Correct PHOTOGRAPHS with WHAT: a model.pt or baseline:NAME."""
    from exposurebench import predict as verb
    from exposurebench.dataset import load_dataset
    from exposurebench.method import Brackets, TrainingTargets, open_method
    from exposurebench.recipe import parse_settings

    if bool(photographs) == bool(dataset):
        raise click.UsageError("expected photographs, or --dataset")
    targets = None
    for folder in (training, dataset):
        if folder and targets is None and "train" in load_dataset(folder).splits:
            targets = TrainingTargets(load_dataset(folder))
    brackets = Brackets(load_dataset(dataset), split) if dataset else None
    method = open_method(what, training=targets, brackets=brackets, settings=parse_settings(settings), device=device)
    failed: dict[str, str] = {}
    if dataset:
        written = verb.predict_dataset(method, dataset, split, out)
    else:
        written = verb.predict(method, photographs, out, lambda file, reason: failed.update({str(file): reason}))
    for file, reason in failed.items():
        click.echo(f"left out: {file!r} {reason}", err=True)
    if as_json:
        options.emit({"written": [str(path) for path in written], "failed": failed})
    else:
        click.echo(f"{out}: {len(written)} photographs corrected by {method.name}")
    return 1 if failed else 0
