"""exposurebench predict"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from exposurebench.cli import options


@click.command()
@click.argument("what", required=False)
@click.argument("photographs", nargs=-1, type=click.Path(path_type=Path))
@options.network
@options.folder("--dataset", help="Correct the inputs of this data set instead; files are named after their keys.")
@options.split
@click.option("--shard", "share", metavar="I/N|auto", help="Correct this share of the data set's pairs alone.")
@options.folder("--training", help="The data set whose training targets a baseline may look at.")
@options.folder("--out", required=True, help="Where the corrected photographs go.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["png", "jpg", "exr", "hdr"]),
    help="png (as deep as the photograph) or jpg; exr or hdr of a model that gives light.",
)
@click.option(
    "--on-error",
    type=click.Choice(["skip", "fail"]),
    default="skip",
    show_default=True,
    help="What cannot be read or corrected is left out and told, or ends the run.",
)
@options.settings
@options.device
@options.as_json
def predict(
    what: str | None,
    photographs: tuple[Path, ...],
    opening: dict[str, Any],
    dataset: Path | None,
    split: str,
    share: str | None,
    training: Path | None,
    out: Path,
    file_format: str | None,
    on_error: str,
    settings: tuple[str, ...],
    device: str,
    as_json: bool,
) -> int:
    """Correct PHOTOGRAPHS (files, or folders of them) with WHAT: a model's file, or baseline:NAME.

    \b
    exposurebench predict runs/small/model.pt holiday/ --out fixed        a checkpoint of train
    exposurebench predict --arch pix2pix weights.pt a.jpg --out fixed     weights of a network of ours
    exposurebench predict --multiple 8 someone.onnx a.jpg --out fixed     any network, as ONNX
    exposurebench predict --model mynetworks:enhancer a.jpg --out fixed   any network, by your own code

    Run it again after an interruption, or with more photographs: it goes on where it was.
    """
    from exposurebench import predict as verb
    from exposurebench.dataset import load_dataset
    from exposurebench.engine import share_of
    from exposurebench.method import Brackets, TrainingTargets, open_method
    from exposurebench.recipe import parse_settings

    if what and opening["code"]:  # the code corrects, and all that is named are photographs
        photographs, what = (Path(what), *photographs), None
    if bool(photographs) == bool(dataset):
        raise click.UsageError("expected photographs, or --dataset")
    if share and not dataset:
        raise click.UsageError("--shard shares the pairs of a --dataset")
    if dataset and file_format:
        raise click.UsageError("a data set's outputs are PNG, or OpenEXR for light: leave out --format")
    targets = None
    for folder in (training, dataset):
        if folder and targets is None and "train" in load_dataset(folder).splits:
            targets = TrainingTargets(load_dataset(folder))
    brackets = Brackets(load_dataset(dataset), split) if dataset else None
    looks_at: dict[str, Any] = {"training": targets, "brackets": brackets}
    method = open_method(what or "", **looks_at, settings=parse_settings(settings), device=device, **opening)
    progress = sys.stderr.isatty()
    if dataset:
        part = None if share is None else share_of(share)
        done = verb.predict_dataset(method, dataset, split, out, share=part, on_error=on_error, progress=progress)
    else:
        done = verb.predict(method, photographs, out, file_format=file_format, on_error=on_error, progress=progress)
    for file, reason in done.failed.items():
        click.echo(f"left out: {file!r} {reason}", err=True)
    if as_json:
        listed = {"written": done.written, "kept": done.kept}
        options.emit({**{name: list(map(str, paths)) for name, paths in listed.items()}, "failed": done.failed})
    else:
        kept = f", {len(done.kept)} already there" if done.kept else ""
        click.echo(f"{out}: {options.counted(len(done.written), 'photograph')} corrected by {method.name}{kept}")
    return 1 if done.failed else 0
