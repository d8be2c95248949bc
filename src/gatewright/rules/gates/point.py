"""Measures of candidate and baseline + gates → GateResults, by arithmetic on the summary numbers (`mode: point`).

Numbers are compared exactly as they are written: 0.90 against 0.92 with a margin of 0.02 passes, 0.8999 fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from gatewright.domain.errors import Place, Problem, ReportError, UnusableInput
from gatewright.domain.evaluation import Measures
from gatewright.domain.gate import (
    CORE_GATES,
    Comparison,
    Estimate,
    FairnessGate,
    GateName,
    GateResult,
    Judgement,
    LatencyGate,
    OverallGate,
    SliceGate,
    Verdict,
)
from gatewright.domain.project import GatesSection
from gatewright.rules.gates.agenda import set_agenda
from gatewright.rules.gates.alike import check_alike
from gatewright.rules.gates.overall import check_floor, worst

_DIGITS = 4
PARITY = "demographic_parity_difference"
CANDIDATE, BASELINE = "the candidate's report", "the baseline"


def judge_measures(
    gates: GatesSection,
    candidate: Measures,
    baseline: Measures | None,
    *,
    bootstrap_by: str | None,
    skip: frozenset[GateName] = frozenset(),
) -> Judgement:
    """Decide each of the four gates that is configured and not skipped.

    Without a baseline (first deployment) the absolute floors decide, and `bootstrap_by` says who allowed that.
    ReportError for a number that is missing or no number, and for a slice that only the baseline has; UnusableInput
    when the two were measured on unlike rows, no gate is left, or a first deployment lacks its floor or the person.
    """
    unsure = check_alike(candidate, baseline) if baseline is not None else ()
    agenda = set_agenda(gates, CORE_GATES, baseline is not None, bootstrap_by=bootstrap_by, skip=skip)
    results: list[GateResult] = []
    for name in agenda.gates:
        match getattr(gates, name):
            case OverallGate() as gate:
                results.append(_overall(gate, candidate, baseline))
            case SliceGate() as gate if baseline is not None:
                results.append(_slices(gate, candidate, baseline))
            case FairnessGate() as gate:
                results.append(_fairness(gate, candidate, baseline))
            case LatencyGate() as gate:
                results.append(_latency(gate, candidate, baseline))
    return Judgement(
        results=tuple(results),
        skipped=agenda.skipped,
        warnings=(*agenda.warnings, *unsure),
        bootstrap_by=agenda.bootstrap_by,
    )


def _overall(gate: OverallGate, candidate: Measures, baseline: Measures | None) -> GateResult:
    check_floor(gate, "accuracy")
    accuracy = _share(candidate.overall_accuracy, CANDIDATE, "overall_accuracy")
    evidence: dict[str, Any] = {"candidate": candidate.overall_accuracy, "min": gate.min}
    reasons, failed = [], False
    if baseline is not None:
        before = _share(baseline.overall_accuracy, BASELINE, "overall_accuracy")
        margin = _exact(gate.margin)
        failed = before - accuracy > margin
        relation = _relation(accuracy, before, margin)
        reasons.append(f"accuracy {relation}; the margin is {_shown(margin)}")
        evidence |= {
            "baseline": baseline.overall_accuracy,
            "difference": float(accuracy - before),
            "margin": gate.margin,
        }
    if gate.min is not None:
        floor = _exact(gate.min)
        failed = failed or accuracy < floor
        side = "below" if accuracy < floor else "at or above"
        subject = "it" if reasons else f"accuracy {_shown(accuracy, floor)}"
        reasons.append(f"{subject} is {side} the floor of {_shown(floor, accuracy)}")
    return _result("overall", failed, "; ".join(reasons), evidence)


def _slices(gate: SliceGate, candidate: Measures, baseline: Measures) -> GateResult:
    if lost := sorted(set(baseline.slices) - set(candidate.slices)):
        raise _unusable(CANDIDATE, f"slices.{lost[0]}", f"the baseline has {_listed(lost)}, the report lacks it")
    if not candidate.slices:
        raise _unusable(CANDIDATE, "slices", "there is none: the gate would check nothing")
    limit = _exact(gate.max_drop)
    overall = baseline.overall_accuracy
    tested: list[dict[str, Any]] = []
    untested: list[dict[str, Any]] = []
    for name, value in candidate.slices.items():
        known = name in baseline.slices
        after = _share(value, CANDIDATE, f"slices.{name}")
        before = _share(baseline.slices[name] if known else overall, BASELINE, f"slices.{name}")
        rows = candidate.slice_rows.get(name)
        entry = {"slice": name, "candidate": value, "baseline": float(before), "drop": before - after, "rows": rows}
        entry["compared_with"] = "slice" if known else "overall"
        (untested if rows is not None and rows < gate.min_rows else tested).append(entry)
    for entries in (tested, untested):
        entries.sort(key=lambda entry: (-entry["drop"], entry["slice"]))
    failed = [entry for entry in tested if entry["drop"] > limit]
    why = _slices_why(tested, untested, failed, limit, gate.min_rows)
    alone = [str(entry["slice"]) for entry in tested if entry["compared_with"] == "overall"]
    if alone:
        why += f"; the baseline lacks {_listed(sorted(alone))}: compared with its overall accuracy"
        why += f" {_shown(_exact(overall))}"
    evidence = {
        "max_drop": gate.max_drop,
        "min_rows": gate.min_rows,
        "tested": len(tested),
        "failed": _written(failed),
        "worst": _written(tested[:1]),
        "not_tested": _written(untested),
        "compared_with_overall": sorted(alone),
    }
    verdicts = ((failed, Verdict.FAIL), (untested, Verdict.INCONCLUSIVE))
    comparisons = [_comparison(entry, verdict, limit) for entries, verdict in verdicts for entry in entries]
    comparisons += [_comparison(entry, Verdict.PASS, limit) for entry in tested if entry not in failed]
    verdict = worst([found.verdict for found in comparisons if not tested or found.verdict is not Verdict.INCONCLUSIVE])
    return GateResult(gate="slices", verdict=verdict, why=why, evidence=evidence, comparisons=tuple(comparisons))


def _comparison(entry: dict[str, Any], verdict: Verdict, limit: Fraction) -> Comparison:
    """One slice as every report shows it: the interval of a measured number is the number itself."""
    drop, rows = float(entry["drop"]), entry["rows"] or 0
    return Comparison(
        metric="accuracy",
        slice=entry["slice"],
        rows=rows,
        verdict=verdict,
        candidate=entry["candidate"],
        baseline=entry["baseline"],
        harm=Estimate(value=drop, low=drop, high=drop, level=0.0, n=rows, method="point"),
        limit=float(limit),
    )


def _slices_why(
    tested: Sequence[dict[str, Any]],
    untested: Sequence[dict[str, Any]],
    failed: Sequence[dict[str, Any]],
    limit: Fraction,
    min_rows: int,
) -> str:
    small = f"not tested, under {min_rows} rows: {_listed([entry['slice'] for entry in untested])}"
    if not tested:
        return f"no slice has {min_rows} rows; {small}"
    worst = tested[0]
    after = _exact(worst["candidate"])
    numbers = f"{worst['slice']}: {_relation(after, after + worst['drop'], limit)}"
    many = f"{len(tested)} slices" if len(tested) > 1 else "1 slice"
    if failed:
        verb = "drops" if len(failed) == 1 else "drop"
        why = f"{len(failed)} of {many} {verb} by more than {_shown(limit)}; the worst is {numbers}"
    else:
        why = f"none of {many} drops by more than {_shown(limit)}; the worst is {numbers}"
    return f"{why}; {small}" if untested else why


def _fairness(gate: FairnessGate, candidate: Measures, baseline: Measures | None) -> GateResult:
    if gate.metrics != (PARITY,):
        raise UnusableInput(
            f"gates.fairness.metric is {', '.join(gate.metrics)}; arithmetic on summary numbers knows {PARITY} only",
            fix="judge a run with gates: {mode: statistical}, or leave the gate out explicitly: --skip fairness",
        )
    cap, limit = _exact(gate.max), _exact(gate.max_worsening)
    evidence: dict[str, Any] = {"max": gate.max, "max_worsening": gate.max_worsening}
    if candidate.demographic_parity_diff is None and candidate.rows is not None:
        why = (
            f"the demographic parity difference is unknown: no fairness attribute has two groups of {gate.min_rows} "
            "rows; declare fairness.attributes, or set gates: {fairness: none}"
        )
        return GateResult(gate="fairness", verdict=Verdict.INCONCLUSIVE, why=why, evidence=evidence)
    gap = _gap(candidate, CANDIDATE)
    evidence["candidate"] = float(gap)
    failed = gap > cap
    side = "above" if failed else "within"
    why = f"demographic parity difference {_shown(gap, cap)} is {side} the cap of {_shown(cap, gap)}"
    if baseline is None:
        return _result("fairness", failed, why, evidence)
    if baseline.demographic_parity_diff is None:
        return _result("fairness", failed, f"{why}; the baseline has none, so only the cap was checked", evidence)
    before = _gap(baseline, BASELINE)
    worsening = gap - before
    evidence |= {"baseline": float(before), "worsening": float(worsening)}
    why += f"; it {_relation(gap, before, limit, subject=False)}; a worsening of {_shown(limit)} is allowed"
    return _result("fairness", failed or worsening > limit, why, evidence)


def _latency(gate: LatencyGate, candidate: Measures, baseline: Measures | None) -> GateResult:
    p99 = _milliseconds(candidate.latency_p99_ms, CANDIDATE, "latency_p99_ms")
    own = baseline is not None and baseline.latency_sla_p99_ms is not None
    if own and baseline is not None:
        sla = _milliseconds(baseline.latency_sla_p99_ms, BASELINE, "latency_sla_p99_ms")
    else:
        sla = _exact(gate.p99.seconds) * 1000
    side = "above" if p99 > sla else "within"
    source = "the baseline's SLA" if own else "the SLA"
    evidence = {"candidate_ms": float(p99), "sla_ms": float(sla), "sla_from": "baseline" if own else "gate"}
    why = f"p99 latency {_shown(p99, sla)} ms is {side} {source} of {_shown(sla, p99)} ms"
    return _result("latency", p99 > sla, why, evidence)


def _result(gate: GateName, failed: bool, why: str, evidence: dict[str, Any]) -> GateResult:
    return GateResult(gate=gate, verdict=Verdict.FAIL if failed else Verdict.PASS, why=why, evidence=evidence)


def _written(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**entry, "drop": float(entry["drop"])} for entry in entries]


def _exact(value: float) -> Fraction:
    """The number as it is written, not its nearest binary fraction."""
    return Fraction(repr(value))


def _share(value: float | None, where: str, field: str) -> Fraction:
    return _number(value, where, field, lowest=0.0, highest=1.0, allowed="a number from 0 to 1")


def _gap(measures: Measures, where: str) -> Fraction:
    return abs(
        _number(
            measures.demographic_parity_diff,
            where,
            "demographic_parity_diff",
            lowest=-1.0,
            highest=1.0,
            allowed="a number from -1 to 1",
        )
    )


def _milliseconds(value: float | None, where: str, field: str) -> Fraction:
    smallest = math.ulp(0.0)
    return _number(value, where, field, lowest=smallest, highest=math.inf, allowed="milliseconds greater than zero")


def _number(value: float | None, where: str, field: str, *, lowest: float, highest: float, allowed: str) -> Fraction:
    if value is None:
        raise _unusable(where, field, f"is missing; needed: {allowed}")
    if isinstance(value, bool) or not math.isfinite(value) or not lowest <= value <= highest:
        raise _unusable(where, field, f"is {value}, not {allowed}")
    return _exact(value)


def _unusable(where: str, field: str, what: str) -> ReportError:
    return ReportError(
        "the gates cannot be decided",
        (Problem(where=Place(file=where), field=field, what=what),),
        fix="complete the report, or leave a gate out explicitly: --skip GATE",
    )


def _relation(value: Fraction, other: Fraction, limit: Fraction, *, subject: bool = True) -> str:
    """`0.7712 is 0.0031 below the baseline's 0.7743`, with digits enough to see on which side of `limit` it lies."""
    start = f"{_shown(value)} is" if subject else "is"
    if value == other:
        return f"{start} the baseline's" if subject else f"{start} equal to the baseline's {_shown(other)}"
    side = "below" if value < other else "above"
    return f"{start} {_shown(abs(value - other), limit)} {side} the baseline's {_shown(other)}"


def _shown(value: Fraction, beside: Fraction | None = None) -> str:
    """Four digits, or twelve where four would make `value` look like the number `beside` it is not."""
    near = beside is not None and value != beside and round(value, _DIGITS) == round(beside, _DIGITS)
    tiny = value != 0 and round(value, _DIGITS) == 0
    text = f"{float(value):.{12 if near or tiny else _DIGITS}f}"
    return text.rstrip("0").rstrip(".")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
