"""Options that several commands share."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
settings = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting; may be given several times."
)
metrics = click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Measure only these; see `exposurebench metrics`."
)
metric_settings = click.option(
    "--metric-set", "metric_settings", multiple=True, metavar="METRIC.KEY=VALUE", help="A setting of a metric."
)
workers = click.option(
    "--workers", type=click.IntRange(1), default=None, help="Processes or threads; by default one for each core."
)
split = click.option("--split", default="test", show_default=True, help="Which pairs: train, val or test.")
device = click.option("--device", default="auto", show_default=True, help="Where a network runs: auto, cpu, cuda, ...")


def folder(*names: str, **more: Any) -> Callable[[F], F]:
    """An option that takes a path."""
    return click.option(*names, type=click.Path(path_type=Path), **more)


def counted(number: int, thing: str) -> str:
    """A number of things in words.

    >>> counted(1, "photograph"), counted(2, "photograph")
    ('1 photograph', '2 photographs')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def show_built(built: Any, out: Path, as_json: bool) -> None:
    """A data set that was built: what it holds, what was left out, and the command that makes it."""
    about = built.dataset.document
    if as_json:
        emit({"out": str(out), "seconds": round(built.seconds, 3), **about})
        return
    pairs = ", ".join(f"{n['pairs']} {split}" for split, n in about["counts"].items())
    click.echo(f"{out}: {pairs} pairs from {counted(built.scenes, 'photograph')} in {built.seconds:.1f} s")
    for kind, number in about["rejected"].items():
        click.echo(f"  left out: {number} {kind} (see {out / 'rejected.csv'})")
    click.echo(f"  card: {out / 'README.md'}\n  made by: {about['command']}")


def emit(document: Any) -> None:
    """The one JSON document of a command; a number that is none becomes null."""
    click.echo(json.dumps(_numbers(document), ensure_ascii=False, indent=2, default=str, allow_nan=False))


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
