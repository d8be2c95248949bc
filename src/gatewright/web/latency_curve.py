"""Latency by quantile, candidate beside baseline: the tail is stretched, so that p99 can be read. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gatewright.domain.evaluation import Latency
from gatewright.web.charts import BAD, COLOURS, FAINT, GRID, INK
from gatewright.web.svg import document, line, text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1000, 380, 70, 720, 62, 320
_QUANTILES = ((0.0, "min"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"))
_P99 = 2.0
_BESIDE = RIGHT + 14
_LOGARITHMIC_FROM = 30.0


class _Axes:
    """Where a quantile and a number of milliseconds lie; milliseconds are logarithmic when they span much."""

    def __init__(self, quantiles: Sequence[float], values: Sequence[float]) -> None:
        self.last = max([_P99 + 0.3, *(_depth(share) for share in quantiles if share < 1)])
        self.logarithmic = max(values) > _LOGARITHMIC_FROM * min(values)
        self.high = max(values) * (1.6 if self.logarithmic else 1.1)
        self.low = min(values) / 1.6 if self.logarithmic else 0.0

    def x(self, share: float) -> float:
        return LEFT + (RIGHT - LEFT) * min(_depth(share), self.last) / self.last

    def y(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low) if self.logarithmic else value / self.high
        return BOTTOM - (BOTTOM - TOP) * part

    def ticks(self) -> list[float]:
        """Round numbers of milliseconds."""
        if not self.logarithmic:
            power = 10.0 ** math.floor(math.log10(self.high / 6))
            step = next(factor * power for factor in (1, 2, 5, 10, 20) if self.high / (factor * power) <= 6)
            return [index * step for index in range(int(self.high / step) + 1)]
        powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
        found = [10.0**power for power in powers]
        return found if len(found) > 2 else sorted(found + [3 * each for each in found if 3 * each < self.high])


def latency_curve(candidate: Latency | None, baseline: Latency | None, sla_ms: float | None) -> str | None:
    """An SVG of milliseconds over quantiles, on an axis that is logarithmic in 1 − q; None when nothing was measured.

    Each model's p99 is a sign with a bar up to its one-sided 95 % upper bound; the SLA is dashed.
    """
    arms = [
        (name, arm, colour, dashes)
        for name, arm, colour, dashes in (
            ("baseline", baseline, COLOURS[1], "6 3"),
            ("candidate", candidate, COLOURS[0], ""),
        )
        if arm is not None
    ]
    if not arms:
        return None
    curves = [_points(arm) for _, arm, _, _ in arms]
    values = [value for curve in curves for _, value in curve]
    values += [arm.p99_upper_ms for _, arm, _, _ in arms] + ([sla_ms] if sla_ms else [])
    axes = _Axes([share for curve in curves for share, _ in curve], values)
    parts = [text(12, 24, "Latency of one prediction", "ink", INK, size=15, weight=600), *_grid(axes)]
    legend = TOP + 30
    if sla_ms:
        y = axes.y(sla_ms)
        legend = BOTTOM - 88 if y < (TOP + BOTTOM) / 2 else legend
        parts.append(line(LEFT, RIGHT, y, y, "limit", BAD, 'stroke-width="1.5" stroke-dasharray="5 4"'))
        parts.append(text(_BESIDE, y + 4, f"SLA {_ms(sla_ms)}", "limit-text", BAD))
    for index, (name, arm, colour, dashes) in enumerate(arms):
        parts += _arm(axes, arm, name, colour, dashes)
        parts += _legend(arm, name, colour, dashes, legend + 62 * index)
    told = "; ".join(
        f"{name}: p50 {_ms(arm.p50_ms)}, p99 {_ms(arm.p99_ms)}, upper bound {_ms(arm.p99_upper_ms)}"
        for name, arm, _, _ in arms
    )
    return document("Latency of one prediction", told, WIDTH, HEIGHT, "".join(parts))


def _points(arm: Latency) -> list[tuple[float, float]]:
    """The curve, or what is known of it; a share of 1 has no place on the axis."""
    known = arm.curve or ((0.5, arm.p50_ms), (0.99, arm.p99_ms))
    return sorted((share, value) for share, value in known if 0 <= share < 1 and value > 0)


def _grid(axes: _Axes) -> Iterator[str]:
    for tick in axes.ticks():
        y = axes.y(tick)
        if TOP - 4 <= y <= BOTTOM:
            yield line(LEFT, RIGHT, y, y, "grid", GRID)
            yield text(LEFT - 8, y + 4, f"{tick:g}", "faint", FAINT, "end")
    scale = ", logarithmic" if axes.logarithmic else ""
    yield text(LEFT - 8, TOP - 16, "ms" + scale, "faint", FAINT)
    for share, words in _QUANTILES:
        if _depth(share) <= axes.last + 1e-9:
            x = axes.x(share)
            yield line(x, x, TOP, BOTTOM, "grid", GRID)
            yield text(x, BOTTOM + 18, words, "faint", FAINT, "middle")
    yield text((LEFT + RIGHT) / 2, BOTTOM + 42, "share of predictions that are faster", "faint", FAINT, "middle")


def _arm(axes: _Axes, arm: Latency, name: str, colour: str, dashes: str) -> Iterator[str]:
    path = " ".join(f"{axes.x(share):.1f},{axes.y(value):.1f}" for share, value in _points(arm))
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    yield f'<polyline class="{name}" points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
    # Side by side, so that the bars of two equal models do not hide each other.
    x = axes.x(0.99) + (4 if name == "candidate" else -4)
    y, upper = axes.y(arm.p99_ms), axes.y(arm.p99_upper_ms)
    yield line(x, x, y, upper, name, colour, 'stroke-width="2"')
    yield line(x - 5, x + 5, upper, upper, name, colour, 'stroke-width="2"')
    yield _sign(x, y, name, colour)


def _sign(x: float, y: float, name: str, colour: str) -> str:
    if name == "candidate":
        return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'
    return (
        f'<rect class="hollow {name}" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="#ffffff" '
        f'stroke="{colour}" stroke-width="2"/>'
    )


def _legend(arm: Latency, name: str, colour: str, dashes: str, y: float) -> Iterator[str]:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    yield line(_BESIDE, _BESIDE + 24, y - 4, y - 4, name, colour, f'stroke-width="2"{dashed}')
    yield _sign(_BESIDE + 12, y - 4, name, colour)
    yield text(_BESIDE + 32, y, name, "ink", INK, weight=600)
    yield text(_BESIDE + 32, y + 16, f"p50 {_ms(arm.p50_ms)}, p99 {_ms(arm.p99_ms)}", "ink", INK)
    bound = f"at most {_ms(arm.p99_upper_ms)}" if arm.p99_upper_ms > arm.p99_ms else "no bound"
    yield text(_BESIDE + 32, y + 32, f"p99 {bound}, {arm.samples:,} calls", "faint", FAINT)


def _depth(share: float) -> float:
    """How deep in the tail a quantile is: 1 for 90 %, 2 for 99 %, 3 for 99.9 %."""
    return -math.log10(1 - share)


def _ms(value: float) -> str:
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"
