"""The summary of one result for the terminal."""

from __future__ import annotations

from exposurebench import tables
from exposurebench.result import Result


def as_text(result: Result) -> str:
    """The summary of one result for the terminal: a line a metric, then who, on what, by which protocol."""
    method, data = result.document["method"], result.document["dataset"]
    head = ("metric", "value", "95 % interval", "noise floor", "better")
    found = [tables.words({str(k): v for k, v in row.items()}) for row in result.summary.to_dict("records")]
    body = [
        (f"{w.metric} {w.unit}".rstrip(), w.value, w.interval or "-", w.noise_floor or "-", w.better) for w in found
    ]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(w.rjust(n) for w, n in zip(line[1:-1], widths[1:-1], strict=True)), line[-1]]
        )
        for line in (head, *body)
    ]
    said = [f"{result.name}{'*' if method.get('oracle') else ''} on {data['name']}, split {data['split']}", *lines]
    said.append(f"N = {tables.pairs_and_photographs(result.per_image)}")
    if method.get("oracle"):
        said.append(f"* an oracle, no competitor: it is told {tables.told(method)}, which no method can know")
    if result.per_image["scene"].nunique() < 2:
        said.append("no intervals: it takes at least two photographs to say how sure a value is")
    if result.document.get("already_right", {}).get("pairs"):
        said.append(f"{result.document['already_right']['pairs']} pairs were right already and are in no value")
    return "\n".join([*said, *(tables.protocol_line(facts) for facts in result.document["protocols"].values())])
