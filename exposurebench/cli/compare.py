"""exposurebench compare"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("prediction", metavar="A", type=click.Path(path_type=Path))
@click.argument("target", metavar="B", type=click.Path(path_type=Path))
@options.metrics
@options.metric_settings
@options.folder(
    "--map", "maps", help="Draw what the metrics see, else the differences: a PNG file (of folders, a folder)."
)
@options.workers
@options.as_json
def compare(
    prediction: Path,
    target: Path,
    metrics: tuple[str, ...],
    metric_settings: tuple[str, ...],
    maps: Path | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Score A against B: two images, or two folders whose files have the same names."""
    from exposurebench.compare import compare as score
    from exposurebench.recipe import parse_metric_settings
    from exposurebench.report.summary import comparison_as_text

    found = score(
        prediction,
        target,
        metrics=metrics,
        metric_settings=parse_metric_settings(metric_settings),
        maps=maps,
        workers=workers,
    )
    if not as_json:
        click.echo(comparison_as_text(found))
        return
    options.emit(
        {
            "prediction": str(prediction),
            "target": str(target),
            "protocols": found.protocols,
            "summary": found.summary.to_dict("records"),
            "per_image": found.per_image.drop(columns=["scene", "split", "unchanged"]).to_dict("records"),
            "unmatched": list(found.unmatched),
            "maps": [str(path) for path in found.maps],
        }
    )
