"""Published numbers, as their sources print them: read and checked, never measured here, never ranked."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from exposurebench.errors import InputError, unknown_name
from exposurebench.recipe import SCHEMA
from exposurebench.track import tracks

FOLDER = "claimed"
"""Where they lie below the leaderboards' folder, a TOML file a source."""
KINDS: dict[str, type] = {
    "title": str, "tracks": list, "data": str, "protocol": str, "columns": list, "rows": list,
}  # fmt: skip
Cell = Decimal | int | str


@dataclass(frozen=True)
class ClaimedTable:
    """One table of a source.

    Attributes:
        title: its number or place in the source, and what it shows.
        tracks: whose data come nearest; that does not make the numbers comparable.
        data: what was scored, as far as the source says.
        protocol: how, as far as it says.
        columns: the headings, without that of the first column.
        rows: a name, then a number for each column with the digits that were printed; empty text where there is none.
    """

    title: str
    tracks: Sequence[str]
    data: str
    protocol: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Claims:
    """What one source claims.

    Attributes:
        name: of its file.
        source: who claims it, and where.
        url: of the source; empty where there is none.
        tables: in its order.
    """

    name: str
    source: str
    url: str
    tables: Sequence[ClaimedTable]


def read_claims(root: str | Path) -> list[Claims]:
    """Every source's claims below the leaderboards' folder, by name; none where there is no such folder.

    Raises:
        InputError: a file is no such claim; one line with all its mistakes.
    """
    return [_read(path) for path in sorted((Path(root) / FOLDER).glob("*.toml"))]


def _read(path: Path) -> Claims:
    try:
        # Numbers keep the digits that were printed: 18.00 is not 18.
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as TOML: {error}") from error
    mistakes = _mistakes(document)
    if mistakes:
        raise InputError(f"{str(path)!r} is no table of claims: {'; '.join(mistakes)}")
    tables = [ClaimedTable(**table) for table in document["tables"]]
    return Claims(path.stem, document["source"], document["url"], tables)


def _mistakes(document: dict[str, Any]) -> list[str]:
    if document.get("schema") != SCHEMA:
        return [f"schema must be {SCHEMA}, not {document.get('schema')!r}"]
    found = _wrong({"schema": int, "source": str, "url": str, "tables": list}, document, "")
    for number, table in enumerate(document["tables"] if not found else []):
        where = f"table {number + 1}: "
        wrong = _wrong(KINDS, table, where) if isinstance(table, dict) else [f"{where}must be a table"]
        found += wrong or _rows(table, where)
    return found


def _wrong(kinds: dict[str, type], document: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}{unknown_name('key', key, kinds)}" for key in document if key not in kinds]
    for key, kind in kinds.items():
        if type(document.get(key)) is not kind:
            words = {str: "text", list: "a list", int: "a whole number"}[kind]
            found.append(f"{where}{key} must be {words}, not {document.get(key, 'missing')!r}")
    return found


def _rows(table: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}{unknown_name('track', name, tracks())}" for name in table["tracks"] if name not in tracks()]
    found += [f"{where}a heading must be text, not {name!r}" for name in table["columns"] if not isinstance(name, str)]
    for row in table["rows"]:
        if not isinstance(row, list) or len(row) != len(table["columns"]) + 1 or not isinstance(row[0], str):
            found.append(f"{where}a row must be a name and {len(table['columns'])} numbers, not {row}")
        elif wrong := [cell for cell in row[1:] if type(cell) not in (Decimal, int) and cell != ""]:
            found.append(f"{where}{row[0]}: expected numbers, or '' where there is none, not {wrong[0]!r}")
    return found
