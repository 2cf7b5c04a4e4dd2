"""exposurebench sources, baselines, models, metrics: what there is, read from the files without importing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from exposurebench.cli import options

_FACTS = {
    "sources": ("title", "license", "layout", "command", "url"),
    "baselines": ("title", "needs", "reference"),
    "models": ("title", "parameters", "field_of_view", "paper"),
    "metrics": ("title", "unit", "range", "better", "reference"),
}


def _listing(kind: Any) -> Callable[..., None]:
    @click.command(kind, help=f"List the {kind}: what they are and where they come from.")
    @options.as_json
    def command(as_json: bool) -> None:
        from exposurebench import catalog

        found = {}
        for name in catalog.names(kind):
            stem, _, variant = name.partition("/")
            constants = catalog.facts(kind)[stem]
            constants = {**constants, **constants.get("VARIANT_FACTS", {}).get(variant, {})}
            found[name] = {fact: constants.get(fact.upper()) for fact in _FACTS[kind]}
        if as_json:
            options.emit(found)
            return
        for name, facts in found.items():
            click.echo(f"{name}: {facts['title']}")
            for fact in _FACTS[kind][1:]:
                if facts[fact]:
                    click.echo(f"    {fact.replace('_', ' ')}: {_plain(facts[fact])}")

    return command


@click.command("sources", help="List the sources: what they hold, under which terms, and the command for each.")
@click.option("--markdown", is_flag=True, help="The table of the README.")
@click.pass_context
@options.as_json
def sources(context: click.Context, as_json: bool, markdown: bool) -> None:
    from exposurebench import catalog

    if markdown:
        click.echo(catalog.sources_table(), nl=False)
    else:
        context.invoke(_sources, as_json=as_json)


def _plain(value: object) -> str:
    return ", ".join("any" if v is None else str(v) for v in value) if isinstance(value, tuple) else str(value)


_sources, baselines, models, metrics = (_listing(kind) for kind in _FACTS)
