"""The page of one result, or of a comparison of several: a single file that needs no network, and its figures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exposurebench import tables
from exposurebench.compare_runs import RunComparison
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError
from exposurebench.explain_gap import method_of
from exposurebench.files import write_bytes, write_text
from exposurebench.measures import is_per_set, name_and_column, value_columns
from exposurebench.report import panels, paper, runs
from exposurebench.report.photographs import headline, legends, photographs
from exposurebench.report.templates import render
from exposurebench.result import Result

ROWS = 1000
"""Rows of the per-image table on the page; the CSV has all."""
LED = 6
"""Comparisons of two methods that are told in words; more of them stand in the table alone."""


def write_page(
    results: Sequence[Result],
    dataset: str | Path | None,
    out: str | Path,
    *,
    title: str | None = None,
    comparison: RunComparison | None = None,
) -> Path:
    """Write ``report.html``, and beside it its figures (``figures/*.png``) and tables (``table.md``, ``table.tex``).

    Pictures of outputs are made anew by the results' methods; results that were read from disk have none.

    Args:
        results: of one data set and split, in the order of the rows.
        dataset: that data set's folder; None for a page without photographs.
        out: the page's folder.
        title: the heading; by default the method, or the data set and the split where there are several.
        comparison: what sets the results apart; the page then says it first.

    Returns:
        The page.

    Raises:
        InputError: no results, results that cannot be compared, or the folder of another data set.
        StorageError: the folder cannot be written.
    """
    if not results:
        raise InputError("no results: a page needs at least one")
    tables.check_comparable({result.name: result.document for result in results})
    out, first = Path(out), results[0]
    about = first.document["dataset"]
    pairs = list(runs.accounts(comparison)) if comparison else []
    pictures, drawn, light = _photographs(results, dataset)
    spread, curves = list(panels.distributions(results)), list(panels.curves(results))
    apart = list(panels.differences(pairs))
    shown = [*spread, *(figure for curve in curves for figure in curve["figures"]), *apart]
    for name, data in [*((figure["file"], figure["png"]) for figure in shown), *drawn.items()]:
        write_bytes(out / "figures" / name, data)
    boards = _boards(results)
    number = min(result.per_image["scene"].nunique() for result in results)
    page = render(
        "page.html.j2",
        title=title or _title(results),
        about={"title": "", "command": "", "complete": True, **about},
        size=tables.pairs_and_photographs(first.per_image),
        photographs=number,
        smoke_test=number < tables.RANKED_FROM,
        order=_order(results),
        short=_short(first) if len(results) == 1 else [],
        pairs=pairs,
        led=_led(pairs, results),
        differences=apart,
        footnotes=[*runs.footnotes(comparison)] if comparison else [],
        already_right=first.document.get("already_right", {}).get("pairs", 0),
        boards=boards,
        oracles=[(r.name, tables.told(r.document["method"])) for r in results if r.document["method"].get("oracle")],
        floors=any(found.noise_floor for result in results for found in _words(result).values()),
        error_parts=panels.error_parts(results, out),
        distributions=spread,
        curves=curves,
        same=panels.unvaried(first) if not curves else "",
        pictures=pictures,
        light=light,
        inverse=any(picture["inverse"] for picture in pictures),
        without=[result.name for result in results if result.method is None],
        legends=legends(results, "linear" if light else "srgb") if any(p["errors"] for p in pictures) else None,
        per_image=_per_image(results),
        protocols={name: tables.protocol_line(facts) for name, facts in _protocols(results).items()},
        methods=[(result.name, _facts(result.document["method"])) for result in results],
        versions=first.document.get("versions", {}),
        hardware=first.document.get("hardware", ""),
    )
    for_papers = [paper.score_table(results), *([paper.difference_table(pairs)] if pairs else [])]
    write_text(out / "table.md", paper.as_markdown(for_papers))
    write_text(out / "table.tex", paper.as_latex(for_papers))
    write_text(out / "report.html", page)
    return out / "report.html"


def write_comparison_page(
    found: RunComparison, out: str | Path, *, dataset: str | Path | None = None, predictions: Sequence[str | Path] = ()
) -> Path:
    """Write the page of a comparison of results; see :func:`write_page`.

    Args:
        found: the comparison.
        out: the page's folder.
        dataset: where the photographs are; None for a page without.
        predictions: where the images of results come from that are no baselines, in their order: a folder of
            predictions, or a checkpoint. What is missing is not shown, and the page says so. A method that was
            trained several times is shown by its first training.

    Raises:
        InputError: the folder of another data set, or predictions that cannot be read.
        StorageError: the folder cannot be written.
    """
    results, sources = [], iter(predictions)
    opened = load_dataset(dataset) if dataset else None
    for name, some in found.runs.items():
        for number, result in enumerate(some):
            label = name if len(some) == 1 else f"{name}, training {number}"
            method = None
            if opened and number == 0:
                is_baseline = result.document["method"].get("kind") == "baseline"
                source = None if is_baseline else next(sources, None)
                if is_baseline or source:
                    rows = opened.rows(result.document["dataset"]["split"])
                    kept = set(result.per_image["id"])
                    method = method_of(result, opened, [row for row in rows if row["id"] in kept], source)
            results.append(dataclasses.replace(result, document={**result.document, "name": label}, method=method))
    about = results[0].document["dataset"]
    title = f"{' against '.join(found.runs)}: {about['name']}, split {about['split']}"
    return write_page(results, dataset, out, title=title, comparison=found)


# ---- in words ------------------------------------------------------------------------------------------


def _title(results: Sequence[Result]) -> str:
    about = results[0].document["dataset"]
    where = f"{about['name']}, split {about['split']}"
    return f"{results[0].name} on {where}" if len(results) == 1 else where


def _order(results: Sequence[Result]) -> str:
    """The methods by the headline metric, the best first."""
    by = headline(results)
    if by is None:
        return ""
    numbers = [float(result.summary.set_index("metric")["value"][by.metric]) for result in results]
    order = sorted(range(len(results)), key=lambda i: -numbers[i] if by.higher else numbers[i])
    listed = []
    for place in order:
        found = _words(results[place])[by.metric]
        interval = f" (95 % interval {found.interval})" if found.interval and len(results) == 1 else ""
        star = "*" if results[place].document["method"].get("oracle") else ""
        listed.append(f"{results[place].name}{star} {found.value} {found.unit}".rstrip() + interval)
    if len(results) == 1:
        return f"Mean {by.metric}: {listed[0]}."
    return f"By mean {by.metric}, {'higher' if by.higher else 'lower'} is better: {', '.join(listed)}."


def _short(result: Result) -> Iterator[str]:
    """What one result says: its range, and where its error comes from."""
    if by := headline([result]):
        used = result.per_image[~result.per_image["unchanged"].astype(bool)].dropna(subset=[by.column])
        ordered = used.sort_values([by.column, "id"], ascending=[by.higher, True], kind="stable")
        if len(ordered) > 1:
            facts = panels.facts_of(result)[by.metric]
            ends = [(row["id"], panels.told(facts, row[by.column])) for _, row in ordered.iloc[[0, -1]].iterrows()]
            said = [f"{key} ({words.value} {words.unit}".rstrip() + ")" for key, words in ends]
            yield f"The worst picture is {said[0]}, the best {said[1]}."
    parts = runs.error_parts({result.name: [result]}).get(result.name)
    if parts and (whole := sum(parts.values())):
        listed = [part for part in sorted(parts, key=lambda part: -parts[part]) if parts[part] >= runs.SMALLEST * whole]
        shares = ", ".join(f"{100 * parts[part] / whole:.0f} % {runs.PARTS[part]}" for part in listed)
        yield f"Its mean squared error of {tables.spelled(whole, tables.decimals_of(whole, 1))} levels² is {shares}."
    yield "One result says how good, not whether better: exposurebench compare-runs sets it beside others."


def _led(pairs: Sequence[dict[str, Any]], results: Sequence[Result]) -> list[dict[str, Any]]:
    """The comparisons that are told in words: all of few, of many those of the method that leads."""
    if len(pairs) <= LED or (by := headline(results)) is None:
        return list(pairs[:LED])
    numbers = {result.name: float(result.summary.set_index("metric")["value"][by.metric]) for result in results}
    best = (max if by.higher else min)(numbers, key=lambda name: numbers[name])
    return [pair for pair in pairs if best in (pair["first"], pair["second"])][:LED]


def _protocols(results: Sequence[Result]) -> dict[str, Mapping[str, Any]]:
    return {name: facts for result in results for name, facts in result.document["protocols"].items()}


def _facts(method: Mapping[str, Any]) -> dict[str, str]:
    """A method's facts in words; empty ones are left out."""
    spelled = {}
    for key, value in method.items():
        if isinstance(value, bool):
            spelled[key] = "yes" if value else "no"
        elif isinstance(value, Mapping):
            spelled[key] = ", ".join(f"{name} = {item}" for name, item in value.items())
        elif isinstance(value, list | tuple):
            spelled[key] = ", ".join(map(str, value))
        else:
            spelled[key] = f"{value:,}" if isinstance(value, int) else str(value)
    return {key.replace("_", " "): text for key, text in spelled.items() if text}


def _words(result: Result) -> dict[str, tables.Words]:
    return {metric: tables.words(facts) for metric, facts in panels.facts_of(result).items()}


# ---- tables --------------------------------------------------------------------------------------------


def _boards(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The table that everybody wants, and below it one for whatever else each measure of sets has."""
    rows = [_words(result) for result in results]
    numbers = [dict(zip(r.summary["metric"], r.summary["value"], strict=True)) for r in results]
    found = {word.metric: word for row in rows for word in row.values()}
    family_of = {metric: name_and_column(metric)[0] for metric in found}
    sets = list(dict.fromkeys(family_of[metric] for metric in found if is_per_set(family_of[metric])))
    first = sets[:1]
    whole = [m for m in found if not runs.is_part(m)]
    main = [m for m in whole if family_of[m] not in sets or (family_of[m] in first and not m.endswith("_w1"))]
    others = [[m for m in whole if family_of[m] == family and m not in main] for family in sets]
    boards = []
    for name, metrics in (("Scores", main), *zip(sets, others, strict=True)):
        families: dict[str, list[str]] = {}
        for metric in metrics:
            families.setdefault(family_of[metric], []).append(metric)
        ordered = [metric for some in families.values() for metric in some]
        lines = [
            {
                "method": result.name,
                "oracle": bool(result.document["method"].get("oracle")),
                "cells": [
                    {**dataclasses.asdict(row[metric]), "number": panels.number(values[metric])}
                    if metric in row
                    else None
                    for metric in ordered
                ],
            }
            for result, row, values in zip(results, rows, numbers, strict=True)
        ]
        if metrics:
            columns = [_column(found[metric]) for metric in ordered]
            boards.append({"name": name, "families": families, "columns": columns, "lines": lines})
    return boards


def _column(word: tables.Words) -> dict[str, str]:
    part = name_and_column(word.metric)[1].replace("_", " ")
    arrow = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}"}.get(word.better, "")
    return {"words": ", ".join(filter(None, (part, word.unit))), "arrow": arrow, "better": word.better}


def _per_image(results: Sequence[Result]) -> dict[str, Any]:
    """Every pair's values, worst first by the headline metric: all of one result, of several that metric alone."""
    first, by = results[0], headline(results)
    by_id = [result.per_image.set_index("id") for result in results]
    if len(results) > 1:
        columns = [(f"{r.name}: {by.metric}", by.metric, by.column, table) for r, table in zip(results, by_id, strict=True)] if by else []  # fmt: skip
    else:
        single = [measure for measure in first.metrics if not is_per_set(measure)]
        named = {name: column for m in single for name, column in value_columns(m, first.per_image).items()}
        columns = [(name, name, column, by_id[0]) for name, column in named.items()]
    order, ascending = ([by.column, "id"], [by.higher, True]) if by else (["id"], [True])
    table = first.per_image.sort_values(order, ascending=ascending, kind="stable").head(ROWS)
    known = panels.facts_of(first)
    lines = []
    for row in table.to_dict("records"):
        cells = []
        for _, metric, column, values in columns:
            value = float(values[column].get(row["id"], math.nan))
            text = "" if math.isnan(value) else panels.told(known[metric], value).value
            cells.append({"value": text, "number": panels.number(value)})
        right = bool(row["unchanged"])
        cells.append({"value": "yes" if right else "no", "number": str(int(right))})
        lines.append({"scene": row["scene"], "id": row["id"], "cells": cells})
    units = {metric: word.unit for metric, word in _words(first).items()}
    heads = [
        {
            "words": ", ".join(filter(None, (name, units.get(metric)))),
            "sorted": ("ascending" if by.higher else "descending")
            if by and number == 0 and column == by.column
            else "",
        }
        for number, (name, metric, column, _) in enumerate(columns)
    ]
    return {
        "columns": [*heads, {"words": "right already", "sorted": ""}], "lines": lines, "total": len(first.per_image),
        "several": bool(first.per_image["scene"].duplicated().any()),
        "file": "per_image.csv" if len(results) == 1 else "per_image.csv of each result",
    }  # fmt: skip


# ---- photographs ----------------------------------------------------------------------------------------


def _photographs(
    results: Sequence[Result], dataset: str | Path | None
) -> tuple[list[dict[str, Any]], dict[str, bytes], bool]:
    """The photographs, the files of their pictures, and whether their targets are light."""
    if dataset is None:
        return [], {}, False
    opened, about = load_dataset(dataset), results[0].document["dataset"]
    if opened.pixels != about["pixels"]:
        raise InputError(f"{str(dataset)!r} is not the data set that {results[0].name} was evaluated on: name that one")
    found, files = photographs(results, opened, about["split"])
    shown = [result.name for result in results if result.method is not None]
    for picture in found:
        picture["first"] = shown[0] if shown else "input"
    return found, files, opened.gives != "srgb"
