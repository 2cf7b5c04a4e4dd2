"""Leaderboards: entries in, pages out, and a check that nothing was doctored.

A track pins a data set by the fingerprint of its pixels and every metric by its version. An entry is a JSON
document and the per-image table that all its numbers are derived from. Pages are generated: the same
entries give the same bytes.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from exposurebench import catalog, defence, measures, tables
from exposurebench.defence import Attacks
from exposurebench.errors import InputError, RecipeError
from exposurebench.files import read_document, safe_key, sha256, short_hash, write_bytes, write_json, write_text
from exposurebench.recipe import SCHEMA
from exposurebench.report import attacks, board, table1
from exposurebench.result import Result, read_result
from exposurebench.track import Entry, Track, pairs_of, track_named, tracks

FORMAT = "exposurebench.entry"
KEYS = (
    "name", "track", "grade", "date", "method", "dataset", "protocols", "already_right", "per_image_sha256", "values"
)  # fmt: skip
METHOD_KEYS = ("kind", "title", "reference", "oracle", "needs")
STUDIES = {"paper0_table1": table1.page}
"""Tracks that are no ranking but repeat a published table have a page of their own."""


def add(result: str | Path, track: str, root: str | Path, *, date: str | None = None) -> Path:
    """Write a result as an entry of a track: its JSON document and its per-image table.

    Args:
        result: the folder of a result.
        track: the track's name.
        root: the leaderboards' folder.
        date: of the entry, ISO; today by default.

    Raises:
        InputError: the result was not measured on the track's pairs or by its protocol.
    """
    found, pinned = read_result(result), track_named(track)
    document = found.document
    problems = _mismatches(document, pinned, found)
    if problems:
        raise InputError(f"{str(result)!r} does not belong to the track {track}: {'; '.join(problems)}")
    folder = Path(root) / track / "entries"
    name = safe_key(found.name)
    if (folder / f"{name}.json").exists() and _read_entry(folder / f"{name}.json")["name"] != found.name:
        name = f"{name}-{short_hash(found.name)}"  # another method whose name has the same letters
    csv = (Path(result) / "per_image.csv").read_bytes()
    write_bytes(folder / f"{name}.csv", csv)
    entry = {
        "format": FORMAT,
        "schema": SCHEMA,
        "name": found.name,
        "track": track,
        "grade": "verified" if document["method"]["kind"] == "baseline" else "scored",
        "date": date or datetime.date.today().isoformat(),
        "method": document["method"],
        "reported": {},
        "dataset": {key: document["dataset"][key] for key in ("name", "pixels", "split", "pairs")},
        "protocols": document["protocols"],
        "already_right": document["already_right"],
        "versions": document["versions"],
        "hardware": document["hardware"],
        "per_image_sha256": sha256(csv),
        "values": _values(found),
    }
    write_json(folder / f"{name}.json", entry)
    return folder / f"{name}.json"


def _mismatches(document: Mapping[str, Any], track: Track, result: Result) -> list[str]:
    problems = []
    if document["dataset"]["pixels"] != track.pixels or document["dataset"]["split"] != track.split:
        problems.append(f"its data set is not the pinned one: build it with make-dataset --recipe {track.dataset}")
    if pairs_of(result.per_image) != track.pairs:
        problems.append("its table is not of the track's pairs, all of them and no others: evaluate without --limit")
    problems.extend(_foreign_facts(document["method"]))
    for metric, version in track.metrics.items():
        there = document["protocols"].get(metric, {}).get("version")
        if there != version:
            problems.append(f"{metric} has version {there or 'none'}, the track pins {version}")
    surplus = sorted(set(document["protocols"]) - set(track.metrics))
    if surplus:
        problems.append(f"it has metrics that the track lacks: {', '.join(surplus)}")
    return problems


def _foreign_facts(method: Mapping[str, Any]) -> list[str]:
    """What an entry says of a baseline that the baseline does not say of itself."""
    if method["kind"] != "baseline":
        return []
    name = method.get("baseline")
    if name not in catalog.names("baselines"):
        return [f"it claims to be a baseline, and none is called {name!r}"]
    entry = catalog.load("baselines", str(name))
    facts = {"title": entry.fact("TITLE"), "oracle": entry.fact("ORACLE"), "needs": list(entry.fact("NEEDS"))}
    return [f"it says another {fact} than the baseline {name}" for fact in facts if method.get(fact) != facts[fact]]


def _stated(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """What a protocol says that does not depend on the files of the run."""
    return {name: value for name, value in protocol.items() if name not in measures.OF_THE_RUN}


def _values(result: Result) -> dict[str, dict[str, Any]]:
    """The summary as an entry holds it, numbers as numbers, nothing where there is none."""
    values = {}
    for row in result.summary.to_dict("records"):
        numbers = {
            key: tables.rounded(row[key]) for key in ("value", "low", "high", "noise_floor") if row[key] == row[key]
        }
        values[str(row["metric"])] = {**numbers, "pairs": int(row["pairs"]), "photographs": int(row["photographs"])}
    return values


def entries(track: str, root: str | Path) -> list[Entry]:
    """Every entry of a track, best mean first.

    Raises:
        InputError: an entry is damaged.
    """
    found = []
    for path in sorted((Path(root) / track / "entries").glob("*.json")):
        document = _read_entry(path)
        per_image = tables.read_table(path.with_suffix(".csv"))
        try:
            summary = tables.summarize(per_image, list(document["protocols"]))
        except (KeyError, ValueError, TypeError, RecipeError) as error:
            raise InputError(f"{str(path)!r}: its table does not give its metrics ({tables.lacking(error)})") from error
        if not len(summary):
            raise InputError(f"{str(path)!r}: its table has no pair that says anything")
        found.append(Entry(path, document, Result(document, per_image, summary)))
    return sorted(found, key=lambda entry: (-float(entry.result.summary["value"][0]), entry.document["name"]))


def _read_entry(path: Path) -> dict[str, Any]:
    document = read_document(path, "an entry of a leaderboard", FORMAT, SCHEMA, KEYS)
    nested = {"method": METHOD_KEYS, "dataset": ("pixels", "split")}
    for key, wanted in nested.items():
        if not isinstance(document[key], dict) or set(wanted) - set(document[key]):
            raise InputError(f"{str(path)!r} is damaged: {key} lacks one of {', '.join(wanted)}")
    return document


def boards(root: str | Path) -> dict[str, tuple[Track, list[Entry]]]:
    """Every track that has entries, with them.

    Raises:
        InputError: an entry is damaged.
    """
    found = {name: (track, entries(name, root)) for name, track in tracks().items()}
    return {name: (track, listed) for name, (track, listed) in found.items() if listed}


def pages(found: Mapping[str, tuple[Track, list[Entry]]], attacked: Mapping[str, Attacks | None]) -> dict[str, str]:
    """Every generated file below the leaderboards' folder, by its relative path.

    Args:
        found: every track with its entries.
        attacked: what cheats gain on each; a track that none were set on ranks nothing.
    """
    generated, withheld = {}, {}
    for name, (track, listed) in found.items():
        if track.study:
            generated[f"{name}/README.md"] = STUDIES[track.study](name, track, listed)
        else:
            attack = attacked[name]
            withheld[name] = attack.withheld if attack else "no cheat was set on it yet (exposurebench attack)"
            page = board.page(name, track, listed, withheld[name])
            generated[f"{name}/README.md"] = f"{page}\n{attacks.section(attack)}" if attack else page
        generated[f"{name}/table.csv"] = board.table(listed)
    generated["README.md"] = board.index(found, withheld)
    return generated


def attacked(names: Iterable[str], root: str | Path) -> dict[str, Attacks | None]:
    """What cheats gain on each track.

    Raises:
        InputError: the files of one are damaged.
    """
    return {name: defence.read(name, root) for name in names}


def _existing(root: str | Path) -> Path:
    """The leaderboards' folder: a wrong name is no empty board."""
    if not Path(root).is_dir():
        raise InputError(f"no folder {str(root)!r}: give the leaderboards' folder with --root, or add an entry first")
    return Path(root)


def build(root: str | Path) -> list[Path]:
    """Regenerate every page; the same entries give the same bytes.

    Raises:
        InputError: there is no such folder, or an entry is damaged.
    """
    written, found = [], boards(_existing(root))
    for name, text in pages(found, attacked(found, root)).items():
        write_text(Path(root) / name, text)
        written.append(Path(root) / name)
    return written


def check(root: str | Path) -> Iterator[str]:
    """Say what is wrong with the leaderboards, a line each: doctored numbers, stale pages, foreign data.

    Raises:
        InputError: there is no such folder.
    """
    root = _existing(root)
    try:
        found = boards(root)
        attacks_found = attacked(found, root)
    except (InputError, OSError) as error:
        yield f"an entry cannot be read: {error}"
        return
    for name, (track, listed) in found.items():
        for entry in listed:
            where = f"{name}/entries/{entry.path.stem}"
            for problem in _mismatches(entry.document, track, entry.result):
                yield f"{where}: {problem}"
            if entry.document["track"] != name:
                yield f"{where}.json is an entry of the track {entry.document['track']}"
            if sha256(entry.path.with_suffix(".csv").read_bytes()) != entry.document["per_image_sha256"]:
                yield f"{where}.csv is not the table that the entry names"
            if _values(entry.result) != entry.document["values"]:
                yield f"{where}.json has values that its per-image table does not give"
            if entry.document["already_right"] != tables.harm(
                entry.result.per_image, list(entry.document["protocols"])
            ):
                yield f"{where}.json says something else about the pairs that were right than its table"
            if any(_stated(facts) != measures.protocol(m) for m, facts in entry.document["protocols"].items()):
                yield f"{where}.json was measured by another protocol than this program's"
        if attack := attacks_found[name]:
            yield from defence.problems(name, track, attack, root)
    for page, text in pages(found, attacks_found).items():
        path = root / page
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"{page} is not what its entries give: run exposurebench leaderboard build"
