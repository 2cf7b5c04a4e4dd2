"""exposurebench sources, baselines, models, metrics: what there is, read from the files without importing them.

Only what a model costs has to be measured, on a network without weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from exposurebench.cli import options

_FACTS = {
    "sources": ("title", "license", "layout", "command", "url"),
    "baselines": ("title", "needs", "reference"),
    "models": (
        *("title", "paper", "takes", "gives", "parameters", "macs_per_megapixel", "field_of_view"),
        *("output_field_of_view", "multiple", "noisy", "discriminator_parameters", "discriminator_field_of_view"),
    ),
    "metrics": ("title", "takes", "unit", "range", "better", "reference", "version", "variants"),
}


def _listing(kind: Any) -> click.Command:
    @click.command(kind, help=f"List the {kind}: what they are and where they come from.")
    @options.as_json
    def command(as_json: bool) -> None:
        from exposurebench import catalog

        measured: dict[str, Callable[[str], Any]] = {}
        if kind == "models":
            from exposurebench.cost import megapixel_macs

            measured["macs_per_megapixel"] = megapixel_macs
        found = {}
        for name in catalog.names(kind):
            stem, _, variant = name.partition("/")
            constants = catalog.facts(kind)[stem]
            constants = {**constants, **constants.get("VARIANT_FACTS", {}).get(variant, {})}
            settings = constants.get("VARIANTS", {})
            constants["VARIANTS"] = {} if variant else {f"{stem}/{one}": settings[one] for one in settings}
            found[name] = {f: measured[f](name) if f in measured else constants.get(f.upper()) for f in _FACTS[kind]}
        if as_json:
            options.emit(found)
            return
        for name, facts in found.items():
            click.echo(f"{name}: {facts['title']}")
            for fact in _FACTS[kind][1:]:
                if facts[fact]:
                    click.echo(f"    {fact.replace('_', ' ')}: {_plain(facts[fact])}")

    return command


def _documented(kind: str, words: str, table: Callable[[], str], listing: click.Command) -> click.Command:
    """A listing that also gives the README's table."""

    @click.command(kind, help=words)
    @click.option("--markdown", is_flag=True, help="The table of the README.")
    @click.pass_context
    @options.as_json
    def command(context: click.Context, as_json: bool, markdown: bool) -> None:
        if markdown:
            click.echo(table(), nl=False)
        else:
            context.invoke(listing, as_json=as_json)

    return command


def _sources_table() -> str:
    from exposurebench import catalog

    return catalog.sources_table()


def _models_table() -> str:
    from exposurebench.cost import models_table

    return models_table()


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{n} ({_plain(v)})" if isinstance(v, dict) else f"{n} {_plain(v)}" for n, v in value.items())
    if isinstance(value, tuple) and not any(isinstance(item, str) for item in value):
        return " to ".join("any" if item is None else str(item) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.0f}" if abs(value) >= 1000 else str(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


_sources, baselines, _models, metrics = (_listing(kind) for kind in _FACTS)
sources = _documented(
    "sources",
    "List the sources: what they hold, under which terms, and the command for each.",
    _sources_table,
    _sources,
)
models = _documented(
    "models",
    "List the models: their papers, what they take and give, how far they see, and what they cost.",
    _models_table,
    _models,
)
