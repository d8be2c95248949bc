"""What a person asks for first: what serves, what climbs, what runs; recorded beside observed."""

from __future__ import annotations

import math
from typing import Any

import psutil

from gatewright.domain.documents import plain, short
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.rollout import FULL, Phase, Rollout
from gatewright.domain.routing import cluster_name
from gatewright.engine.following import astray, climbs_elsewhere
from gatewright.engine.opening import open_runs
from gatewright.rules import drift, evidence, horizon, live_slices, routing, shadow, share
from gatewright.stats import durations
from gatewright.stats.confidence import Interval
from gatewright.workspace import Workspace

_NURSERY = "gatewright.serving.nursery"
_OURS = ("gatewright.serving.server", "gatewright.engine.supervisor", _NURSERY)


def view(workspace: Workspace) -> dict[str, Any]:
    """Everything `gatewright status` shows, as JSON types."""
    model = workspace.project.model
    rollout = workspace.rollouts.active(model) or workspace.rollouts.latest(model)
    rows = processes(workspace)
    return {
        "model": model,
        **serving(workspace),
        "served_by": workspace.project.serving.kind,
        "served_here": workspace.gateway is not None,
        "traffic": traffic(workspace),
        "rollout": rollout_view(workspace, rollout) if rollout else None,
        "undelivered": [plain(letter) for letter in workspace.notices.undelivered()],
        "open_runs": [run.id for run in open_runs(workspace)],
        "processes": rows,
        "orphans": orphans(workspace),
        "quarantined": {short(digest): why for digest, why in workspace.rollouts.quarantined(model).items()},
    }


def serving(workspace: Workspace) -> dict[str, Any]:
    """The version that serves, as the registry says it, and what this machine serves if that is something else.

    `error` instead when the registry cannot be asked.
    """
    try:
        found = workspace.registry.serving(workspace.project.model)
    except (UnusableInput, WorldFailed) as failure:
        return {"serving": {"number": None, "digest": None, "error": str(failure)}, "astray": None}
    told = {"number": found.number, "digest": short(found.artifact.digest)} if found else None
    return {"serving": told, "astray": astray(workspace, found) if found else None}


def traffic(workspace: Workspace) -> dict[str, Any]:
    """Shares per model server in per cent: as recorded in the state database, and as read back."""
    recorded = _recorded_here(workspace) if workspace.gateway is not None else _recorded_anywhere(workspace)
    try:
        observed, error = workspace.traffic.shares(), None
    except (UnusableInput, WorldFailed) as failure:
        observed, error = None, str(failure)
    return {"recorded": recorded, "observed": dict(observed) if observed else None, "error": error}


def rollout_view(workspace: Workspace, rollout: Rollout) -> dict[str, Any]:
    """One rollout: phase, weights, hold, evidence."""
    policy = rollout.policy
    hold = policy.shadow.hold if rollout.mirror and policy.shadow else policy.steps[rollout.step].hold
    traffic = workspace.traffic.state(rollout)
    elsewhere = climbs_elsewhere(workspace, rollout)
    ahead = horizon.project(rollout)
    return {
        "id": rollout.id,
        "run": rollout.run,
        "phase": rollout.phase.value,
        "pause": rollout.pause.value if rollout.pause else None,
        "why": rollout.why,
        "alerts": list(rollout.alerts),
        "step": rollout.step,
        "steps": len(policy.steps),
        "weight": rollout.weight,
        "elsewhere": workspace.rollouts.driver(rollout) if elsewhere else None,
        "observed": traffic.weight if not elsewhere else None,
        "mirror": rollout.mirror,
        "mirror_observed": traffic.mirror,
        "held_s": round(rollout.held_s, 1),
        "hold_s": hold.seconds,
        "requests": rollout.step_requests,
        "needed_requests": evidence.needed_requests(rollout),
        "slow_after_ms": rollout.slow_after_ms,
        "projected": ahead.towards if ahead else None,
        "projected_s": round(ahead.seconds, 1) if ahead else None,
        "standings": [plain(standing) for standing in evidence.shown(rollout)],
        "drift": plain(drift.standing(rollout)),
        "slices": plain(live_slices.standing(rollout)),
        "shadow": plain(shadow.standing(rollout)),
        "share": plain(share.standing(rollout)),
        "p99_ms": _p99(rollout),
    }


def _p99(rollout: Rollout) -> dict[str, dict[str, float | None] | None] | None:
    """The 99th percentile of each arm with its ends, null where it is not known yet."""
    if rollout.durations is None:
        return None
    found = {"canary": rollout.durations.canary, "stable": rollout.durations.stable}
    return {arm: _finite(durations.p99(cells)) for arm, cells in found.items()}


def _finite(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None:
        return None
    return {name: value if math.isfinite(value) else None for name, value in plain(interval).items()}


def processes(workspace: Workspace, *, every_model: bool = False) -> list[dict[str, Any]]:
    """The runtime's processes as recorded, of this model or of all, each with whether it really lives."""
    rows = workspace.processes.of_every_model() if every_model else workspace.processes.all()
    return [
        {
            "name": row.name,
            "pid": row.identity.pid,
            "state": ("ready" if row.ready else "starting") if row.identity.alive() else "gone",
            "port": row.port,
            "restarts": row.restarts,
            "error": row.error,
        }
        for row in rows
    ]


def orphans(workspace: Workspace) -> list[int]:
    """Processes of this workspace's runtime that its supervisor does not know."""
    known = {row.identity.pid for row in workspace.processes.of_every_model()}
    root = str(workspace.root)
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        ours = any(word in _OURS for word in words) or any(
            word.startswith(f"{root}/.gatewright/gateway/") for word in words
        )
        here = (
            root in words
            or (process.info["cwd"] or "").startswith(root)
            or any(word.startswith(f"{root}/") for word in words)
        )
        if ours and here and process.pid not in known and not (_NURSERY in words and _descends(process, known)):
            found.append(process.pid)
    return found


def _descends(process: psutil.Process, known: set[int]) -> bool:
    """Whether a known process started it, as the nursery does for each scoring."""
    try:
        return any(parent.pid in known for parent in process.parents())
    except psutil.NoSuchProcess:
        return True


def _recorded_anywhere(workspace: Workspace) -> dict[str, float] | None:
    """The shares that the newest rollout asks for, by its row: it travels, and routes do not."""
    rollout = workspace.rollouts.latest(workspace.project.model)
    if rollout is None:
        return None
    weight = FULL if rollout.phase is Phase.PROMOTED else rollout.weight
    shares = {rollout.canary: weight, rollout.stable: FULL - weight}
    return {cluster_name(arm): share for arm, share in shares.items() if arm and share} or None


def _recorded_here(workspace: Workspace) -> dict[str, float] | None:
    """The shares that the route asks for; the gateway keeps the other arm as a target for retries, at 1 of 10,000."""
    route = workspace.routes.get(workspace.project.model)
    if route is None:
        return None
    table = routing.table(
        rollout=route.rollout,
        revision=route.revision,
        stable=route.stable,
        canary=route.canary,
        fallback=route.fallback,
        weight=route.weight,
        lapsed=False,
        mirror=route.mirror,
    )
    return {name: share / 100 for name, share in table.clusters} if table else None
