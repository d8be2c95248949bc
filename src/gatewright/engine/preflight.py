"""Can this rollout come to a conclusion at the traffic that there is? Asked before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gatewright.domain.errors import UnusableInput
from gatewright.domain.evidence import History
from gatewright.domain.rollout import Rollout
from gatewright.rules import evidence, horizon
from gatewright.rules.horizon import Plan, ShadowPlan
from gatewright.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """A plan and what it rests on; `assumed` tells that the traffic was given, not measured."""

    plan: Plan
    history: History
    source: str
    assumed: bool


def preflight(workspace: Workspace, rate: float | None = None) -> Preflight:
    """How long each step of the configured rollout will take at `rate` requests a second, or at the present traffic.

    UnusableInput when nothing serves yet, or when no traffic was seen and no rate is given.
    """
    serving = workspace.registry.serving(workspace.project.model)
    if serving is None:
        raise UnusableInput(
            f"{workspace.project.model} was never deployed: its first deployment is not compared with anything",
            fix="it goes to 100 % at once: gatewright run --bootstrap-by NAME",
        )
    draft = Rollout(
        id="preflight",
        model=workspace.project.model,
        run="",
        number=0,
        canary="",
        stable=serving.artifact.digest,
        policy=workspace.project.rollout,
        started_at=workspace.clock.now(),
    )
    found = foresee(workspace, draft, rate)
    if found is None:
        source = workspace.project.evidence.kind
        raise UnusableInput(f"{source} shows no request of the last hour", fix="say what to expect: --rate R")
    return found


def foresee(workspace: Workspace, rollout: Rollout, rate: float | None = None) -> Preflight | None:
    """The plan of `rollout` from stable's history; None when neither a rate nor traffic is known."""
    history = workspace.metrics.history(rollout)
    per_second = history.per_second if rate is None else rate
    if per_second is None:
        return None
    plan = horizon.plan(evidence.begin(rollout, history), per_second)
    return Preflight(plan=plan, history=history, source=workspace.project.evidence.kind, assumed=rate is not None)


def misgiving(workspace: Workspace, rollout: Rollout) -> str | None:
    """What to warn of before a rollout begins: a step that cannot conclude at the present traffic."""
    if not rollout.compared or rollout.evidence:
        return None
    found = foresee(workspace, rollout)
    if found is None or found.plan.concludes:
        return None
    step = found.plan.weak[0]
    needs = f"about {step.expected_s:.0f} s" if math.isfinite(step.expected_s) else "endless time"
    return (
        f"at {found.plan.per_second:.3g} requests/s step {step.name} needs {needs} and has "
        f"{step.limit_s:.0f} s: it will pause as inconclusive (gatewright rollout preflight)"
    )


def preflight_view(found: Preflight) -> dict[str, Any]:
    """The plan as JSON types; null is endless, and for `shadow` that there is no step 0."""
    plan, history = found.plan, found.history
    return {
        "per_second": round(plan.per_second, 4),
        "assumed": found.assumed,
        "history": {"requests": history.requests, "errors": history.errors, "slow": history.slow},
        "slow_after_ms": history.slow_after_ms,
        "source": found.source,
        "concludes": plan.concludes,
        "expected_s": _finite(plan.expected_s),
        "shadow": _shadow_view(plan.shadow) if plan.shadow else None,
        "steps": [
            {
                "step": step.step,
                "weight": step.weight,
                "hold_s": _finite(step.hold_s),
                "needed_requests": step.needed_requests,
                "requests_s": _finite(step.requests_s),
                "evidence_s": _finite(step.evidence_s),
                "expected_s": _finite(step.expected_s),
                "limit_s": step.limit_s,
                "concludes": step.concludes,
            }
            for step in plan.steps
        ],
    }


def _shadow_view(step: ShadowPlan) -> dict[str, Any]:
    return {
        "share": step.share,
        "hold_s": _finite(step.hold_s),
        "needed_copies": step.needed_copies,
        "copies_s": _finite(step.copies_s),
        "expected_s": _finite(step.expected_s),
        "limit_s": step.limit_s,
        "concludes": step.concludes,
    }


def _finite(seconds: float) -> float | None:
    return round(seconds, 1) if math.isfinite(seconds) else None
