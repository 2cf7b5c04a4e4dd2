"""exposurebench merge"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@options.as_json
def merge(dataset: Path, as_json: bool) -> int:
    """Make one data set of the shares that `make-dataset --shard I/N` built in DATASET."""
    from exposurebench.make_dataset import merge as merge_shares

    built = merge_shares(dataset)
    options.show_built(built, dataset, as_json)
    return 1 if built.failed else 0
