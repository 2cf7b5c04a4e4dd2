"""The leaderboards as pages for a browser: plain HTML and one small script, for any web server."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from exposurebench import tables
from exposurebench.claims import Claims
from exposurebench.dataset import Dataset, load_dataset, sides_of
from exposurebench.errors import ExposureBenchError
from exposurebench.files import write_bytes, write_text
from exposurebench.images import Image, encode_image
from exposurebench.leaderboard import Boards, everything
from exposurebench.measures import is_per_set
from exposurebench.report import attacks, board
from exposurebench.report.claimed import anchor
from exposurebench.report.pareto import front, scatter
from exposurebench.report.pictures import spread, thumbnail
from exposurebench.report.templates import render
from exposurebench.track import COLUMNS, Entry, Track

PICTURES = 6
"""Pairs of which a board shows input and target."""
THUMBNAIL_PX, QUALITY = 240, 80
MAY_BE_SHOWN = re.compile(r"(cc0|public domain)\b", re.IGNORECASE)
"""How the terms of a photograph begin that anybody may show."""
AGAINST = {
    "parameters": "parameters",
    "consistency.delta_e2000": "spread over exposures, CIEDE2000",
    "delta_e2000": "colour difference, CIEDE2000",
}
"""What fidelity is drawn against, where an entry tells it; less is better of each."""


def write_site(root: str | Path, out: str | Path, *, datasets: str | Path | None = None) -> list[Path]:
    """Write every board, every entry and the claimed tables as pages.

    Args:
        root: the leaderboards' folder; entries and claims are read, and nothing else.
        out: the site's folder.
        datasets: holds data sets; of those that a track pins, pictures whose terms allow it are shown.

    Returns:
        Every file.

    Raises:
        InputError: there is no such folder, or an entry or a claim is damaged.
        StorageError: the site's folder cannot be written.
    """
    read = everything(root)
    found, claims = read.found, read.claims
    out, at_hand = Path(out), _at_hand(datasets)
    files: dict[str, str] = {
        "boards.js": render("site.js.j2"),
        "style.css": render("site.css.j2"),
        "index.html": _page("index", "Leaderboards", "", tracks=_index(read), claims=claims),
        "claimed.html": _page("claimed", "Claimed", "", claims=[(c, _claims(c)) for c in claims]),
    }
    pictures: dict[str, bytes] = {}
    for name, (track, listed) in found.items():
        published = [
            (c.source, t.title, anchor(c, n)) for c in claims for n, t in enumerate(c.tables) if name in t.tracks
        ]
        shown = _pictures(name, at_hand.get(track.pixels), track.split, pictures)
        about = {"name": name, "track": track, "about": marked_up(track.about), "published": published}
        about["source"] = board.source_of(track)
        files[f"{name}.html"] = _page(
            "board",
            track.title,
            "",
            **about,
            **_board(track, listed, read.withheld(name)),
            cheats=_cheats(read, name),
            pictures=shown,
        )
        for entry in listed:
            title = f"{board.label(entry.result)} on {name}"
            files[f"{name}/{entry.path.stem}.html"] = _page("entry", title, "../", **about, **_entry(entry))
    for path, text in files.items():
        write_text(out / path, text)
    for path, data in pictures.items():
        write_bytes(out / path, data)
    return [out / path for path in [*files, *pictures]]


def _page(kind: str, title: str, up: str, **values: Any) -> str:
    return render("site.html.j2", kind=kind, title=title, up=up, **values)


def marked_up(text: str) -> str:
    """A track's paragraph as HTML: links, bold words and code, everything else as it stands.

    >>> marked_up("a < b in [x](../x/README.md), **not** `c`")
    'a &lt; b in <a href="x.html">x</a>, <strong>not</strong> <code>c</code>'
    """
    words = html.escape(" ".join(text.split()))
    words = re.sub(r"\[([^\]]+)\]\(\.\./([\w-]+)/README\.md\)", r'<a href="\2.html">\1</a>', words)
    words = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", words)
    words = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", words)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", words)


def _index(read: Boards) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": track.title,
            "photographs": board.photographs(listed[0].result) if listed else "",
            "entries": len(listed),
            "others": sum(e.document["method"]["kind"] != "baseline" for e in listed),
            "kind": board.kind_of(track, listed, read.withheld(name)) if listed else "not pinned yet",
        }
        for name, (track, listed) in read.found.items()
    ]


def _board(track: Track, listed: Sequence[Entry], withheld: str) -> dict[str, Any]:
    """Everything that a board's page shows."""
    if not listed:
        return {"lines": [], "columns": [], "remarks": [], "plots": [], "grades": {}, "size": ""}
    results = [entry.result for entry in listed]
    metrics = board.shown(results)
    places = board.places(results, withheld)
    lines = []
    for entry in listed:
        rows = board.rows_of(entry.result)
        cells = [_cell(rows.get(metric), places[metric].get(entry.result.name)) for metric in metrics]
        lines.append({"entry": entry, "label": board.label(entry.result), "cells": cells, "page": entry.path.stem})
    return {
        "lines": lines,
        "columns": [COLUMNS[metric] for metric in metrics],
        "remarks": board.remarks(results) + ([f"No places are given: {withheld}."] if withheld else []),
        "plots": _plots(listed, metrics[0]) if metrics else [],
        "grades": board.grades(listed),
        "size": tables.pairs_and_photographs(listed[0].result.per_image),
    }


def _cheats(read: Boards, name: str) -> dict[str, Any]:
    """What cheats gain on a board; nothing where none was set on it."""
    found = read.attacked.get(name)
    return {"table": attacks.table_of(found), "remarks": list(attacks.remarks(found))} if found else {}


def _cell(row: Mapping[str, Any] | None, place: int | None) -> dict[str, Any]:
    if row is None:
        return {"sort": "", "value": "-", "interval": "", "place": None}
    words = tables.words(row)
    return {"sort": repr(float(row["value"])), "value": words.value, "interval": words.interval, "place": place}


def _plots(listed: Sequence[Entry], fidelity: str) -> list[str]:
    """Fidelity against each thing that two entries or more tell, and tell differently."""
    drawn = []
    for other, title in AGAINST.items():
        points = []
        for entry in listed:
            rows, y = board.rows_of(entry.result), _other(entry, other)
            if fidelity in rows and not math.isnan(y) and fidelity != other:
                oracle = bool(entry.document["method"]["oracle"])
                points.append((board.label(entry.result), y, float(rows[fidelity]["value"]), oracle))
        if len({x for _, x, _, _ in points}) > 1:
            best = front([(x, y) if not oracle else (math.inf, -math.inf) for _, x, y, oracle in points])
            drawn.append(scatter(points, best, title, COLUMNS[fidelity]))
    return drawn


def _other(entry: Entry, other: str) -> float:
    if other != "parameters":
        return float(board.rows_of(entry.result).get(other, {}).get("value", math.nan))
    nothing = 0 if entry.document["method"]["kind"] == "baseline" else math.nan
    return float(entry.document.get("cost", {}).get("parameters", nothing))


def _entry(entry: Entry) -> dict[str, Any]:
    """Everything that an entry's page shows."""
    document, table = entry.document, entry.result.per_image
    values = [tables.words(row) for row in board.rows_of(entry.result).values()]
    sets = {metric for metric in document["protocols"] if is_per_set(metric)}
    columns = [str(c) for c in table if c not in ("split", "scene") and str(c).partition(":")[0] not in sets]
    method = {k: v for k, v in document["method"].items() if v not in ("", [], {})}
    facts = {**{k: document[k] for k in ("grade", "date", "hardware")}, **method}
    facts |= {f"{k}.{n}": v for k in ("training", "cost", "weights") for n, v in document.get(k, {}).items()}
    return {
        "document": document,
        "values": values,
        "facts": facts,
        "harm": document["already_right"],
        "columns": columns,
        "rows": [[_shown(value) for value in row] for row in table[columns].itertuples(index=False)],
        "protocols": [tables.protocol_line(facts) for facts in document["protocols"].values()],
    }


def _shown(value: Any) -> tuple[str, str]:
    """A cell of the per-image table: what it is sorted by, and what is shown."""
    if isinstance(value, float) and not isinstance(value, bool):
        return ("", "-") if pd.isna(value) else (repr(value), f"{value:.4g}")
    return str(value), str(value)


def _claims(claims: Claims) -> list[tuple[str, Any]]:
    return [(anchor(claims, number), table) for number, table in enumerate(claims.tables)]


def _at_hand(folder: str | Path | None) -> dict[str, Dataset]:
    """The data sets in a folder, by their pixels."""
    found = {}
    for path in sorted(Path(folder).glob("*/dataset.json")) if folder else []:
        try:
            dataset = load_dataset(path.parent)
        except ExposureBenchError:
            continue  # another program's, or not finished: the site does without its pictures
        found[dataset.pixels] = dataset
    return found


def _pictures(name: str, dataset: Dataset | None, split: str, files: dict[str, bytes]) -> list[tuple[str, str, str]]:
    """Input and target of a few pairs that anybody may show, as files of the site."""
    if dataset is None:
        return []
    rows = [row for row in dataset.rows(split) if MAY_BE_SHOWN.match(str(row.get("license", "")))]
    shown = []
    for place in spread(len(rows), PICTURES):
        row = rows[place]
        beside = f"{name}/pictures/{row['id']}"
        sides = {"input": dataset.read_input(split, row), "target": _target(dataset, split, row)}
        for side, image in sides.items():
            small = thumbnail(image, THUMBNAIL_PX, THUMBNAIL_PX)
            files[f"{beside}-{side}.jpg"] = encode_image(small, "jpg", QUALITY)
        shown.append((str(row["id"]), f"{beside}-input.jpg", f"{beside}-target.jpg"))
    return shown


def _target(dataset: Dataset, split: str, row: Mapping[str, Any]) -> Image:
    """The target as a picture to look at: light as its preview."""
    return dataset.read(split, row, "preview" if "preview" in sides_of(row) else "target")
