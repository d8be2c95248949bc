"""The slice gate: no slice drops, as far as each one's rows can tell. Also the form of the AUC gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gatewright.domain.evaluation import ALL, EvaluationReport, SliceEvidence
from gatewright.domain.gate import AucGate, Comparison, GateName, GateResult, GoldenGate, SliceGate, Verdict
from gatewright.rules.gates.harm import Harms, harms
from gatewright.rules.gates.overall import worst
from gatewright.rules.gates.words import change, counted, listed, probability, relation, spoken
from gatewright.stats.multiplicity import benjamini_hochberg, holm

SUSPECT_SHARE = 0.10
_ORDER = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a family of slices is held to."""

    max_drop: float
    min_rows: int
    alpha: float
    min_effect: float = 0.01
    power: float = 0.8

    @staticmethod
    def of(gate: SliceGate | AucGate | GoldenGate) -> Limits:
        """The limits that a gate's settings give."""
        return Limits(
            max_drop=gate.max_drop,
            min_rows=gate.min_rows,
            alpha=gate.alpha,
            min_effect=getattr(gate, "min_effect", 0.01),
            power=getattr(gate, "power", 0.8),
        )


def judge_slices(gate: SliceGate, report: EvaluationReport, *, seed: int = 0) -> GateResult:
    """Every declared slice by one-sided tests, Holm's correction over those that are large enough.

    FAIL: a slice drops by at least `min_effect` with a corrected p below alpha. A slice whose drop of `max_drop` would
    not have been found with the gate's power is INCONCLUSIVE, as is one under `min_rows`. PASS: none of either.
    Source of the correction: Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    comparisons = compare_slices(Limits.of(gate), report, report.slices, report.metric, seed=seed)
    return family_result("slices", gate, comparisons)


def judge_auc(gate: AucGate, report: EvaluationReport) -> GateResult:
    """The AUC of all rows and of every slice in which both classes occur, by DeLong's test and Holm's correction."""
    evidence = {ALL: report.overall, **report.slices}
    defined = {name: found for name, found in evidence.items() if "auc" in found.scores}
    if not defined:
        why = "AUC was not measured: the model answers no probabilities, or no slice has rows of both classes"
        return GateResult(
            gate="auc", verdict=Verdict.INCONCLUSIVE, why=why, alpha=gate.alpha, warns=gate.on_inconclusive == "warn"
        )
    comparisons = compare_slices(Limits.of(gate), report, defined, "auc")
    comparisons += [_undefined(name, found) for name, found in evidence.items() if name not in defined]
    return family_result("auc", gate, comparisons)


def compare_slices(
    limits: Limits, report: EvaluationReport, slices: Mapping[str, SliceEvidence], metric: str, *, seed: int = 0
) -> list[Comparison]:
    """A comparison for each slice: failing ones first, then those not tested that seem to drop, then by harm."""
    names = list(slices)
    if not names:
        return []
    found = harms(report, list(slices.values()), metric, level=0.90, seed=seed)
    eligible = (found.support >= limits.min_rows) & np.isfinite(found.p)
    adjusted = np.full(len(names), np.nan)
    adjusted[eligible] = holm(found.p[eligible])
    suspects = np.zeros(len(names), dtype=bool)
    suspects[eligible] = benjamini_hochberg(found.p[eligible]) < SUSPECT_SHARE
    reach = found.mde(limits.alpha / max(int(eligible.sum()), 1), limits.power)
    comparisons = [
        _compare(found, index, name, limits, bool(eligible[index]), adjusted[index], float(reach[index]))
        for index, name in enumerate(names)
    ]
    comparisons = [
        _suspected(comparison) if suspect and comparison.verdict is Verdict.PASS else comparison
        for comparison, suspect in zip(comparisons, suspects, strict=True)
    ]
    return sorted(comparisons, key=lambda comparison: (_ORDER[comparison.verdict], -_value(comparison)))


def family_result(name: GateName, gate: SliceGate | AucGate | GoldenGate, comparisons: list[Comparison]) -> GateResult:
    """The verdict over a family of slices, in words."""
    tested = [found for found in comparisons if found.p_adjusted is not None]
    verdict = worst([found.verdict for found in comparisons])
    return GateResult(
        gate=name,
        verdict=verdict,
        why=slices_why(comparisons, gate.min_rows, gate.max_drop),
        evidence=evidence(comparisons),
        comparisons=tuple(comparisons),
        alpha=gate.alpha,
        needed_n=max((found.needed_rows or 0 for found in comparisons if not _passed(found)), default=0) or None,
        warns=gate.on_inconclusive == "warn" and (bool(tested) or verdict is Verdict.INCONCLUSIVE),
    )


def slices_why(
    comparisons: Sequence[Comparison], min_rows: int, max_drop: float, *, other: str = "the baseline's"
) -> str:
    """Which slices fail, which could not be tested, and which comes nearest to failing."""
    tested = [found for found in comparisons if found.p_adjusted is not None]
    failed = [found for found in comparisons if found.verdict is Verdict.FAIL]
    weak = [found for found in comparisons if found.verdict is Verdict.INCONCLUSIVE]
    if not tested:
        if not weak:
            return "there is no slice to test"
        small = all(found.rows < min_rows for found in weak)
        why = f"no slice has {min_rows} rows" if small else f"{spoken(weak[0].metric)} could be tested on no slice"
        return f"{why}; not tested: {listed([found.slice for found in weak])}"
    limit = change(tested[0].metric, max_drop)
    if failed:
        drop = "drops" if len(failed) == 1 else "drop"
        start = f"{len(failed)} of {counted(len(tested), 'slice')} {drop} significantly"
        start += f"; the worst is {_named(failed[0], other)}"
    else:
        worst_one = max(tested, key=_value)
        start = f"none of {counted(len(tested), 'slice')} drops significantly; the worst is {_named(worst_one, other)}"
    if not weak:
        return start if failed else f"{start}; a drop of {limit} would have been found in each"
    dropping = [found for found in weak if _value(found) > max_drop]
    told = f"{start}; {counted(len(weak), 'slice')} could not be tested for a drop of {limit}: "
    told += listed([found.slice for found in weak])
    if dropping:
        told += f"; of these {dropping[0].slice} seems to drop by {change(dropping[0].metric, _value(dropping[0]))}"
    return told


def evidence(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Counts of what was tested, and the names that a reader looks for first."""
    return {
        "tested": sum(found.p_adjusted is not None for found in comparisons),
        "failed": [found.slice for found in comparisons if found.verdict is Verdict.FAIL],
        "not_tested": [found.slice for found in comparisons if found.verdict is Verdict.INCONCLUSIVE],
        "suspected": [found.slice for found in comparisons if found.note.startswith("suspected")],
    }


def _compare(
    found: Harms, index: int, name: str, limits: Limits, eligible: bool, adjusted: float, reach: float
) -> Comparison:
    value = float(found.value[index])
    more: dict[str, object] = {"limit": limits.max_drop, "alpha": limits.alpha}
    if not eligible:
        small = float(found.support[index]) < limits.min_rows
        kind = "rows" if found.effective is None else "effective rows"
        note = f"under {limits.min_rows} {kind}" if small else f"{spoken(found.metric.name)} is not defined here"
        needed = _rows_for(found, index, limits, reach) if small else None
        more["needed_rows"] = max(needed, limits.min_rows) if needed is not None else None
        return found.comparison(index, name, Verdict.INCONCLUSIVE, note=note, **more)
    more |= {"p_adjusted": float(adjusted), "mde": reach if np.isfinite(reach) else None}
    if adjusted < limits.alpha and value >= limits.min_effect:
        return found.comparison(index, name, Verdict.FAIL, note="drops significantly", **more)
    if reach > limits.max_drop or value > limits.max_drop:
        more["needed_rows"] = _rows_for(found, index, limits, reach)
        note = f"a drop of {change(found.metric.name, limits.max_drop)} would be found from about "
        note += f"{more['needed_rows']:,} rows" if more["needed_rows"] else "many more rows"
        return found.comparison(index, name, Verdict.INCONCLUSIVE, note=note, **more)
    return found.comparison(index, name, Verdict.PASS, **more)


def _rows_for(found: Harms, index: int, limits: Limits, reach: float) -> int | None:
    """Rows at which the smallest drop that is found shrinks to `max_drop`: it falls with the rows' square root."""
    needed = int(found.rows[index]) * max(reach / limits.max_drop, 1.0) ** 2 if limits.max_drop else np.inf
    return int(np.ceil(needed)) if needed <= 1e9 else None


def _suspected(found: Comparison) -> Comparison:
    return replace(found, note="suspected: among the slices of which at most 10 % are expected to be false alarms")


def _undefined(name: str, found: SliceEvidence) -> Comparison:
    note = "only one class occurs"
    return Comparison(metric="auc", slice=name, rows=found.rows, verdict=Verdict.INCONCLUSIVE, note=note)


def _named(found: Comparison, other: str) -> str:
    p = f" (Holm {probability(found.p_adjusted)}, {found.rows:,} rows)" if found.p_adjusted is not None else ""
    return f"{found.slice}: {relation(found, other)}{p}"


def _value(found: Comparison) -> float:
    return found.harm.value if found.harm is not None else -np.inf


def _passed(found: Comparison) -> bool:
    return found.verdict is Verdict.PASS
