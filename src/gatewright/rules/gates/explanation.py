"""Why each gate decided as it did, and what would change that, in words."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.domain.gate import Comparison, GateName, GateResult, Judgement, Verdict
from gatewright.rules.gates.words import change, counted, listed, probability, shown, spoken

_MOST = 5
_QUESTIONS: dict[GateName, str] = {
    "overall": "Is the candidate worse than the baseline by more than the margin, on all rows?",
    "slices": "Does any declared slice drop?",
    "fairness": "Is a gap between groups too wide, or wider than before?",
    "latency": "Does the 99th percentile of a prediction's time keep the SLA?",
    "golden": "Is the candidate worse than the pinned golden version?",
    "auc": "Does the AUC of all rows or of any slice drop?",
    "calibration": "Are the predicted probabilities as often right as they say?",
}
_RULES: dict[GateName, str] = {
    "overall": "Passes when the one-sided upper confidence bound of the drop (Tango's interval of paired proportions, "
    "or the paired z interval of a mean) is below the margin; fails when the measured drop is above it and no chance "
    "(p below half of alpha), when the floor is broken, or, without allow_small_regression, when a drop of min_effect "
    "or more is significant.",
    "slices": "One-sided test on the rows of each slice (of accuracy mid-p McNemar, of other metrics paired z), Holm's "
    "correction over all of them. Fails when a slice drops by min_effect or more with a corrected p below alpha; "
    "passes when none does and a drop of max_drop would have been found in each.",
    "fairness": "Fails when a gap is above its cap, or when it grew by max_worsening or more with a corrected p below "
    "alpha (paired bootstrap by group, Holm over attributes and metrics); passes when a growth of worsening_margin is "
    "excluded.",
    "latency": "Passes when the one-sided 95 % upper bound of p99 is within the SLA; fails when p99 itself is above.",
    "golden": "The rules of the overall and the slice gate, against the golden version, at half of alpha each.",
    "auc": "DeLong's test on all rows and on each slice, Holm's correction over them; else as the slice gate.",
    "calibration": "Fails when the expected calibration error is above its cap, or grew by more than max_worsening, "
    "significantly (bootstrap).",
}
_POINT_RULE = "Arithmetic on the measured numbers (mode: point): nothing is said about chance."


def explained(judgement: Judgement) -> Iterator[str]:
    """Paragraphs, gate by gate: the question, the rule, the verdict with its reason, and what would change it."""
    for index, result in enumerate(judgement.results):
        if index:
            yield ""
        yield from _gate(result, judgement.mode, goes_on=judgement.verdict is Verdict.PASS)
    if judgement.skipped:
        yield ""
        yield f"Left out by request: {', '.join(judgement.skipped)}. Nothing is known of what they check."
    if judgement.a_a is not None:
        yield ""
        yield (
            f"If nothing had changed, these gates together would have failed at most {judgement.a_a:.1%} of such runs "
            "(answers of both models swapped row by row at random, 1,000 times)."
        )


def _gate(result: GateResult, mode: str, *, goes_on: bool) -> Iterator[str]:
    yield f"{result.gate}: {result.verdict.upper()}"
    yield f"  asks     {_QUESTIONS[result.gate]}"
    yield f"  rule     {_RULES[result.gate] if mode == 'statistical' else _POINT_RULE}"
    yield f"  because  {result.why}"
    for text in _changes(result, goes_on=goes_on):
        yield f"  change   {text}"
    if result.a_a is not None:
        yield f"  chance   it would fail {result.a_a:.1%} of such runs if nothing had changed"


def _changes(result: GateResult, *, goes_on: bool) -> Iterator[str]:
    """What would lead to another verdict."""
    failed = [found for found in result.comparisons if found.verdict is Verdict.FAIL and not found.waived_by]
    weak = [found for found in result.comparisons if found.verdict is Verdict.INCONCLUSIVE and not found.waived_by]
    for found in failed[:_MOST]:
        yield _until(found)
    if len(failed) > _MOST:
        yield f"and {len(failed) - _MOST} more that fail: {listed([found.slice for found in failed[_MOST:]])}"
    told = [found for found in weak if found.needed_rows]
    for found in sorted(told, key=lambda found: found.needed_rows or 0)[:_MOST]:
        yield (
            f"{found.slice}: {found.rows:,} rows tell drops of {shown(found.mde)} or more; about {found.needed_rows:,} "
            "rows would decide"
            if found.mde is not None
            else f"{found.slice}: {counted(found.rows, 'row')}, about {found.needed_rows:,} would decide"
        )
    if len(told) > _MOST:
        yield f"and {len(told) - _MOST} more with too few rows; the report lists them"
    if result.verdict is Verdict.INCONCLUSIVE and result.warns:
        then = "so the run goes on" if goes_on else "and does not stop the run by itself"
        yield f"it only warns (on_inconclusive: warn), {then}; block would stop it with exit code 3"
    if result.verdict is Verdict.PASS and not failed and not weak:
        yield from _nearest(result)


def _until(found: Comparison) -> str:
    if found.kind == "level":
        side = "at most" if found.candidate is not None and found.candidate > (found.limit or 0.0) else "at least"
        name = f"{found.slice}: {spoken(found.metric)}"
        return f"{name} would have to be {side} {shown(found.limit)}; it is {shown(found.candidate)}"
    harm = found.harm.value if found.harm else 0.0
    told = f"{found.slice}: worse by {change(found.metric, harm)}"
    if found.p_adjusted is not None and found.alpha is not None:
        told += f", corrected {probability(found.p_adjusted)} against alpha {shown(found.alpha)}"
    return f"{told}; mend the data or the model there, or let somebody answer for it in gates.waivers"


def _nearest(result: GateResult) -> Iterator[str]:
    """The comparison that comes nearest to failing, of a gate that passed."""
    near = [found for found in result.comparisons if found.harm is not None and found.limit]
    if not near:
        return
    found = max(near, key=lambda one: one.harm.high / one.limit if one.harm and one.limit else 0.0)
    assert found.harm is not None
    assert found.limit is not None
    yield (
        f"nearest to its limit is {found.slice}: the bound is {change(found.metric, found.harm.high)}, "
        f"{change(found.metric, found.limit)} is allowed"
    )
