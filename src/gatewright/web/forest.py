"""A gate's comparisons as a forest plot: a point and an interval per slice, and the limit that it must keep. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gatewright.domain.evaluation import ALL
from gatewright.domain.gate import Comparison, Estimate, GateResult
from gatewright.web.charts import BAD, COLOURS, FAINT, GRID, INK
from gatewright.web.svg import document, line, safe, text
from gatewright.web.words import (
    STANDINGS,
    Standing,
    change,
    change_of,
    change_words,
    level_words,
    p_value,
    shortened,
    signed,
    standing,
    whole,
    worst_first,
)

WIDTH, LEFT, PLOT_END, ROW, TOP = 1000, 250, 640, 24, 70
_NUMBERS, _ROWS, _P = PLOT_END + 16, 905, WIDTH - 12
_LABEL, _NOTE = 34, 56
# The words stand out from the lines behind them.
_HALO = 'font-style="italic" stroke="#ffffff" stroke-width="5" paint-order="stroke"'
_COLOURS: dict[Standing, str] = {
    "pass": COLOURS[0],
    "fail": COLOURS[1],
    "waived": COLOURS[3],
    "inconclusive": FAINT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """The changes that the plot has room for; what lies outside is drawn at its edge, with an arrow."""

    low: float
    high: float

    def x(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return LEFT + (PLOT_END - LEFT) * share


def forest(result: GateResult, *, at_most: int = 60) -> str | None:
    """An SVG with a row for each comparison of kind change, all rows first, then the worst; None when there is none.

    Left is worse, whatever way the metric points. Filled signs decided, hollow ones did not; shape and colour both tell
    the verdict. More than `at_most` rows end in "… and N more".
    """
    changes = [each for each in result.comparisons if each.kind == "change"]
    if not changes:
        return None
    shown = worst_first(changes, at_most)
    more = len(changes) - len(shown)
    several = len({each.metric for each in changes}) > 1
    axis = _axis(shown)
    bottom = TOP + ROW * (len(shown) + bool(more))
    parts = [*_head(result, shown), *_grid(axis, bottom), *_limits(axis, shown)]
    for index, each in enumerate(shown):
        parts += _row(axis, each, TOP + ROW * index, several)
    if more:
        parts.append(text(LEFT - 10, bottom - 8, f"… and {more:,} more", "faint", FAINT, "end"))
    parts += _below(shown, bottom)
    return document(_title(result), _described(shown, more), WIDTH, bottom + 76, "".join(parts))


def _title(result: GateResult) -> str:
    return f"{result.gate} gate: {result.verdict.value}"


def _described(shown: Sequence[Comparison], more: int) -> str:
    """The numbers in words, for people who cannot see the picture."""
    told = [f"{each.slice}: {change(each)} on {each.rows:,} rows, {standing(each)}" for each in shown[:12]]
    rest = len(shown) - len(told) + more
    return "; ".join(told) + (f"; and {rest:,} more" if rest else "")


def _head(result: GateResult, shown: Sequence[Comparison]) -> Iterator[str]:
    yield text(12, 24, _title(result), "ink", INK, size=15, weight=600)
    words = change_words(each.metric for each in shown)
    yield text(LEFT - 10, TOP - 14, "slice", "faint", FAINT, "end")
    yield text(LEFT, TOP - 14, "← worse", "faint", FAINT)
    yield text((LEFT + PLOT_END) / 2, TOP - 14, words, "faint", FAINT, "middle")
    yield text(PLOT_END, TOP - 14, "better →", "faint", FAINT, "end")
    yield text(_NUMBERS, TOP - 14, f"change [{level_words(shown)}]", "faint", FAINT)
    yield text(_ROWS, TOP - 14, "rows", "faint", FAINT, "end")
    yield text(_P, TOP - 14, "adjusted p", "faint", FAINT, "end")


def _grid(axis: _Axis, bottom: float) -> Iterator[str]:
    yield line(LEFT, PLOT_END, bottom, bottom, "grid", GRID)
    for tick in _ticks(axis):
        x = axis.x(tick)
        if tick == 0:
            yield line(x, x, TOP - 4, bottom, "axis", FAINT, 'stroke-width="1.5"')
        else:
            yield line(x, x, TOP - 4, bottom, "grid", GRID)
        yield text(x, bottom + 16, _tick_words(tick), "faint", FAINT, "middle")


def _limits(axis: _Axis, shown: Sequence[Comparison]) -> Iterator[str]:
    """A dashed line through the rows that have one limit in common."""
    top = float(TOP)
    for limit, rows in groupby(shown, key=lambda each: each.limit):
        below = top + ROW * len(list(rows))
        if limit is not None and axis.low <= -limit <= axis.high:
            x = axis.x(-limit)
            yield line(x, x, top - 4, below, "limit", BAD, 'stroke-width="1.5" stroke-dasharray="5 4"')
        top = below


def _row(axis: _Axis, each: Comparison, top: float, several: bool) -> Iterator[str]:
    y = top + ROW / 2
    name = f"{each.metric}, {each.slice}" if several else each.slice
    weight = 600 if each.slice == ALL else 400
    label = text(LEFT - 10, y + 4, shortened(name, _LABEL), "ink", INK, "end", weight=weight)
    yield f"<g><title>{safe(_row_words(each, name))}</title>{label}</g>"
    yield text(_ROWS, y + 4, whole(each.rows), "ink", INK, "end")
    yield text(_P, y + 4, p_value(each.p_adjusted if each.p_adjusted is not None else each.p), "ink", INK, "end")
    estimate = change_of(each)
    if estimate is None:
        words = shortened(each.note or "not tested", _NOTE)
        yield text((LEFT + PLOT_END) / 2, y + 4, words, "faint note", FAINT, "middle", extra=_HALO)
        return
    yield text(_NUMBERS, y + 4, change(each), "ink", INK, weight=600 if standing(each) == "fail" else 400)
    yield from _interval(axis, estimate, y, standing(each))


def _row_words(each: Comparison, name: str) -> str:
    limit = f"; limit {signed(-each.limit)}" if each.limit is not None else ""
    note = f"; {each.note}" if each.note else ""
    return f"{name}: {change(each)} on {each.rows:,} rows, {standing(each)}{limit}{note}"


def _interval(axis: _Axis, estimate: Estimate, y: float, how: Standing) -> Iterator[str]:
    colour = _COLOURS[how]
    left, right = axis.x(estimate.low), axis.x(estimate.high)
    if estimate.low != estimate.high:
        yield line(left, right, y, y, how, colour, 'stroke-width="2"')
        for end, outside, way in ((left, estimate.low < axis.low, 1), (right, estimate.high > axis.high, -1)):
            if outside:
                points = f"{end:.1f},{y} {end + 7 * way:.1f},{y - 4} {end + 7 * way:.1f},{y + 4}"
                yield f'<polygon class="{how}" points="{points}" fill="{colour}" stroke="none"/>'
            else:
                yield line(end, end, y - 4, y + 4, how, colour, 'stroke-width="2"')
    yield _sign(axis.x(estimate.value), y, how)


def _sign(x: float, y: float, how: Standing) -> str:
    """Disc, square, diamond, ring: told apart without colour."""
    colour = _COLOURS[how]
    hollow = f'class="hollow {how}" fill="#ffffff" stroke="{colour}" stroke-width="2"'
    filled = f'class="{how}" fill="{colour}" stroke="{colour}"'
    match how:
        case "pass":
            return f'<circle cx="{x:.1f}" cy="{y}" r="4.5" {filled}/>'
        case "fail":
            return f'<rect x="{x - 5:.1f}" y="{y - 5}" width="10" height="10" {filled}/>'
        case "waived":
            return f'<polygon points="{x:.1f},{y - 6} {x + 6:.1f},{y} {x:.1f},{y + 6} {x - 6:.1f},{y}" {hollow}/>'
        case "inconclusive":
            return f'<circle cx="{x:.1f}" cy="{y}" r="4.5" {hollow}/>'


def _below(shown: Sequence[Comparison], bottom: float) -> Iterator[str]:
    """The legend, with those signs that occur."""
    x, y = float(LEFT), bottom + 46
    present = {standing(each) for each in shown}
    for how in (each for each in STANDINGS if each in present):
        yield _sign(x + 6, y, how)
        yield text(x + 18, y + 4, how, "ink", INK)
        x += 40 + 7 * len(how)
    limits = sorted({each.limit for each in shown if each.limit is not None})
    if limits:
        yield line(x, x + 22, y, y, "limit", BAD, 'stroke-width="1.5" stroke-dasharray="5 4"')
        yield text(x + 28, y + 4, "limit " + ", ".join(signed(-limit) for limit in limits), "ink", INK)


def _axis(shown: Sequence[Comparison]) -> _Axis:
    """Room for all points, zero and the limits; intervals far wider than these do not squeeze the rest."""
    estimates = [found for each in shown if (found := change_of(each)) is not None]
    limits = [-each.limit for each in shown if each.limit is not None]
    room = [0.0, *limits, *(found.value for found in estimates)]
    reach = max(4 * max((abs(limit) for limit in limits), default=math.inf), 1.5 * max(map(abs, room)))
    room += [max(found.low, -reach) for found in estimates] + [min(found.high, reach) for found in estimates]
    low, high = min(room), max(room)
    pad = 0.06 * (high - low) or 0.01
    return _Axis(low=low - pad, high=max(high, 0.25 * -low) + pad)


def _ticks(axis: _Axis) -> list[float]:
    """Round numbers, at most seven of them."""
    span = axis.high - axis.low
    power = 10.0 ** math.floor(math.log10(span / 7))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if span / (factor * power) <= 7)
    first, last = math.ceil(axis.low / step), math.floor(axis.high / step)
    return [index * step for index in range(first, last + 1)]


def _tick_words(tick: float) -> str:
    return f"{tick:+.3g}".replace("-", "−") if tick else "0"
