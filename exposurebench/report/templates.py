"""The templates beside this file, filled: HTML is escaped by itself, Markdown by the filters named there."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def render(template: str, **values: Any) -> str:
    """A template's text with its values; a value that the template asks for and nobody gave is an error."""
    return _environment(Path(__file__).parent).get_template(template).render(values)


@functools.cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"markdown": escape_markdown, "fenced": fenced, "json": _json}
    return environment


def escape_markdown(text: object) -> str:
    r"""Text as it stands, on one line of Markdown, whatever its author wrote; an underscore within a word is harmless.

    >>> escape_markdown("a_b | <b>\n# c")
    'a_b \\| \\<b\\> \\# c'
    """
    return re.sub(r"([\\`*\[\]<>#|~&$!]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(str(text).split()))


def fenced(text: str, language: str = "") -> str:
    """A Markdown code block that no line of the text can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
