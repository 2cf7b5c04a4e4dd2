"""A gap to a published number, and whether a ranking is real: in words, and as a map of rank flips."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd

from exposurebench import catalog, tables
from exposurebench.explain_gap import EVERY, Claim, Gap
from exposurebench.files import write_text
from exposurebench.protocols import OURS
from exposurebench.report import figures
from exposurebench.report.summary import table
from exposurebench.report.templates import render

NEAREST = 8
"""Ways to measure that are listed besides those that give the number."""


def as_text(found: Gap) -> str:
    """What every published number could have been measured by, and what becomes of the ranking."""
    said: list[str] = []
    for wanted in found.claims:
        said += [*_claim(found, wanted), ""]
    if not found.claims:
        said += [*_values(found), ""]
    if len(found.methods) > 1:
        said += [*_ranking(found), ""]
    used = dict.fromkeys(found.table["protocol"])
    return "\n".join([*said, *(f"{name}: {found.titles[name]}" for name in used if found.titles[name] != name)])


def _way(row: Any) -> str:
    return str(row["protocol"]) if row["part"] == EVERY else f"{row['protocol']}, {row['part']}"


def _spelled(metric: str, value: float, *, signed: bool = False) -> str:
    facts = {"metric": metric, "value": value, "unit": _unit(metric), "better": ""}
    text = tables.words(facts).value
    return f"+{text}" if signed and value > 0 else text


def _unit(metric: str) -> str:
    return str(catalog.load("metrics", metric).fact("UNIT") or "")


def _claim(found: Gap, wanted: Claim) -> Iterator[str]:
    near, metric = found.near(wanted), wanted.metric
    unit = f" {_unit(metric)}".rstrip()
    ours = near[(near["protocol"] == OURS) & (near["part"] == EVERY)].iloc[0]
    yield f"{found.methods[0]}: published {metric} {wanted.value:g}{unit}, {_spelled(metric, ours['value'])}{unit} as measured here"
    shown = near[near["gives"] | (near.index < NEAREST) | (near.index == ours.name)]
    rows = [
        (
            _way(row),
            _spelled(metric, row["value"]),
            _spelled(metric, row["off"], signed=True),
            "gives it" if row["gives"] else "",
        )
        for _, row in shown.iterrows()
    ]
    yield from (line.rstrip() for line in table(("measured by", metric, "off by", ""), rows))
    yield _said(near, ours, metric, unit)


def _said(near: pd.DataFrame, ours: Any, metric: str, unit: str) -> str:
    giving, number = near[near["gives"]], len(near)
    ways = [_way(row) for _, row in giving.iterrows()]
    low, high = (_spelled(metric, end) for end in (near["value"].min(), near["value"].max()))
    spread = f"the {number} ways lie between {low} and {high}{unit}"
    if bool(ours["gives"]):
        rest = (
            f"; so {'does' if len(ways) == 2 else 'do'} {', '.join(w for w in ways if w != _way(ours))}"
            if len(ways) > 1
            else ""
        )
        return f"there is no gap: measured as here it is the published number{rest}"
    if len(ways) == 1:
        return f"one way gives it: {ways[0]} ({spread}); whether it was used, the number alone does not prove"
    if ways:
        return f"{len(ways)} ways give it: {'; '.join(ways)} ({spread}): which was used, the number does not say"
    nearest = near.iloc[0]
    return (
        f"no way gives it: the nearest is {_way(nearest)}, {_spelled(metric, abs(nearest['off']))}{unit} off ({spread}): "
        "the gap has another reason, such as the weights, the pairs or the targets"
    )


def _wide(found: Gap) -> Iterator[tuple[str, str, list[float]]]:
    """By every way to measure: the metric, the way, and the value of every method."""
    wide = found.table.pivot_table(index=["metric", "part", "protocol"], columns="method", values="value", sort=False)
    for key, row in wide.iterrows():
        metric, part, protocol = (str(name) for name in cast("tuple[str, str, str]", key))
        yield metric, f"{metric}: {_way({'protocol': protocol, 'part': part})}", [float(row[m]) for m in found.methods]


def _values(found: Gap) -> list[str]:
    """What the methods score by every way, where there is no published number to look for."""
    rows = [(way, *(_spelled(metric, value) for value in values), "") for metric, way, values in _wide(found)]
    return [line.rstrip() for line in table(("measured by", *found.methods, ""), rows)]


def _ranking(found: Gap) -> Iterator[str]:
    """The order as measured here, and which ways to measure turn it round for which two methods."""
    ranks = found.ranks()
    ours = ranks[(ranks["protocol"] == OURS) & (ranks["part"] == EVERY)].iloc[0]
    order = sorted(found.methods, key=lambda name: ours[name])
    kept = sum(all(row[a] <= row[b] for a, b in itertools.pairwise(order)) for _, row in ranks.iterrows())
    yield f"by {ours['metric']} as measured here: {' > '.join(order)}"
    yield f"{kept} of {len(ranks)} ways to measure give this order ({', '.join(dict.fromkeys(ranks['metric']))}; every protocol)"
    for better, worse in itertools.combinations(order, 2):
        turned = [f"{row['metric']}: {_way(row)}" for _, row in ranks.iterrows() if row[better] > row[worse]]
        if turned:
            yield f"  {better} > {worse} in {len(ranks) - len(turned)} of {len(ranks)}; not by {'; '.join(turned)}"
    if kept == len(ranks):
        yield "  no two methods change places: how it is measured does not decide this ranking"


def draw_ranks(found: Gap, out: str | Path) -> Path:
    """Draw ``ranks.png``: the rank of every method by every way to measure; gives its path."""
    order, ways = _ranks(found)
    path = Path(out) / "ranks.png"
    figures.rank_map(path, ways, order, f"{found.ranks()['metric'][0]} as measured here")
    return path


def _ranks(found: Gap) -> tuple[list[str], dict[str, list[int]]]:
    """The methods in the order of our own protocol, and their ranks by every way to measure."""
    ranks = found.ranks()
    ours = ranks[(ranks["protocol"] == OURS) & (ranks["part"] == EVERY)].iloc[0]
    order = sorted(found.methods, key=lambda name: (ours[name], found.methods.index(name)))
    return order, {f"{row['metric']}: {_way(row)}": [int(row[name]) for name in order] for _, row in ranks.iterrows()}


def write_gap_page(found: Gap, out: str | Path) -> Path:
    """Write ``report.html``: what every published number could have been measured by, and whether a ranking is real.

    Raises:
        StorageError: the folder cannot be written.
    """
    claims, short = [], []
    for wanted in found.claims:
        said = list(_claim(found, wanted))
        short += [said[0], said[-1]]
        rows = [
            {"way": _way(row), "value": _spelled(wanted.metric, row["value"]), "number": row["value"], "gives": row["gives"],
             "off": _spelled(wanted.metric, row["off"], signed=True), "off_number": abs(row["off"])}
            for _, row in found.near(wanted).iterrows()
        ]  # fmt: skip
        title = f"Which way to measure {found.methods[0]} gives {wanted.metric} {wanted.value:g}"
        claims.append({"title": title, "metric": wanted.metric, "rows": rows})
    several = len(found.methods) > 1
    order, ranks = _ranks(found) if several else ([], {})
    moved = [{"way": w, "cells": [{"rank": r, "moved": r - n} for r, n in zip(rs, next(iter(ranks.values())), strict=True)]} for w, rs in ranks.items()]  # fmt: skip
    page = render(
        "gap.html.j2",
        title=f"How {' and '.join(found.methods)} could have been measured",
        short=[_begun(found, line.strip()) for line in (*short, *(_ranking(found) if several else ()))],
        claims=claims,
        methods=found.methods,
        values=[{"way": w, "cells": [{"value": _spelled(m, v), "number": v} for v in vs]} for m, w, vs in _wide(found)],
        order=order,
        ranks=moved,
        reference=next(iter(ranks), ""),
        titles={name: found.titles[name] for name in dict.fromkeys(found.table["protocol"])},
    )
    path = Path(out) / "report.html"
    write_text(path, page)
    return path


def _begun(found: Gap, line: str) -> str:
    """A line as a sentence begins; but a method keeps its name."""
    names = tuple(f"{name}{mark}" for name in found.methods for mark in (": ", " > "))
    return line if line.startswith(names) else line[:1].upper() + line[1:]


def document(found: Gap) -> dict[str, Any]:
    """Everything as one JSON document."""
    near = {
        f"{c.metric}={c.value:g}": found.near(c)[["protocol", "part", "value", "off", "gives"]] for c in found.claims
    }
    return {
        "methods": list(found.methods),
        "protocols": dict(found.titles),
        "values": found.table.to_dict("records"),
        "claims": {name: [*_plain(rows)] for name, rows in near.items()},
        "ranks": [*_plain(found.ranks())],
    }


def _plain(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in rows.to_dict("records"):
        yield {str(k): (None if isinstance(v, float) and math.isnan(v) else v) for k, v in row.items()}
