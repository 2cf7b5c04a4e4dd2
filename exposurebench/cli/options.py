"""Options that several commands share."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

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


def network(command: F) -> F:
    """The options that say what somebody else's network is, as the keywords ``opening`` of ``open_method``."""

    @click.option("--model", "code", default="", metavar="PACKAGE.MODULE:FUNCTION", help="A network of your own code.")
    @click.option(
        "--arch", "architecture", default="", metavar="NAME", help="The model of ours that weights belong to."
    )
    @click.option(
        "--takes", type=click.Choice(["srgb", "linear"]), help="What a foreign model's inputs are; by default srgb."
    )
    @click.option("--gives", type=click.Choice(["srgb", "linear"]), help="What its outputs are; by default srgb.")
    @click.option(
        "--values", metavar="LOW:HIGH", help="The numbers that it takes and gives for 0 and 1; by default 0:1."
    )
    @click.option("--multiple", type=click.IntRange(1, 1024), help="What its inputs' sides must be multiples of.")
    @click.option(
        "--trust-code", is_flag=True, help="Open a model that is code, in isolation: TorchScript, .pt2, whole modules."
    )
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=600,
        show_default=True,
        help="Seconds that it may take for a picture.",
    )
    @functools.wraps(command)
    def with_opening(
        *args: Any,
        code: str,
        architecture: str,
        takes: str | None,
        gives: str | None,
        values: str | None,
        multiple: int | None,
        trust_code: bool,
        timeout: float,
        **rest: Any,
    ) -> Any:
        from exposurebench.foreign import Told
        from exposurebench.recipe import parse_range

        try:
            ends = None if values is None else parse_range("--values", values)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        opening = {
            "code": code,
            "architecture": architecture,
            "told": Told(takes, gives, ends, multiple),
            "trust_code": trust_code,
            "timeout_s": timeout,
        }
        return command(*args, opening=opening, **rest)

    return cast(F, with_opening)


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
