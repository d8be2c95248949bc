"""More figures of docs/rollout-evidence.md: labels that come late, and users whose requests resemble each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from tests.simulation.climbs import ROLLED_BACK, margins_of
from tests.simulation.figures import FAULTS, Figures, outcome, times
from tests.simulation.late_labels import LateLabels
from tests.simulation.rollouts import POLICY, Result, roll_out
from tests.simulation.sticky_users import RegularStreams, VisitorStreams, regulars, visitors_past
from tests.simulation.streams import ERRORS, SCHEDULE_S, Traffic

HANDLINGS = ("product", "design effect alone", "naive")
VISIT = 10
BATCH = 250


def late_labels(
    per_second: float, rollouts: int, *, naive: bool, until_s: float = 2 * SCHEDULE_S, seed: int = 109
) -> Figures:
    """A/A while the base rates move, with labels 2 to 60 minutes late."""

    def one(size: int, number: int) -> Result:
        return roll_out(
            Traffic(per_second=per_second, moving=True),
            size,
            (seed, int(per_second), number),
            labels=LateLabels(size, np.random.default_rng((seed, number)), naive=naive),
            tick_s=60.0,
            until_s=until_s,
        )

    found = {"per_second": per_second, "naive": naive}
    return {**found, **outcome(_batches(one, rollouts, 1000))}


def regular_users(
    per_second: float,
    users: int,
    correlation: float,
    rollouts: int,
    *,
    handling: str,
    until_s: float = 2 * SCHEDULE_S,
    seed: int = 113,
) -> Figures:
    """A/A with people who come all the time; see `sticky_users`."""

    def one(size: int, number: int) -> Result:
        traffic = Traffic(per_second=per_second)
        rng = np.random.default_rng((seed, users, number))
        crowd = regulars(rng, traffic, size, users, correlation)
        return roll_out(
            traffic,
            size,
            (seed, number),
            past=crowd.past,
            streams=RegularStreams(traffic, crowd, rng, told=handling == "product"),
            design_effects=_effects(crowd.design_effects, handling),
            tick_s=60.0,
            until_s=until_s,
        )

    found = {"per_second": per_second, "users": users, "correlation": correlation, "handling": handling}
    return {**found, **outcome(_batches(one, rollouts, BATCH))}


def visiting_users(
    per_second: float,
    correlation: float,
    rollouts: int,
    *,
    handling: str,
    until_s: float = 2 * SCHEDULE_S,
    seed: int = 127,
) -> Figures:
    """A/A with people who come once, while the base rates move."""

    def one(size: int, number: int) -> Result:
        traffic = Traffic(per_second=per_second, moving=True)
        rng = np.random.default_rng((seed, number))
        past, effects = visitors_past(rng, traffic.rates, size, requests=VISIT, correlation=correlation)
        return roll_out(
            traffic,
            size,
            (seed, number),
            past=past,
            streams=VisitorStreams(traffic, past, rng, requests=VISIT, correlation=correlation),
            design_effects=_effects(effects, handling),
            tick_s=60.0,
            until_s=until_s,
        )

    found = {"per_second": per_second, "correlation": correlation, "handling": handling}
    return {**found, **outcome(_batches(one, rollouts, 1000))}


def found_among_regulars(
    fault: str, users: int, correlation: float, rollouts: int, *, handling: str = "product", seed: int = 131
) -> Figures:
    """Minutes until a fault is found at 200 requests/s, when the margin grows with the luck of the draw."""
    found: list[np.ndarray] = []
    for number in range(0, rollouts, BATCH):
        traffic = Traffic(per_second=200.0, excess=FAULTS[fault])
        rng = np.random.default_rng((seed, users, number))
        crowd = regulars(rng, traffic, min(BATCH, rollouts - number), users, correlation)
        climbs = roll_out(
            traffic,
            crowd.past.slow.size,
            (seed, number),
            past=crowd.past,
            streams=RegularStreams(traffic, crowd, rng, told=handling == "product"),
            design_effects=_effects(crowd.design_effects, handling),
            tick_s=60.0,
            label_minutes=0,
            until_s=6 * 3600.0,
        ).climbs
        found.append(np.where(climbs.phase == ROLLED_BACK, climbs.ended_s / 60.0, np.inf))
    return {"fault": fault, "users": users, "correlation": correlation, "handling": handling, **times(found)}


def _quarter(cell: Callable[..., Figures]) -> Callable[..., Figures]:
    """The same with a quarter of the rollouts: regulars are slow to draw."""
    return lambda rollouts: cell(rollouts=max(1, rollouts // 4))


def regulars_at_the_margin(users: int, correlation: float, rollouts: int, *, seed: int = 137) -> Figures:
    """Regulars, and a canary worse by exactly the promote margin of errors: the whole rule, at 20 requests/s."""
    results = []
    for number in range(0, rollouts, BATCH):
        traffic = Traffic(per_second=20.0)
        rng = np.random.default_rng((seed, users, number))
        crowd = regulars(rng, traffic, min(BATCH, rollouts - number), users, correlation)
        traffic = replace(traffic, excess=(margins_of(POLICY, ERRORS, crowd.past)[1], 0.0, 0.0))
        results.append(
            roll_out(
                traffic,
                crowd.past.slow.size,
                (seed, number),
                past=crowd.past,
                streams=RegularStreams(traffic, crowd, rng, told=True),
                design_effects=_effects(crowd.design_effects, "product"),
                tick_s=60.0,
                until_s=2 * SCHEDULE_S,
            )
        )
    shown = np.concatenate([result.climbs.shown(ERRORS) for result in results])
    found = {"users": users, "correlation": correlation, "shown acceptable": float(shown.mean())}
    return {**found, **outcome(results)}


def _effects(estimated: np.ndarray, handling: str) -> tuple[np.ndarray, ...]:
    return tuple(np.ones_like(estimated) if handling == "naive" else estimated)


def _batches(one: Callable[[int, int], Result], rollouts: int, batch: int) -> list[Result]:
    return [one(min(batch, rollouts - number), number) for number in range(0, rollouts, batch)]


def cells() -> dict[str, Callable[..., Figures]]:
    """Every cell by name; each takes `rollouts`."""
    found: dict[str, Callable[..., Figures]] = {}
    for naive in (False, True):
        for rate in (200.0, 20.0):
            found[f"late labels, {rate:g}/s, {'naive' if naive else 'product'}"] = partial(
                late_labels, rate, naive=naive
            )
    for handling in ("product", "naive"):
        for correlation in (0.05, 0.1, 0.2):
            name = f"visitors, 20/s, {correlation:g}, {handling}"
            found[name] = partial(visiting_users, 20.0, correlation, handling=handling)
    for handling in HANDLINGS:
        for users in (20_000, 5_000):
            for correlation in (0.05, 0.1, 0.2):
                name = f"regulars, 20/s, {users:,}, {correlation:g}, {handling}"
                found[name] = _quarter(partial(regular_users, 20.0, users, correlation, handling=handling))
    for users in (20_000, 5_000):
        name = f"regulars at the promote margin, 20/s, {users:,}, 0.1"
        found[name] = _quarter(partial(regulars_at_the_margin, users, 0.1))
    for correlation in (0.001, 0.1):
        for handling in ("product", "design effect alone"):
            name = f"found among regulars, 20,000, {correlation:g}, {handling}"
            found[name] = partial(found_among_regulars, "errors 1 → 2 %", 20_000, correlation, handling=handling)
    return found
