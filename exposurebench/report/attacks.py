"""What cheats gain on a track, in words: the terminal's table and the section of a track's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from exposurebench import tables
from exposurebench.defence import KEPT_DOWN, MEANING, spelled
from exposurebench.report.board import markdown_table
from exposurebench.report.templates import escape_markdown

if TYPE_CHECKING:
    from exposurebench.defence import Attacks


def table_of(found: Attacks) -> list[list[str]]:
    """What each cheat gains by the metrics that give places, and its verdict; the first line is the head."""
    ranking = _ranking(found)
    lines = [_line(name, attack, ranking) for name, attack in found.document["attacks"].items()]
    return [["cheat", *(f"{metric}, honest to cheat" for metric in ranking), "verdict"], *lines]


def as_text(found: Attacks) -> str:
    """The table in the terminal."""
    table = table_of(found)
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    rows = ("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in table)
    return "\n".join([*rows, *remarks(found)])


def section(found: Attacks) -> str:
    """The section of a track's page."""
    head, *lines = table_of(found)
    about = [
        f"- **{escape_markdown(name)}**: {escape_markdown(attack['title'])}. It exploits "
        f"{escape_markdown(attack['exploits'])}. To stay below: {escape_markdown(attack['honest'])}. "
        f"{escape_markdown(attack['reference'][0].upper() + attack['reference'][1:])}."
        for name, attack in found.document["attacks"].items()
    ]
    return "\n".join(
        [
            "## Cheats",
            "",
            "What each cheat gains on the honest row that it has to stay below, over the same photographs, with the 95 % "
            f"interval of the difference; measured on {escape_markdown(found.document['date'])} by `exposurebench attack "
            f"{found.document['track']}`.",
            "",
            markdown_table(head, [[escape_markdown(word) for word in line] for line in lines]),
            "",
            *(f"- {escape_markdown(line)}" for line in remarks(found)),
            "",
            "What they are:",
            "",
            *about,
            "",
        ]
    )


def _ranking(found: Attacks) -> list[str]:
    """The metrics that give places, in order."""
    gains = (attack["gains"] for attack in found.document["attacks"].values())
    return list(dict.fromkeys(metric for each in gains for metric, gain in each.items() if gain["ranks"]))


def _line(name: str, attack: Mapping[str, Any], ranking: list[str]) -> list[str]:
    gains = attack["gains"]
    return [name, *(_cell(metric, gains[metric]) if metric in gains else "-" for metric in ranking), attack["verdict"]]


def _cell(metric: str, gain: Mapping[str, Any]) -> str:
    """From the honest row's value to the cheat's."""
    about = {"metric": metric, "better": "", "unit": gain["unit"]}
    honest, cheat = (tables.words({**about, "value": gain[side]}).value for side in ("honest", "cheat"))
    return f"{honest} to {cheat}: {spelled(metric, gain).removesuffix(f' of {metric}')}"


def remarks(found: Attacks) -> Iterator[str]:
    """What the verdicts mean, and what must be said beside them."""
    attacks, verdicts = found.document["attacks"], found.verdicts
    for verdict in dict.fromkeys(verdicts.values()):
        yield f"{verdict}: {MEANING[verdict]}."
    for name, attack in attacks.items():
        if "refused" in attack:
            yield f"{name} is refused: {attack['refused'].removeprefix(f'{name}: ')}."
        others = {m: g for m, g in attack["gains"].items() if not g["ranks"]}
        better = [spelled(m, g) for m, g in others.items() if g["low"] is not None and g["low"] > g["margin"]]
        if better:
            yield f"{name} gains {', '.join(better)}, by which nothing is ranked here."
        sets = [
            f"{_share(m, both['cheat'])} of {m} where the honest row has {_share(m, both['honest'])}"
            for m, both in attack["sets"].items()
            if not m.endswith("_w1") and both["cheat"] > both["honest"]
        ]
        if sets:
            yield f"{name} has {', '.join(sets)} (of the whole set, without an interval; nothing is ranked by it)."
    exposures = found.per_image.get("exposure_ev")
    if "metadata_reader" in attacks and (exposures is None or exposures.nunique() <= 1):
        yield "metadata_reader has nothing to read here: every pair was made at one exposure, which everybody knows."
    if found.withheld:
        yield f"Nothing is ranked: {found.withheld}."
    elif all(verdict in KEPT_DOWN for verdict in verdicts.values()):
        yield f"All {len(verdicts)} cheats are kept down, or out."


def _share(metric: str, value: float) -> str:
    found = tables.words({"metric": metric, "value": value, "better": ""})
    return f"{found.value}{f' {found.unit}' if found.unit else ''}"
