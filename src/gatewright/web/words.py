"""How numbers, gates and comparisons are put into words, the same in every form of a report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal
from unicodedata import east_asian_width

from gatewright.domain.evaluation import ALL
from gatewright.domain.gate import Comparison, Estimate, GateResult, Verdict
from gatewright.domain.metrics import METRICS
from gatewright.rules.markdown_text import clean as clean

Standing = Literal["pass", "fail", "inconclusive", "waived"]
STANDINGS: tuple[Standing, ...] = ("fail", "waived", "inconclusive", "pass")
"""What a comparison means for the gate; a waived one would have stopped the run. Most serious first."""

_HIGHER_IS_BETTER = {"demographic_parity_ratio"}
_EARLY = {"fail": 0, "waived": 1}


def standing(comparison: Comparison) -> Standing:
    """`waived` outweighs the verdict that was waived."""
    return (
        "waived" if comparison.waived_by and comparison.verdict is not Verdict.PASS else _STANDING[comparison.verdict]
    )


def is_open(result: GateResult) -> bool:
    """Whether a gate is inconclusive and only warns."""
    return result.warns and result.verdict is Verdict.INCONCLUSIVE


def better_is_higher(metric: str) -> bool:
    """Which way a metric points; gaps between groups, errors and latencies are better when lower."""
    return METRICS[metric].higher_is_better if metric in METRICS else metric in _HIGHER_IS_BETTER


def change_of(comparison: Comparison) -> Estimate | None:
    """Candidate against baseline with the worse side negative, whatever way the metric points, in the unit of `limit`.

    Without an estimate, the plain difference with an interval of no width; None when there is nothing to show.
    """
    if comparison.kind != "change":
        return None
    if (harm := comparison.harm) is not None:
        return Estimate(
            value=-harm.value, low=-harm.high, high=-harm.low, level=harm.level, n=harm.n, method=harm.method
        )
    if comparison.candidate is None or comparison.baseline is None or _relative(comparison.metric):
        return None
    value = comparison.candidate - comparison.baseline
    value = value if better_is_higher(comparison.metric) else -value
    return Estimate(value=value, low=value, high=value, level=0.0, n=comparison.rows, method="difference")


def change_words(metrics: Iterable[str]) -> str:
    """What `change_of` is, in words."""
    upward = {better_is_higher(metric) for metric in metrics}
    if upward == {True}:
        return "candidate − baseline"
    return "baseline − candidate" if upward == {False} else "change for the better"


def worst_first(comparisons: Iterable[Comparison], at_most: int | None = None) -> list[Comparison]:
    """All rows first, then by change, the worst first, then what has no number.

    When `at_most` cuts, what fails or was waived stays whatever its size.
    """
    ordered = sorted(comparisons, key=_place)
    if at_most is None or len(ordered) <= at_most:
        return ordered
    kept = sorted(ordered, key=lambda each: (each.slice != ALL, _EARLY.get(standing(each), 2)))[:at_most]
    return sorted(kept, key=_place)


def signed(value: float, digits: int = 4) -> str:
    """`+0.0123` or `−0.0123`; zero has no sign."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'−' if value < 0 else '+'}{text}"


def number(value: float | None, digits: int = 4) -> str:
    """A number of any size, short; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.replace("-", "−")


def change(comparison: Comparison) -> str:
    """`−0.0312 [−0.0512, −0.0112]`, the interval when there is one."""
    found = change_of(comparison)
    if found is None:
        return "–"
    interval = f" [{signed(found.low)}, {signed(found.high)}]" if found.low != found.high else ""
    return signed(found.value) + interval


def p_value(p: float | None) -> str:
    """`0.012`, `<0.001`, or a dash."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def percent(share: float | None) -> str:
    """`2.5 %`, or a dash."""
    return "–" if share is None else f"{100 * share:.3g} %"


def whole(count: int | None) -> str:
    """`12,345`, or a dash."""
    return "–" if count is None else f"{count:,}"


def shortened(text: str, columns: int) -> str:
    """`text` in at most so many columns of a fixed-width screen, cut with an ellipsis; line ends become blanks."""
    text = " ".join(clean(text).split())
    if _columns(text) <= columns:
        return text
    while _columns(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def level_words(comparisons: Sequence[Comparison]) -> str:
    """`90 % interval` when all intervals have one level."""
    levels = {round(each.harm.level, 6) for each in comparisons if each.harm is not None}
    return f"{percent(levels.pop())} interval" if len(levels) == 1 else "interval"


def _place(comparison: Comparison) -> tuple[bool, bool, float, str]:
    found = change_of(comparison)
    value = found.value if found else 0.0
    return comparison.slice != ALL, found is None, value, comparison.slice


def _relative(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].relative


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


_STANDING: dict[Verdict, Standing] = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.INCONCLUSIVE: "inconclusive",
}
