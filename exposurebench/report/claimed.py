"""The page of published numbers, and what a track's page says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from exposurebench.report.board import GENERATED, markdown_table
from exposurebench.report.templates import escape_markdown

if TYPE_CHECKING:
    from exposurebench.claims import ClaimedTable, Claims


def page(claims: Sequence[Claims]) -> str:
    """Every claimed table, a heading a source.

    >>> page([]).splitlines()[1]
    '# Claimed'
    """
    lines = [
        GENERATED,
        "# Claimed",
        "",
        "Numbers that others published, as they printed them. None was measured here, none is ranked, and none may be set",
        "beside a measured row: data, targets, sizes and metrics differ, and where a source does not state them, that is",
        "said. Each source is a TOML file in this folder.",
        "",
    ]
    for source in claims:
        told = escape_markdown(source.source)
        lines += [f"## {told}", "", *([f"<{source.url}>", ""] if source.url else [])]
        for number, table in enumerate(source.tables):
            lines += [
                f'<a id="{anchor(source, number)}"></a>',
                f"### {escape_markdown(table.title)}",
                "",
                *_table(table),
            ]
    return "\n".join(lines)


def _table(table: ClaimedTable) -> Iterator[str]:
    if table.rows:
        rows = [[escape_markdown(cell) if cell != "" else "-" for cell in row] for row in table.rows]
        yield markdown_table(["", *map(escape_markdown, table.columns)], rows)
        yield ""
    yield f"- Data: {escape_markdown(table.data)}."
    yield f"- Protocol: {escape_markdown(table.protocol)}."
    nearest = ", ".join(f"[{name}](../{name}/README.md)" for name in table.tracks)
    yield f"- Nearest tracks, not comparable: {nearest or 'none'}."
    yield ""


def anchor(source: Claims, number: int) -> str:
    """Where a table stands on the page."""
    return f"{source.name}-{number + 1}"


def about_track(name: str, claims: Sequence[Claims]) -> list[str]:
    """A track's list of the published tables whose data come nearest to its own."""
    return [
        f"- {escape_markdown(source.source.partition(':')[0])}: "
        f"[{escape_markdown(table.title)}](../claimed/README.md#{anchor(source, number)})"
        for source in claims
        for number, table in enumerate(source.tables)
        if name in table.tracks
    ]
