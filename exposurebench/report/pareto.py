"""Two quantities of several methods as a drawing, with those that no other beats in both."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 560, 340, 56
Point = tuple[str, float, float, bool]


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which points no other beats: less of the first and more of the second is better, equals stay.

    Args:
        points: (cost, worth) of each; infinite cost of no worth is never on the front.

    Returns:
        Their numbers, cheapest first.

    >>> front([(1, 10), (2, 20), (3, 15), (2, 20)])
    [0, 1, 3]
    """
    best = [
        n
        for n, (cost, worth) in enumerate(points)
        if math.isfinite(cost) and not any((c <= cost and w >= worth) and (c < cost or w > worth) for c, w in points)
    ]
    return sorted(best, key=lambda n: points[n])


def scatter(points: Sequence[Point], best: Sequence[int], cost: str, worth: str) -> str:
    """The drawing as SVG: filled and named on the front, hollow elsewhere, a star for oracles, which have no part in it.

    Args:
        points: name, cost, worth, whether it is an oracle.
        best: the numbers of those on the front.
        cost: the label of the x axis.
        worth: that of the y axis.

    >>> scatter([("a", 1, 2, False), ("b", 3, 4, True)], [0], "x", "y").count("<circle")
    1
    """
    x_low, x_high = _ends([x for _, x, _, _ in points])
    y_low, y_high = _ends([y for _, _, y, _ in points])

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - x_low) / (x_high - x_low), (y - y_low) / (y_high - y_low)
        return MARGIN + across * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN)

    line = " ".join("{:.1f},{:.1f}".format(*place(*points[n][1:3])) for n in best)
    drawn = [f'<polyline class="front" points="{line}"/>'] if len(best) > 1 else []
    for n, (name, x, y, oracle) in enumerate(points):
        left, top = place(x, y)
        title = f"<title>{html.escape(f'{name}: {cost} {x:.4g}, {worth} {y:.4g}')}</title>"
        if oracle:
            drawn.append(f'<text class="oracle" x="{left:.1f}" y="{top + 5:.1f}">*{title}</text>')
        else:
            kind = "best" if n in best else "beaten"
            drawn.append(f'<circle class="{kind}" cx="{left:.1f}" cy="{top:.1f}" r="5">{title}</circle>')
    drawn += _names([(points[n][0], *place(*points[n][1:3])) for n in best])
    ticks = []
    for part in (0.0, 0.5, 1.0):
        x, y = x_low + part * (x_high - x_low), y_low + part * (y_high - y_low)
        left, top = place(x, y)
        ticks.append(
            f'<text class="tick" text-anchor="middle" x="{left:.1f}" y="{HEIGHT - MARGIN + 18}">{x:.3g}</text>'
        )
        ticks.append(f'<text class="tick" text-anchor="end" x="{MARGIN - 8}" y="{top + 4:.1f}">{y:.3g}</text>')
    corner = HEIGHT - MARGIN
    return "".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(worth)} against {html.escape(cost)}">',
            f'<path class="axes" d="M{MARGIN} {MARGIN / 2}V{corner}H{WIDTH - MARGIN / 2}"/>',
            *ticks,
            f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">{html.escape(cost)} (less is better)</text>',
            f'<text x="{MARGIN - 44}" y="18">{html.escape(worth)}</text>',
            *drawn,
            "</svg>",
        ]
    )


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis, a little beyond the values; of what is never negative it begins at 0 at the least.

    >>> _ends([0.0, 10.0]), _ends([3.0])
    ((0.0, 10.5), (2.85, 3.15))
    """
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def _names(placed: Sequence[tuple[str, float, float]]) -> list[str]:
    """Names beside points; one that would lie on another's moves down, one at the right edge stands on the left."""
    drawn: list[str] = []
    taken: list[tuple[float, float, float]] = []
    for name, left, top in placed:
        width = 7.5 * len(name)
        on_left = left + 10 + width > WIDTH
        x, y = (left - 10 - width if on_left else left + 10), top + 4
        while any(abs(y - other) < 14 and x < end and begin < x + width for begin, end, other in taken):
            y += 14
        taken.append((x, x + width, y))
        anchor = f'text-anchor="end" x="{left - 10:.1f}"' if on_left else f'x="{x:.1f}"'
        drawn.append(f'<text class="name" {anchor} y="{y:.1f}">{html.escape(name)}</text>')
    return drawn
