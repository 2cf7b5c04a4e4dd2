"""exposurebench explain-gap"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options


@click.command("explain-gap")
@click.argument("words", nargs=-1, required=True, metavar="RESULT ... [METRIC=NUMBER] ...")
@options.folder("--dataset", required=True, help="The data set that the results were evaluated on.")
@click.option(
    "--predictions", multiple=True, type=click.Path(path_type=Path),
    help="For each result that is no baseline, in their order: the folder of its images, or its model.pt.",
)  # fmt: skip
@click.option(
    "--targets", multiple=True, type=click.Path(path_type=Path),
    help="A data set with the same pairs and other targets, such as another expert's; may be given several times.",
)  # fmt: skip
@options.metrics
@options.device
@options.workers
@options.folder(
    "--out", help="Write protocols.csv, a page and, of several results, the map ranks.png into this folder."
)
@options.as_json
def explain_gap(
    words: tuple[str, ...],
    dataset: Path,
    predictions: tuple[Path, ...],
    targets: tuple[Path, ...],
    metrics: tuple[str, ...],
    device: str,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure RESULT by the field's other protocols, and say which of them gives a published number (psnr=23.1).

    Of several results also: which ways to measure change their ranking.
    """
    from exposurebench.errors import RecipeError
    from exposurebench.explain_gap import claim
    from exposurebench.explain_gap import explain_gap as explain
    from exposurebench.files import write_text
    from exposurebench.report.gap import as_text, document, draw_ranks, write_gap_page

    claims = [claim(word) for word in words if "=" in word and not Path(word).exists()]
    results = [word for word in words if "=" not in word or Path(word).exists()]
    if not results:
        raise RecipeError("expected the folder of a result beside the published number")
    found = explain(
        results,
        dataset,
        claims,
        metrics=metrics,
        predictions=predictions,
        targets=targets,
        device=device,
        workers=workers,
    )
    written = []
    if out:
        write_text(out / "protocols.csv", found.table.to_csv(index=False, lineterminator="\n"))
        ranks = [draw_ranks(found, out)] if len(results) > 1 else []
        written = [out / "protocols.csv", *ranks, write_gap_page(found, out)]
    if as_json:
        options.emit({**document(found), "written": [str(path) for path in written]})
    else:
        click.echo("\n".join([as_text(found), *(f"written: {path}" for path in written)]))
