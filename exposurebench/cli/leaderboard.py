"""exposurebench leaderboard"""

from __future__ import annotations

from pathlib import Path

import click

from exposurebench.cli import options

root = options.folder("--root", default=Path("leaderboards"), show_default=True, help="The leaderboards' folder.")


@click.group()
def leaderboard() -> None:
    """Add entries to the leaderboards, regenerate their pages, and check them."""


@leaderboard.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--track", required=True, help="The track's name; see recipes/tracks.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The checkpoint that was scored, at most 8 MB, to lie beside the entry.",
)
@click.option(
    "--published", multiple=True, metavar="METRIC=VALUE", help="A published value, to stand beside the measured one."
)
@click.option("--source", default="", help="Where it was published, and on what data.")
@root
@options.as_json
def add(
    result: Path,
    track: str,
    weights: Path | None,
    published: tuple[str, ...],
    source: str,
    root: Path,
    as_json: bool,
) -> None:
    """Write RESULT, the folder that eval made, as an entry of a track.

    Steps, seed, size and cost come from the result, which has them from the checkpoint.
    """
    from exposurebench.leaderboard import add as write
    from exposurebench.recipe import parse_settings

    reported = parse_settings(published, "--published", "METRIC=VALUE")
    entry = write(result, track, root, weights=weights, reported=reported, source=source)
    if as_json:
        options.emit({"entry": str(entry)})
    else:
        click.echo(f"{entry}: added; now run exposurebench leaderboard build")


@leaderboard.command()
@root
@options.as_json
def build(root: Path, as_json: bool) -> None:
    """Regenerate every page from the entries."""
    from exposurebench.leaderboard import build as regenerate

    written = [str(path) for path in regenerate(root)]
    if as_json:
        options.emit({"written": written})
    else:
        click.echo("\n".join(written))


@leaderboard.command()
@click.option(
    "--rerun",
    multiple=True,
    metavar="TRACK",
    help="Also build this track's data and run its rows again (samples and computed scenes alone); may be given several times.",
)
@root
@options.as_json
def check(rerun: tuple[str, ...], root: Path, as_json: bool) -> int:
    """Derive everything from the per-image tables again and say what differs."""
    import tempfile

    from exposurebench.leaderboard import check as derive

    problems = list(derive(root))
    if rerun:
        from exposurebench.reproduce import reproduce

        with tempfile.TemporaryDirectory() as scratch:
            problems += reproduce(rerun, root, scratch, on_note=lambda line: click.echo(line, err=True))
    if as_json:
        options.emit({"problems": problems})
    else:
        for problem in problems:
            click.echo(problem, err=True)
        click.echo(f"{root}: {f'{len(problems)} problems' if problems else 'everything follows from its entries'}")
    return 1 if problems else 0


@leaderboard.command()
@options.folder("--out", required=True, help="The site's folder, which any web server can serve.")
@options.folder("--datasets", help="A folder of data sets: pictures of those that may be shown come on the pages.")
@root
@options.as_json
def site(out: Path, datasets: Path | None, root: Path, as_json: bool) -> None:
    """Write every board as pages for a browser: sortable tables, Pareto fronts, a page for every entry."""
    from exposurebench.report.site import write_site

    written = write_site(root, out, datasets=datasets)
    if as_json:
        options.emit({"written": [str(path) for path in written]})
    else:
        click.echo(f"{out / 'index.html'}: {len(written)} files")
