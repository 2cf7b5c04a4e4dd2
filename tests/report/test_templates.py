"""Templates: what people wrote stays text, and what nobody gave is an error."""

from __future__ import annotations

import re

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposurebench.report import templates
from exposurebench.report.templates import escape_markdown, fenced, render


def test_markdown_stays_text() -> None:
    assert escape_markdown("![x](y)\n# z") == r"\!\[x\](y) \# z"
    block = fenced("a\n```\nb")
    assert block.startswith("````\n")


@given(st.text())
def test_escaped_text_is_one_line_and_loses_nothing(text: str) -> None:
    escaped = escape_markdown(text)
    assert len(escaped.splitlines()) <= 1
    assert re.sub(r"\\(.)", r"\1", escaped) == " ".join(text.split())
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*\[\]<>#|]", escaped), "nothing that means something stands alone"


def test_what_is_no_text_is_spelled() -> None:
    assert escape_markdown(0.5) == "0.5"
    assert escape_markdown(None) == "None"


@given(st.text(alphabet="`~ab\n"))
def test_no_line_of_a_block_can_end_it(text: str) -> None:
    first, *lines, last = fenced(text, "sh").split("\n")
    assert first == f"{last}sh"
    assert set(last) == {"`"}
    assert not any(last in line for line in lines)
    assert "\n".join(lines) == text


def test_html_is_escaped_and_markdown_is_not(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"a.html.j2": "<b>{{ name }}</b>\n", "a.md.j2": "{{ name }} {{ name | markdown }} {{ name | json }}\n"}
    monkeypatch.setattr(templates, "_environment", templates._environment.__wrapped__)
    monkeypatch.setattr(templates, "FileSystemLoader", lambda _: jinja2.DictLoader(texts))
    assert render("a.html.j2", name="<i>&") == "<b>&lt;i&gt;&amp;</b>\n"
    assert render("a.md.j2", name='<"é"') == '<"é" \\<"é" "<\\"é\\""\n'


@pytest.mark.parametrize("template", ["card.md.j2", "page.html.j2"])
def test_a_value_that_nobody_gave_is_an_error(template: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        render(template)


def test_a_template_that_is_not_there() -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        render("nothing.md.j2")
