"""exposurebench make-dataset"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from exposurebench.cli import options


@click.command("make-dataset")
@click.argument("source", required=False)
@options.folder("--root", help="The source's folder; by default data/SOURCE.")
@options.folder("--out", help="The data set's folder; by default datasets/ and a name made of the settings.")
@click.option("--recipe", metavar="FILE|NAME", help="Read a recipe first; flags and --set come on top.")
@click.option("--pair", metavar="NAME", help="How a scene becomes pairs; gamma_clip by default.")
@click.option("--tau", metavar="T|A:B|T,T", help="Clip light above this threshold; A:B draws one per photograph.")
@click.option("--ev", metavar="EV,EV", help="Render light at these exposures; alone it means --pair multi_ev.")
@click.option("--size", type=int, help="Shrink the short side to so many pixels.")
@click.option("--crop", type=click.Choice(["none", "center", "random"]), help="Cut a square.")
@click.option(
    "--split",
    metavar="RULE",
    help="official, train, val, test, train=0.8,val=0.1,test=0.1, or numbers of scenes: train=82,val=10,test=10.",
)
@click.option("--limit", type=int, help="Read only so many photographs, drawn evenly by the seed.")
@click.option("--seed", type=int, help="Every random number follows from it.")
@click.option("--format", "file_format", type=click.Choice(["png", "jpg"]), help="What inputs are written as.")
@click.option("--quality", type=int, help="JPEG quality.")
@click.option(
    "--well-exposed", type=float, metavar="SHARE", help="Largest share of clipped pixels; 1 keeps all. [0.05]"
)
@options.settings
@options.workers
@click.option(
    "--on-error", type=click.Choice(["skip", "fail"]), default="skip", show_default=True,
    help="List what cannot be read in rejected.csv, or stop at the first.",
)  # fmt: skip
@click.option("--shard", "share", metavar="I/N|auto", help="Build this share alone; then `exposurebench merge OUT`.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="Where it runs: in --workers processes here, or on all of a Ray cluster.",
)  # fmt: skip
@click.option("--address", metavar="HOST:PORT", help="The Ray cluster; by default the one this machine belongs to.")
@click.option("--download", is_flag=True, help="Fetch what the source offers to fetch.")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, from a few photographs.")
@options.as_json
def make_dataset(
    source: str | None,
    root: Path | None,
    out: Path | None,
    recipe: str | None,
    settings: tuple[str, ...],
    workers: int | None,
    on_error: Any,
    share: str | None,
    engine: str,
    address: str | None,
    download: bool,
    offline: bool,
    dry_run: bool,
    as_json: bool,
    file_format: str | None,
    **flags: Any,
) -> int:
    """Build a paired data set out of SOURCE (see `exposurebench sources`).

    Run it again after an interruption: it goes on where it was, and the finished folder is the same.
    """
    from exposurebench import catalog
    from exposurebench.describe import default_name
    from exposurebench.engine import share_of
    from exposurebench.errors import RecipeError
    from exposurebench.make_dataset import estimate, make_share
    from exposurebench.make_dataset import make_dataset as build
    from exposurebench.plan import default_root
    from exposurebench.recipe import dataset_recipe, parse_settings, read_recipe

    document = read_recipe(recipe, "datasets") if recipe else {}
    document |= {"source": source} if source else {}
    document |= {key: value for key, value in {**flags, "format": file_format}.items() if value is not None}
    if "ev" in document:
        document.setdefault("pair", "multi_ev")
    if isinstance(document.get("tau"), str):
        document |= parse_settings([f"tau={document['tau']}"])
    resolved = dataset_recipe(document | parse_settings(settings))
    root = root or default_root(resolved.source)
    out = out or Path("datasets") / default_name(resolved)
    workers = workers or os.cpu_count() or 1
    if download and not dry_run:
        entry = catalog.load("sources", resolved.source)
        if not hasattr(entry.module, "fetch"):
            raise RecipeError(f"the source {resolved.source} offers nothing to download: {entry.fact('LAYOUT')}")
        large = {"resolution": "large"} if resolved.source_settings.get("resolution") == "large" else {}
        entry.function("fetch")(root, offline=offline, progress=sys.stderr.isatty(), **large)
    if dry_run:
        return _show_estimate(estimate(resolved, root=root, workers=workers), workers, as_json)
    how: dict[str, Any] = {"root": root, "workers": workers, "on_error": on_error, "progress": sys.stderr.isatty()}
    if (share or address) and engine != ("local" if share else "ray"):
        raise RecipeError("--shard is for --engine local, where there is no cluster, and --address for --engine ray")
    if share is not None:
        return _show_share(make_share(resolved, out, share_of(share), **how), out, as_json)
    built = build(resolved, out, cluster=(address or "auto") if engine == "ray" else None, **how)
    options.show_built(built, out, as_json)
    return 1 if built.failed else 0


def _show_share(built: Any, out: Path, as_json: bool) -> int:
    if as_json:
        options.emit({"out": str(out), **asdict(built)})
    else:
        click.echo(
            f"{out}: {built.shards} of {options.counted(built.of, 'shard')} stand "
            f"({options.counted(built.scenes, 'photograph')}) in {built.seconds:.1f} s\n"
            f"  when all do: exposurebench merge {out}"
        )
    return 0


def _show_estimate(found: Any, workers: int, as_json: bool) -> int:
    if as_json:
        options.emit(asdict(found))
    else:
        click.echo(
            f"would read {options.counted(found.scenes, 'photograph')} ({found.source_bytes / 1e6:.1f} MB), keep about {found.kept}, "
            f"write {found.files} files (about {found.bytes / 1e6:.0f} MB), {found.seconds:.0f} s on {options.counted(workers, 'worker')}"
        )
    return 0
