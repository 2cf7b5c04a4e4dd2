"""What sets methods apart, in words: the terminal's tables of a comparison of results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from exposurebench import tables
from exposurebench.compare_runs import ALARM, RunComparison
from exposurebench.measures import entry_of, is_per_scene, is_per_set, name_and_column
from exposurebench.report.summary import table
from exposurebench.result import Result

EXTREMES = 3
"""Photographs that are named at either end."""
SMALLEST = 0.01
"""Parts of an error that differ by less than this share of what differs most are not named."""
FEWEST_P = 1e-4
"""Smaller chances are only said to be smaller."""
PARTS = {
    "gain": "exposure gain",
    "tone": "tone curve",
    "color": "colour matrix",
    "recoverable": "detail that could be recovered",
    "invented": "detail that had to be invented",
}
"""The parts of the metric ``error_parts``, in words."""


def as_text(found: RunComparison) -> str:
    """Every two methods: their means, and what can be said of the difference; then what all of it rests on."""
    said: list[str] = []
    for first, second in itertools.combinations(found.runs, 2):
        rows = _rows(found, first, second)
        said += [f"{first} against {second}", *_table(found, first, second, rows)]
        said += [f"  {line}" for line in (*_photographs(found, rows[0]), *_why(found, first, second))] + [""]
    return "\n".join([*said, *footnotes(found)])


def accounts(found: RunComparison) -> Iterator[dict[str, Any]]:
    """Of every two methods what a page says: by the first metric, by all of them, why, and in which photographs."""
    for first, second in itertools.combinations(found.runs, 2):
        rows = _rows(found, first, second)
        scores = [row for row in rows if not is_part(str(row["metric"]))]
        counts = {verdict: sum(row["verdict"] == verdict for row in scores) for verdict in _TALLY}
        listed = [_TALLY[v].format(first=first, second=second, n=n) for v, n in counts.items() if n]
        yield {
            "first": first,
            "second": second,
            "metric": rows[0]["metric"],
            "verdict": rows[0]["verdict"],
            "lead": sentence(rows[0]),
            "tally": f"Of {len(scores)} scores: {'; '.join(listed)}." if len(scores) > 1 else "",
            "why": list(_why(found, first, second)),
            "photographs": _photographs(found, rows[0]),
            "rows": [{**row, **_told(found, row), "is_part": is_part(str(row["metric"]))} for row in rows],
        }


_TALLY = {
    "better": "{first} is better in {n}",
    "worse": "{second} is better in {n}",
    "equivalent": "{n} equivalent within the margin",
    "unknown": "{n} not told apart",
}


_VERDICTS = {
    "better": "{first} is better",
    "worse": "{second} is better",
    "equivalent": "equivalent within {margin:g} {unit}",
    "unknown": "not told apart",
}


def is_part(metric: str) -> bool:
    """Whether a value is a part of another, and no score of its own."""
    name, column = name_and_column(metric)
    whole = getattr(entry_of(name).module, "WHOLE", None)
    return whole is not None and column != whole


def _told(found: RunComparison, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's numbers in words."""
    known = tables.words({**row, "value": row["difference"]})
    words = {
        "difference": _signed(row["difference"], row),
        "interval": known.interval,
        "unit": known.unit,
        "p": "",
        "chance": "",
    }
    if not math.isnan(row["low"]):
        floor = {**row, "value": row["noise_floor"], "low": math.nan, "high": math.nan}
        words |= {
            "p": _chance(row["p_holm"]).removeprefix("p = ").removeprefix("p "),
            "chance": tables.words(floor).value,
        }
    values = [_mean(found.runs[row[side]], row) for side in ("first", "second")]
    means = [tables.words({**row, "value": value, "low": math.nan, "high": math.nan}).value for value in values]
    said = _VERDICTS[row["verdict"]].format(**{**row, "unit": known.unit}) if words["p"] else sentence(row)
    return {"numbers": values, "means": means, "told": words, "sentence": sentence(row), "said": said}


def sentence(row: Mapping[str, Any]) -> str:
    """What a row of differences says, with what it rests on.

    >>> row = {"first": "A", "second": "B", "metric": "psnr", "unit": "dB", "better": "higher", "difference": -0.42}
    >>> row |= {"low": -0.53, "high": -0.31, "p_holm": 0.0021, "margin": 0.1, "photographs": 51, "verdict": "worse"}
    >>> sentence(row)
    'B is better by 0.42 dB (0.31 to 0.53), p = 0.0021'
    >>> sentence({**row, "low": -0.9, "high": 0.06, "p": 0.09, "p_holm": 0.09, "verdict": "unknown"})
    'not told apart by 51 photographs (\u22120.90 to 0.06 dB), p = 0.09'
    >>> sentence({**row, "difference": -0.02, "low": -0.05, "high": 0.01, "verdict": "equivalent"})
    'equivalent within 0.1 dB (\u22120.05 to 0.01)'
    """
    verdict, unit = row["verdict"], f" {row['unit']}" if row["unit"] else ""
    if math.isnan(row["low"]):
        return f"{row['photographs']} photograph{'' if row['photographs'] == 1 else 's'}: nothing to be said"
    shown = tables.words(_turned(row) if verdict in ("better", "worse") else {**row, "value": row["difference"]})
    unit = f" {shown.unit}" if shown.unit else ""
    if verdict == "equivalent":
        return f"equivalent within {row['margin']:g}{unit} ({shown.interval})"
    chance = _chance(row["p_holm"])
    if verdict == "unknown":
        many = f" once all {row['family']} comparisons count" if row["p"] <= ALARM else ""
        return f"not told apart by {row['photographs']} photographs{many} ({shown.interval}{unit}), {chance}"
    winner = row["first" if verdict == "better" else "second"]
    return f"{winner} is better by {shown.value}{unit} ({shown.interval}), {chance}"


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """The difference as the better one has it: above 0."""
    if row["difference"] >= 0:
        return {**row, "value": row["difference"]}
    return {**row, "value": -row["difference"], "low": -row["high"], "high": -row["low"]}


def _chance(p: float) -> str:
    return f"p < {FEWEST_P:.4f}" if p < FEWEST_P else f"p = {p:.2g}"


def _rows(found: RunComparison, first: str, second: str) -> list[dict[str, Any]]:
    rows = found.table[(found.table["first"] == first) & (found.table["second"] == second)]
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]


def _table(found: RunComparison, first: str, second: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        bare = {**row, "low": math.nan, "high": math.nan}
        numbers = [*(_mean(found.runs[name], row) for name in (first, second)), row["noise_floor"]]
        *means, floor = (tables.words({**bare, "value": number}) for number in numbers)
        name = f"{row['metric']} {floor.unit}".rstrip()
        lines.append((name, *(mean.value for mean in means), floor.value, sentence(row)))
    return table(("metric", first, second, "by chance", "what can be said"), lines)


def _mean(runs: Sequence[Result], row: Mapping[str, Any]) -> float:
    """A method's own value of a metric, which is signed where the best is 0."""
    return float(np.mean([run.summary.set_index("metric")["value"].get(row["metric"], math.nan) for run in runs]))


def _pairs(run: Result, metric: str) -> int:
    return int(run.summary.set_index("metric")["pairs"].get(metric, 0))


def _photographs(found: RunComparison, row: Mapping[str, Any]) -> list[str]:
    """The photographs at either end of the first metric's differences."""
    columns = [f"{row[side]}: {row['metric']}" for side in ("first", "second")]
    if columns[0] not in found.photographs:
        return []
    apart = found.photographs[columns[0]] - found.photographs[columns[1]]
    order = (apart if row["better"] == "higher" else -apart).dropna().sort_values(kind="stable")
    ends = {"best": order.index[::-1][:EXTREMES], "worst": order.index[:EXTREMES]}
    said = []
    for end, places in ends.items():
        named = ", ".join(f"{found.photographs['scene'][place]} {_signed(apart[place], row)}" for place in places)
        said.append(f"{end} in {named}")
    wins = int((order > 0).sum())
    return [
        f"{row['first']} is ahead in {wins} of {len(order)} photographs",
        f"{row['metric']} of {row['first']} less {row['second']}: {'; '.join(said)}",
    ]


def _signed(value: float, row: Mapping[str, Any]) -> str:
    text = tables.words({**row, "value": value, "low": math.nan, "high": math.nan}).value
    return text if text.startswith("\N{MINUS SIGN}") else f"+{text}"


def _why(found: RunComparison, first: str, second: str) -> list[str]:
    """Where the one has more error than the other, by its parts."""
    parts = error_parts(found.runs)
    if not parts:
        return []
    less, more = sorted((first, second), key=lambda name: sum(parts[name].values()))
    apart = {part: parts[more][part] - parts[less][part] for part in PARTS}
    whole = sum(apart.values())
    largest = max(map(abs, apart.values()))
    if not largest:
        return []
    told = [part for part in sorted(apart, key=lambda p: -abs(apart[p])) if abs(apart[part]) >= SMALLEST * largest > 0]
    listed = [f"{tables.spelled(apart[part], 1)} {PARTS[part]}" for part in told if apart[part] > 0]
    against = [f"{tables.spelled(-apart[part], 1)} less {PARTS[part]}" for part in told if apart[part] < 0]
    but = f", but {', '.join(against)}" if against else ""
    wholes = [row for row in _rows(found, first, second) if row["metric"] == "error_parts.total"]
    unsure = " (not told apart as a whole)" if any(row["verdict"] == "unknown" for row in wholes) else ""
    return [
        f"why: {more} has {tables.spelled(whole, 1)} levels² more squared error{unsure}: "
        f"{', '.join(listed) or 'none'}{but}"
    ]


def error_parts(results: Mapping[str, Sequence[Result]]) -> dict[str, dict[str, float]]:
    """The mean of each part of the squared error by method; nothing where ``error_parts`` was not measured."""
    found_parts = {}
    for name, runs in results.items():
        values = pd.concat([run.summary.set_index("metric")["value"] for run in runs], axis=1).mean(axis=1)
        if f"error_parts.{next(iter(PARTS))}" not in values:
            return {}
        found_parts[name] = {part: float(values[f"error_parts.{part}"]) for part in PARTS}
    return found_parts


def footnotes(found: RunComparison) -> Iterator[str]:
    """What all of it rests on, a line each."""
    results = [result for runs in found.runs.values() for result in runs]
    first = results[0]
    yield f"N = {tables.pairs_and_photographs(first.per_image)} of {first.document['dataset']['name']}"
    families = " and ".join(str(number) for number in dict.fromkeys(found.table["family"]))
    yield f"intervals: 95 %, photographs drawn with replacement; p: corrected for {families} comparisons (Holm)"
    yield "by chance: 95 % of the differences lie below it where both are swapped, photograph by photograph, at random"
    for name, runs in found.runs.items():
        method = runs[0].document["method"]
        if len(runs) > 1:
            yield f"{name}: {len(runs)} trainings, drawn with replacement too"
        elif method.get("kind") == "checkpoint":
            yield f"{name}: one training; how much another would differ, nobody knows"
        if method.get("oracle"):
            yield f"{name} is an oracle, no competitor: it is told {tables.told(method)}"
    for row in found.table.to_dict("records"):
        own = [_pairs(run, row["metric"]) for side in ("first", "second") for run in found.runs[row[side]]]
        if not is_per_scene(name_and_column(str(row["metric"]))[0]) and row["pairs"] < max(own):
            yield (
                f"{row['metric']}: {row['first']} and {row['second']} are compared on the {row['pairs']} pairs of which both "
                f"have a value; their own means are of {min(own)} and {max(own)} pairs"
                if min(own) < max(own)
                else f"{row['metric']}: {row['first']} and {row['second']} are compared on the {row['pairs']} pairs of which "
                f"both have a value; their own means are of {max(own)} pairs each"
            )
    signed = {str(m) for m in found.table["metric"] if entry_of(str(m).partition(".")[0]).fact("BETTER") == "zero"}
    for metric in sorted(signed):
        yield f"{metric}: its size is compared, photograph by photograph, whatever its sign"
    for measure in found.left_out:
        why = "one value of the whole set, with an interval of its own" if is_per_set(measure) else "it ranks nothing"
        yield f"{measure}: not compared, {why}"
    if first.per_image["scene"].nunique() < tables.RANKED_FROM:
        yield f"fewer than {tables.RANKED_FROM} photographs: a smoke test, not a ranking"
