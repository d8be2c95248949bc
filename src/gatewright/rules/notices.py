"""What should people be told? The troubles that last, and the events of one look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gatewright.domain.notice import Notice, NoticeKind
from gatewright.domain.rollout import Alert, PauseReason, Phase, Rollout, World
from gatewright.rules import stable

BLIND_S = 300.0
WEIGHT_S = 60.0
_NEEDS_REGISTRY = (Phase.PROMOTING, Phase.ROLLING_BACK)
SAID: dict[NoticeKind, str] = {
    "approval": "waits for an approval",
    "paused": "is paused",
    "rolling_back": "is being rolled back",
    "rolled_back": "was rolled back",
    "promoted": "was promoted",
    "restored": "was restored",
    "blind": "cannot be seen",
    "weight": "has another weight than it should have",
    "stable": "has a stable version that does not run",
    "registry": "cannot move the baseline",
    "progress": "goes on",
}
"""What a version does or suffers, of each kind of notice: what stands behind its number in every message."""
_GOES_ON = (Phase.SHADOWING, Phase.PROGRESSING, Phase.PROMOTING)


def alerts(rollout: Rollout, world: World) -> tuple[Alert, ...]:
    """Troubles of `rollout`, after this look, that last: none once it has ended."""
    if rollout.phase.terminal:
        return ()
    found: dict[Alert, bool] = {
        "blind": rollout.blind_s >= BLIND_S,
        "weight": rollout.blind_s >= WEIGHT_S and world.source_error is None and world.traffic.weight is not None,
        "stable": rollout.stable is not None and stable.unwell(world) is not None,
        "registry": rollout.phase in _NEEDS_REGISTRY and world.registry_error is not None,
    }
    return tuple(alert for alert, lasts in found.items() if lasts)


def worth_telling(before: Rollout, after: Rollout, world: World, now: datetime) -> tuple[Notice, ...]:
    """What changed from `before` to `after` that somebody who does not watch should know."""
    return tuple(_notice(after, kind, why, now) for kind, why in _news(before, after, world))


def _news(before: Rollout, after: Rollout, world: World) -> Iterator[tuple[NoticeKind, str]]:
    if (before.phase, before.pause) != (after.phase, after.pause):
        match after.phase:
            case Phase.PAUSED if after.pause is PauseReason.APPROVAL:
                yield "approval", after.why
            case Phase.PAUSED:
                yield "paused", after.why
            case Phase.ROLLING_BACK:
                yield "rolling_back", after.why
            case Phase.ROLLED_BACK:
                yield "rolled_back", after.why
            case Phase.PROMOTED:
                yield "restored" if after.restored_by else "promoted", after.why
    if after.phase in _GOES_ON and (before.phase, before.step) != (after.phase, after.step):
        yield "progress", after.why
    for alert in after.alerts:
        if alert not in before.alerts:
            yield alert, _trouble(alert, after, world)


def _trouble(alert: Alert, rollout: Rollout, world: World) -> str:
    match alert:
        case "blind":
            seen = world.source_error or world.traffic.error or rollout.why
            return f"nothing could be seen for {rollout.blind_s:.0f} s: {seen}"
        case "weight":
            return (
                f"the traffic shows {world.traffic.weight:g} % instead of {rollout.weight:g} %, asked again and again"
            )
        case "stable":
            return f"stable does not run: {stable.unwell(world)}"
        case "registry":
            return f"the registry does not answer: {world.registry_error}"


def _notice(rollout: Rollout, kind: NoticeKind, why: str, now: datetime) -> Notice:
    return Notice(
        id=f"{rollout.id}/{rollout.revision + 1}/{kind}",
        at=now,
        kind=kind,
        model=rollout.model,
        rollout=rollout.id,
        run=rollout.run,
        version=rollout.number,
        phase=rollout.phase.value,
        weight=rollout.weight,
        why=why,
        actor=rollout.actor,
        text=f"{rollout.model} version {rollout.number} {SAID[kind]} at {rollout.weight:g} %: {why}",
    )
