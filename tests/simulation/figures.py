"""The figures of docs/rollout-evidence.md: how often equal models are rolled back, how soon a fault is found.

Every function simulates one cell of a table, seeded, and says what came out in plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.rules.evidence import SHARE_OF_ALPHA
from tests.simulation.climbs import CLIMBING, DRIFT, PAUSED, PROMOTED, ROLLED_BACK
from tests.simulation.peers import Minutes, mann_whitney, threshold, z_test
from tests.simulation.rollouts import POLICY, WATCHING_DRIFT, Result, batches
from tests.simulation.streams import PLAIN, SCHEDULE_S, Traffic, slow_share

FAULTS: dict[str, tuple[float, float, float]] = {
    "errors 1 → 2 %": (0.01, 0.0, 0.0),
    "quality 92 → 90 %": (0.0, 0.0, 0.02),
    "p99 + 20 %": (0.0, slow_share(1.2) - 0.01, 0.0),
}
PROMOTE_MARGINS = {"errors": 0, "latency": 1, "quality": 2}
SPLIT = tuple(0.01 * share for share in SHARE_OF_ALPHA.values())
PEERS = {
    "fixed threshold, limit 3": lambda seen: threshold(seen, PLAIN, limit=3, relative=False),
    "fixed threshold, limit 0": lambda seen: threshold(seen, PLAIN, limit=0, relative=False),
    "relative threshold, limit 3": lambda seen: threshold(seen, PLAIN, limit=3, relative=True),
    "relative threshold, limit 0": lambda seen: threshold(seen, PLAIN, limit=0, relative=True),
    "z-test each minute, p < .05": lambda seen: z_test(seen, (0.05,) * 3),
    "z-test each minute, our α": lambda seen: z_test(seen, SPLIT),
    "Mann-Whitney after each step": mann_whitney,
}
Figures = dict[str, Any]


def equal_models(
    per_second: float,
    rollouts: int,
    *,
    moving: bool = False,
    tick_s: float = 10.0,
    patient: bool = False,
    drift: bool = False,
    peers: bool = True,
    margin: float | None = None,
    seed: int = 101,
) -> Figures:
    """A/A over the whole ladder: what becomes of a release that is exactly as good as stable."""
    results = batches(
        Traffic(per_second=per_second, moving=moving),
        rollouts,
        (seed, int(per_second), moving),
        policy=WATCHING_DRIFT if drift else POLICY,
        tick_s=tick_s,
        patient=patient,
        peers=peers,
        until_s=2 * SCHEDULE_S,
        rollback_margin=margin,
    )
    ours, theirs = [], []
    for result in results:
        ours.append(replace(result, minutes=None))
        if result.minutes is not None:
            theirs.append({name: np.isfinite(rule(result.minutes)) for name, rule in PEERS.items()})
    found = {"per_second": per_second, "moving": moving, "tick_s": tick_s, "patient": patient, "drift": drift}
    shares = {name: float(np.concatenate([each[name] for each in theirs]).mean()) for name in PEERS if theirs}
    return {**found, **outcome(ours), "peers": shares}


def outcome(results: Sequence[Result]) -> Figures:
    """Shares of the ends, and the time of those that were promoted."""
    phase = np.concatenate([result.climbs.phase for result in results])
    because = np.concatenate([result.climbs.because for result in results])
    ended = np.concatenate([result.climbs.ended_s for result in results]) / 3600.0
    extended = np.concatenate([result.climbs.extended for result in results])
    promoted = phase == PROMOTED
    return {
        "rollouts": int(phase.size),
        "rolled back": float((phase == ROLLED_BACK).mean()),
        "paused by drift": float(((phase == PAUSED) & (because == DRIFT)).mean()),
        "inconclusive": float(((phase == PAUSED) & (because != DRIFT)).mean()),
        "promoted": float(promoted.mean()),
        "without extension": float((promoted & ~extended).mean()),
        "still climbing": float((phase == CLIMBING).mean()),
        "hours": [float(value) for value in np.quantile(ended[promoted], (0.5, 0.9))] if promoted.any() else None,
    }


def time_to_find(
    fault: str, rollouts: int, *, margin: float | None = None, alpha: float = 0.01, peers: bool = True, seed: int = 103
) -> Figures:
    """Minutes of traffic until a fault that is there from the first canary request is found at 5 %.

    Every answer is labelled at once, so a block of quality is told at the end of its minute. 0.2 minutes until the log
    is complete and looked at are not in it.
    """
    ours: list[np.ndarray] = []
    theirs: list[Minutes] = []
    for result in batches(
        Traffic(per_second=200.0, excess=FAULTS[fault]),
        rollouts,
        (seed, list(FAULTS).index(fault)),
        policy=replace(POLICY, alpha=alpha),
        rollback_margin=margin,
        label_minutes=0,
        peers=peers,
        until_s=3600.0,
    ):
        rolled_back = result.climbs.phase == ROLLED_BACK
        ours.append(np.where(rolled_back, result.climbs.ended_s / 60.0, math.inf))
        theirs += [result.minutes] if result.minutes is not None else []
    found = {"fault": fault, "margin": margin, "alpha": alpha, "rollouts": rollouts, **times(ours)}
    return {**found, "peers": {name: times(map(rule, theirs)) for name, rule in PEERS.items()} if theirs else {}}


def at_the_promote_margin(
    metrics: Sequence[str], rollouts: int, *, guarded: bool, until_s: float = 2 * SCHEDULE_S, seed: int = 107
) -> Figures:
    """How often a canary that is worse by exactly its promote margin is shown acceptable, and promoted.

    `guarded`: by the whole rule. Otherwise without rollbacks, so that all the traffic of the climb is looked at.
    """
    shown, promoted, back, count = 0, 0, 0, 0
    numbers = [PROMOTE_MARGINS[metric] for metric in metrics]
    for result in batches(
        Traffic(per_second=200.0),
        rollouts,
        (seed, sum(1 << number for number in numbers)),
        guarded=guarded,
        tick_s=60.0,
        at_margin=numbers,
        patient=not guarded,
        until_s=until_s,
    ):
        climbs = result.climbs
        shown += int(np.logical_or.reduce([climbs.shown(number) for number in numbers]).sum())
        promoted += int((climbs.phase == PROMOTED).sum())
        back += int((climbs.phase == ROLLED_BACK).sum())
        count += climbs.rollouts
    return {
        "metrics": list(metrics),
        "guarded": guarded,
        "rollouts": count,
        "shown acceptable": shown / count,
        "promoted": promoted / count,
        "rolled back": back / count,
    }


def times(found: Iterable[np.ndarray]) -> Figures:
    """Median and 90 % of the minutes until a fault was found (None: not found so often), and the share by minute."""
    minutes = np.concatenate(list(found))
    median, most = (float(value) for value in np.quantile(minutes, (0.5, 0.9), method="higher"))
    return {
        "median": median if math.isfinite(median) else None,
        "90 %": most if math.isfinite(most) else None,
        "found": float(np.isfinite(minutes).mean()),
        "by minute": {str(minute): float((minutes <= minute).mean()) for minute in (2, 3, 4, 5, 6, 8, 11, 15, 20, 30)},
    }
