"""exposurebench overlap"""

from __future__ import annotations

from dataclasses import asdict

import click

from exposurebench.cli import options

SHOWN = 20


@click.command()
@click.argument("a")
@click.argument("b")
@options.as_json
def overlap(a: str, b: str, as_json: bool) -> int:
    """Say which pictures A and B share: data sets, folders or checkpoints (FOLDER:SPLIT is one split of a data set).

    Ends with 1 where they share any.
    """
    from exposurebench.overlap import overlap as compare

    found = compare(a, b)
    shared = bool(found.shared or found.same_set)
    if as_json:
        options.emit({"a": a, "b": b, **asdict(found)})
        return int(shared)
    for side, number, skipped in zip((a, b), found.pictures, found.skipped, strict=True):
        click.echo(f"{side}: {number} pictures" + (f", {skipped} more that cannot be compared" if skipped else ""))
    if found.same_set:
        click.echo("the two are one data set")
    for name, other, off in found.alike[:SHOWN]:
        click.echo(f"  {name} = {other} ({100 * off:.0f} % of the bits differ)")
    if len(found.alike) > SHOWN:
        click.echo(f"  ... and {len(found.alike) - SHOWN} more (--json has all)")
    numbers = ", ".join(f"a{n:04d}" for n in found.fivek[:SHOWN]) + (", ..." if len(found.fivek) > SHOWN else "")
    click.echo(
        f"{len({m[0] for m in found.alike})} pictures of A are in B; {len(found.fivek)} FiveK numbers: {numbers or 'none'}"
    )
    return int(shared)
