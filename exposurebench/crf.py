"""Camera response functions: how light in [0, 1] becomes display values in [0, 1], and back.

A curve is written as one line of text, in a recipe and in the record of a pair alike:

    linear                          display = light
    sqrt                            light ** (1 / 2): the naive response of paper 3
    gamma:2.2                       light ** (1 / 2.2); ``gamma`` alone is 2.2
    srgb                            IEC 61966-2-1
    sigmoid:n=0.9,sigma=0.6         (1 + sigma) light ** n / (light ** n + sigma); ``sigmoid`` alone is drawn
    emor:FILE#0.3,-0.1              a mean curve plus coefficients times components, of the user's emor.txt or
                                    invemor.txt (Grossberg and Nayar 2003); ``emor:FILE`` is ``#mean``
    dorf:FILE#NAME                  a measured curve of the user's dorfCurves.txt; ``dorf:FILE`` is drawn

What is drawn follows from the seed and stands in the text of the curve, so that the text alone gives the same
curve again. The curves are arithmetic through operators, ``clip`` and indexing: NumPy arrays and torch tensors
go through the same lines, and gradients flow to the light. A table is read once in a process; none is shipped.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import A, srgb_to_display, srgb_to_light
from exposurebench.errors import InputError, unknown_name

Seed = int | tuple[int, ...]
"""One number, or several that together name one thing."""

_TOE = 2.0**-40
"""Below this a power with an infinite slope at 0 is a straight line: no 16-bit level of a gamma up to 2.2 lies there."""
_DIP = 1 / 255
"""A table may miss a curve that rises from 0 to 1 by so much: what few components leave, or the digits of a print."""
_SPREADS = 5.0
"""Normal draws end at so many standard deviations, so that every drawn curve is a camera's."""
_STREAM = 1
_SOURCE = "the CAVE page of Columbia University has it (www.cs.columbia.edu/CAVE/software/softlib/dorf.php)"


@dataclass(frozen=True)
class Curve:
    """A camera response function; two curves are equal when their texts are.

    Attributes:
        text: what :func:`parse_curve` makes the same curve of.
        to_display: light to display values, any shape, array or tensor; light outside [0, 1] is clipped. It never
            falls; 0 stays 0, and 1 stays 1 to the rounding.
        to_light: the least light that gives a display value, so the inverse wherever the curve rises.
    """

    text: str
    to_display: Callable[[A], A] = field(compare=False, repr=False)
    to_light: Callable[[A], A] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """The text without the folder of its file: the same on every machine, so training and test can be told apart.

        >>> Curve("dorf:/data/dorfCurves.txt#Kodachrome-64CDGreen", abs, abs).name
        'dorf:dorfCurves.txt#Kodachrome-64CDGreen'
        """
        kind, _, rest = self.text.partition(":")
        if kind not in _TABLES:
            return self.text
        path, _, which = rest.rpartition("#")
        return f"{kind}:{PurePath(path).name}#{which}"


def parse_curve(text: str, *, seed: Seed = 0) -> Curve:
    """The curve that a text stands for; what it leaves open is drawn from the seed.

    ``sigmoid`` draws ``n ~ N(0.9, 0.1)`` and ``sigma ~ N(0.6, 0.1)``, both cut at five standard deviations;
    ``dorf:FILE`` draws one of the file's curves, all alike. EMoR gives no law for its coefficients: they are given.

    A table that falls somewhere, leaves [0, 1] or misses 0 and 1 at its ends by at most 1/255 is mended, by
    clipping, a cumulative maximum and exact ends; by more, it is refused. (A straight line, projected on EMoR's
    first five components, falls below 0 by 0.002.) Between its points a table is joined by straight lines.

    Powers below 1 have an infinite slope at 0, where the literature adds or clamps a small constant. Here they
    are straight below ``2 ** -40``: 0 stays 0, the slope stays finite, and up to a gamma of 4 no 8-bit level moves.

    Args:
        text: as in the head of this module.
        seed: for what is drawn.

    Raises:
        ValueError: no such curve, or a parameter that makes none.
        InputError: the table cannot be read; the message names the line.

    Source: Eilertsen et al. 2017, HDR image reconstruction from a single exposure using deep CNNs, its virtual
    camera (the sigmoid); Grossberg and Nayar 2003, What is the space of camera response functions? (DoRF and EMoR).

    >>> str(parse_curve("gamma"))
    'gamma:2.2'
    >>> parse_curve("sqrt").to_display(np.array([0.25, 4.0])).tolist()
    [0.5, 1.0]
    >>> drawn = parse_curve("sigmoid", seed=7)
    >>> parse_curve(str(drawn)) == drawn
    True
    """
    kind, _, rest = text.strip().partition(":")
    if kind not in _KINDS:
        raise ValueError(unknown_name("camera response", kind, _KINDS))
    return _KINDS[kind](rest, np.random.default_rng((*(seed if isinstance(seed, tuple) else (seed,)), _STREAM)))


# ------------------------------------------------------------------------------------------ formulas


def _linear(rest: str, _: np.random.Generator) -> Curve:
    _takes_nothing("linear", rest)
    return Curve("linear", _clipped, _clipped)


def _sqrt(rest: str, _: np.random.Generator) -> Curve:
    _takes_nothing("sqrt", rest)
    return Curve("sqrt", functools.partial(_power, exponent=0.5), functools.partial(_power, exponent=2.0))


def _srgb(rest: str, _: np.random.Generator) -> Curve:
    _takes_nothing("srgb", rest)
    return Curve("srgb", _srgb_display, _srgb_light)


def _gamma(rest: str, _: np.random.Generator) -> Curve:
    (exponent,) = _numbers("gamma", rest or "2.2", 1)
    _check_positive("gamma", exponent)
    return Curve(
        f"gamma:{exponent!r}",
        functools.partial(_power, exponent=1 / exponent),
        functools.partial(_power, exponent=exponent),
    )


def _sigmoid(rest: str, rng: np.random.Generator) -> Curve:
    if rest:
        found = re.fullmatch(r"n=([^,]+),sigma=([^,]+)", rest.replace(" ", ""))
        if not found:
            raise ValueError(f"sigmoid takes n=NUMBER,sigma=NUMBER, or nothing and both are drawn; not {rest!r}")
        n, sigma = _numbers("sigmoid", ",".join(found.groups()), 2)
    else:
        n, sigma = (np.array([0.9, 0.6]) + 0.1 * rng.standard_normal(2).clip(-_SPREADS, _SPREADS)).tolist()
    _check_positive("n of the sigmoid", n)
    _check_positive("sigma of the sigmoid", sigma)
    settings = {"n": n, "sigma": sigma}
    return Curve(
        f"sigmoid:n={n!r},sigma={sigma!r}",
        functools.partial(_sigmoid_display, **settings),
        functools.partial(_sigmoid_light, **settings),
    )


def _clipped(value: A) -> A:
    return value.clip(0, 1)


def _power(value: A, exponent: float) -> A:
    value = value.clip(0, 1)
    if exponent >= 1:
        return value**exponent
    floor = value.clip(_TOE, None)
    return value / floor * floor**exponent


def _srgb_display(light: A) -> A:
    return srgb_to_display(light.clip(0, 1))


def _srgb_light(display: A) -> A:
    return srgb_to_light(display.clip(0, 1))


def _sigmoid_display(light: A, n: float, sigma: float) -> A:
    power = _power(light, n)
    return (1 + sigma) * power / (power + sigma)


def _sigmoid_light(display: A, n: float, sigma: float) -> A:
    display = display.clip(0, 1)
    return _power(sigma * display / (1 + sigma - display), 1 / n)


def _takes_nothing(kind: str, rest: str) -> None:
    if rest:
        raise ValueError(f"{kind} takes no parameter, not {rest!r}")


def _check_positive(what: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{what} must be a number above 0, not {value}")


def _numbers(what: str, text: str, most: int) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"{what} takes numbers, not {text!r}") from error
    if len(values) > most or not all(map(math.isfinite, values)):
        raise ValueError(f"{what} takes at most {most} finite numbers, not {text!r}")
    return values


# -------------------------------------------------------------------------------------------- tables

Points = NDArray[np.float64]


def _emor(rest: str, _: np.random.Generator) -> Curve:
    path, which = _split("emor", rest)
    blocks = _read_emor(path)
    backward = "B" in blocks  # invemor.txt: the mean and the components are light, over display values
    grid, mean = (blocks["B"], blocks["g0"]) if backward else (blocks["E"], blocks["f0"])
    components = [blocks[name] for name in blocks if name.startswith("h")]
    weights = [] if which in ("", "mean") else _numbers(f"emor:{path}#", which, len(components))
    values = mean + sum((weight * component for weight, component in zip(weights, components, strict=False)), 0 * mean)
    text = f"emor:{path}#{','.join(map(repr, weights)) or 'mean'}"
    points = _rising(grid, f"the grid of {path}"), _rising(values, text)
    return _table(text, *(reversed(points) if backward else points))


def _dorf(rest: str, rng: np.random.Generator) -> Curve:
    path, name = _split("dorf", rest)
    curves = _read_dorf(path)
    name = name or list(curves)[int(rng.integers(len(curves)))]
    if name not in curves:
        near = difflib.get_close_matches(name, curves, n=1, cutoff=0)
        raise ValueError(f"{path!r} has {len(curves)} curves, none called {name!r}; the nearest is {near[0]!r}")
    return _table(f"dorf:{path}#{name}", *curves[name])


_KINDS: dict[str, Callable[[str, np.random.Generator], Curve]] = {
    "linear": _linear,
    "sqrt": _sqrt,
    "gamma": _gamma,
    "srgb": _srgb,
    "sigmoid": _sigmoid,
    "emor": _emor,
    "dorf": _dorf,
}
_TABLES = frozenset({"emor", "dorf"})


def _split(kind: str, rest: str) -> tuple[str, str]:
    """The file and what of it: parted at the last #, which a whole text always has."""
    path, mark, which = rest.rpartition("#")
    path = path if mark else rest
    if not path:
        raise ValueError(f"{kind} needs the path of its table, {kind}:FILE; {_SOURCE}")
    return path, which if mark else ""


def _table(text: str, light: Points, display: Points) -> Curve:
    return Curve(
        text,
        functools.partial(_interpolate, knots=light, heights=display),
        functools.partial(_interpolate, knots=display, heights=light),
    )


def _interpolate(value: A, knots: Points, heights: Points) -> A:
    """Join points of which neither coordinate falls by straight lines; where a line is upright, its lower end."""
    value = value.clip(0, 1)
    pieces = len(knots) - 1
    size = 1 << (pieces - 1).bit_length()
    starts = _like(value, np.concatenate((knots[:-1], np.full(size - pieces, np.inf))))
    knots, heights = _like(value, knots), _like(value, heights)
    piece = (value < 0) * 0
    while size := size // 2:  # the last piece that starts below the value, or the first
        piece = piece + (starts.take(piece + size) < value) * size
    start = knots.take(piece)
    width = knots.take(piece + 1) - start
    part = (value - start) / (width + (width <= 0))
    low, high = heights.take(piece), heights.take(piece + 1)
    return (low + part * (high - low)).clip(None, high)


def _like(value: A, table: Points) -> A:
    """A table of the value's kind, precision and device."""
    return value.new_tensor(table) if hasattr(value, "new_tensor") else table.astype(value.dtype)


def _rising(values: Points, what: str) -> Points:
    """The values as a rise from 0 to 1, if they nearly are one.

    Raises:
        ValueError: they are not, by more than one 8-bit level.
    """
    if len(values) < 2:
        raise ValueError(f"{what} has {len(values)} values where two make a line")
    risen = np.maximum.accumulate(values.clip(0, 1))
    risen[0], risen[-1] = 0, 1
    off = np.abs(risen - values)
    if not off.max() <= _DIP:
        worst = int(off.argmax())
        raise ValueError(
            f"{what} does not rise from 0 to 1: value {worst + 1} of {len(values)} is {values[worst]:g}, {off[worst]:.3g} "
            f"off; at most 1/255 is mended"
        )
    return risen


def _lines(path: str) -> list[str]:
    try:
        return [line.strip() for line in Path(path).read_text(encoding="ascii").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"the response table {path!r} cannot be read ({reason}): {_SOURCE}") from error


@functools.lru_cache(maxsize=8)
def _read_emor(path: str) -> dict[str, Points]:
    """The blocks of ``emor.txt`` (E, f0, h(1), ...) or ``invemor.txt`` (B, g0, hinv(1), ...), by name."""
    blocks: dict[str, list[float]] = {}
    for number, line in enumerate(_lines(path), 1):
        if found := re.fullmatch(r"(E|f0|B|g0|h(?:inv)?\(\d+\))\s*=", line):
            if found[1] in blocks:
                raise _broken(path, number, f"a new block, got {found[1]} again")
            values = blocks[found[1]] = []
        elif not blocks:
            raise _broken(path, number, f"a block such as 'E =' or 'B =', got {line[:40]!r}")
        else:
            values.extend(_parsed(path, number, line))
    grid, mean, component = ("B", "g0", "hinv") if "B" in blocks else ("E", "f0", "h")
    expected = [grid, mean, *(f"{component}({k})" for k in range(1, len(blocks) - 1))]
    lengths = {len(values) for values in blocks.values()}
    if list(blocks) != expected or len(lengths) != 1 or min(lengths) < 2:
        met = ", ".join(f"{name} of {len(values)}" for name, values in blocks.items())
        raise InputError(
            f"the response table {path!r} should hold E, f0, h(1), h(2), ... or B, g0, hinv(1), hinv(2), ... of one "
            f"length, not {met or 'nothing'}; {_SOURCE}"
        )
    return {name: np.array(values) for name, values in blocks.items()}


@functools.lru_cache(maxsize=8)
def _read_dorf(path: str) -> dict[str, tuple[Points, Points]]:
    """Light and display values of every curve of ``dorfCurves.txt``, by name; a name met again gets its count.

    Six lines a curve: name, kind of graph, ``I =``, irradiances, ``B =``, brightnesses.
    """
    lines = _lines(path)
    curves: dict[str, tuple[Points, Points]] = {}
    for start in range(0, len(lines), 6):
        name, sides, met = lines[start], [], 1
        if not name or start + 6 > len(lines):
            raise _broken(path, start + 1, "the name of a curve and five lines more, got the end or an empty line")
        for offset, label in ((2, "I"), (4, "B")):
            if not re.fullmatch(rf"{label}\s*=", lines[start + offset]):
                raise _broken(path, start + offset + 1, f"'{label} =', got {lines[start + offset][:40]!r}")
            values = np.array(_parsed(path, start + offset + 2, lines[start + offset + 1]))
            try:
                sides.append(_rising(values, f"{label} of {name}"))
            except ValueError as error:
                raise _broken(path, start + offset + 2, f"a rise from 0 to 1; {error}") from error
        if len(sides[0]) != len(sides[1]):
            raise _broken(path, start + 6, f"{len(sides[0])} values as in line {start + 4}, got {len(sides[1])}")
        while (key := name if met == 1 else f"{name}~{met}") in curves:
            met += 1
        curves[key] = sides[0], sides[1]
    if not curves:
        raise _broken(path, 1, "the name of a curve, got nothing")
    return curves


def _parsed(path: str, number: int, line: str) -> list[float]:
    try:
        values = [float(part) for part in line.split()]
    except ValueError as error:
        raise _broken(path, number, f"numbers, got {line[:40]!r}") from error
    if not all(map(math.isfinite, values)):
        raise _broken(path, number, "finite numbers")
    return values


def _broken(path: str, number: int, expected: str) -> InputError:
    return InputError(f"the response table {path!r} is damaged in line {number}: expected {expected}; {_SOURCE}")
