"""exposurebench export"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--format", "layout", required=True, metavar="NAME", help="webdataset, parquet, basicsr or pix2pix.")
@options.folder("--out", required=True, help="A new folder.")
@click.option("--per-file", type=click.IntRange(1), metavar="N", help="Pairs in a tar or a Parquet file. [1000]")
@options.as_json
def export(dataset: Path, layout: str, out: Path, per_file: int | None, as_json: bool) -> None:
    """Write DATASET in the layout that another program reads; the same data set gives the same bytes."""
    from exposurebench.export import export as write

    document = write(dataset, layout, out, per_file=per_file, progress=sys.stderr.isatty())
    if as_json:
        options.emit({"out": str(out), **document})
    else:
        counts = document["dataset"]["counts"]
        pairs = ", ".join(f"{n['pairs']} {split}" for split, n in counts.items())
        click.echo(f"{out}: {pairs} pairs as {layout}")
        for remark in document["remarks"]:
            click.echo(f"  {remark}")
