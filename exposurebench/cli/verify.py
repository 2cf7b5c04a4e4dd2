"""exposurebench verify"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--rebuild", type=click.IntRange(1), metavar="N", help="Also build N scenes again and compare the pixels."
)
@options.folder("--root", help="The source's folder, for --rebuild; by default data/SOURCE.")
@options.as_json
def verify(dataset: Path, rebuild: int | None, root: Path | None, as_json: bool) -> int:
    """Recompute every hash of DATASET, and say what was changed, added or lost."""
    from exposurebench.dataset import load_dataset
    from exposurebench.plan import default_root
    from exposurebench.verify import rebuild as rebuild_pairs
    from exposurebench.verify import verify as verify_files

    problems = verify_files(dataset)
    if rebuild:
        root = root or default_root(load_dataset(dataset).recipe().source)
        problems = chain(problems, rebuild_pairs(dataset, rebuild, root=root))
    found = list(problems)
    if as_json:
        options.emit({"dataset": str(dataset), "intact": not found, "problems": found})
    else:
        for problem in found:
            click.echo(problem, err=True)
        counts = load_dataset(dataset).document["counts"]
        pairs, scenes = (sum(n[what] for n in counts.values()) for what in ("pairs", "photographs"))
        checked = f", {min(rebuild, scenes)} scenes built again" if rebuild else ""
        click.echo(f"{dataset}: {f'{len(found)} problems' if found else 'intact'} ({pairs} pairs{checked})")
    return 1 if found else 0
