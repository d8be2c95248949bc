"""What has live traffic shown so far? Blocks of observations → the evidence that a decision rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gatewright.domain.evidence import LIVE_METRICS, Block, History, LiveMetric, MetricEvidence, Observation
from gatewright.domain.rollout import ALMOST_FULL, FULL, Phase, Rollout, RolloutPolicy, World
from gatewright.domain.share import HALF_A_PART
from gatewright.rules import drift, labels, live_slices, shadow, share, stable
from gatewright.stats import breaker, confidence, crowd, durations, sequential, two_arms
from gatewright.stats.confidence import Interval

SHARE_OF_ALPHA: Mapping[LiveMetric, float] = {"errors": 0.3, "latency": 0.2, "quality": 0.3}
PROMOTE_ALPHA = 0.05
BREAKER_ALPHA = 0.001
LUCK = 3.5  # standard deviations of the luck with the users that no rollback is made of: one in 4,300 is beyond
_WIDEST = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One metric's evidence against its limits: e-values, and whether each limit has been reached.

    `difference`, where it is `shown`, is canary minus stable with an interval that holds at every look. With
    `by_reward` the shares are what was lost of the largest reward: 1 - mean reward.
    """

    metric: LiveMetric
    e_rollback: float
    rollback_limit: float
    degraded: bool
    e_promote: float
    promote_limit: float
    acceptable: bool
    canary_share: float
    stable_share: float
    difference: Interval | None = None
    by_reward: bool = False


def begin(rollout: Rollout, history: History) -> Rollout:
    """Freeze margins and the latency limit from stable's history; no evidence yet."""
    counts: dict[LiveMetric, tuple[float, int]] = {
        "errors": (history.errors, history.requests),
        "latency": (history.slow, history.requests),
        "quality": (history.wrong, history.labelled),
    }
    evidence: dict[LiveMetric, MetricEvidence] = {}
    for metric in observed_metrics(rollout.policy):
        bad, n = counts[metric]
        worse, acceptable = _margins(rollout.policy, metric, bad / n if n else 0.0)
        squares = history.wrong_squares if metric == "quality" and by_reward(rollout.policy) else None
        evidence[metric] = MetricEvidence(
            worse=two_arms.start("worse", worse, bad, n, squares),
            acceptable=two_arms.start("acceptable", acceptable, bad, n, squares),
            design_effect=history.design_effects.get(metric, 1.0),
        )
    return replace(rollout, evidence=evidence, slow_after_ms=history.slow_after_ms)


def observed_metrics(policy: RolloutPolicy) -> tuple[LiveMetric, ...]:
    """The metrics that a rollout has to observe: quality only where labels are expected."""
    return (*LIVE_METRICS, "quality") if policy.quality else LIVE_METRICS


def by_reward(policy: RolloutPolicy) -> bool:
    """Whether quality is told by rewards instead of labels."""
    return policy.quality is not None and policy.quality.by == "reward"


def _margins(policy: RolloutPolicy, metric: LiveMetric, rate: float) -> tuple[float, float]:
    """For a rollback and for a promotion; only those of errors grow with stable's own rate."""
    if metric == "errors":
        return (
            sequential.rollback_margin(rate, policy.errors.rollback_margin),
            sequential.promote_margin(rate, policy.errors.promote_margin),
        )
    margins = policy.latency if metric == "latency" or policy.quality is None else policy.quality
    return margins.rollback_margin, margins.promote_margin


def absorb(rollout: Rollout, world: World, cursor: str, now: datetime) -> Rollout:
    """The rollout with this look's observations, and with the time that may count.

    A look that failed teaches nothing, and its cursor is not taken over: what it read is read again. Hold time is
    served only in looks that were `fresh`, and in a step that needs labels while they come; a late tick adds at most
    two ticks, so that a jump of the clock cannot skip a hold. A paused rollout learns, but serves no hold. While stable
    does not answer only the breaker learns.
    """
    observations = () if world.source_error else world.observations
    compared = stable.comparable(rollout, world)
    evidence = dict(rollout.evidence)
    for observation in observations if compared else ():
        if observation.metric in evidence:
            evidence[observation.metric] = _updated(evidence[observation.metric], observation)
    blocks = [(seen, seen.block) for seen in observations if seen.metric == "errors" and isinstance(seen.block, Block)]
    here = sum(block.canary_n for seen, block in blocks if compared and _here(rollout, seen))
    elapsed = _elapsed(rollout, now)
    climbing = rollout.phase in (Phase.PENDING, Phase.SHADOWING, Phase.PROGRESSING)
    blind = is_blind(rollout, world)
    age = labels.age_s(rollout, observations, elapsed)
    serves = (
        climbing and fresh(rollout, world) and not labels.hold_stands_still(rollout, age, interval_s(rollout.policy))
    )
    return replace(
        rollout,
        evidence=evidence,
        drift=drift.absorb(rollout, world) if compared else rollout.drift,
        slices=live_slices.absorb(rollout, world) if compared else rollout.slices,
        shadow=shadow.absorb(rollout, world) if compared else rollout.shadow,
        share=share.absorb(rollout, world, now) if compared else rollout.share,
        durations=durations.added(rollout.durations, world.durations) if world.durations else rollout.durations,
        breaker_log_e=_breaker(rollout, [block for _, block in blocks]),
        cursor=rollout.cursor if world.source_error else cursor,
        ticked_at=now,
        requests=rollout.requests + sum(block.canary_n for _, block in blocks),
        step_requests=rollout.step_requests + here,
        held_s=rollout.held_s + (elapsed if serves else 0.0),
        waited_s=rollout.waited_s + (elapsed if climbing and not blind else 0.0),
        blind_s=rollout.blind_s + elapsed if blind else 0.0,
        labels_age_s=age,
    )


def verified(rollout: Rollout, world: World) -> bool:
    """Whether the traffic read back shows the weight that was asked for, to the nearest of 10,000 parts, and copies."""
    observed = world.traffic.weight
    if observed is None or (observed > 0) != (rollout.weight > 0):
        return False
    copies = (world.traffic.mirror > 0) == (rollout.mirror > 0)
    return _same_weight(observed, rollout.weight) and copies


def is_blind(rollout: Rollout, world: World) -> bool:
    """Whether this look could not tell how the rollout fares: no answer, or not at the weight it should have."""
    return bool(world.source_error) or not verified(rollout, world)


def fresh(rollout: Rollout, world: World) -> bool:
    """Whether this look saw both arms answer requests that were routed under the present weight, or copies of them."""
    if is_blind(rollout, world) or not stable.comparable(rollout, world):
        return False
    if rollout.phase is Phase.SHADOWING:
        return shadow.fresh(rollout, world)
    blocks = [seen.block for seen in world.observations if seen.metric == "errors" and _here(rollout, seen)]
    return any(block.canary_n for block in blocks) and any(block.stable_n for block in blocks)


def interval_s(policy: RolloutPolicy) -> float:
    """Seconds from one look to the next: the breaker looks at least as often as the steps."""
    return min(policy.tick.seconds, policy.breaker.tick.seconds)


def missing(rollout: Rollout, *, hold: bool = True, proof: bool = True) -> tuple[str, ...]:
    """What still keeps this step from being finished, in words; a metric that nobody looks at is missing too.

    Without `hold` the time served does not matter; without `proof` the requests that were asked for are enough, however
    little they prove.
    """
    step = rollout.policy.steps[rollout.step]
    found = []
    if hold and rollout.held_s < step.hold.seconds:
        found.append(f"hold {rollout.held_s:.0f} of {step.hold.seconds:.0f} s")
        if labels.hold_stands_still(rollout, rollout.labels_age_s, interval_s(rollout.policy)):
            found.append(labels.in_words(rollout))
    needed = needed_requests(rollout) if proof else rollout.policy.min_requests
    if rollout.step_requests < needed:
        found.append(f"{rollout.step_requests} of {needed} canary requests")
    gating = _gating(rollout)
    found.extend(f"{metric} not observed" for metric in gating if metric not in rollout.evidence)
    found.extend(drift.missing(rollout))
    if "quality" in gating and "quality" in rollout.evidence:
        found.extend(_labels_missing(rollout, rollout.evidence["quality"]))
    if rollout.at_last_step:
        found.extend(live_slices.missing(rollout))
    found.extend(
        f"{standing.metric} not yet shown acceptable (e {standing.e_promote:.3g} of {standing.promote_limit:.0f})"
        for standing in standings(rollout)
        if proof and standing.metric in gating and not standing.acceptable
    )
    return tuple(found)


def _gating(rollout: Rollout) -> tuple[LiveMetric, ...]:
    """The metrics that must be acceptable for this step to end: labels have time until the last one."""
    return observed_metrics(rollout.policy) if rollout.at_last_step else LIVE_METRICS


def _labels_missing(rollout: Rollout, evidence: MetricEvidence) -> tuple[str, ...]:
    found, needed = evidence.worse.canary_n * evidence.design_effect, _needed(rollout.policy, evidence)
    return (f"{found:.0f} of {needed} labels of canary answers",) if round(found) < needed else ()


def standings(rollout: Rollout) -> tuple[Standing, ...]:
    """Every metric's evidence against its limits."""
    metrics = observed_metrics(rollout.policy)
    return tuple(
        _standing(rollout, metric, rollout.evidence[metric]) for metric in metrics if metric in rollout.evidence
    )


def shown(rollout: Rollout) -> tuple[Standing, ...]:
    """The standings with their differences: an interval takes longer than all the rest, and decides nothing."""
    return tuple(
        replace(each, difference=confidence.difference(rollout.evidence[each.metric].difference))
        for each in standings(rollout)
    )


def breaker_tripped(rollout: Rollout) -> bool:
    """Whether the canary's error share is above its absolute limit, at α .001 of its own."""
    return _tripped(rollout.breaker_log_e)


def needed_requests(rollout: Rollout) -> int:
    """Canary requests that a step needs: the floor, or 9p(1-p)/margin² of the promote margin, whichever is more."""
    needs = (_needed(rollout.policy, rollout.evidence[metric]) for metric in LIVE_METRICS if metric in rollout.evidence)
    return max(needs, default=rollout.policy.min_requests)


def _needed(policy: RolloutPolicy, evidence: MetricEvidence) -> int:
    return two_arms.enough(evidence.acceptable, policy.min_requests)


def _standing(rollout: Rollout, metric: LiveMetric, evidence: MetricEvidence) -> Standing:
    alpha = SHARE_OF_ALPHA[metric] * rollout.policy.alpha
    worse = evidence.worse
    return Standing(
        metric=metric,
        e_rollback=_exp(sequential.log_e_value(worse)),
        rollback_limit=1 / alpha,
        degraded=sequential.alarmed(worse, alpha),
        e_promote=_exp(evidence.acceptable.peak_log_e),
        promote_limit=1 / PROMOTE_ALPHA,
        acceptable=sequential.alarmed(evidence.acceptable, PROMOTE_ALPHA),
        canary_share=worse.canary_bad / worse.canary_n if worse.canary_n else 0.0,
        stable_share=worse.stable_bad / worse.stable_n if worse.stable_n else 0.0,
        by_reward=worse.squares is not None,
    )


def _updated(evidence: MetricEvidence, observation: Observation) -> MetricEvidence:
    """The evidence after one more block; its margin for a rollback is wider by what luck with the users can do.

    How much that is, the blocks before have shown: so the null of this block stands before its outcome is known.
    """
    effect, frozen = evidence.design_effect, evidence.worse.margin
    luck = crowd.luck(evidence.groups, observation.weight / FULL, effect)
    wider = replace(evidence.worse, margin=min(frozen + LUCK * luck, _WIDEST))
    return replace(
        evidence,
        worse=replace(two_arms.update(wider, observation.block, effect), margin=frozen),
        acceptable=two_arms.update(evidence.acceptable, observation.block, effect),
        difference=confidence.update(evidence.difference, evidence.worse, observation.block, effect),
        groups=crowd.added(evidence.groups, observation.groups),
    )


def _breaker(rollout: Rollout, blocks: Iterable[Block]) -> tuple[float, ...]:
    """The breaker after these blocks; once tripped it stays so, whatever the rest of the look shows."""
    state = rollout.breaker_log_e
    effect = rollout.evidence["errors"].design_effect if "errors" in rollout.evidence else 1.0
    for block in blocks:
        if not _tripped(state):
            limit = rollout.policy.breaker.max_error_share
            state = breaker.update(state, block.canary_n, block.canary_bad, limit, effect)
    return state


def _tripped(state: tuple[float, ...]) -> bool:
    return breaker.log_e_value(state) >= -math.log(BREAKER_ALPHA)


def _here(rollout: Rollout, observation: Observation) -> bool:
    return _same_weight(observation.weight, rollout.weight)


def _same_weight(one: float, other: float) -> bool:
    return abs(min(one, ALMOST_FULL) - min(other, ALMOST_FULL)) <= HALF_A_PART


def _elapsed(rollout: Rollout, now: datetime) -> float:
    if rollout.ticked_at is None:
        return 0.0
    return min(max((now - rollout.ticked_at).total_seconds(), 0.0), 2 * rollout.policy.tick.seconds)


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))
