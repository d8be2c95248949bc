"""Numbers → inline SVG, without a script, a font or an address of somebody else. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 860, 190, 74, 190, 46, 58
INK, FAINT, GRID = "#1f2933", "#6b7785", "#e4e8ec"
COLOURS = ("#1763b6", "#c2570c", "#3d7f46", "#7b4fb0")
GOOD, BAD, WAIT = "#2e7d32", "#c62828", "#b7791f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened at `at` seconds: a short label, and whether it was good, bad or neither."""

    at: float
    label: str
    tone: str = WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named curve of (seconds, value); `stepped` holds a value until the next point, `dotted` draws points only."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = COLOURS[0]
    stepped: bool = False
    dotted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot: curves over a common time axis, horizontal limits, and the ticks of its own axis."""

    title: str
    lines: Sequence[Line]
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    limits: Sequence[tuple[float, str]] = ()


def figure(title: str, panels: Sequence[Panel], marks: Sequence[Mark]) -> str:
    """A self-contained SVG document: the panels above each other, the marks drawn through all of them.

    The picture says in words what it shows (`<title>`, `<desc>`), for people who cannot see it.
    """
    height = TOP + len(panels) * (PANEL + GAP) + 10
    last = max(
        [mark.at for mark in marks] + [x for panel in panels for line in panel.lines for x, _ in line.points] + [1]
    )
    body = [_panel(panel, TOP + index * (PANEL + GAP), last) for index, panel in enumerate(panels)]
    body += [_mark(mark, index, last, len(panels)) for index, mark in enumerate(_apart(marks, last))]
    described = "; ".join(f"{mark.label} after {mark.at:.0f} s" for mark in marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
        f"<title>{escape(title)}</title><desc>{escape(described)}</desc>"
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="600">{escape(title)}</text>' + "".join(body) + "</svg>\n"
    )


def weights_panel(asked: Sequence[tuple[float, float]], observed: Sequence[tuple[float, float]]) -> Panel:
    """The canary's share of the traffic in per cent: as asked, and as read back."""
    return Panel(
        title="canary traffic, per cent",
        lines=(
            Line(name="asked", points=asked, stepped=True),
            Line(name="read back", points=observed, colour=COLOURS[1], dotted=True),
        ),
        low=0.0,
        high=100.0,
        ticks=[(value, f"{value:g}") for value in (0.0, 25.0, 50.0, 75.0, 100.0)],
    )


def evidence_panel(
    title: str, lines: Sequence[tuple[str, Sequence[tuple[float, float]]]], limits: Sequence[float]
) -> Panel:
    """E-values over time on a logarithmic axis, with the limit that each must reach."""
    drawn = [
        Line(name=name, points=[(x, _log10(value)) for x, value in points], colour=COLOURS[index % len(COLOURS)])
        for index, (name, points) in enumerate(lines)
    ]
    tops = [_log10(limit) for limit in limits] + [y for line in drawn for _, y in line.points]
    high = min(max(3.0, math.ceil(max(tops, default=0.0) + 0.3)), 12.0)
    low = max(min(-1.0, math.floor(min((y for line in drawn for _, y in line.points), default=0.0))), -6.0)
    step = max(1, round((high - low) / 5))
    return Panel(
        title=title,
        lines=drawn,
        low=low,
        high=high,
        ticks=[(float(power), _power(power)) for power in range(int(low), int(high) + 1, step)],
        limits=[(_log10(limit), f"limit {limit:.0f}") for limit in sorted(set(limits))],
    )


def _panel(panel: Panel, top: float, last: float) -> str:
    parts = [f'<text x="{LEFT}" y="{top + 2}" fill="{FAINT}">{escape(panel.title)}</text>']
    for value, label in panel.ticks:
        y = _y(panel, value, top)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{escape(label)}</text>')
    lowest = math.inf
    for value, label in sorted(panel.limits, reverse=True):
        y = _y(panel, value, top)
        beside = y + 4 if y - lowest > 13 or lowest == math.inf else lowest + 17
        lowest = beside - 4
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{BAD}" stroke-dasharray="5 4"/>'
            f'<text x="{WIDTH - RIGHT + 6}" y="{beside:.1f}" fill="{BAD}">{escape(label)}</text>'
        )
    parts += [_curve(panel, line, top, last) for line in panel.lines]
    parts += [_legend(line, index, top) for index, line in enumerate(panel.lines)]
    parts += [_second(second, top, last) for second in _seconds(last)]
    return "".join(parts)


def _curve(panel: Panel, line: Line, top: float, last: float) -> str:
    points = [(_x(x, last), _y(panel, y, top)) for x, y in line.points]
    if line.dotted:
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{line.colour}"/>' for x, y in points)
    if line.stepped:
        points = [corner for before, now in pairwise(points) for corner in (before, (now[0], before[1]))]
        points += [(_x(x, last), _y(panel, y, top)) for x, y in line.points[-1:]]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2" stroke-linejoin="round"/>'


def _legend(line: Line, index: int, top: float) -> str:
    x, y = WIDTH - RIGHT + 78, top + 26 + 17 * index
    sign = (
        f'<circle cx="{x + 8}" cy="{y - 4}" r="2.5" fill="{line.colour}"/>'
        if line.dotted
        else f'<line x1="{x}" x2="{x + 16}" y1="{y - 4}" y2="{y - 4}" stroke="{line.colour}" stroke-width="2"/>'
    )
    return f'{sign}<text x="{x + 22}" y="{y}">{escape(line.name)}</text>'


def _mark(mark: Mark, index: int, last: float, panels: int) -> str:
    x = _x(mark.at, last)
    bottom = TOP + (panels - 1) * (PANEL + GAP) + PANEL
    anchor, beside = ("end", x - 6) if x > WIDTH - RIGHT - 90 else ("start", x + 6)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP + 14}" y2="{bottom}" stroke="{mark.tone}" stroke-dasharray="2 3"/>'
        f'<circle cx="{x:.1f}" cy="{TOP + 14}" r="4" fill="{mark.tone}"/>'
        f'<text x="{beside:.1f}" y="{TOP + 30 + 15 * (index % 3)}" text-anchor="{anchor}" fill="{mark.tone}" '
        f'font-weight="600">{escape(mark.label)}</text>'
    )


def _apart(marks: Sequence[Mark], last: float) -> list[Mark]:
    """In time order, so that labels of neighbours go to different heights."""
    return sorted(marks, key=lambda mark: min(mark.at, last))


def _second(second: float, top: float, last: float) -> str:
    x, y = _x(second, last), top + PANEL + 16
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle" fill="{FAINT}">{_time(second)}</text>'


def _seconds(last: float) -> list[float]:
    """Four to eight round moments on the time axis."""
    for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400):
        if last / step <= 8:
            return [float(index * step) for index in range(int(last / step) + 1)]
    return [0.0, last]


def _time(second: float) -> str:
    if second < 120:
        return f"{second:.0f} s"
    return f"{second / 60:.0f} min" if second < 7200 else f"{second / 3600:.0f} h"


def _x(at: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(max(at, 0.0), last) / last


def _y(panel: Panel, value: float, top: float) -> float:
    clipped = min(max(value, panel.low), panel.high)
    return top + 14 + (PANEL - 14) * (1 - (clipped - panel.low) / (panel.high - panel.low))


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-12))


def _power(power: int) -> str:
    return f"{10**power:g}" if -3 <= power <= 4 else f"1e{power}"
