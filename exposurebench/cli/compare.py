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
@click.option("--pixels-per-degree", type=float, help="How finely they are seen, for every metric that asks.")
@click.option("--display", metavar="COLUMNSxROWS,INCHES,METRES", help="The display and its distance, instead of that.")
@click.option("--peak", "peak_nits", type=float, help="The display's peak in cd/m2, for every metric that asks.")
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
    pixels_per_degree: float | None,
    display: str | None,
    peak_nits: float | None,
    maps: Path | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Score A against B: two images, or two folders whose files have the same names."""
    from exposurebench.compare import compare as score
    from exposurebench.compare import seen_pixels_per_degree
    from exposurebench.errors import RecipeError
    from exposurebench.recipe import parse_metric_settings
    from exposurebench.report.summary import comparison_as_text

    if display and pixels_per_degree is not None:
        raise RecipeError("--display says the pixels per degree: leave out --pixels-per-degree")
    pixels_per_degree = seen_pixels_per_degree(display) if display else pixels_per_degree
    shared = {"pixels_per_degree": pixels_per_degree, "peak_nits": peak_nits}
    found = score(
        prediction,
        target,
        metrics=metrics,
        metric_settings=parse_metric_settings(metric_settings),
        shared_settings={name: value for name, value in shared.items() if value is not None},
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
