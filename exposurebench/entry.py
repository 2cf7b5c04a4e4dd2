"""Entries of leaderboards as documents: their schema, their grade, what they say of training, weights and cost."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exposurebench.errors import InputError, unknown_name
from exposurebench.files import read_document, sha256_file
from exposurebench.recipe import SCHEMA

FORMAT = "exposurebench.entry"
GRADES = {
    "verified": "anybody can run it again: a baseline, or a network whose weights lie beside the entry",
    "scored": "predictions or weights of which the scores alone are here",
}
"""How far a row may be trusted; what is `claimed` has tables of its own."""
REQUIRED: dict[str, type] = {
    "format": str, "schema": int, "name": str, "track": str, "grade": str, "date": str, "method": dict, "reported": dict,
    "dataset": dict, "protocols": dict, "already_right": dict, "versions": dict, "hardware": str,
    "per_image_sha256": str, "values": dict,
}  # fmt: skip
OPTIONAL: dict[str, type] = {"training": dict, "weights": dict, "cost": dict}
NESTED: dict[str, dict[str, type]] = {
    "method": {"kind": str, "title": str, "reference": str, "oracle": bool, "needs": list},
    "dataset": {"name": str, "pixels": str, "split": str, "pairs": int},
    "weights": {"file": str, "sha256": str, "bytes": int},
}
WEIGHTS_BYTES = 8_000_000
"""The largest weights that lie beside an entry."""
TRAINING = ("steps", "seed", "note")
"""What a result tells of its network's training."""


def read_entry(path: Path) -> dict[str, Any]:
    """An entry's document.

    Raises:
        InputError: it is damaged; one line with everything that is wrong with it.
    """
    document = read_document(path, "an entry of a leaderboard", FORMAT, SCHEMA, REQUIRED)
    wrong = [
        *(
            unknown_name("key", key, {**REQUIRED, **OPTIONAL})
            for key in document
            if key not in {**REQUIRED, **OPTIONAL}
        ),
        *_wrong({**REQUIRED, **{key: kind for key, kind in OPTIONAL.items() if key in document}}, document, ""),
    ]
    if not wrong:
        for key, kinds in NESTED.items():
            if document.get(key):
                wrong += _wrong(kinds, document[key], f"{key}.")
        wrong += [f"{metric} must hold numbers" for metric, row in document["values"].items() if not _numbers(row)]
        wrong += [
            f"the protocol of {m} is none" for m, facts in document["protocols"].items() if type(facts) is not dict
        ]
        wrong += [
            f"reported {m} must have a value and a source" for m, r in document["reported"].items() if not _told(r)
        ]
        wrong += [] if document["grade"] in GRADES else [unknown_name("grade", document["grade"], GRADES)]
        wrong += [] if _is_date(document["date"]) else [f"date must be like 2026-11-21, not {document['date']!r}"]
    if wrong:
        raise InputError(f"{str(path)!r} is damaged: {'; '.join(wrong)}")
    return document


def _wrong(kinds: Mapping[str, type], document: Mapping[str, Any], where: str) -> list[str]:
    return [
        f"{where}{key} must be of the type {kind.__name__}, not {document.get(key, 'missing')!r}"
        for key, kind in kinds.items()
        if type(document.get(key)) is not kind
    ]


def _numbers(row: object) -> bool:
    return isinstance(row, dict) and all(type(value) in (int, float) for value in row.values())


def _told(row: object) -> bool:
    return isinstance(row, dict) and type(row.get("value")) in (int, float) and bool(row.get("source"))


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def grade_of(document: Mapping[str, Any]) -> str:
    """The grade that an entry deserves.

    >>> grade_of({"method": {"kind": "baseline"}}), grade_of({"method": {"kind": "predictions"}})
    ('verified', 'scored')
    """
    return "verified" if document["method"]["kind"] == "baseline" or document.get("weights") else "scored"


def training_of(method: Mapping[str, Any]) -> dict[str, Any]:
    """What a result tells of its network's training: steps, seed, and what was not as in the paper."""
    return {key: method[key] for key in TRAINING if key in method}


def cost_of(method: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, and multiply-adds a megapixel where the network is one of ours; nothing where none is known.

    They are counted on a network without weights, so that an entry cannot say others.
    """
    if "architecture" not in method:
        return {"parameters": method["parameters"]} if "parameters" in method else {}
    import torch

    from exposurebench import catalog
    from exposurebench.cost import MEGAPIXEL, SIDE, multiply_adds

    with torch.device("meta"):
        network = catalog.load("models", method["architecture"]).function()(**method["settings"]).eval()
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "macs_per_megapixel": round(multiply_adds(network) * MEGAPIXEL / SIDE**2),
    }


def weights_of(path: str | Path, method: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What an entry says of the weights beside it.

    Raises:
        InputError: they are too large, or not those that were scored.
    """
    size = Path(path).stat().st_size
    if size > WEIGHTS_BYTES:
        raise InputError(
            f"{str(path)!r} has {size:,} bytes, and weights beside an entry at most {WEIGHTS_BYTES:,}: leave out --weights"
        )
    if (found := sha256_file(path)) != method.get("checkpoint_sha256"):
        raise InputError(f"{str(path)!r} is not the file that was scored: its SHA-256 is another; evaluate it anew")
    return {"file": f"weights/{name}{Path(path).suffix}", "sha256": found, "bytes": size}
