"""The page of one result, or of a comparison of several: a single file that needs no network, and its figures."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench import statistics, tables
from exposurebench.compare_runs import RunComparison
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError
from exposurebench.explain_gap import method_of
from exposurebench.files import safe_key, write_bytes, write_text
from exposurebench.measures import is_per_set, name_and_column, value_columns
from exposurebench.report import figures, paper, plots, runs
from exposurebench.report.photographs import headline, legends, photographs, png_uri
from exposurebench.report.templates import render
from exposurebench.result import Result

ROWS = 1000
"""Rows of the per-image table on the page; the CSV has all."""
ALONG = ("ev", "tau", "exposure_ev")
"""Columns of the pairs along which curves are drawn, the first that varies."""
PLACES = 12
"""A setting with more values is cut into stretches of as many pairs each,"""
STRETCHES = 6
"""so many."""
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
    distributions, curves = list(_distributions(results)), list(_curves(results))
    apart = list(_differences(pairs))
    shown = [*distributions, *(figure for curve in curves for figure in curve["figures"]), *apart]
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
        floors=any(word.noise_floor for result in results for word in _words(result).values()),
        error_parts=_error_parts(results, out),
        distributions=distributions,
        curves=curves,
        same=_same(first) if not curves else "",
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
            ends = [
                (row["id"], _spelled(result, by.metric, row[by.column])) for _, row in ordered.iloc[[0, -1]].iterrows()
            ]
            yield f"The worst picture is {ends[0][0]} ({ends[0][1]}), the best {ends[1][0]} ({ends[1][1]})."
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


def _same(result: Result) -> str:
    """That there is nothing to draw a curve along."""
    for column in ALONG:
        if column in result.per_image and result.per_image[column].notna().any():
            value = result.per_image[column].dropna().iloc[0]
            return f"No curve along {column}, which is {value:g} in every pair."
    return ""


def _words(result: Result) -> dict[str, tables.Words]:
    found = (tables.words({str(k): v for k, v in row.items()}) for row in result.summary.to_dict("records"))
    return {word.metric: word for word in found}


def _spelled(result: Result, metric: str, value: float) -> str:
    facts = result.summary.set_index("metric").loc[metric].to_dict()
    found = tables.words({**facts, "metric": metric, "value": value, "low": math.nan, "high": math.nan})
    return f"{found.value} {found.unit}".rstrip()


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
                    {**dataclasses.asdict(row[metric]), "number": _number(values[metric])} if metric in row else None
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
    known = set(first.summary["metric"])
    lines = []
    for row in table.to_dict("records"):
        cells = []
        for _, metric, column, values in columns:
            value = float(values[column].get(row["id"], math.nan))
            text = "" if math.isnan(value) else _spelled(first, metric, value).split(" ")[0] if metric in known else tables.spelled(value, 3)  # fmt: skip
            cells.append({"value": text, "number": _number(value)})
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


def _number(value: float) -> str:
    """A number to sort by, in the form that a script reads."""
    return json.dumps(float(value) if math.isfinite(value) else 1e300)


# ---- figures -------------------------------------------------------------------------------------------


def _figure(file: str, png: bytes, alt: str) -> dict[str, Any]:
    return {"file": f"{safe_key(file)}.png", "png": png, "uri": png_uri(png), "alt": alt}


def _used(result: Result, measure: str, column: str) -> NDArray[np.float64]:
    """A metric's values as they enter its mean."""
    used = result.per_image[~result.per_image["unchanged"].astype(bool)]
    values = tables.capped(measure, used[column].to_numpy(dtype=np.float64))
    return values[np.isfinite(values)]


def _drawn(results: Sequence[Result]) -> dict[str, tuple[str, str]]:
    """The metrics whose values are drawn, with the measure and the column of each: no parts of others."""
    found = {}
    for result in results:
        for measure in result.metrics:
            if not is_per_set(measure):
                for name, column in value_columns(measure, result.per_image).items():
                    if not runs.is_part(name):
                        found.setdefault(name, (measure, column))
    return found


def _axis(results: Sequence[Result], metric: str) -> str:
    word = next(words[metric] for words in map(_words, results) if metric in words)
    better = {"higher": ", higher is better", "lower": ", lower is better"}.get(word.better, "")
    return f"{metric}{f', {word.unit}' if word.unit else ''}{better}"


def _distributions(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    for metric, (measure, column) in _drawn(results).items():
        values = {r.name: _used(r, measure, column) for r in results if column in r.per_image}
        if values := {name: some for name, some in values.items() if len(some)}:
            words = ", ".join(f"{name} from {some.min():.4g} over {np.median(some):.4g} to {some.max():.4g}" for name, some in values.items())  # fmt: skip
            png = plots.distributions(values, _axis(results, metric))
            yield _figure(f"distribution-{metric}", png, f"distribution of {metric}: {words}")


def _curves(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Means along the first setting of the pairs that varies."""
    first = results[0].per_image
    varying = [column for column in ALONG if column in first and first[column].nunique() > 1]
    for column in varying[:1]:
        cut = first[column].nunique() > PLACES
        drawn, lines = [], []
        for metric, (measure, cells) in _drawn(results).items():
            points = {r.name: _along(r, measure, cells, column, cut) for r in results if cells in r.per_image}
            if not (points := {name: some for name, some in points.items() if some}):
                continue
            png = plots.curves(points, column, _axis(results, metric).partition(", higher")[0].partition(", lower")[0])
            drawn.append(_figure(f"{metric}-along-{column}", png, f"{metric} along {column}, as in the table below"))
            for name, some in points.items():
                facts = next(r for r in results if r.name == name).summary.set_index("metric").loc[metric].to_dict()
                for point in some:
                    told = tables.words({**facts, "metric": metric, "value": point.value, "low": point.low, "high": point.high})  # fmt: skip
                    lines.append(
                        {"method": name, "metric": metric, "place": point.place, "at": f"{point.place:.4g}",
                         "number": _number(point.value), "value": told.value, "interval": told.interval}
                    )  # fmt: skip
        note = f"Means over the pairs of each {column}, with 95 % intervals over photographs."
        if cut:
            note = f"{STRETCHES} stretches of {column} with as many pairs each: means, with 95 % intervals over photographs."
        yield {"column": column, "note": note, "figures": drawn, "lines": lines}


def _along(result: Result, measure: str, cells: str, column: str, cut: bool) -> list[plots.Interval]:
    used = result.per_image[~result.per_image["unchanged"].astype(bool)].dropna(subset=[cells, column])
    used = used.sort_values(column, kind="stable")
    parts = np.array_split(np.arange(len(used)), STRETCHES) if cut else used.reset_index().groupby(column).indices.values()  # fmt: skip
    found = []
    for places in parts:
        if len(places):
            some = used.iloc[places]
            values = tables.capped(measure, some[cells].to_numpy(dtype=np.float64))
            low, high = statistics.mean_interval(values, some["scene"].to_numpy())
            found.append(plots.Interval(float(some[column].mean()), float(values.mean()), low, high))
    return found


def _differences(pairs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A figure for each metric that is compared: the difference of every two methods."""
    for metric in dict.fromkeys(row["metric"] for pair in pairs for row in pair["rows"] if not row["is_part"]):
        rows = [row for pair in pairs for row in pair["rows"] if row["metric"] == metric and not math.isnan(row["low"])]
        if rows:
            listed = [
                (plots.Interval((r["first"], r["second"]), r["difference"], r["low"], r["high"]), r["verdict"])
                for r in rows
            ]
            unit = f", {rows[0]['unit']}" if rows[0]["unit"] else ""
            axis = f"{metric}{unit}; {rows[0]['better']} is better"
            said = "; ".join(f"{r['first']} less {r['second']}: {r['sentence']}" for r in rows)
            yield _figure(
                f"difference-{metric}", plots.differences(listed, axis, rows[0]["margin"]), f"{metric}: {said}"
            )


def _error_parts(results: Sequence[Result], out: Path) -> dict[str, Any] | None:
    """The stacked bars, and their numbers."""
    starred = {f"{r.name}{'*' if r.document['method'].get('oracle') else ''}": [r] for r in results}
    parts = runs.error_parts(starred)
    if not parts:
        return None
    path, first = out / "figures" / "error_parts.png", results[0]
    about = f"{first.document['dataset']['name']}, {tables.pairs_and_photographs(first.per_image)}"
    figures.error_bars(path, parts, runs.PARTS, about)
    lines = []
    for result, (name, values) in zip(results, parts.items(), strict=True):
        words, whole = _words(result), sum(values.values())
        cells = [
            {
                "number": _number(value),
                "value": words[f"error_parts.{part}"].value,
                "interval": words[f"error_parts.{part}"].interval,
                "share": f"{value / whole:.0%}".replace("%", " %") if whole else "",
            }
            for part, value in {"total": whole, **values}.items()
        ]
        lines.append({"name": name, "cells": cells})
    return {"uri": png_uri(path.read_bytes()), "names": ["in all", *runs.PARTS.values()], "lines": lines}


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
