"""The whole plug-in machinery: the folder listing is the catalog.

A thing of a kind is a file in that kind's folder with a public function of the file's name and its facts
above it as constants. ``VARIANTS`` names sets of settings, written ``name/variant`` everywhere.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from exposurebench.errors import RecipeError, unknown_name

Kind = Literal["sources", "pairing", "baselines", "models", "metrics", "attacks"]


GIVEN = ("mask", "unclipped", "seeds", "with_map")
"""Parameters of metrics that belong to the images or to what is asked of them, so that nobody sets them."""


@dataclass(frozen=True)
class Entry:
    """One thing out of the catalog: its module with the facts, and its variant's settings."""

    kind: Kind
    name: str
    module: ModuleType
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def _public(self) -> str:
        return "network" if self.kind == "models" else self.name.partition("/")[0]

    def function(self, name: str | None = None) -> Callable[..., Any]:
        """The file's public function (or another one of it), with those settings in place that it takes."""
        function = getattr(self.module, name or self._public)
        settings = {n: value for n, value in self.settings.items() if n in keywords(function)}
        return functools.partial(function, **settings) if settings else function

    def fact(self, name: str) -> Any:
        """A constant such as TITLE; a file that lacks one is broken and says so at once.

        Where a variant's facts differ from the file's, ``VARIANT_FACTS`` has them and they win.
        """
        own = getattr(self.module, "VARIANT_FACTS", {}).get(self.name.partition("/")[2], {})
        return own[name] if name in own else getattr(self.module, name)

    def before(self) -> Callable[..., Any] | None:
        """What is done to light before a metric of cd/m2 sees it; nothing to what other metrics take."""
        if self.kind != "metrics" or self.fact("TAKES") != "nits":
            return None
        function: Callable[..., Any] = importlib.import_module("exposurebench.alignment").shown
        return function

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The settings by name: keyword-only parameters are the schema.

        Those of a metric's statistics and of the steps before it are among them.
        """
        found = keywords(getattr(self.module, self._public))
        if self.kind == "metrics":
            for other in (getattr(self.module, "statistics", None), self.before()):
                found = {**(keywords(other) if other else {}), **found}
            found = {name: parameter for name, parameter in found.items() if name not in GIVEN}
        return found

    def fact_of(self, name: str, column: str) -> Any:
        """A metric's fact for one of its named columns: a dictionary has it by column, anything else holds for all."""
        value = self.fact(name)
        return value.get(column) if isinstance(value, dict) else value


@functools.cache
def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """A function's keyword-only parameters, by name."""
    signature = inspect.signature(function, eval_str=True)
    return {n: p for n, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY}


@functools.cache
def facts(kind: Kind) -> dict[str, dict[str, Any]]:
    """Names and constant facts of every file of a kind, read from the source without importing it.

    >>> "psnr" in facts("metrics")
    True
    """
    found = {}
    for path in sorted((Path(__file__).parent / kind).glob("*.py")):
        if not path.stem.startswith("_"):
            constants: dict[str, Any] = {}
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    name = node.targets[0].id
                    if name.isupper() and not name.startswith("_"):
                        try:
                            constants[name] = ast.literal_eval(node.value)
                        except ValueError:
                            continue
            found[path.stem] = constants
    return found


def names(kind: Kind, variants: bool = True) -> list[str]:
    """The names of a kind, variants included (``ssim``, ``ssim/wang``)."""
    listed = []
    for name, constants in facts(kind).items():
        listed.append(name)
        if variants:
            listed.extend(f"{name}/{variant}" for variant in constants.get("VARIANTS", {}))
    return listed


def sources_table() -> str:
    """The sources as a Markdown table, with the command that makes a data set of each: the one in the README."""
    lines = ["| source | what it holds | terms | layout | command |", "|---|---|---|---|---|"]
    for name, known in facts("sources").items():
        title, terms, layout = (plain_text(known[fact]) for fact in ("TITLE", "LICENSE", "LAYOUT"))
        holds = f"[{title}]({known['URL']})" if known["URL"] else title
        lines.append(
            f"| `{name}` | {holds} | {terms} | {layout} | `exposurebench make-dataset {name} {known['COMMAND']}` |"
        )
    return "".join(f"{line}\n" for line in lines)


def plain_text(words: str) -> str:
    """Words that Markdown shows as they are."""
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", words).replace("<", "&lt;")


@functools.cache
def load(kind: Kind, name: str) -> Entry:
    """Import one thing by name.

    Raises:
        RecipeError: no file or variant has that name; the message lists those that there are.
    """
    if name not in names(kind):
        raise RecipeError(unknown_name(kind.removesuffix("s") if kind != "pairing" else kind, name, names(kind)))
    stem, _, variant = name.partition("/")
    module = importlib.import_module(f"exposurebench.{kind}.{stem}")
    return Entry(kind, name, module, dict(module.VARIANTS[variant]) if variant else {})
