"""The fairness gate: each gap between groups keeps its cap, and is not worse than the baseline's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gatewright.domain.evaluation import Arm, EvaluationReport
from gatewright.domain.gate import Comparison, Estimate, FairnessGate, GateResult, Verdict
from gatewright.domain.metrics import FairnessMetric
from gatewright.rules.gates.overall import worst
from gatewright.rules.gates.resampling import counts_of, drawn, large_enough
from gatewright.rules.gates.words import beside, listed, probability, shown, spoken
from gatewright.rules.measuring.metrics import Outcomes, Rate
from gatewright.stats.bootstrap import one_sided_p, percentile_bounds
from gatewright.stats.multiplicity import holm

Floats = NDArray[np.float64]
Counts = NDArray[np.int64] | NDArray[np.float64]
LEVEL = 0.90
_RATES: Mapping[FairnessMetric, tuple[Rate, ...]] = {
    "demographic_parity_difference": ("selection_rate",),
    "demographic_parity_ratio": ("selection_rate",),
    "equal_opportunity_difference": ("true_positive_rate",),
    "equalized_odds_difference": ("true_positive_rate", "false_positive_rate"),
}
_LEAST_DRAWS, _MOST_DRAWS = 1000, 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One gap of one attribute: `samples` are bootstrap draws of its worsening, (B,); None without a baseline."""

    attribute: str
    metric: FairnessMetric
    rows: int
    candidate: float
    baseline: float | None
    groups: str
    samples: Floats | None = None

    @property
    def worsening(self) -> float:
        """How much larger than the baseline's it is; NaN without one."""
        return self.candidate - self.baseline if self.baseline is not None else float("nan")


def judge_fairness(gate: FairnessGate, report: EvaluationReport, *, seed: int = 0) -> GateResult:
    """Every attribute and metric: a gap above the cap fails, and so does a worsening that is significant and at least
    `max_worsening`. A worsening of `worsening_margin` or more must be excluded by its one-sided 95 % upper bound.

    The worsening is bootstrapped by group (multinomial over the cells, both models together); Holm's correction over
    attributes × metrics. Groups under `min_rows` rows are left out and named. Gaps as in Agarwal et al. (2018) and
    Hardt, Price, Srebro (2016): largest minus smallest rate of the groups.
    """
    gaps = list(measured_gaps(gate, report, seed))
    left_out = small_groups(report, gate.min_rows)
    unknown = _unknown(gate, report, gaps)
    warns = gate.on_inconclusive == "warn"
    if not gaps:
        told = f"no fairness attribute has two groups of {gate.min_rows} rows"
        if not report.outcomes:
            told = f"a {report.task} model answers no classes, and selects nobody"
        elif unknown and not left_out:
            told = f"{_named(unknown)} is not defined in two groups"
        why = f"no gap is known: {told}; declare fairness.attributes, or set gates: {{fairness: none}}"
        return _result(gate, Verdict.INCONCLUSIVE, why, tuple(unknown), left_out, warns=warns)
    caps = [_cap(gate, gap) for gap in gaps]
    changes = _changes(gate, gaps)
    verdict = worst([found.verdict for found in (*caps, *unknown, *changes)])
    reasons = [_cap_told(gate, caps, gaps), *_changes_told(gate, changes), *_left_out_told(left_out)]
    if unknown:
        reasons.append(f"no gap is known of {_named(unknown)}: fewer than two groups of {gate.min_rows} rows have it")
    open_changes = not unknown or any(found.verdict is Verdict.INCONCLUSIVE for found in changes)
    warns = (warns or not unknown) and (gate.on_inconclusive_change == "warn" or not open_changes)
    return _result(gate, verdict, "; ".join(reasons), (*caps, *unknown, *changes), left_out, warns=warns)


def measured_gaps(gate: FairnessGate, report: EvaluationReport, seed: int) -> Iterator[Gap]:
    """Every gap that two groups of enough rows define."""
    if not report.outcomes:
        return
    outcomes = Outcomes.of(report)
    has_baseline = report.baseline_digest is not None
    draws = _draws(gate, report)
    rng = np.random.default_rng(seed)
    for attribute, groups in report.groups.items():
        names = [name for name, found in groups.items() if large_enough(found, gate.min_rows)]
        counts = counts_of(groups, names, len(report.outcomes))
        resampled = drawn(groups, names, counts, draws, rng) if has_baseline and len(names) > 1 else None
        for metric in gate.metrics if len(names) > 1 else ():
            candidate = outcomes.gap(metric, counts, "candidate")
            if not np.isfinite(candidate) or not _in_two_groups(outcomes, metric, counts):
                continue
            samples = None
            if resampled is not None:
                samples = outcomes.gap(metric, resampled, "candidate") - outcomes.gap(metric, resampled, "baseline")
                samples = samples[np.isfinite(samples)]
            yield Gap(
                attribute=attribute,
                metric=metric,
                rows=sum(groups[name].rows for name in names),
                candidate=float(candidate),
                baseline=_finite(outcomes.gap(metric, counts, "baseline")) if has_baseline else None,
                groups=_furthest(outcomes, metric, counts, names, "candidate"),
                samples=samples,
            )


def _in_two_groups(outcomes: Outcomes, metric: FairnessMetric, counts: Counts) -> bool:
    """Whether one of the rates has two groups to compare: one group alone has no gap."""
    return any(np.isfinite(outcomes.rate(rate, counts, "candidate")).sum() > 1 for rate in _RATES[metric])


def _unknown(gate: FairnessGate, report: EvaluationReport, gaps: Sequence[Gap]) -> list[Comparison]:
    """Every attribute and metric without a gap: nothing is known of it, and no other one stands for it."""
    known = {(gap.attribute, gap.metric) for gap in gaps}
    return [
        Comparison(
            metric=metric,
            slice=attribute,
            rows=sum(found.rows for found in groups.values() if large_enough(found, gate.min_rows)),
            verdict=Verdict.INCONCLUSIVE,
            kind="level",
            limit=gate.max,
            note="not defined in two groups that are large enough",
        )
        for attribute, groups in report.groups.items()
        for metric in gate.metrics
        if (attribute, metric) not in known
    ]


def _named(unknown: Sequence[Comparison]) -> str:
    return listed([f"{spoken(found.metric)} of {found.slice}" for found in unknown])


def small_groups(report: EvaluationReport, min_rows: int) -> tuple[str, ...]:
    """Groups that are left out, as `RAC1P=3`."""
    return tuple(
        f"{attribute}={name}"
        for attribute, groups in report.groups.items()
        for name, found in groups.items()
        if not large_enough(found, min_rows)
    )


def _draws(gate: FairnessGate, report: EvaluationReport) -> int:
    """Enough for the smallest level that Holm asks for."""
    family = max(len(report.groups) * len(gate.metrics), 1)
    return min(max(_LEAST_DRAWS, ceil(10 * family / gate.alpha)), _MOST_DRAWS)


def _cap(gate: FairnessGate, gap: Gap) -> Comparison:
    over = gap.candidate > gate.max
    was_over = gap.baseline is not None and gap.baseline > gate.max
    tolerated = over and gate.already_over == "ratchet" and was_over and not gap.worsening > 0
    note = f"between {gap.groups}"
    return Comparison(
        metric=gap.metric,
        slice=gap.attribute,
        rows=gap.rows,
        verdict=Verdict.FAIL if over and not tolerated else Verdict.PASS,
        kind="level",
        candidate=gap.candidate,
        baseline=gap.baseline,
        limit=gate.max,
        note=f"{note}; above the cap as the baseline's is, and not worse" if tolerated else note,
    )


def _changes(gate: FairnessGate, gaps: Sequence[Gap]) -> list[Comparison]:
    compared = [
        (gap, gap.samples)
        for gap in gaps
        if gap.samples is not None and gap.samples.size and np.isfinite(gap.worsening)
    ]
    known = [gap.metric + gap.attribute for gap, _ in compared]
    p = np.array([float(one_sided_p(samples, gap.worsening)) for gap, samples in compared])
    untold = [gap for gap in gaps if gap.samples is not None and gap.metric + gap.attribute not in known]
    return [
        *(
            _change(gate, gap, samples, float(one), float(both))
            for (gap, samples), one, both in zip(compared, p, holm(p), strict=True)
        ),
        *(_untold(gate, gap) for gap in untold),
    ]


def _untold(gate: FairnessGate, gap: Gap) -> Comparison:
    """The baseline has no such gap: of a ratio, it selects nobody."""
    return Comparison(
        metric=gap.metric,
        slice=gap.attribute,
        rows=gap.rows,
        verdict=Verdict.INCONCLUSIVE,
        candidate=gap.candidate,
        limit=gate.worsening_margin,
        alpha=gate.alpha,
        note="the baseline has no such gap: its change cannot be told",
    )


def _change(gate: FairnessGate, gap: Gap, samples: Floats, p: float, adjusted: float) -> Comparison:
    low, high = (float(bound) for bound in percentile_bounds(samples, level=LEVEL))
    found = Comparison(
        metric=gap.metric,
        slice=gap.attribute,
        rows=gap.rows,
        verdict=Verdict.PASS,
        candidate=gap.candidate,
        baseline=gap.baseline,
        harm=Estimate(
            value=gap.worsening, low=low, high=high, level=LEVEL, n=gap.rows, method="bootstrap by group, percentile"
        ),
        limit=gate.worsening_margin,
        p=p,
        p_adjusted=adjusted,
        alpha=gate.alpha,
        note=f"between {gap.groups}",
    )
    if adjusted < gate.alpha and gap.worsening >= gate.max_worsening:
        return replace(found, verdict=Verdict.FAIL, note="the gap grows significantly")
    if high > gate.worsening_margin:
        left = gate.worsening_margin - max(gap.worsening, 0.0)
        needed = gap.rows * ((high - gap.worsening) / left) ** 2 if left > 0 else np.inf
        rows = ceil(needed) if needed <= 1e9 else None
        return replace(found, verdict=Verdict.INCONCLUSIVE, needed_rows=rows, note="the margin is not excluded")
    return found


def _cap_told(gate: FairnessGate, caps: Sequence[Comparison], gaps: Sequence[Gap]) -> str:
    pairs = zip(caps, gaps, strict=True)
    widest, gap = max(pairs, key=lambda pair: (pair[0].verdict is Verdict.FAIL, pair[1].candidate))
    side = "above" if gap.candidate > gate.max else "within"
    told = f"{spoken(gap.metric)} of {gap.attribute} {shown(gap.candidate)} ({gap.groups}) is {side} the cap of "
    told += shown(gate.max)
    tolerated = side == "above" and widest.verdict is Verdict.PASS
    return f"{told}, but not worse than the baseline's {shown(gap.baseline)} (ratchet)" if tolerated else told


def _changes_told(gate: FairnessGate, changes: Sequence[Comparison]) -> Iterator[str]:
    if untold := [found for found in changes if found.harm is None]:
        yield f"the change of {_named(untold)} cannot be told: the baseline has no such gap"
    changes = [found for found in changes if found.harm is not None]
    if not changes:
        return
    order = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}
    found = min(changes, key=lambda one: (order[one.verdict], -(one.harm.value if one.harm else 0.0)))
    assert found.harm is not None
    name = f"{found.slice}'s" if len(changes) > 1 else "it"
    verb = f"{name} {spoken(found.metric)} is" if len(changes) > 1 else "it is"
    value = found.harm.value
    side = beside(value, found.baseline)
    margin = shown(gate.worsening_margin)
    match found.verdict:
        case Verdict.FAIL:
            yield f"{verb} {side}: a significant worsening (Holm {probability(found.p_adjusted)})"
        case Verdict.INCONCLUSIVE:
            rows = f"about {found.needed_rows:,} rows would decide" if found.needed_rows else "more rows are needed"
            yield f"{verb} {side}, and may be up to {shown(found.harm.high)} worse: {margin} is not excluded; {rows}"
        case _:
            yield f"{verb} {side}; a worsening of {margin} is excluded (95 % bound {shown(found.harm.high)})"


def _finite(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None


def _left_out_told(left_out: Sequence[str]) -> Iterator[str]:
    if left_out:
        yield f"groups left out as too small: {listed(left_out)}"


def _furthest(outcomes: Outcomes, metric: FairnessMetric, counts: Counts, names: Sequence[str], arm: Arm) -> str:
    """The two groups that are furthest apart: `1 and 2`."""
    candidates = (outcomes.rate(rate, counts, arm) for rate in _RATES[metric])
    defined = [rates for rates in candidates if np.isfinite(rates).any()]
    rates = max(defined, key=lambda found: float(np.nanmax(found) - np.nanmin(found)))
    return f"{names[int(np.nanargmax(rates))]} and {names[int(np.nanargmin(rates))]}"


def _result(
    gate: FairnessGate,
    verdict: Verdict,
    why: str,
    comparisons: tuple[Comparison, ...],
    left_out: tuple[str, ...],
    *,
    warns: bool,
) -> GateResult:
    return GateResult(
        gate="fairness",
        verdict=verdict,
        why=why,
        evidence={"groups_left_out": list(left_out)},
        comparisons=comparisons,
        alpha=gate.alpha,
        needed_n=max((found.needed_rows or 0 for found in comparisons), default=0) or None,
        warns=warns,
    )
