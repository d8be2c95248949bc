"""What the controller can see: every part of the world is asked, and one that fails blinds only its own eye."""

from __future__ import annotations

from gatewright.domain.errors import GatewrightError, LeaseLost
from gatewright.domain.evidence import Look
from gatewright.domain.lineage import Artifact
from gatewright.domain.rollout import Phase, Rollout, World
from gatewright.engine.proofs import model_folder
from gatewright.engine.signing import bring_signature
from gatewright.rules import evidence, sight
from gatewright.workspace import Workspace

_OBSERVING = (Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING)
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What somebody else's source raises when it meets an answer that it did not expect, such as a count of NaN."""


def look(workspace: Workspace, rollout: Rollout) -> tuple[Rollout, World, Look]:
    """Prepare the arms while pending, then read back traffic, evidence, commands and the baseline.

    Only LeaseLost and a state database that fails are raised: with every other part broken an abort is still heard.
    """
    unprepared = None
    if rollout.phase is Phase.PENDING:
        rollout, unprepared = _prepared(workspace, rollout)
    found = _seen(workspace, rollout) if rollout.compared else Look(cursor=rollout.cursor)
    serving, unknown = _serving(workspace, rollout)
    observing = rollout.phase in _OBSERVING
    world = World(
        traffic=workspace.traffic.state(rollout),
        observations=found.observations if observing else (),
        drift=found.drift if observing else (),
        shadow=found.shadow,
        draws=found.draws,
        slices=found.slices if observing else (),
        past_slices=found.past_slices,
        durations=found.durations if observing else None,
        stable_outputs=found.stable_outputs,
        stable_users=found.stable_users,
        source_error=found.error,
        commands=workspace.rollouts.commands(rollout),
        serving=serving,
        registry_error=unknown,
        preparation_error=unprepared,
    )
    return rollout, world, found


def _prepared(workspace: Workspace, rollout: Rollout) -> tuple[Rollout, str | None]:
    """The rollout with its margins frozen, once the arms are prepared; or why they are not."""
    try:
        workspace.traffic.prepare(rollout, *_arms(workspace, rollout))
        if rollout.compared and not rollout.evidence:
            rollout = evidence.begin(rollout, workspace.metrics.history(rollout))
    except LeaseLost:
        raise
    except (GatewrightError, *_UNREADABLE) as error:
        return rollout, _told(error)
    return rollout, None


def _seen(workspace: Workspace, rollout: Rollout) -> Look:
    try:
        found = workspace.metrics.observe(rollout, rollout.revision)
    except (GatewrightError, *_UNREADABLE) as error:
        return Look(cursor=rollout.cursor, error=_told(error))
    doubt = found.error or sight.doubt(found)
    return Look(cursor=rollout.cursor, error=doubt) if doubt else found


def _serving(workspace: Workspace, rollout: Rollout) -> tuple[str | None, str | None]:
    """The digest of the baseline; or why it cannot be told."""
    try:
        found = workspace.registry.serving(rollout.model)
    except (GatewrightError, *_UNREADABLE) as error:
        return None, _told(error)
    return (found.artifact.digest if found else None), None


def _arms(workspace: Workspace, rollout: Rollout) -> tuple[Artifact, Artifact | None]:
    canary = workspace.registry.find(rollout.model, rollout.canary)
    stable = workspace.registry.find(rollout.model, rollout.stable) if rollout.stable else None
    if canary is None:
        raise GatewrightError(f"{rollout.canary} is not registered", fix="register it first: gatewright register")
    for arm in filter(None, (canary, stable)):
        model_folder(workspace, arm.artifact)
        bring_signature(workspace, arm)  # the model server refuses a model without it
    return canary.artifact, stable.artifact if stable else None


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, GatewrightError) else f"{type(error).__name__}: {error}"
