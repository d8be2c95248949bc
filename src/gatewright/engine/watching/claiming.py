"""From a change of data to its one run: plan, claim, start, confirm; each step safe to be killed after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gatewright.domain.claim import Claim, Order, Subject
from gatewright.domain.documents import canonical_json
from gatewright.domain.errors import GatewrightError, LeaseLost, Pending, StartFailed, UnusableInput
from gatewright.engine.opening import record_skip
from gatewright.engine.planning import plan_run, present_code
from gatewright.ports import Trigger
from gatewright.rules.trigger import Inputs
from gatewright.rules.watching import checked, choose, newest_data, subject, told_reason
from gatewright.store.claims import Claims
from gatewright.store.codec import decode
from gatewright.store.data_versions import FOLDER
from gatewright.store.runs import LOCK, RunFolder
from gatewright.workspace import Workspace

_LOOKED_AT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look has come to for one model.

    `event` is started, failed, waiting, elsewhere (another watcher has it), nothing, blocked, known or idle.
    """

    event: str
    why: str
    claim: Claim | None = None
    pid: int | None = None
    fix: str = ""

    def facts(self) -> dict[str, Any]:
        """What is told of it besides the event."""
        claim = self.claim
        told = {"why": self.why}
        if claim is not None:
            told |= {"claim": claim.id, "data": claim.data, "run": claim.run, "place": claim.place}
        return told | ({"fix": self.fix} if self.fix else {})


def consider(workspace: Workspace, trigger: Trigger, kind: str) -> Seen:
    """Whether the data as it is now asks for a run that nobody has started; if so, it is claimed and started."""
    claims, model = Claims(workspace.database), workspace.project.model
    claimed = _present(workspace)
    _leave_behind(workspace, claims, claimed)
    known = claims.of(claimed)
    if known is not None:
        return _known(workspace, trigger, claims, known)
    planned = plan_run(workspace)
    if subject(model, planned.inputs) != claimed:
        return Seen(event="waiting", why="the workspace changed during the look")
    choice = choose(planned.plan, deployed=planned.reference is not None)
    if choice.kind == "idle":
        return Seen(event="idle", why=choice.why)
    data, now = newest_data(planned.plan), workspace.clock.now()
    if choice.kind != "start":
        if choice.kind == "nothing":
            record_skip(workspace, planned)
        claims.note(claimed, choice.kind, data=data, reason=choice.why, owner=workspace.owner, now=now)
        return Seen(event=choice.kind, why=choice.why, claim=claims.of(claimed))
    if busy := _busy(workspace):
        return Seen(event="waiting", why=busy)
    reason, run = told_reason(choice.why), _run_on(workspace, planned.inputs)
    claim = claims.take(
        claimed, data=data, reason=reason, start=kind, owner=workspace.owner, now=now, run=run.id if run else None
    )
    if claim is None:
        return Seen(event="elsewhere", why="another watcher was faster", claim=claims.of(claimed))
    if run is not None:
        return Seen(event="known", why=claim.outcome, claim=claim)
    return _start(workspace, trigger, claims, claim)


def _present(workspace: Workspace) -> Subject:
    """What could be claimed now, without a plan."""
    data, model = workspace.project.data, workspace.project.model
    train = workspace.data_versions.latest(data.train, "train")
    evaluation = workspace.data_versions.latest(data.evaluation, "eval")
    inputs = Inputs(
        train="", train_digest=train.digest, evaluation="", evaluation_digest=evaluation.digest,
        commit="", config="", code=present_code(workspace),
    )  # fmt: skip
    return subject(model, inputs)


def _known(workspace: Workspace, trigger: Trigger, claims: Claims, known: Claim) -> Seen:
    """A claim that exists: done, or somebody's, or to be taken over because its start was never confirmed."""
    if known.state != "claimed":
        why = {"nothing": known.reason, "blocked": known.reason}.get(known.state, known.outcome)
        fix = "mend the cause, then: gatewright data watch --once --retry" if known.state == "failed" else ""
        return Seen(event="known", why=f"{known.data} {known.state}: {why}", claim=known, fix=fix)
    if busy := _busy(workspace, but=known.run):
        return Seen(event="waiting", why=busy, claim=known)
    claim = claims.take_over(known, workspace.owner, workspace.clock.now())
    if claim is None:
        later = known.not_before > workspace.clock.now()
        why = f"tried again after {known.not_before:%H:%M:%S}Z: {known.outcome}" if later else f"{known.owner} has it"
        return Seen(event="waiting" if later else "elsewhere", why=why, claim=known)
    return _start(workspace, trigger, claims, claim)


def _start(workspace: Workspace, trigger: Trigger, claims: Claims, claim: Claim) -> Seen:
    """Intent is on record: start, then confirm. Killed in between, the next owner starts the same run again."""
    try:
        started = trigger.start(checked(_order(workspace, claim)))
    except Pending as error:
        claims.postpone(claim, str(error), workspace.clock.now())
        return Seen(event="waiting", why=str(error), claim=claim, fix=error.fix)
    except GatewrightError as error:
        failure = error if isinstance(error, StartFailed) else StartFailed(str(error), fix=error.fix)
        state = claims.fail(claim, failure, workspace.clock.now())
        again = "tried again later" if state == "claimed" else "not tried again"
        return Seen(event="failed", why=f"{failure.what} ({again})", claim=claims.of(claim.subject), fix=failure.fix)
    try:
        claims.confirm(claim, started)
    except LeaseLost as error:
        return Seen(event="elsewhere", why=str(error), claim=claim)
    confirmed = replace(claim, state="started", outcome=started.what, place=started.place)
    return Seen(event="started", why=f"{claim.reason}: {started.what}", claim=confirmed, pid=started.pid)


def _order(workspace: Workspace, claim: Claim) -> Order:
    data = workspace.project.data
    versions = [version for name in (data.train, data.evaluation) for version in workspace.data_versions.all(name)]
    name, _, version = claim.data.partition("@")
    return Order(
        model=claim.subject.model,
        data_version=claim.data,
        reason=claim.reason,
        run=claim.run,
        pointers=tuple((FOLDER / each.name / f"{each.version}.yaml").as_posix() for each in versions),
        created_at=workspace.data_versions.get(name, version).created_at,
    )


def _leave_behind(workspace: Workspace, claims: Claims, present: Subject) -> None:
    """Claims whose start was never confirmed, and which a newer change has overtaken: its run works on both."""
    now = workspace.clock.now()
    for claim in claims.all(present.model):
        if claim.state == "claimed" and claim.subject != present:
            owned = claims.take_over(replace(claim, not_before=now), workspace.owner, now)
            if owned is not None:
                claims.overtake(owned, f"data {present.data_digest[7:15]}, code {present.code_digest[:8]}")


def _busy(workspace: Workspace, but: str = "") -> str:
    """What has to end first; empty when a run may start. `but` is the run that is to be started."""
    active = workspace.rollouts.active(workspace.project.model)
    if active is not None and active.run != but:
        return f"rollout {active.id} is {active.phase} at {active.weight:g} %: the run starts when it has ended"
    for run in workspace.runs.open():
        if run.id != but and run.held() and _model(run) == workspace.project.model:
            return f"run {run.id} is being worked on: the next one starts when it has ended"
    return ""


def _run_on(workspace: Workspace, inputs: Inputs) -> RunFolder | None:
    """A run that somebody has opened on the same data and code already."""
    wanted = subject(workspace.project.model, inputs)
    for run in reversed(workspace.runs.all()[-_LOOKED_AT:]):
        try:
            lock = run.read(LOCK)
            found = decode(Inputs, canonical_json(lock.body["inputs_of_run"])) if lock else None
        except (UnusableInput, KeyError):
            continue
        if lock is not None and found is not None and subject(str(lock.body["model"]), found) == wanted:
            return run
    return None


def _model(run: RunFolder) -> str:
    lock = run.read(LOCK)
    return str(lock.body["model"]) if lock else ""
