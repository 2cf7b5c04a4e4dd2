"""exposurebench eval"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options


@click.command("eval")
@click.argument("what", required=False)
@options.folder("--dataset", help="A finished data set; by default the one of the six embedded photographs.")
@options.split
@options.folder("--predictions", help="Score images that another program made, named after the inputs.")
@click.option("--name", help="What the method is called in tables.")
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
    name: str | None,
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
    """Score WHAT: a model.pt, or baseline:NAME (see `exposurebench baselines`), or --predictions DIR."""
    from exposurebench.evaluate import evaluate as score
    from exposurebench.files import safe_key
    from exposurebench.quickstart import samples_dataset
    from exposurebench.recipe import parse_metric_settings, parse_settings
    from exposurebench.report.page import write_page
    from exposurebench.report.summary import as_text
    from exposurebench.result import write_result

    if dataset is None:
        dataset = samples_dataset()
        click.echo(f"no --dataset given: scoring on the six embedded photographs ({dataset})", err=True)
    result = score(
        what,
        dataset,
        split=split,
        predictions=predictions,
        name=name,
        metrics=metrics,
        metric_settings=parse_metric_settings(metric_settings),
        regions=regions,
        by=by,
        training=training,
        settings=parse_settings(settings),
        device=device,
        limit=limit,
        workers=workers,
    )
    out = out or Path("results") / safe_key(result.name.replace("/", "-"))
    write_result(result, out)
    page = write_page([result], dataset, out)
    if as_json:
        parts = {} if result.parts is None else {"parts": result.parts.to_dict("records")}
        options.emit({"out": str(out), **result.document, "summary": result.summary.to_dict("records"), **parts})
    else:
        click.echo(as_text(result))
        click.echo(f"tables: {out}\npage with pictures: {page}")
