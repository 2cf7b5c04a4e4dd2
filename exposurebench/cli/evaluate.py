"""exposurebench eval"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from exposurebench.cli import options


@click.command("eval")
@click.argument("what", required=False)
@options.folder("--dataset", help="A finished data set; by default the one of the six embedded photographs.")
@options.split
@options.folder("--predictions", help="Score images that another program made, named after the inputs.")
@options.folder("--map", "predictions_map", help="A CSV (id, file) that says which prediction is whose.")
@options.network
@click.option("--draws", type=click.IntRange(1), default=1, help="How often a model with noise corrects each picture.")
@click.option(
    "--batch", type=click.IntRange(1), default=8, show_default=True, help="Pictures an accelerator gets at once."
)
@click.option("--name", help="What the method is called in tables.")
@click.option("--track", help="Measure what this track of the leaderboards pins, on its split.")
@options.metrics
@options.metric_settings
@click.option(
    "--regions", is_flag=True, help="Also over the clipped, nearly clipped and unclipped pixels of the input."
)
@click.option("--by", metavar="COLUMN", help="Also for each value of the manifest's column: tau, ev, crf, ...")
@options.folder("--training", help="The data set whose training targets a baseline may look at.")
@options.folder("--out", help="The result's folder; by default results/ and the method's name.")
@options.settings
@options.device
@options.workers
@click.option("--limit", type=click.IntRange(1), help="Only the first so many pairs.")
@options.as_json
def evaluate(
    what: str | None,
    dataset: Path | None,
    split: str,
    predictions: Path | None,
    predictions_map: Path | None,
    opening: dict[str, Any],
    draws: int,
    batch: int,
    name: str | None,
    track: str | None,
    metrics: tuple[str, ...],
    metric_settings: tuple[str, ...],
    regions: bool,
    by: str | None,
    training: Path | None,
    out: Path | None,
    settings: tuple[str, ...],
    device: str,
    workers: int | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Score WHAT: a model's file, or baseline:NAME (see `exposurebench baselines`), or --predictions DIR.

    \b
    exposurebench eval runs/small/model.pt --dataset sets/random       a checkpoint of train
    exposurebench eval weights.safetensors --arch pix2pix --set ...    weights of a network of ours
    exposurebench eval someone.onnx --multiple 8 --values -1:1         any network, as ONNX
    exposurebench eval --model mynetworks:enhancer                     any network, by your own code
    torchrun --nproc-per-node 8 -m exposurebench eval model.pt ...     on several devices

    Run it again after an interruption: it goes on where it was.
    """
    from exposurebench.evaluate import evaluate as score
    from exposurebench.processes import others
    from exposurebench.quickstart import samples_dataset
    from exposurebench.recipe import parse_metric_settings, parse_settings
    from exposurebench.report.page import write_page
    from exposurebench.report.summary import as_text
    from exposurebench.result import write_result
    from exposurebench.track import track_named

    if track:
        if metrics or metric_settings or regions:
            raise click.UsageError("--track says what is measured: leave out --metric, --metric-set and --regions")
        pinned = track_named(track)
        metrics, split = tuple(pinned.metrics), pinned.split
    if dataset is None:
        dataset = samples_dataset()
        click.echo(f"no --dataset given: scoring on the six embedded photographs ({dataset})", err=True)
    result = score(
        what,
        dataset,
        split=split,
        predictions=predictions,
        predictions_map=predictions_map,
        name=name,
        metrics=metrics,
        metric_settings=parse_metric_settings(metric_settings),
        regions=regions,
        by=by,
        training=training,
        settings=parse_settings(settings),
        **opening,
        draws=draws,
        device=device,
        batch=batch,
        limit=limit,
        workers=workers,
        out=out or "results/{name}",
    )
    out = result.folder
    if out is None or others():
        return
    write_result(result, out)
    page = write_page([result], dataset, out)
    if as_json:
        parts = {} if result.parts is None else {"parts": result.parts.to_dict("records")}
        options.emit({"out": str(out), **result.document, "summary": result.summary.to_dict("records"), **parts})
    else:
        click.echo(as_text(result))
        click.echo(f"tables: {out}\npage with pictures: {page}")
