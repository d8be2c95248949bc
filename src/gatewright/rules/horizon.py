"""How long will it take? Each step of a plan before it begins, and a step on its way until it concludes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from gatewright.domain.evidence import MetricEvidence
from gatewright.domain.rollout import Phase, Rollout
from gatewright.rules import shadow
from gatewright.rules.evidence import PROMOTE_ALPHA, interval_s, needed_requests, standings
from gatewright.stats import sequential, two_arms
from gatewright.stats.horizon import time_until

_END = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """What one step needs at the traffic of the plan, in seconds (infinite: it never gets there).

    `hold_s` is the hold as it will be served, `requests_s` the time for `needed_requests` of the canary, `evidence_s`
    until every metric is shown acceptable. The longest is `expected_s`; it `concludes` within `limit_s`.
    """

    step: int
    weight: float
    hold_s: float
    needed_requests: int
    requests_s: float
    evidence_s: float
    expected_s: float
    limit_s: float
    concludes: bool

    @property
    def name(self) -> str:
        """What people call it: `2 (25 %)`."""
        return f"{self.step + 1} ({self.weight:g} %)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPlan:
    """The same of step 0: `share` of the requests is copied, and it needs `needed_copies` answers to them."""

    share: float
    hold_s: float
    needed_copies: int
    copies_s: float
    expected_s: float
    limit_s: float
    concludes: bool

    @property
    def name(self) -> str:
        """What people call it."""
        return "0 (shadow)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every step of a rollout at `per_second` requests of both arms; `shadow` is step 0, where there is one."""

    per_second: float
    shadow: ShadowPlan | None
    steps: tuple[StepPlan, ...]

    @property
    def concludes(self) -> bool:
        """Whether every step can come to its conclusion before the rollout would pause as inconclusive."""
        return not self.weak

    @property
    def weak(self) -> tuple[StepPlan | ShadowPlan, ...]:
        """The steps that cannot, in their order."""
        return tuple(step for step in (self.shadow, *self.steps) if step is not None and not step.concludes)

    @property
    def expected_s(self) -> float:
        """All steps together."""
        return sum(step.expected_s for step in (self.shadow, *self.steps) if step is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Where a step is going, and in how many seconds, if all goes on as it was seen so far."""

    towards: Literal["next step", "100 %", "rollback", "pause"]
    seconds: float


def plan(rollout: Rollout, per_second: float) -> Plan:
    """How long each step of a rollout with fresh evidence will take when the canary is as good as stable's history.

    Of a step at weight w: r_c = w r and r_s = (1 - w) r requests a second of the two arms.
      hold      hold / ((1 - exp(-r_c d)) (1 - exp(-r_s d))): of looks, d seconds apart, those with both arms count
      requests  needed / r_c, needed = max(min_requests, 9 p (1 - p) / margin^2)
      evidence  the least T with mean_j exp(S_j + T g_j) >= 20 for every metric; g_j = E[log factor of alternative j] a
                second, at the bad rate p in both arms; S_j is what the steps before have gathered
    The step takes the longest of the three, in whole looks. Step 0, with r_c = share r copies a second, needs no
    evidence, and only the canary's answers make its looks count. In simulations by the real rules the median lay
    between 0.85 and 1.15 of it (tests/simulation/test_horizon.py).
    """
    found = []
    for index, step in enumerate(rollout.policy.steps):
        canary_r = per_second * step.weight / 100.0
        stable_r = per_second - canary_r
        look = interval_s(rollout.policy)
        seen = -math.expm1(-canary_r * look) * -math.expm1(-stable_r * look)
        needed = needed_requests(rollout)
        hold_s = step.hold.seconds / seen if seen else _END
        requests_s = needed / canary_r if canary_r else _END
        evidence_s = max((_acceptable_s(each, canary_r, stable_r) for each in rollout.evidence.values()), default=_END)
        longest = max(hold_s, requests_s, evidence_s)
        expected_s = _whole_looks(longest, look)
        limit_s = step.hold.seconds + rollout.policy.extension_s(step)
        found.append(
            StepPlan(
                step=index,
                weight=step.weight,
                hold_s=hold_s,
                needed_requests=needed,
                requests_s=requests_s,
                evidence_s=evidence_s,
                expected_s=expected_s,
                limit_s=limit_s,
                concludes=expected_s <= limit_s,
            )
        )
        rollout = _later(rollout, canary_r, stable_r, min(expected_s, limit_s))
    return Plan(per_second=per_second, shadow=_shadow_plan(rollout, per_second), steps=tuple(found))


def project(rollout: Rollout) -> Projection | None:
    """What the present step is heading for, from the rates and bad shares seen so far; None when nothing can be told.

    The canary's rate is that of this step. An alarm, the end of the step, or the end of patience: what comes first.
    """
    if rollout.phase is not Phase.PROGRESSING or not rollout.step_requests or not rollout.waited_s:
        return None
    step = rollout.policy.steps[rollout.step]
    canary_r = rollout.step_requests / rollout.waited_s
    stable_r = canary_r * (100.0 - step.weight) / step.weight
    alarm_s, done_s = _END, max(0.0, (needed_requests(rollout) - rollout.step_requests) / canary_r)
    if rollout.hurry is None:
        done_s = max(done_s, step.hold.seconds - rollout.held_s)
    for standing in standings(rollout):
        known = rollout.evidence[standing.metric]
        rates = (standing.canary_share, standing.stable_share, canary_r, stable_r)
        alarm_s = min(alarm_s, _until(known, "worse", rates, math.log(standing.rollback_limit)))
        if not standing.acceptable:
            done_s = max(done_s, _until(known, "acceptable", rates, math.log(standing.promote_limit)))
    patience_s = step.hold.seconds + rollout.policy.extension_s(step) - rollout.waited_s
    if alarm_s <= min(done_s, patience_s):
        return Projection(towards="rollback", seconds=alarm_s)
    if done_s <= patience_s:
        last = rollout.step + 1 == len(rollout.policy.steps)
        return Projection(towards="100 %" if last else "next step", seconds=done_s)
    return Projection(towards="pause", seconds=max(0.0, patience_s))


def _shadow_plan(rollout: Rollout, per_second: float) -> ShadowPlan | None:
    copying = rollout.policy.shadow
    if copying is None or not shadow.wanted(rollout):
        return None
    copies_r, look = per_second * copying.share, interval_s(rollout.policy)
    seen, needed = -math.expm1(-copies_r * look), rollout.policy.min_requests
    hold_s = copying.hold.seconds / seen if seen else _END
    copies_s = needed / copies_r if copies_r else _END
    expected_s, limit_s = _whole_looks(max(hold_s, copies_s), look), shadow.patience_s(rollout)
    return ShadowPlan(
        share=copying.share,
        hold_s=hold_s,
        needed_copies=needed,
        copies_s=copies_s,
        expected_s=expected_s,
        limit_s=limit_s,
        concludes=expected_s <= limit_s,
    )


def _whole_looks(seconds: float, look: float) -> float:
    return math.ceil(seconds / look) * look if seconds < _END else _END


def _acceptable_s(known: MetricEvidence, canary_r: float, stable_r: float) -> float:
    rate = _past_rate(known)
    return _until(known, "acceptable", (rate, rate, canary_r, stable_r), math.log(1.0 / PROMOTE_ALPHA))


def _until(
    known: MetricEvidence,
    direction: Literal["worse", "acceptable"],
    rates: tuple[float, float, float, float],
    limit: float,
) -> float:
    """Seconds until this e-process reaches `limit`, at (canary share, stable share, canary and stable a second)."""
    state = known.worse if direction == "worse" else known.acceptable
    if state.peak_log_e >= limit:
        return 0.0
    return time_until(state.log_e, _growth(known, direction, rates), limit, cash=state.cash)


def _growth(
    known: MetricEvidence, direction: Literal["worse", "acceptable"], rates: tuple[float, float, float, float]
) -> tuple[float, ...]:
    canary_share, stable_share, canary_r, stable_r = rates
    return two_arms.growth(
        known.worse if direction == "worse" else known.acceptable,
        canary_share,
        stable_share,
        canary_n=canary_r,
        stable_n=stable_r,
        design_effect=known.design_effect,
    )


def _past_rate(known: MetricEvidence) -> float:
    past = known.acceptable
    total = past.prior_n + past.stable_n
    return (past.prior_bad + past.stable_bad) / total if total else 0.0


def _later(rollout: Rollout, canary_r: float, stable_r: float, seconds: float) -> Rollout:
    """The rollout with the evidence for acceptance that this much time is expected to bring."""
    if not math.isfinite(seconds):
        return rollout
    evidence = {}
    for metric, known in rollout.evidence.items():
        rate = _past_rate(known)
        growth = _growth(known, "acceptable", (rate, rate, canary_r, stable_r))
        state = known.acceptable
        log_e = tuple(start + seconds * by for start, by in zip(state.log_e, growth, strict=True))
        grown = replace(state, log_e=log_e)
        peak = max(state.peak_log_e, sequential.log_e_value(grown))
        evidence[metric] = replace(known, acceptable=replace(grown, peak_log_e=peak))
    return replace(rollout, evidence=evidence)
