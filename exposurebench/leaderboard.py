"""Leaderboards: entries in, pages out, and a check that nothing was doctored.

A track pins a data set by the fingerprint of its pixels and every metric by its version. An entry is a JSON
document and the per-image table that all its numbers are derived from. Pages are generated: the same
entries give the same bytes.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from exposurebench import catalog, defence, measures, tables
from exposurebench.claims import FOLDER, Claims, read_claims
from exposurebench.defence import Attacks
from exposurebench.entry import FORMAT, WEIGHTS_BYTES, cost_of, grade_of, read_entry, training_of, weights_of
from exposurebench.errors import InputError, RecipeError, unknown_name
from exposurebench.files import safe_key, sha256, sha256_file, short_hash, write_bytes, write_json, write_text
from exposurebench.recipe import SCHEMA
from exposurebench.report import attacks, board, claimed, table1
from exposurebench.result import Result, read_result
from exposurebench.track import Entry, Track, pairs_of, track_named, tracks

STUDIES = {"paper0_table1": table1.page}
"""Tracks that are no ranking but repeat a published table have a page of their own."""


def add(
    result: str | Path,
    track: str,
    root: str | Path,
    *,
    weights: str | Path | None = None,
    reported: Mapping[str, float] | None = None,
    source: str = "",
    date: str | None = None,
) -> Path:
    """Write a result as an entry of a track: its JSON document, its per-image table, its weights.

    Steps, seed and cost are taken from the result, which has them from the checkpoint.

    Args:
        result: the folder of a result.
        track: the track's name.
        root: the leaderboards' folder.
        weights: the checkpoint that was scored, to lie beside the entry.
        reported: published values by the names of the result's own, such as ``psnr``.
        source: where they were published.
        date: of the entry, ISO; today by default.

    Raises:
        InputError: the result was not measured on the track's pairs or by its protocol, or not with these weights.
        RecipeError: published values without a source, or of what was not measured.
    """
    found, pinned = read_result(result), track_named(track)
    document, values = found.document, _values(found)
    _check_pinned(track, pinned, found)
    problems = _mismatches(document, pinned, found)
    if problems:
        raise InputError(f"{str(result)!r} does not belong to the track {track}: {'; '.join(problems)}")
    _check_reported(reported or {}, source, values)
    folder = Path(root) / track
    name = safe_key(found.name)
    entry_file = folder / "entries" / f"{name}.json"
    if entry_file.exists() and read_entry(entry_file)["name"] != found.name:
        name = f"{name}-{short_hash(found.name)}"  # another method whose name has the same letters
    beside = weights_of(weights, document["method"], name) if weights else {}
    csv = (Path(result) / "per_image.csv").read_bytes()
    write_bytes(folder / "entries" / f"{name}.csv", csv)
    if weights:
        write_bytes(folder / beside["file"], Path(weights).read_bytes())
    entry = {
        "format": FORMAT,
        "schema": SCHEMA,
        "name": found.name,
        "track": track,
        "grade": grade_of({**document, "weights": beside}),
        "date": date or datetime.date.today().isoformat(),
        "method": document["method"],
        "reported": {metric: {"value": value, "source": source} for metric, value in (reported or {}).items()},
        "dataset": {key: document["dataset"][key] for key in ("name", "pixels", "split", "pairs")},
        "protocols": document["protocols"],
        "already_right": document["already_right"],
        "versions": document["versions"],
        "hardware": document["hardware"],
        "training": training_of(document["method"]),
        "weights": beside,
        "cost": cost_of(document["method"]),
        "per_image_sha256": sha256(csv),
        "values": values,
    }
    # Fields that would say nothing are left out.
    entry = {key: value for key, value in entry.items() if value or key not in ("training", "weights", "cost")}
    write_json(folder / "entries" / f"{name}.json", entry)
    return folder / "entries" / f"{name}.json"


def _check_pinned(name: str, track: Track, found: Result) -> None:
    """A track that nobody pinned yet takes no entry; the message has what pins it."""
    if not track.pinned:
        raise InputError(
            f"the track {name} is not pinned yet: if your data are whole, propose in recipes/tracks/{name}.toml "
            f'pixels = "{found.document["dataset"]["pixels"]}" and pairs = "{pairs_of(found.per_image)}"'
        )


def _check_reported(reported: Mapping[str, float], source: str, values: Mapping[str, Any]) -> None:
    """Published values have a source, and stand beside a measured one."""
    if bool(reported) != bool(source):
        raise RecipeError("--published METRIC=VALUE and --source belong together: give both or neither")
    for name, value in reported.items():
        if name not in values:
            raise RecipeError(unknown_name("value", name, values))
        if type(value) not in (int, float):
            raise RecipeError(f"--published {name} must be a number, not {value!r}")


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
        document = read_entry(path)
        per_image = tables.read_table(path.with_suffix(".csv"))
        try:
            summary = tables.summarize(per_image, list(document["protocols"]))
        except (KeyError, ValueError, TypeError, RecipeError) as error:
            raise InputError(f"{str(path)!r}: its table does not give its metrics ({tables.lacking(error)})") from error
        if not len(summary):
            raise InputError(f"{str(path)!r}: its table has no pair that says anything")
        found.append(Entry(path, document, Result(document, per_image, summary)))
    return sorted(found, key=lambda entry: (-float(entry.result.summary["value"][0]), entry.document["name"]))


def boards(root: str | Path) -> dict[str, tuple[Track, list[Entry]]]:
    """Every track that has entries, with them, and those that wait for somebody who has their data.

    Raises:
        InputError: an entry is damaged.
    """
    found = {name: (track, entries(name, root)) for name, track in tracks().items()}
    return {name: (track, listed) for name, (track, listed) in found.items() if listed or not track.pinned}


class Boards(NamedTuple):
    """What lies below the leaderboards' folder: every track with its entries, every claim, what cheats gain where."""

    found: dict[str, tuple[Track, list[Entry]]]
    claims: Sequence[Claims] = ()
    attacked: Mapping[str, Attacks] = {}

    def withheld(self, name: str) -> str:
        """Why a track gives no places: no cheat was set on it, or one pays; empty where nothing speaks against it."""
        track, _ = self.found[name]
        if track.study or not track.pinned:
            return ""
        attack = self.attacked.get(name)
        return attack.withheld if attack else "no cheat was set on it yet (exposurebench attack)"


def pages(everything: Boards) -> dict[str, str]:
    """Every generated file below the leaderboards' folder, by its relative path."""
    generated, withheld = {}, {}
    for name, (track, listed) in everything.found.items():
        published = claimed.about_track(name, everything.claims)
        if not track.pinned:
            generated[f"{name}/README.md"] = board.waiting(name, track, published)
            continue
        if track.study:
            generated[f"{name}/README.md"] = STUDIES[track.study](name, track, listed, published)
        else:
            attack, withheld[name] = everything.attacked.get(name), everything.withheld(name)
            cheats = attacks.section(attack) if attack else ""
            generated[f"{name}/README.md"] = board.page(name, track, listed, published, withheld[name], cheats)
        generated[f"{name}/table.csv"] = board.table(listed)
    if everything.claims:
        generated[f"{FOLDER}/README.md"] = claimed.page(everything.claims)
    generated["README.md"] = board.index(everything.found, everything.claims, withheld)
    return generated


def everything(root: str | Path) -> Boards:
    """Every board, every claim, and what cheats gain.

    Raises:
        InputError: there is no such folder (a wrong name is no empty board), or an entry, a claim or a track's attacks
            are damaged.
    """
    if not Path(root).is_dir():
        raise InputError(f"no folder {str(root)!r}: give the leaderboards' folder with --root, or add an entry first")
    found = boards(root)
    attacked = {name: attack for name in found if (attack := defence.read(name, root))}
    return Boards(found, read_claims(root), attacked)


def build(root: str | Path) -> list[Path]:
    """Regenerate every page; the same entries give the same bytes.

    Raises:
        InputError: there is no such folder, or an entry or a claim is damaged.
    """
    written = []
    for name, text in pages(everything(root)).items():
        write_text(Path(root) / name, text)
        written.append(Path(root) / name)
    return written


def check(root: str | Path) -> Iterator[str]:
    """Say what is wrong with the leaderboards, a line each: doctored numbers, stale pages, foreign data.

    Raises:
        InputError: there is no such folder.
    """
    if not (root := Path(root)).is_dir():
        everything(root)
    try:
        read = everything(root)
    except (InputError, OSError) as error:
        yield f"an entry cannot be read: {error}"
        return
    for name, (track, listed) in read.found.items():
        for entry in listed:
            for problem in _wrong(name, track, entry):
                yield f"{name}/entries/{entry.path.stem}{problem}"
        for stray in sorted(_strays(root / name, listed)):
            yield f"{name}/{stray} belongs to no entry"
        if name in read.attacked:
            yield from defence.problems(name, track, read.attacked[name], root)
    for page, text in pages(read).items():
        path = root / page
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"{page} is not what its entries give: run exposurebench leaderboard build"


def _wrong(name: str, track: Track, entry: Entry) -> Iterator[str]:
    """What is wrong with an entry, each after its path."""
    document, table = entry.document, entry.path.with_suffix(".csv")
    for problem in _mismatches(document, track, entry.result):
        yield f": {problem}"
    if document["track"] != name:
        yield f".json is an entry of the track {document['track']}"
    if not track.pinned:
        yield ": its track is not pinned yet"
    if sha256_file(table) != document["per_image_sha256"]:
        yield ".csv is not the table that the entry names"
    if _values(entry.result) != document["values"]:
        yield ".json has values that its per-image table does not give"
    if document["already_right"] != tables.harm(entry.result.per_image, list(document["protocols"])):
        yield ".json says something else about the pairs that were right than its table"
    if any(_stated(facts) != measures.protocol(m) for m, facts in document["protocols"].items()):
        yield ".json was measured by another protocol than this program's"
    if document["grade"] != (grade := grade_of(document)):
        yield f".json says {document['grade']} and is {grade}"
    if document.get("training", {}) != training_of(document["method"]):
        yield ".json says something else about its training in two places"
    if document.get("cost", {}) != cost_of(document["method"]):
        yield ".json says another cost than its network has"
    if weights := document.get("weights"):
        path = entry.path.parent.parent / "weights" / Path(weights["file"]).name  # never outside the track's folder
        named = weights["file"] == f"weights/{path.name}" and path.is_file()
        if not named or (sha256_file(path), path.stat().st_size) != (weights["sha256"], weights["bytes"]):
            yield f".json: its weights {weights['file']} are missing or others"
        elif weights["bytes"] > WEIGHTS_BYTES or weights["sha256"] != document["method"].get("checkpoint_sha256"):
            yield f".json: its weights {weights['file']} are too large or not those that were scored"


def _strays(folder: Path, listed: Sequence[Entry]) -> set[str]:
    """Tables and weights beside the entries that none of them names."""
    known = {f"entries/{entry.path.stem}{suffix}" for entry in listed for suffix in (".json", ".csv")}
    known |= {str(entry.document["weights"]["file"]) for entry in listed if entry.document.get("weights")}
    there = [path for part in ("entries", "weights") for path in (folder / part).glob("*")]
    return {path.relative_to(folder).as_posix() for path in there} - known
