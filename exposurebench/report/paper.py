"""The tables of a page for papers: Markdown, and LaTeX for the package booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exposurebench import tables
from exposurebench.report.board import markdown_table
from exposurebench.report.templates import escape_markdown
from exposurebench.result import Result

Table = tuple[str, list[str], list[list[str]]]
"""A title, the heads of the columns, and the rows."""
_ARROWS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}"}
_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}"},
    **{">": r"\textgreater{}", "|": r"\textbar{}", "\N{MINUS SIGN}": "$-$", "\N{INFINITY}": r"$\infty$"},
    **{"\N{UPWARDS ARROW}": r"$\uparrow$", "\N{DOWNWARDS ARROW}": r"$\downarrow$", "\N{SUPERSCRIPT TWO}": "$^2$"},
}


def score_table(results: Sequence[Result]) -> Table:
    """A row a metric, a column a method: value and 95 % interval."""
    words = [{w.metric: w for w in map(tables.words, _records(result))} for result in results]
    first = results[0].document["dataset"]
    title = f"{first['name']}, split {first['split']}: {tables.pairs_and_photographs(results[0].per_image)}"
    rows = []
    for metric in dict.fromkeys(name for found in words for name in found):
        cells = [found.get(metric) for found in words]
        known = next(cell for cell in cells if cell)
        name = " ".join(filter(None, (metric, known.unit, _ARROWS.get(known.better, ""))))
        rows.append([name, *(f"{c.value} [{c.interval}]" if c and c.interval else c.value if c else "" for c in cells)])
    return title, ["metric", *(result.name for result in results)], rows


def difference_table(accounts: Sequence[Mapping[str, Any]]) -> Table:
    """A row for every two methods and metric: what sets them apart and how surely."""
    rows = [
        [pair["first"], pair["second"], f"{row['metric']} {row['told']['unit']}".rstrip(), row["told"]["difference"],
         row["told"]["interval"], row["told"].get("p", ""), row["sentence"]]
        for pair in accounts for row in pair["rows"]
    ]  # fmt: skip
    return "Paired differences", ["first", "second", "metric", "first less second", "95 % interval", "p (Holm)", "what can be said"], rows  # fmt: skip


def as_markdown(found: Sequence[Table]) -> str:
    """Tables as Markdown."""
    parts = [
        f"{escape_markdown(title)}\n\n"
        + markdown_table([*map(escape_markdown, head)], [[*map(escape_markdown, row)] for row in rows])
        for title, head, rows in found
    ]
    return "\n\n".join(parts) + "\n"


def as_latex(found: Sequence[Table]) -> str:
    """Tables as LaTeX."""
    return "% \\usepackage{booktabs}\n" + "\n".join("\n".join(_latex(*table)) for table in found)


def _latex(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from (r"\begin{table}", r"\centering", rf"\caption{{{escape_latex(title)}}}")
    yield from (rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule")
    yield f"{' & '.join(map(escape_latex, head))} \\\\"
    yield r"\midrule"
    yield from (f"{' & '.join(map(escape_latex, row))} \\\\" for row in rows)
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}", "")


def escape_latex(text: str) -> str:
    r"""Text as it stands, whatever its author wrote.

    >>> escape_latex("a_b 5 %\n\\x")
    'a\\_b 5 \\% \\textbackslash{}x'
    """
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def _records(result: Result) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in result.summary.to_dict("records")]
