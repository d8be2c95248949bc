"""What the endpoint should be, on any machine that drives: what this one has not written, the rollout's own row says.

Routes stay on the machine that has written them, because a gateway of ours does, too. An endpoint has no such machine:
with a shared state the next tick comes from a fresh clone, or from one whose route is that of an older rollout.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gatewright.adapters.traffic.intents import Intents, at_the_start
from gatewright.domain.rollout import Phase, Rollout
from gatewright.ports import Context
from gatewright.store.rollouts import Rollouts
from gatewright.store.routes import Route


class WrittenAnywhere(Intents):
    """The desired route of a rollout, by this machine's table or by the row that travels."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._model = context.model
        self._rollouts = Rollouts(context.database)

    def own(self, rollout: Rollout) -> Route | None:
        """The route that this machine has written for `rollout`; else what its row says, while none has followed it."""
        if (written := super().own(rollout)) is not None:
            return written
        newest = self._rollouts.latest(rollout.model)
        return _by_row(rollout) if newest is not None and newest.id == rollout.id else None

    def divide(self, rollout: Rollout, weight: float) -> Route | None:
        """`weight` per cent for the canary, written here also where another machine has prepared it."""
        self._take_over(rollout)
        return super().divide(rollout, weight)

    def finish(self, rollout: Rollout) -> None:
        """The end, written here also where another machine has driven until now."""
        self._take_over(rollout)
        super().finish(rollout)

    def last(self) -> Route | None:
        """What the newest rollout has left, as soon as it is finished; None while it is open, or before the first."""
        written, newest = self._routes.get(self._model), self._rollouts.latest(self._model)
        finished = written if written is not None and written.canary is None else None
        if newest is None:
            return finished
        if newest.phase.terminal:
            return _ended(newest)
        return finished if finished is not None and finished.rollout == newest.id else None

    def left(self) -> Route | None:
        """How the newest rollout that has ended left the traffic, also while the next one is open."""
        ended = self._rollouts.ended(self._model)
        return _ended(ended) if ended is not None else self.last()

    def _take_over(self, rollout: Rollout) -> None:
        if super().own(rollout) is None and (told := self.own(rollout)) is not None:
            self._routes.put(told)


def _by_row(rollout: Rollout) -> Route:
    return _ended(rollout) if rollout.phase.terminal else at_the_start(rollout)


def _ended(rollout: Rollout) -> Route:
    """The end that the row records; the window of the old version counts from the tick that recorded it."""
    promoted = rollout.phase is Phase.PROMOTED
    fallback = rollout.stable if promoted and rollout.restored_by is None else None
    ended_at = rollout.ticked_at or rollout.started_at
    window = timedelta(seconds=rollout.policy.rollback_window.seconds)
    return replace(
        at_the_start(rollout),
        stable=rollout.canary if promoted else rollout.stable,
        canary=None,
        lease_s=0.0,
        fallback=fallback,
        fallback_until=ended_at + window if fallback else None,
    )
