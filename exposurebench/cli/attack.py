"""exposurebench attack"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options


@click.command()
@click.argument("track")
@options.folder("--dataset", help="The track's data set; that of the embedded photographs is built by itself.")
@options.folder("--root", default=Path("leaderboards"), show_default=True, help="The leaderboards' folder.")
@options.workers
@options.as_json
def attack(track: str, dataset: Path | None, root: Path, workers: int | None, as_json: bool) -> None:
    """Run the cheats on TRACK beside the honest rows that they must stay below, and write attacks.json and attacks.csv.

    A track ranks only while none of them pays; one that does is an error after everything was written.
    """
    from exposurebench.attack import attack as run
    from exposurebench.defence import write
    from exposurebench.errors import MissingError
    from exposurebench.quickstart import RECIPE, samples_dataset
    from exposurebench.report.attacks import as_text
    from exposurebench.track import track_named

    pinned = track_named(track)
    if dataset is None and pinned.dataset != RECIPE:
        raise MissingError(
            f"give the track's data set with --dataset: make-dataset --recipe {pinned.dataset} builds it"
        )
    found = run(track, pinned, dataset or samples_dataset(), workers=workers)
    written = [str(path) for path in write(found, root)]
    if as_json:
        options.emit({**found.document, "written": written})
    else:
        click.echo("\n".join([as_text(found), *(f"written: {path}" for path in written)]))
    found.refuse_broken()
