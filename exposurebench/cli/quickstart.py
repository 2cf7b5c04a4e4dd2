"""exposurebench quickstart"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@options.folder("--out", default=Path("exposurebench-quickstart"), show_default=True, help="Where everything goes.")
@options.as_json
def quickstart(out: Path, as_json: bool) -> None:
    """Build a small data set, evaluate the reference methods on it, and write a page with pictures."""
    from tqdm import tqdm

    from exposurebench import quickstart as verb
    from exposurebench.report import board
    from exposurebench.report.page import write_page

    results = list(
        tqdm(verb.quickstart(out), total=len(verb.BASELINES), unit="method", disable=as_json or None, file=sys.stderr)
    )
    results.sort(key=lambda result: -result.summary["value"][0])
    page = write_page(results, out / verb.RECIPE, out)
    if as_json:
        options.emit({r.name: r.summary.to_dict("records") for r in results} | {"page": str(page)})
        return
    click.echo(board.as_text(results))
    click.echo(f"Page with pictures: {page}")
