"""An evaluation report + the configured gates → the judgement: every gate's verdict, reason and numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.gate import (
    CORE_GATES,
    GATE_NAMES,
    AucGate,
    CalibrationGate,
    FairnessGate,
    GateName,
    GateResult,
    GoldenGate,
    Judgement,
    LatencyGate,
    OverallGate,
    SliceGate,
)
from gatewright.domain.metrics import METRICS
from gatewright.domain.project import GatesSection
from gatewright.rules.gates.agenda import set_agenda
from gatewright.rules.gates.calibration import judge_calibration
from gatewright.rules.gates.fairness import judge_fairness
from gatewright.rules.gates.false_alarms import false_alarms
from gatewright.rules.gates.golden import judge_golden
from gatewright.rules.gates.latency import judge_latency
from gatewright.rules.gates.overall import judge_overall
from gatewright.rules.gates.point import judge_measures
from gatewright.rules.gates.slices import judge_auc, judge_slices
from gatewright.rules.gates.waivers import check_expiry, waive
from gatewright.rules.reports.measures import measures


def judge(
    gates: GatesSection,
    report: EvaluationReport,
    *,
    today: date,
    bootstrap_by: str | None = None,
    skip: frozenset[GateName] = frozenset(),
    seed: int = 0,
) -> Judgement:
    """Decide each gate that is configured and not skipped, in the configured mode, and apply the waivers.

    The same report, gates, day and `seed` (of the bootstraps) give the same judgement. UnusableInput for an expired
    waiver, for a metric or a golden version that was not measured, when no gate is left, or when a first deployment
    lacks its floor or the person who allows it.
    """
    check_expiry(gates.waivers, today)
    judged = _by_points if gates.mode == "point" else _by_evidence
    judgement = judged(gates, report, bootstrap_by, skip, seed)
    waived = waive(judgement.results, gates.waivers)
    return replace(
        judgement, results=waived.results, waivers=waived.used, warnings=(*judgement.warnings, *waived.warnings)
    )


def _by_points(
    gates: GatesSection,
    report: EvaluationReport,
    bootstrap_by: str | None,
    skip: frozenset[GateName],
    seed: int,
) -> Judgement:
    if METRICS[report.metric].relative or not METRICS[report.metric].higher_is_better:
        raise UnusableInput(
            f"mode: point compares shares of which more is better, and {report.metric} is none",
            fix="set gates: {mode: statistical}, which judges every metric in its own unit",
        )
    rows = gates.fairness.min_rows if gates.fairness else 1
    candidate = measures(report, "candidate", rows)
    baseline = measures(report, "baseline", rows) if report.baseline_digest else None
    judgement = judge_measures(gates, candidate, baseline, bootstrap_by=bootstrap_by, skip=skip)
    only_statistical = [
        name for name in GATE_NAMES if name not in CORE_GATES and getattr(gates, name) is not None and name not in skip
    ]
    warnings = [f"{name}: not checked, it needs gates: {{mode: statistical}}" for name in only_statistical]
    if gates.latency is not None and gates.latency.max_ratio is not None and "latency" not in skip:
        warnings.append("latency: max_ratio not checked, it needs gates: {mode: statistical}")
    return replace(judgement, warnings=(*judgement.warnings, *warnings))


def _by_evidence(
    gates: GatesSection,
    report: EvaluationReport,
    bootstrap_by: str | None,
    skip: frozenset[GateName],
    seed: int,
) -> Judgement:
    agenda = set_agenda(gates, GATE_NAMES, report.baseline_digest is not None, bootstrap_by=bootstrap_by, skip=skip)
    alarms = false_alarms(gates, report, seed=seed)
    results = [replace(_decide(getattr(gates, name), report, seed), a_a=alarms.get(name)) for name in agenda.gates]
    told = [result.a_a for result in results if result.a_a is not None]
    return Judgement(
        mode="statistical",
        results=tuple(results),
        skipped=agenda.skipped,
        warnings=(*agenda.warnings, *_untested(results)),
        bootstrap_by=agenda.bootstrap_by,
        a_a=min(math.fsum(told), 1.0) if told else None,
    )


def _decide(gate: object, report: EvaluationReport, seed: int) -> GateResult:
    match gate:
        case OverallGate():
            return judge_overall(gate, report, seed=seed)
        case SliceGate():
            return judge_slices(gate, report, seed=seed)
        case FairnessGate():
            return judge_fairness(gate, report, seed=seed)
        case LatencyGate():
            return judge_latency(gate, report)
        case GoldenGate():
            return judge_golden(gate, report, seed=seed)
        case AucGate():
            return judge_auc(gate, report)
        case CalibrationGate():
            return judge_calibration(gate, report, seed=seed)
    raise TypeError(f"{type(gate).__name__} is no gate")


def _untested(results: list[GateResult]) -> list[str]:
    """What goes on although it could not be told: a gate that only warns, beside one that could tell."""
    if all(result.verdict.value == "inconclusive" for result in results):
        return [
            f"no gate could tell: {', '.join(result.gate for result in results)}; a warning lets nothing go on then"
        ]
    return [
        f"{result.gate}: not enough evidence, and let go on (on_inconclusive: warn): {result.why}"
        for result in results
        if result.warns and result.verdict.value == "inconclusive"
    ]
