"""The latency gate: the 99th percentile keeps the SLA with confidence, and its ratio to the baseline's a limit."""

from __future__ import annotations

from gatewright.domain.evaluation import ALL, EvaluationReport
from gatewright.domain.gate import Comparison, Estimate, GateResult, LatencyGate, Verdict
from gatewright.rules.gates.overall import worst
from gatewright.rules.gates.words import shown

P99, RATIO = "latency_p99_ms", "latency_p99_ratio"
LEVEL = 0.90
ALPHA = 0.05


def judge_latency(gate: LatencyGate, report: EvaluationReport) -> GateResult:
    """FAIL: the measured p99 is above the SLA. PASS: its one-sided 95 % upper bound, the larger of the order-statistic
    and the block-bootstrap bound, is within. Otherwise INCONCLUSIVE. The ratio, if configured, in the same way."""
    warns = gate.on_inconclusive == "warn"
    if report.candidate_latency is None:
        why = "latency was not measured: the model was scored by evaluation.command; set gates: {latency: none}"
        return GateResult(gate="latency", verdict=Verdict.INCONCLUSIVE, why=why, alpha=ALPHA, warns=warns)
    comparisons = [_sla(gate, report)]
    why = comparisons[0].note
    if gate.max_ratio is not None and report.baseline_digest is not None:
        comparisons.append(_ratio(gate.max_ratio, report))
        why += f"; {comparisons[1].note}"
    return GateResult(
        gate="latency",
        verdict=worst([found.verdict for found in comparisons]),
        why=why,
        comparisons=tuple(comparisons),
        alpha=ALPHA,
        warns=warns,
    )


def _sla(gate: LatencyGate, report: EvaluationReport) -> Comparison:
    measured = report.candidate_latency
    assert measured is not None
    sla = gate.p99.seconds * 1000
    verdict = _verdict(measured.p99_ms, measured.p99_upper_ms, sla)
    bound = f"95 % upper bound {shown(measured.p99_upper_ms)} ms of {measured.samples:,} calls"
    told = {
        Verdict.PASS: f"p99 latency {shown(measured.p99_ms)} ms is within the SLA of {shown(sla)} ms ({bound})",
        Verdict.FAIL: f"p99 latency {shown(measured.p99_ms)} ms is above the SLA of {shown(sla)} ms",
        Verdict.INCONCLUSIVE: f"p99 latency {shown(measured.p99_ms)} ms is within the SLA of {shown(sla)} ms, but its "
        f"{bound} is not: raise evaluation.latency_samples",
    }
    return Comparison(
        metric=P99,
        slice=ALL,
        rows=measured.samples,
        verdict=verdict,
        note=told[verdict],
        kind="level",
        candidate=measured.p99_ms,
        baseline=report.baseline_latency.p99_ms if report.baseline_latency else None,
        harm=_estimate(measured.p99_ms, measured.p99_upper_ms, measured.samples),
        limit=sla,
        alpha=ALPHA,
    )


def _ratio(limit: float, report: EvaluationReport) -> Comparison:
    ratio, measured = report.latency_ratio, report.candidate_latency
    assert measured is not None
    if ratio is None:
        note = "the ratio to the baseline's p99 was not measured"
        return Comparison(metric=RATIO, slice=ALL, rows=0, verdict=Verdict.INCONCLUSIVE, note=note, kind="level")
    verdict = _verdict(ratio.value, ratio.upper, limit)
    side = "more than" if ratio.value > limit else "within"
    note = f"that is {shown(ratio.value)} times the baseline's, {side} the limit of {shown(limit)}"
    note += f", and may be up to {shown(ratio.upper)} times" if verdict is Verdict.INCONCLUSIVE else ""
    return Comparison(
        metric=RATIO,
        slice=ALL,
        rows=measured.samples,
        verdict=verdict,
        note=note,
        kind="level",
        candidate=ratio.value,
        harm=_estimate(ratio.value, ratio.upper, measured.samples),
        limit=limit,
        alpha=ALPHA,
    )


def _estimate(value: float, upper: float, samples: int) -> Estimate:
    """Only an upper bound is measured: the interval starts at the value."""
    method = "larger of order-statistic and block-bootstrap bound"
    return Estimate(value=value, low=value, high=upper, level=LEVEL, n=samples, method=method)


def _verdict(value: float, upper: float, limit: float) -> Verdict:
    if value > limit:
        return Verdict.FAIL
    return Verdict.PASS if upper <= limit else Verdict.INCONCLUSIVE
