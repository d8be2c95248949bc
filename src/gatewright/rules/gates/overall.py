"""The overall gate: the candidate is not worse than the baseline by more than a margin, and keeps an absolute floor."""

from __future__ import annotations

import math

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import ALL, EvaluationReport, SliceEvidence
from gatewright.domain.gate import Comparison, GateResult, OverallGate, Verdict
from gatewright.domain.metrics import METRICS
from gatewright.rules.gates.harm import Harms, harms
from gatewright.rules.gates.words import change, probability, relation, shown, spoken

CHANCE = 0.5
"""Share of alpha at which a measured drop beyond the margin is no chance: with the slices and fairness, 5 % in all."""

FEWEST = 30
"""Rows from which a mean is about normal; two equal differences have no spread, and would prove anything."""
_NO_INTERVAL = 1e-9
"""The level of an interval that is its own middle: what an alpha of 0.5 asks for."""


def judge_overall(gate: OverallGate, report: EvaluationReport, *, seed: int = 0) -> GateResult:
    """Non-inferiority of the report's primary metric on all rows.

    FAIL: the measured harm exceeds the margin and is no chance (p < alpha/2); the floor is broken; or, without
    `allow_small_regression`, a harm of at least `min_effect` is significant. PASS: the upper bound of the harm is below
    the margin. Otherwise INCONCLUSIVE, with the rows that would decide. Without a baseline the floor alone decides.
    """
    check_floor(gate, report.metric)
    reasons: list[str] = []
    comparisons: list[Comparison] = []
    if report.baseline_digest is not None:
        comparisons.append(compare_overall(gate, report, seed=seed))
        reasons.append(_told(comparisons[0], gate))
    if level := floor(gate, report):
        comparisons.append(level)
        reasons.append(level.note if not comparisons[1:] else f"it is {level.note.partition(' is ')[2]}")
    verdicts = [found.verdict for found in comparisons]
    return GateResult(
        gate="overall",
        verdict=worst(verdicts),
        why="; ".join(reasons),
        comparisons=tuple(comparisons),
        alpha=gate.alpha,
        needed_n=next((found.needed_rows for found in comparisons if found.needed_rows), None),
        warns=gate.on_inconclusive == "warn",
    )


def compare_overall(gate: OverallGate, report: EvaluationReport, *, seed: int = 0) -> Comparison:
    """Candidate and baseline on all rows."""
    found = harms(report, [report.overall], report.metric, level=max(1 - 2 * gate.alpha, _NO_INTERVAL), seed=seed)
    return decide_change(found, gate)


def decide_change(found: Harms, gate: OverallGate, name: str = ALL) -> Comparison:
    """What the harm on all rows means; `found` has one slice."""
    value, high = float(found.value[0]), float(found.high[0])
    more: dict[str, object] = {"limit": gate.margin, "alpha": gate.alpha, "p_adjusted": _finite(float(found.p[0]))}
    if not math.isfinite(value) or not math.isfinite(high):
        return found.comparison(0, name, Verdict.INCONCLUSIVE, note="not defined on these rows", **more)
    if value > gate.margin and float(found.p[0]) < gate.alpha * CHANCE:
        return found.comparison(0, name, Verdict.FAIL, note="more than the margin", **more)
    significant = float(found.p[0]) < gate.alpha and value >= gate.min_effect
    if significant and not gate.allow_small_regression:
        return found.comparison(0, name, Verdict.FAIL, note="a significant regression", **more)
    if found.discordant is None and found.support[0] < FEWEST:
        more["needed_rows"] = FEWEST
        note = f"under {FEWEST} rows nothing is known of the chance in this metric"
        return found.comparison(0, name, Verdict.INCONCLUSIVE, note=note, **more)
    if high < gate.margin:
        return found.comparison(0, name, Verdict.PASS, **more)
    if value > gate.margin:
        more["needed_rows"] = found.rows_to_show(0, alpha=gate.alpha * CHANCE)
        return found.comparison(0, name, Verdict.INCONCLUSIVE, note="more than the margin, perhaps by chance", **more)
    more["needed_rows"] = found.rows_needed(0, gate.margin, alpha=gate.alpha)
    return found.comparison(0, name, Verdict.INCONCLUSIVE, note="the margin is not excluded", **more)


def check_floor(gate: OverallGate, metric: str) -> None:
    """UnusableInput for a floor under what should be low, or a ceiling over what should be high: nobody would look."""
    higher = METRICS[metric].higher_is_better
    wrong, right = ("max", "min") if higher else ("min", "max")
    if (gate.max if higher else gate.min) is not None:
        raise UnusableInput(
            f"gates.overall.{wrong} does not fit {metric}, of which {'higher' if higher else 'lower'} is better",
            fix=f"write {right}: gates: {{overall: {{{right}: …}}}}",
        )


def floor(gate: OverallGate, report: EvaluationReport) -> Comparison | None:
    """The candidate's own value beside `min` (or `max`); None when there is neither."""
    limit = gate.min if METRICS[report.metric].higher_is_better else gate.max
    if limit is None:
        return None
    value, rows = candidate_value(report, report.overall)
    higher = METRICS[report.metric].higher_is_better
    broken = not math.isfinite(value) or (value < limit if higher else value > limit)
    kept = "at or above the floor" if higher else "at or below the ceiling"
    lost = "below the floor" if higher else "above the ceiling"
    return Comparison(
        metric=report.metric,
        slice=ALL,
        rows=rows,
        verdict=Verdict.FAIL if broken else Verdict.PASS,
        kind="level",
        candidate=_finite(value),
        limit=limit,
        note=f"{spoken(report.metric)} {shown(value)} is {lost if broken else kept} of {shown(limit)}",
    )


def candidate_value(report: EvaluationReport, evidence: SliceEvidence) -> tuple[float, int]:
    """The candidate's primary metric on one slice, and the rows it rests on."""
    if report.metric in evidence.scores:
        score = evidence.scores[report.metric]
        return score.candidate, score.rows
    from gatewright.rules.measuring.metrics import Outcomes

    return float(Outcomes.of(report).metric(report.metric, [evidence.cells], "candidate")[0]), evidence.rows


def worst(verdicts: list[Verdict]) -> Verdict:
    """FAIL before INCONCLUSIVE before PASS; INCONCLUSIVE when there is none: nothing was checked."""
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS):
        if verdict in verdicts:
            return verdict
    return Verdict.INCONCLUSIVE


def _told(found: Comparison, gate: OverallGate) -> str:
    start = f"{spoken(found.metric)} {relation(found)}"
    if found.harm is None:
        return f"{spoken(found.metric)}: {found.note}"
    margin, sure = change(found.metric, gate.margin), f"{100 * (1 - gate.alpha):.6g} %"
    match found.verdict:
        case Verdict.PASS:
            bound = f"at most {change(found.metric, found.harm.high)} worse" if found.harm.high > 0 else "better"
            return f"{start}; with {sure} confidence it is {bound}, and the margin is {margin}"
        case Verdict.FAIL if found.note == "a significant regression":
            return f"{start}: a significant regression ({probability(found.p)}), and none is allowed"
        case Verdict.FAIL:
            return f"{start}: more than the margin of {margin}"
    if found.note.startswith("under"):
        return f"{start}: not enough evidence in {found.rows:,} rows; {found.note}"
    rows = f"about {found.needed_rows:,} rows would decide" if found.needed_rows else "many more rows would decide"
    if found.note.startswith("more than"):
        chance = f"more than the margin of {margin}, but it may be chance ({probability(found.p)})"
        return f"{start}: {chance}; not enough evidence in {found.rows:,} rows: {rows}"
    return (
        f"{start}; it may be up to {change(found.metric, found.harm.high)} worse, and the margin is {margin}: "
        f"not enough evidence in {found.rows:,} rows; {rows}"
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
