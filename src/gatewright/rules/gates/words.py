"""Numbers of a comparison as the sentences of a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatewright.domain.gate import Comparison, GateResult, Verdict
from gatewright.domain.metrics import METRICS

_DIGITS = 4


def shown(value: float | None) -> str:
    """Four digits behind the point, or four significant ones of a small number; no trailing zeros."""
    if value is None:
        return "unknown"
    text = f"{value:.{_DIGITS}f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def change(metric: str, value: float) -> str:
    """A harm, or the limit of one, in the metric's own unit: `0.0182`, or `1.8 %` of a relative metric."""
    if metric in METRICS and METRICS[metric].relative:
        return f"{abs(value) * 100:.3g} %"
    return shown(abs(value))


def relation(found: Comparison, other: str = "the baseline's") -> str:
    """`0.6392 is 0.1821 below the baseline's 0.8213`."""
    if found.harm is None or found.candidate is None or found.baseline is None:
        return "it is not defined on these rows"
    if found.candidate == found.baseline:
        return f"{shown(found.candidate)} is {other}"
    side = "below" if found.candidate < found.baseline else "above"
    return (
        f"{shown(found.candidate)} is {change(found.metric, found.harm.value)} {side} {other} {shown(found.baseline)}"
    )


def beside(difference: float, before: float | None) -> str:
    """`0.012 above the baseline's 0.021`; what only rounding sets apart is `the baseline's`."""
    if abs(difference) < 1e-12:
        return f"as large as the baseline's {shown(before)}"
    return f"{shown(abs(difference))} {'above' if difference > 0 else 'below'} the baseline's {shown(before)}"


def spoken(metric: str) -> str:
    """`balanced accuracy`, `AUC`."""
    return {"auc": "AUC", "rmse": "RMSE", "mae": "MAE", "r2": "R²", "f1": "F1"}.get(metric, metric.replace("_", " "))


def probability(p: float | None) -> str:
    """`p 0.0012`, `p 3e-14`."""
    if p is None:
        return "p unknown"
    return f"p {p:.2g}" if p >= 1e-300 else "p < 1e-300"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    told = ", ".join(names[:most])
    return told if len(names) <= most else f"{told} and {len(names) - most} more"


def counted(number: int, noun: str) -> str:
    """`1 slice`, `25 slices`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def further(result: GateResult) -> Iterator[str]:
    """The failing comparisons after the worst one, which the gate's sentence names."""
    failed = [found for found in result.comparisons if found.verdict is Verdict.FAIL and found.kind == "change"]
    for found in failed[1:]:
        if found.harm is None or found.candidate is None or found.baseline is None:
            continue
        numbers = f"{found.candidate:.4f}, baseline {found.baseline:.4f}"
        yield f"{found.slice}: worse by {change(found.metric, found.harm.value)} ({numbers})"
