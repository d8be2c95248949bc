"""The golden gate: a second, pinned baseline, so that many small steps down do not add up."""

from __future__ import annotations

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evaluation import EvaluationReport
from gatewright.domain.gate import GateResult, GoldenGate, OverallGate
from gatewright.rules.gates.overall import compare_overall, worst
from gatewright.rules.gates.slices import Limits, compare_slices, evidence, slices_why
from gatewright.rules.gates.words import change, relation, spoken

GOLDEN = "the golden version's"


def judge_golden(gate: GoldenGate, report: EvaluationReport, *, seed: int = 0) -> GateResult:
    """The rules of the overall and the slice gate, against the golden version. Half of alpha goes to each.

    UnusableInput when the golden version was not scored.
    """
    golden = report.golden
    if golden is None:
        raise UnusableInput(
            f"the report does not compare with the golden version {gate.version}",
            fix="run the stage again: gatewright evaluate --run RUN",
        )
    overall = OverallGate(margin=gate.margin, alpha=gate.alpha / 2, min_effect=0.01)
    all_rows = compare_overall(overall, golden, seed=seed)
    limits = Limits(max_drop=gate.max_drop, min_rows=gate.min_rows, alpha=gate.alpha / 2)
    slices = compare_slices(limits, golden, golden.slices, golden.metric, seed=seed)
    why = f"beside the golden version {gate.version}: {spoken(golden.metric)} {relation(all_rows, GOLDEN)}"
    why += f", the margin is {change(golden.metric, gate.margin)}"
    if slices:
        why += f"; {slices_why(slices, limits.min_rows, limits.max_drop, other=GOLDEN)}"
    failed_slices = [found for found in slices if found.verdict.value == "fail"]
    return GateResult(
        gate="golden",
        # A slice that is too small to be tested is the slice gate's to tell.
        verdict=worst([all_rows.verdict, *(found.verdict for found in failed_slices)]),
        why=why,
        evidence=evidence(slices),
        comparisons=(all_rows, *slices),
        alpha=gate.alpha,
        needed_n=all_rows.needed_rows,
        warns=gate.on_inconclusive == "warn",
    )
