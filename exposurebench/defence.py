"""What cheats gain on a track: verdicts derived from a per-image table, stored beside the track's entries, and checked.

``attacks.csv`` has a row for each pair under each cheat and under the honest row that it must stay below;
``attacks.json`` says what was pinned and every number that follows. A track ranks while every cheat is kept down.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from exposurebench import catalog, measures, tables
from exposurebench.catalog import Entry
from exposurebench.compare_runs import MARGINS, compare_results
from exposurebench.errors import ExposureBenchError, InputError, TrackError
from exposurebench.files import read_document, sha256, write_json, write_text
from exposurebench.recipe import SCHEMA
from exposurebench.result import Result
from exposurebench.track import COLUMNS, Track, pairs_of

FORMAT = "exposurebench.attacks"
KEYS = ("track", "date", "dataset", "protocols", "versions", "hardware", "attacks", "per_image_sha256")
SIDES = ("cheat", "honest")
ATTACK_KEYS = ("title", "exploits", "reference", "honest", "gains", "sets", "verdict")
GAIN_KEYS = (*SIDES, "gain", "low", "high", "unit", "margin", "ranks")
SECRETS = ("target", "clues")
"""What nothing that is run is shown: the answer, and what a pair's files say besides their pixels."""
Verdict = Literal["holds", "broken", "unsure", "barred", "refused"]
MEANING: dict[str, str] = {
    "holds": "surely no better than its honest row",
    "broken": "surely better than its honest row",
    "unsure": "too few photographs to say",
    "barred": "it needs what no method that is run here is shown; a folder of predictions is taken on trust",
    "refused": "its output is not scored at all",
}
HALF_A_DIGIT = 0.0005
"""Gains that count for nothing in units that have no margin: half of the last digit that is shown."""
KEPT_DOWN = ("holds", "barred", "refused")


@dataclass(frozen=True)
class Attacks:
    """What the cheats of a track gained.

    Attributes:
        document: what ``attacks.json`` says: pins, and for every cheat its facts, gains and verdict.
        per_image: a row for each pair under each cheat (``attack``) and its honest row (``side``).
    """

    document: Mapping[str, Any]
    per_image: pd.DataFrame

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each cheat."""
        return {name: found["verdict"] for name, found in self.document["attacks"].items()}

    @property
    def withheld(self) -> str:
        """Why the track must not rank; empty where it may."""
        wrong = [f"{name} ({verdict})" for name, verdict in self.verdicts.items() if verdict not in KEPT_DOWN]
        return f"not kept down: {', '.join(wrong)}" if wrong else ""

    def refuse_broken(self) -> None:
        """Say in one line that a cheat beats its honest row.

        Raises:
            TrackError: one does.
        """
        broken = [
            f"{name} gains {spelled(metric, gain)} over {found['honest']}"
            for name, found in self.document["attacks"].items()
            if found["verdict"] == "broken"
            for metric, gain in found["gains"].items()
            if gain["ranks"] and gain["low"] > gain["margin"]
        ]
        if broken:
            raise TrackError(
                f"the track {self.document['track']} rewards a cheat: {'; '.join(broken)}: it ranks nothing until its data "
                "or its metrics are mended"
            )


def spelled(metric: str, gain: Mapping[str, Any]) -> str:
    """A gain with its sign, its interval and its metric.

    >>> spelled("psnr", {"gain": 11.3, "low": 2.019, "high": 20.868, "unit": "dB"})
    '+11.30 dB [2.02 to 20.87] of psnr'
    >>> spelled("ssim", {"gain": 0.0, "low": None, "high": None, "unit": ""})
    '0.000 of ssim'
    """
    ends = {end: math.nan if gain[end] is None else gain[end] for end in ("low", "high")}
    found = tables.words({"metric": metric, "value": gain["gain"], "better": "", "unit": gain["unit"], **ends})
    plus = "+" if found.value[0] != "\u2212" and found.value.strip("0.,") else ""
    words = [f"{plus}{found.value}", found.unit, f"[{found.interval}]" if found.interval else "", f"of {metric}"]
    return " ".join(word for word in words if word)


# ---- a track ----------------------------------------------------------------------------------------------


def gives(track: Track) -> str:
    """What the answers of a track are: ``srgb``, or ``linear`` light."""
    takes = {catalog.load("metrics", metric).fact("TAKES") for metric in track.metrics}
    return "srgb" if takes == {"srgb"} else "linear"


def attacks_on(track: Track) -> dict[str, Entry]:
    """The cheats that a track's answers allow, by name."""
    entries = {name: catalog.load("attacks", name) for name in catalog.names("attacks")}
    return {name: entry for name, entry in entries.items() if gives(track) in entry.fact("GIVES")}


def measured(track: Track) -> list[str]:
    """What cheats are measured by: the track's metrics of images and sets, and percentile alignment for each of light.

    Without metrics over scenes, and of sets only those whose statistics are few numbers an image.
    """
    found = [
        name
        for name in track.metrics
        if not measures.is_per_scene(name)
        and not (
            measures.is_per_set(name) and ("/" in name or hasattr(measures.entry_of(name).module, "weights_facts"))
        )
    ]
    return [*found, *(other for name in found if (other := f"{name}/percentile") in catalog.names("metrics"))]


def ranks_by(track: Track, metric: str) -> bool:
    """Whether a track gives places by a value of an image: a column of its board that is no variant's.

    >>> from exposurebench.track import track_named
    >>> [ranks_by(track_named("synthetic-relative"), name) for name in ("hdrvdp3.Q_JOD", "hdrvdp3.P_det", "psnr")]
    [True, False, False]
    """
    measure = measures.name_and_column(metric)[0]
    return metric in COLUMNS and measure in track.metrics and "/" not in measure and not measures.is_per_set(measure)


def facts_of(entry: Entry) -> dict[str, Any]:
    """What a cheat says of itself."""
    told = {name.lower(): entry.fact(name) for name in ("TITLE", "EXPLOITS", "REFERENCE", "HONEST")}
    return {**told, "needs": list(entry.fact("NEEDS")), "honest_needs": list(entry.fact("HONEST_NEEDS"))}


def must_be_refused(entry: Entry) -> bool:
    """Whether a cheat's answers are nothing that may be scored."""
    return bool(getattr(entry.module, "VARIANT_FACTS", {}).get(entry.name.partition("/")[2], {}).get("REFUSED", False))


# ---- verdicts ---------------------------------------------------------------------------------------------


def assess(
    track: Track, protocols: Mapping[str, Any], per_image: pd.DataFrame, refused: Mapping[str, str]
) -> dict[str, Any]:
    """Every cheat's facts, what it gains on its honest row in each metric, and the verdict.

    A gain is the paired difference, plus where the cheat is better, with its 95 % interval over photographs. A cheat
    holds where the interval of every column that ranks ends at or below the margin (0.1 dB, 0.1 JOD, else half of the last
    digit that is shown, or what the cheat's file allows).

    Raises:
        KeyError, ValueError: the table does not give the metrics.
    """
    found = {}
    for name, entry in attacks_on(track).items():
        facts = facts_of(entry)
        if name in refused:
            found[name] = {**facts, "gains": {}, "sets": {}, "refused": refused[name], "verdict": "refused"}
            continue
        rows = {side: per_image[(per_image["attack"] == name) & (per_image["side"] == side)] for side in SIDES}
        gains = _gains(track, entry, protocols, rows)
        sets = {m: f for m, f in protocols.items() if measures.is_per_set(m)}
        found[name] = {**facts, "gains": gains, "sets": _sets(sets, rows), "verdict": _verdict(gains, facts["needs"])}
    return found


def _gains(
    track: Track, entry: Entry, protocols: Mapping[str, Any], rows: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, Any]]:
    images = {m: facts for m, facts in protocols.items() if not measures.is_per_set(m)}
    document = {"dataset": {"pixels": track.pixels, "split": track.split}, "protocols": images}
    runs = {side: [Result({**document, "name": side}, rows[side], pd.DataFrame())] for side in SIDES}
    means = {side: _means(images, rows[side]) for side in SIDES}
    allowed = {**MARGINS, **getattr(entry.module, "ALLOWED", {})}
    gains: dict[str, dict[str, Any]] = {}
    for row in compare_results(runs).table.to_dict("records"):
        metric, up = str(row["metric"]), row["better"] == "higher"
        ends = (row["low"], row["high"]) if up else (-row["high"], -row["low"])
        numbers = {"gain": row["difference"] if up else -row["difference"], "low": ends[0], "high": ends[1]}
        gains[metric] = {
            **{side: tables.rounded(means[side][metric]) for side in SIDES},
            **{key: round(value, 6) if value == value else None for key, value in numbers.items()},
            "unit": row["unit"],
            "better": row["better"],
            "margin": allowed.get(row["unit"], HALF_A_DIGIT),
            "ranks": ranks_by(track, metric),
        }
    return gains


def _means(images: Iterable[str], rows: pd.DataFrame) -> dict[str, float]:
    """The mean of every value over the pairs that say something of correction, infinite ones at the metric's cap."""
    used, found = rows[~rows["unchanged"].to_numpy(dtype=bool)], {}
    for measure in images:
        for name, column in measures.value_columns(measure, used).items():
            found[name] = float(np.nanmean(tables.capped(measure, used[column].to_numpy(dtype=np.float64))))
    return found


def _sets(protocols: Mapping[str, Any], rows: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    """The values of metrics of sets, which no pair has of its own, so that no difference has an interval."""
    found: dict[str, dict[str, float]] = {}
    for side, table in rows.items():
        used = table[~table["unchanged"].to_numpy(dtype=bool)]
        for measure, facts in protocols.items():
            both = (measures.set_columns(measure, which, used) for which in ("prediction", "target"))
            for column, value in measures.measured_with(measure, facts).function()(*both).items():
                found.setdefault(f"{measure}.{column}", {})[side] = tables.rounded(float(value))
    return found


def _verdict(gains: Mapping[str, Mapping[str, Any]], needs: Sequence[str]) -> Verdict:
    ranking = [gain for gain in gains.values() if gain["ranks"]]
    if all(gain["high"] is not None and gain["high"] <= gain["margin"] for gain in ranking):
        return "holds"
    if set(SECRETS) & set(needs):
        return "barred"
    return "broken" if any(gain["low"] is not None and gain["low"] > gain["margin"] for gain in ranking) else "unsure"


# ---- files ------------------------------------------------------------------------------------------------


def write(found: Attacks, root: str | Path) -> list[Path]:
    """Write ``attacks.csv`` and ``attacks.json`` (last) beside a track's entries; gives their paths."""
    folder = Path(root) / found.document["track"]
    text = found.per_image.to_csv(index=False, lineterminator="\n")
    write_text(folder / "attacks.csv", text)
    write_json(folder / "attacks.json", {**found.document, "per_image_sha256": sha256(text.encode())})
    return [folder / "attacks.json", folder / "attacks.csv"]


def document_of(
    name: str, about: Mapping[str, Any], protocols: Mapping[str, Any], found: Mapping[str, Any], date: str | None
) -> dict[str, Any]:
    """The document ``attacks.json``, but for the hash of its table.

    Args:
        name: of the track.
        about: the data set, versions and hardware.
        protocols: of every measure.
        found: what :func:`assess` gives.
        date: ISO; today by default.
    """
    dated = date or datetime.date.today().isoformat()
    head = {"format": FORMAT, "schema": SCHEMA, "track": name, "date": dated}
    return {**head, **about, "protocols": dict(protocols), "attacks": dict(found)}


def read(name: str, root: str | Path) -> Attacks | None:
    """The attacks of a track; None where it was not attacked yet.

    Raises:
        InputError: the files are damaged.
    """
    path = Path(root) / name / "attacks.json"
    if not path.is_file():
        return None
    document = read_document(path, "what cheats gain on a track", FORMAT, SCHEMA, KEYS)
    wrong = [key for key in ("dataset", "protocols", "attacks") if not isinstance(document[key], dict)]
    if wrong or not all(_is_whole(attack) for attack in document["attacks"].values()):
        raise InputError(f"{str(path)!r} is damaged: run exposurebench attack {name} again")
    return Attacks(document, tables.read_table(path.with_suffix(".csv")))


def _is_whole(attack: Any) -> bool:
    """Whether a stored cheat has everything that a page says of it."""
    if not isinstance(attack, dict) or set(ATTACK_KEYS) - set(attack):
        return False
    gains, sets = attack["gains"], attack["sets"]
    if not isinstance(gains, dict) or not isinstance(sets, dict) or attack["verdict"] not in MEANING:
        return False
    whole = [(gain, GAIN_KEYS) for gain in gains.values()] + [(both, SIDES) for both in sets.values()]
    return all(isinstance(part, dict) and not set(keys) - set(part) for part, keys in whole)


def problems(name: str, track: Track, found: Attacks, root: str | Path) -> Iterator[str]:
    """What is wrong with a track's attacks, a line each: other pairs or protocols, lost cheats, doctored numbers."""
    document, again = found.document, f"run exposurebench attack {name} again"
    if document["track"] != name:
        yield f"{name}/attacks.json is of the track {document['track']}"
    if (document["dataset"].get("pixels"), document["dataset"].get("split")) != (track.pixels, track.split):
        yield f"{name}/attacks.json is not of the pinned pixels: {again}"
    if list(document["attacks"]) != list(attacks_on(track)):
        yield f"{name}/attacks.json is not of the cheats that there are ({', '.join(attacks_on(track))}): {again}"
        return
    if {m: _stated(facts) for m, facts in document["protocols"].items()} != {
        m: measures.protocol(m) for m in measured(track)
    }:
        yield f"{name}/attacks.json was measured by another protocol than the track's: {again}"
        return
    if sha256((Path(root) / name / "attacks.csv").read_bytes()) != document["per_image_sha256"]:
        yield f"{name}/attacks.csv is not the table that attacks.json names: {again}"
    refused = {n: a["refused"] for n, a in document["attacks"].items() if a["verdict"] == "refused" and "refused" in a}
    if unlike := [n for n in refused if not must_be_refused(attacks_on(track)[n])]:
        yield f"{name}/attacks.json says that {', '.join(unlike)} was refused, which is scored like any other: {again}"
        return
    try:
        for (attack, side), rows in found.per_image.groupby(["attack", "side"]):
            if pairs_of(rows) != track.pairs:
                yield f"{name}/attacks.csv does not hold the track's pairs under {attack} ({side}): {again}"
        if assess(track, document["protocols"], found.per_image, refused) != document["attacks"]:
            yield f"{name}/attacks.json has facts or values that the cheats and their table do not give: {again}"
    except (ExposureBenchError, KeyError, ValueError, TypeError) as error:
        yield f"{name}/attacks.csv does not give the metrics ({tables.lacking(error)}): {again}"


def _stated(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in measures.OF_THE_RUN}
