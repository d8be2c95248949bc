"""Is the canary worse in one of the declared slices? Blocks of slices → evidence, mixed over all of them.

Of each slice two things are compared between the arms, each by a block e-process at twice the margin of its metric:
wrong answers, where labels are expected, and requests on which the model itself failed. The mean of all is one
e-process: the null says that no slice of the canary is worse, under it each part is a test supermartingale with respect
to the looks, and so is their mean, however much slices overlap. It is compared with its limit only at the end of a
look, because within one the parts depend on each other.

The slices are chosen once, from what stable answered before, and none is added later: a mean over parts that come and
go would be no supermartingale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gatewright.domain.evidence import (
    BlockEvidence,
    MetricEvidence,
    MixedEvidence,
    PastSlice,
    PastSlices,
    SliceKey,
    SliceMetric,
    SlicesEvidence,
)
from gatewright.domain.rollout import LiveSlice, Rollout, World
from gatewright.stats import drift, sequential, two_arms

SHARE_OF_ALPHA = 0.1
WIDER = 2.0
FEWEST_ANSWERS = 300
MOST_SLICES = 50
_LEAST_OF_A_SLICE = 10
_BORROWED = 20.0  # requests at the rate of all slices, so that the first few of a slice do not set its rate alone
_WIDEST = 0.99
_METRICS: tuple[SliceMetric, ...] = ("errors", "quality")


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceStanding:
    """One metric of one slice: requests or labels of the canary, shares of bad ones, and its own e-value."""

    name: str
    metric: SliceMetric
    canary_n: float
    canary_share: float
    stable_share: float
    e: float
    by_reward: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicesStanding:
    """The evidence of all `followed` parts together against its limit; `slices` in falling order of their own."""

    e: float
    limit: float
    degraded: bool
    followed: int
    slices: tuple[SliceStanding, ...]

    @property
    def worst(self) -> SliceStanding:
        """The slice that speaks most against the canary."""
        return self.slices[0]


def absorb(rollout: Rollout, world: World) -> SlicesEvidence | None:
    """The evidence with this look's blocks; it begins once the slices of enough answers of stable are known."""
    evidence = rollout.slices
    if not rollout.policy.slices or world.source_error:
        return evidence
    if evidence is None:
        past = world.past_slices
        enough = past is not None and past.answers >= FEWEST_ANSWERS and bool(rollout.evidence)
        return begin(rollout, past) if past is not None and enough else None
    parts = dict(zip(evidence.keys, evidence.mixed.parts, strict=True))
    for seen in world.slices:
        if seen.key in parts:
            effect = rollout.evidence[seen.key.metric].design_effect
            parts[seen.key] = two_arms.update(parts[seen.key], seen.block, effect)
    mixed = replace(evidence.mixed, parts=tuple(parts[key] for key in evidence.keys))
    return replace(evidence, mixed=replace(mixed, peak_log_e=max(mixed.peak_log_e, drift.log_e_value(mixed))))


def begin(rollout: Rollout, past: PastSlices) -> SlicesEvidence | None:
    """Freeze which slices are followed: the most frequent of stable's; no evidence yet, None if there is no slice."""
    often = sorted(past.slices, key=lambda seen: (-seen.answers, seen.name))
    chosen = [seen for seen in often if seen.answers >= _LEAST_OF_A_SLICE][:MOST_SLICES]
    metrics = [metric for metric in _METRICS if metric in rollout.evidence]
    followed = [(seen, metric) for seen in chosen for metric in metrics]
    if not followed:
        return None
    parts = [_start(rollout.evidence[metric], metric, seen) for seen, metric in followed]
    keys = tuple(SliceKey(name=seen.name, metric=metric) for seen, metric in followed)
    return SlicesEvidence(keys=keys, mixed=MixedEvidence(parts=tuple(parts)))


def standing(rollout: Rollout) -> SlicesStanding | None:
    """Where the evidence stands; None before it has begun."""
    if rollout.slices is None:
        return None
    alpha = SHARE_OF_ALPHA * rollout.policy.alpha
    mixed = rollout.slices.mixed
    found = [_of_slice(key, part) for key, part in zip(rollout.slices.keys, mixed.parts, strict=True)]
    return SlicesStanding(
        e=_exp(drift.log_e_value(mixed)),
        limit=1 / alpha,
        degraded=drift.alarmed(mixed, alpha),
        followed=len(found),
        slices=tuple(sorted(found, key=lambda each: -each.e)),
    )


def summary(rollout: Rollout) -> SlicesStanding | None:
    """The standing with the worst slice alone: for what is kept of every look."""
    found = standing(rollout)
    return replace(found, slices=found.slices[:1]) if found else None


def missing(rollout: Rollout) -> Iterator[str]:
    """What the last step still lacks of them: a slice that nobody looks at is no sign of health."""
    if rollout.policy.slices and rollout.slices is None:
        yield f"slices not observed yet: {FEWEST_ANSWERS} answers of stable are needed to choose them"
        return
    for wanted in rollout.policy.slices:
        followed = [each for each in _standings(rollout) if _speaks_of(each.name, wanted)]
        if not followed:
            yield f"no slice by {_title(wanted)} was seen: is it an input of the model?"
        elif not any(each.canary_n for each in followed):
            yield f"slices by {_title(wanted)} not yet observed on the canary"


def in_words(found: SlicesStanding) -> str:
    """Why a rollout goes back because of it."""
    worst = found.worst
    canary, stable = f"{worst.canary_share:.2%}", f"{worst.stable_share:.2%}"
    what = (
        f"fails on {canary} of the requests"
        if worst.metric == "errors"
        else f"has {canary} of its labelled answers wrong"
    )
    if worst.by_reward:
        what, stable = f"earns a mean reward of {1 - worst.canary_share:.4f}", f"{1 - worst.stable_share:.4f}"
    return (
        f"slices: in {worst.name} the canary {what}, stable {stable} "
        f"(e {found.e:.3g}, the mean of {found.followed}; limit {found.limit:.0f})"
    )


def _standings(rollout: Rollout) -> tuple[SliceStanding, ...]:
    found = standing(rollout)
    return found.slices if found else ()


def _start(known: MetricEvidence, metric: SliceMetric, past: PastSlice) -> BlockEvidence:
    whole = known.worse
    rate = whole.prior_bad / whole.prior_n if whole.prior_n else 0.0
    borrowed = _BORROWED if whole.prior_n else 0.0
    wrong, labelled = (past.wrong, past.labelled) if metric == "quality" else (0.0, 0)
    margin = min(_WIDEST, WIDER * whole.margin)
    squares = None
    if whole.squares is not None:
        squares = past.squares + (borrowed * whole.squares / whole.prior_n if borrowed else 0.0)
    return two_arms.start("worse", margin, wrong + borrowed * rate, labelled + borrowed, squares)


def _of_slice(key: SliceKey, part: BlockEvidence) -> SliceStanding:
    return SliceStanding(
        name=key.name,
        metric=key.metric,
        canary_n=part.canary_n,
        canary_share=part.canary_bad / part.canary_n if part.canary_n else 0.0,
        stable_share=part.stable_bad / part.stable_n if part.stable_n else 0.0,
        e=_exp(sequential.log_e_value(part)),
        by_reward=part.squares is not None,
    )


def _speaks_of(name: str, wanted: LiveSlice) -> bool:
    """Whether `name` is a slice of this declaration: its columns, each with a value or an interval."""
    parts = name.split(" & ")
    if len(parts) != len(wanted.columns):
        return False
    pairs = zip(parts, wanted.columns, strict=True)
    return all(
        part.startswith(column) and part[len(column) : len(column) + 1] in ("=", "<", ">") for part, column in pairs
    )


def _title(wanted: LiveSlice) -> str:
    return " & ".join(wanted.columns)


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))
