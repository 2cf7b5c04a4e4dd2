"""exposurebench compare-runs"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options


@click.command("compare-runs")
@click.argument("results", nargs=-1, required=True, metavar="A B ...", type=click.Path(path_type=Path))
@options.metrics
@click.option(
    "--margin", "margins", multiple=True, metavar="METRIC=VALUE",
    help="A difference that counts for nothing; by default 0.1 where the unit is dB or JOD.",
)  # fmt: skip
@click.option("--resamples", type=click.IntRange(100), default=10_000, show_default=True, help="Draws of photographs.")
@options.folder("--dataset", help="The data set that the results were evaluated on, for the page's photographs.")
@click.option(
    "--predictions", multiple=True, type=click.Path(path_type=Path),
    help="For each result that is no baseline, in their order: the folder of its images, or its model.pt.",
)  # fmt: skip
@options.folder(
    "--out", help="Write differences.csv, photographs.csv, a page, its figures and tables into this folder."
)
@options.as_json
def compare_runs(
    results: tuple[Path, ...],
    metrics: tuple[str, ...],
    margins: tuple[str, ...],
    resamples: int,
    dataset: Path | None,
    predictions: tuple[Path, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Say which of the methods A, B, ... is better, by how much and how surely: folders that eval wrote.

    A folder with a result in each of seed-0, seed-1, ... is one method that was trained several times.
    """
    from exposurebench.compare_runs import compare_runs as set_apart
    from exposurebench.compare_runs import write_comparison
    from exposurebench.recipe import parse_settings
    from exposurebench.report.page import write_comparison_page
    from exposurebench.report.runs import as_text, error_parts, sentence

    found = set_apart(
        results, metrics=metrics, margins=parse_settings(margins, "--margin", "METRIC=VALUE"), resamples=resamples
    )
    written = []
    if out:
        page = write_comparison_page(found, out, dataset=dataset, predictions=predictions)
        written = [*write_comparison(found, out), page]
    if not as_json:
        click.echo("\n".join([as_text(found), *(f"written: {path}" for path in written)]))
        return
    rows = found.table.to_dict("records")
    options.emit(
        {
            "methods": {name: [run.document["method"] for run in runs] for name, runs in found.runs.items()},
            "differences": [{**row, "words": sentence({str(k): v for k, v in row.items()})} for row in rows],
            "photographs": found.photographs.to_dict("records"),
            "error_parts": error_parts(found.runs),
            "left_out": list(found.left_out),
            "written": [str(path) for path in written],
        }
    )
