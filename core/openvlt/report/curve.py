"""A curve of accuracy against the length of responses, as SVG within a page."""

from __future__ import annotations

from math import log2

from openvlt.records import BenchResult

WIDTH, HEIGHT, MARGIN = 420, 220, 44
"""Pixels of the picture, and of the space for its axes."""


def curve(result: BenchResult) -> str:
    """The accuracy of a result at each of its budgets, with the 95 % intervals; the axis of tokens is logarithmic."""
    shown = [each for each in result.budgets if each.accuracy is not None]
    if len(shown) < 2:
        return ""
    lengths = [log2(max(each.mean_tokens, 1.0)) for each in shown]
    first, room = lengths[0], max(lengths[-1] - lengths[0], 1e-9)
    low, high = min(each.ci95[0] for each in shown), max(each.ci95[1] for each in shown)

    def x(length: float) -> float:
        return MARGIN + (length - first) / room * (WIDTH - 2 * MARGIN)

    def y(rate: float) -> float:
        return HEIGHT - MARGIN - (rate - low) / max(high - low, 1e-9) * (HEIGHT - 2 * MARGIN)

    points = " ".join(
        f"{x(length):.1f},{y(each.accuracy or 0.0):.1f}" for length, each in zip(lengths, shown, strict=True)
    )
    marks = "".join(
        f'<line x1="{x(length):.1f}" x2="{x(length):.1f}" y1="{y(each.ci95[0]):.1f}" y2="{y(each.ci95[1]):.1f}" '
        f'stroke="currentColor" opacity=".5"/><circle cx="{x(length):.1f}" cy="{y(each.accuracy or 0.0):.1f}" r="3"/>'
        f'<text x="{x(length):.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{each.mean_tokens:,.0f}</text>'
        for length, each in zip(lengths, shown, strict=True)
    )
    sides = "".join(
        f'<text x="{MARGIN - 6}" y="{y(rate):.1f}" text-anchor="end">{100 * rate:.1f}</text>' for rate in (low, high)
    )
    title = (
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">mean tokens of a response</text>'
        f'<text x="{MARGIN}" y="{MARGIN / 2}">accuracy in percent, 95 %</text>'
    )
    line = f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-size="11" role="img" '
        f'aria-label="accuracy in percent by mean tokens">{line}{marks}{sides}{title}</svg>'
    )
