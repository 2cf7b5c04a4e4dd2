"""The summary of one result for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from exposurebench import tables
from exposurebench.result import Result


def as_text(result: Result) -> str:
    """The summary of one result for the terminal: a line a metric, then who, on what, by which protocol."""
    method, data = result.document["method"], result.document["dataset"]
    lines = table(("metric", "value", "95 % interval", "noise floor", "better"), map(_cells, _records(result.summary)))
    said = [f"{result.name}{'*' if method.get('oracle') else ''} on {data['name']}, split {data['split']}", *lines]
    said += _left_out(result)
    if result.parts is not None:
        by = str(result.document["by"])
        rows = [(str(row[by]), str(row["pairs"]), *_cells(row)) for row in _records(result.parts)]
        said += ["", *table((by, "pairs", "metric", "value", "95 % interval", "noise floor", "better"), rows), ""]
    said.append(f"N = {tables.pairs_and_photographs(result.per_image)}")
    if method.get("oracle"):
        said.append(f"* an oracle, no competitor: it is told {tables.told(method)}, which no method can know")
    if result.per_image["scene"].nunique() < 2:
        said.append("no intervals: it takes at least two photographs to say how sure a value is")
    if result.document.get("already_right", {}).get("pairs"):
        said.append(f"{result.document['already_right']['pairs']} pairs were right already and are in no value")
    return "\n".join([*said, *(tables.protocol_line(facts) for facts in result.document["protocols"].values())])


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Lines of aligned columns; the first and the last to the left, the others to the right."""
    rows = [head, *body]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(w.rjust(n) for w, n in zip(row[1:-1], widths[1:-1], strict=True)), row[-1]]
        )
        for row in rows
    ]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    w = tables.words(row)
    return (f"{w.metric} {w.unit}".rstrip(), w.value, w.interval or "-", w.noise_floor or "-", w.better)


def _records(summary: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in summary.to_dict("records")]


def _left_out(result: Result) -> Iterator[str]:
    """How many pairs a region's values lack, because it has no pixel there."""
    whole = len(result.per_image) - int(result.document["already_right"]["pairs"])
    for row in _records(result.summary):
        if "@" in row["metric"] and row["pairs"] < whole:
            yield f"{row['metric']}: {whole - row['pairs']} of {whole} pairs have no such pixels and are left out"
