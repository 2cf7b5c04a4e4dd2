"""The summary of one result for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from exposurebench import tables
from exposurebench.compare import Comparison
from exposurebench.measures import entry_of, is_per_set, region_of, takes, value_columns
from exposurebench.result import Result

SHOWN_PAIRS = 20
"""More pairs than these are shown as means alone."""


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
    if draws := result.document.get("draws"):
        said.append(_drawn(result, draws))
    if result.per_image["scene"].nunique() < 2:
        said.append("no intervals: it takes at least two photographs to say how sure a value is")
    if result.document.get("already_right", {}).get("pairs"):
        said.append(f"{result.document['already_right']['pairs']} pairs were right already and are in no value")
    return "\n".join([*said, *(tables.protocol_line(facts) for facts in result.document["protocols"].values())])


def comparison_as_text(found: Comparison) -> str:
    """A comparison for the terminal: the summary, the single pairs where they are few, the protocols."""
    number, summary = len(found.per_image), [_cells(row) for row in _records(found.summary)]
    if number == 1:
        said = table(("metric", "value", "better"), [(cells[0], cells[1], cells[-1]) for cells in summary])
    else:
        head = ("metric", "value", "95 % interval", "better")
        said = table(head, [(*cells[:3], cells[-1]) for cells in summary])
        said += ["", *_pair_lines(found)] if number <= SHOWN_PAIRS else []
        said.append(f"N = {number} pairs of images")
    if found.unmatched:
        listed = ", ".join(found.unmatched[:3]) + (", ..." if len(found.unmatched) > 3 else "")
        said.append(f"{len(found.unmatched)} files without a partner: {listed}")
    if found.maps:
        count = f"{len(found.maps)} map{'s' if found.maps[1:] else ''}"
        seen = any(takes(entry_of(measure), "with_map") for measure in found.protocols)
        look = "red where a difference is surely seen" if seen else "black where equal"
        said.append(f"{count}, {look}: {found.maps[0]}{', ...' if found.maps[1:] else ''}")
    return "\n".join([*said, *map(tables.protocol_line, found.protocols.values())])


def _pair_lines(found: Comparison) -> list[str]:
    single = [measure for measure in found.protocols if not is_per_set(measure)]
    columns = {name: column for m in single for name, column in value_columns(m, found.per_image).items()}
    facts = {row["metric"]: row for row in _records(found.summary)}
    rows = []
    for pair in _records(found.per_image):
        values = [tables.words({**facts[name], "value": pair[column]}).value for name, column in columns.items()]
        rows.append((str(pair["id"]), *values, ""))
    return [line.rstrip() for line in table(("pair", *columns, ""), rows)]


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


def _drawn(result: Result, draws: int) -> str:
    """How much values vary with a model's noise: standard deviations over the draws of a picture, their means."""
    used = result.per_image[~result.per_image["unchanged"]]
    spreads = {name.removeprefix("spread:"): used[name].mean() for name in map(str, used) if name.startswith("spread:")}
    words = ", ".join(f"a picture's {name} varies by {value:.3g}" for name, value in spreads.items())
    return f"{draws} draws of noise for each picture: values are means, and {words}"


def _left_out(result: Result) -> Iterator[str]:
    """How many pairs a region's values lack, because it has no pixel there."""
    whole = len(result.per_image) - int(result.document["already_right"]["pairs"])
    regional = [name for m in result.metrics if region_of(m) for name in value_columns(m, result.per_image)]
    for row in _records(result.summary):
        if row["metric"] in regional and row["pairs"] < whole:
            yield f"{row['metric']}: {whole - row['pairs']} of {whole} pairs have no such pixels and are left out"
