"""The controller as a daemon: one process that ticks every open rollout of a workspace, each under its own lease."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gatewright.domain.errors import GatewrightError, LeaseLost
from gatewright.domain.rollout import Rollout
from gatewright.engine.controller import Controller, look_again_s
from gatewright.engine.following import follow
from gatewright.engine.runtime import supervisor_runs
from gatewright.engine.telling import tell_due, tell_last
from gatewright.engine.tending import tend_once, tend_to_the_end
from gatewright.ports import Clock, Progress
from gatewright.store.rollouts import Rollouts
from gatewright.workspace import Workspace

_SLICE_S = 0.25
_IDLE_S = 1.0
_AFTER_ERROR_S = 5.0
_REFRESH_S = 15.0
_TEND_S = 60.0


class Journal(Protocol):
    """Where the daemon tells what it does."""

    def __call__(self, event: str, **facts: Any) -> None:
        """One event with its facts: JSON types."""


@dataclass(slots=True)
class _Charge:
    """One rollout as the daemon knows it: when it is due, what was told of it, and who drives it."""

    id: str
    model: str
    due: float
    rollout: Rollout | None = None
    workspace: Workspace | None = None
    told: tuple[object, ...] = ()
    trouble: str = ""


class Fleet:
    """Drives every open rollout until it is told to stop; the trouble of one does not touch the others."""

    def __init__(
        self,
        rollouts: Rollouts,
        clock: Clock,
        progress: Progress,
        tell: Journal,
        *,
        open_model: Callable[[str], Workspace],
        keep_runtime: Callable[[Workspace], None],
        served_here: Sequence[str] = (),
    ) -> None:
        """`open_model` gives the workspace of a model, `keep_runtime` starts its local runtime when it has died.

        The models `served_here` follow what other machines bring to production, while this one's runtime is up.
        """
        self._rollouts = rollouts
        self._clock = clock
        self._progress = progress
        self._tell = tell
        self._open_model = open_model
        self._keep_runtime = keep_runtime
        self._workspaces: dict[str, Workspace] = {}
        self._charges: dict[str, _Charge] = {}
        self._closed: set[str] = set()
        self._stopping = False
        self._tended = self._followed = 0.0
        self._served_here = served_here
        self._astray: dict[str, str] = {}

    def stop(self, *_: object) -> None:
        """End after the tick that is being made; a handler of signals."""
        self._stopping = True

    def run(self, *, until_idle: bool = False) -> None:
        """Tick what is due, sleep, again; leases are given back at the end. With `until_idle` while there is work.

        Rollouts that begin meanwhile are taken up within a second, those of other machines within 15 seconds.
        """
        self._tell("started")
        try:
            while not self._stopping:
                self.look()
                if until_idle and not self._charges:
                    for workspace in self._workspaces.values():
                        tell_last(workspace, self._progress)
                        tend_to_the_end(workspace, self._progress)
                    break
                self._rest()
        finally:
            self._release()
            self._tell("stopped")

    def look(self) -> int:
        """Tick every open rollout that is due; how many that were."""
        now = self._clock.now().timestamp()
        self._refresh()
        found = dict(self._rollouts.open_ids())
        for gone in self._charges.keys() - found.keys():
            del self._charges[gone]
        ticked = 0
        for rollout, model in found.items():
            charge = self._charges.setdefault(rollout, _Charge(id=rollout, model=model, due=now))
            if charge.due <= now and not self._stopping:
                self._look_at(charge)
                ticked += 1
        for workspace in self._workspaces.values():
            tell_due(workspace, self._progress)  # also what the end of a rollout has left untold
        self._tend(now)
        self._follow(now)
        return ticked

    def _follow(self, now: float) -> None:
        if now < self._followed + _REFRESH_S:
            return
        self._followed = now
        for model in self._served_here:
            try:
                found = follow(self._workspace(model)) if supervisor_runs(self._workspace(model)) else None
            except GatewrightError as error:
                if str(error) != self._astray.get(model):
                    self._tell("error", rollout="", model=model, error=str(error), fix=error.fix)
                self._astray[model] = str(error)
                continue
            self._astray.pop(model, None)
            if found is not None and found.moved and found.version is not None:
                self._tell("follows", rollout="", model=model, version=found.version.number)

    def _workspace(self, model: str) -> Workspace:
        if model not in self._workspaces:
            self._workspaces[model] = self._open_model(model)
        return self._workspaces[model]

    def _tend(self, now: float) -> None:
        """What ended rollouts have left with a service far away."""
        if now < self._tended + _TEND_S:
            return
        self._tended = now
        for model in self._rollouts.divided():
            if model not in self._workspaces and model not in self._closed:
                self._open(model)
        for workspace in self._workspaces.values():
            tend_once(workspace, self._progress)

    def _open(self, model: str) -> None:
        """For what ended before this daemon began; a model that is not configured any more is told once."""
        try:
            self._workspaces[model] = self._open_model(model)
        except GatewrightError as error:
            self._closed.add(model)
            self._tell("error", rollout="", model=model, error=str(error), fix=error.fix)

    def _refresh(self) -> None:
        """What other machines have started; that they cannot be asked does not end what is driven here."""
        try:
            self._rollouts.refresh(older_than_s=_REFRESH_S)
        except GatewrightError as error:
            self._tell("error", rollout="", model="", error=str(error), fix=error.fix)

    def _look_at(self, charge: _Charge) -> None:
        """One tick of one rollout. What goes wrong with it is told and tried again later."""
        wait_s = _AFTER_ERROR_S
        try:
            rollout = self._tick(charge)
            assert charge.workspace is not None
            wait_s, charge.trouble = look_again_s(charge.workspace, rollout), ""
            self._tell_change(rollout, charge)
        except LeaseLost as error:
            self._trouble(charge, "driven elsewhere", str(error), error.fix)
        except GatewrightError as error:
            self._trouble(charge, "error", str(error), error.fix)
        except (ArithmeticError, LookupError, OSError, ValueError) as error:
            # A row or an answer that nobody can read belongs to one rollout: the others must go on.
            self._trouble(charge, "error", f"{type(error).__name__}: {error}", "gatewright rollout abort")
        charge.due = self._clock.now().timestamp() + wait_s

    def _tick(self, charge: _Charge) -> Rollout:
        known = charge.rollout or self._rollouts.get(charge.id)
        if known is None:
            raise LookupError(f"rollout {charge.id} is gone")
        if charge.workspace is None:
            charge.workspace = self._workspace(charge.model)
        self._keep_runtime(charge.workspace)
        charge.rollout = known
        charge.rollout = Controller(charge.workspace, self._progress).tick(known)
        return charge.rollout

    def _tell_change(self, rollout: Rollout, charge: _Charge) -> None:
        state = (rollout.phase, rollout.step, rollout.weight)
        if state == charge.told:
            return
        charge.told = state
        self._tell(
            "rollout",
            rollout=rollout.id,
            model=rollout.model,
            phase=rollout.phase.value,
            step=rollout.step,
            weight=rollout.weight,
            why=rollout.why,
        )

    def _trouble(self, charge: _Charge, event: str, what: str, fix: str) -> None:
        """Tell it; the same trouble of the same rollout only once."""
        if what != charge.trouble:
            charge.trouble = what
            self._tell(event, rollout=charge.id, model=charge.model, error=what, fix=fix)

    def _rest(self) -> None:
        """Until the next rollout is due, at most a second, in slices short enough to hear a signal."""
        now = self._clock.now().timestamp()
        left = min([_IDLE_S, *(charge.due - now for charge in self._charges.values())])
        while left > 0 and not self._stopping:
            self._clock.sleep(min(left, _SLICE_S))
            left -= _SLICE_S

    def _release(self) -> None:
        for charge in self._charges.values():
            if charge.workspace is not None and charge.rollout is not None:
                self._rollouts.release(charge.rollout, charge.workspace.owner)
