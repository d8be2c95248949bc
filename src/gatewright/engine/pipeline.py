"""The pipeline: the stages in order, each run at most once per run, each end recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gatewright.domain.errors import (
    GatewrightError,
    Interrupted,
    Pending,
    StageFailed,
    UnusableInput,
)
from gatewright.domain.gate import GateName
from gatewright.engine.attesting import attest
from gatewright.engine.ending import EXIT_OF, confirm, end_run, write_record
from gatewright.engine.handover import verify_chain
from gatewright.engine.keeping import LATER, keep_later
from gatewright.engine.stages import canary, evaluate, finish, gate, register, train, validate
from gatewright.ports import Progress
from gatewright.store.runs import (
    CANDIDATE,
    RECORD,
    REPORT,
    ROLLOUT,
    VALIDATION,
    VERDICT,
    VERSION,
    Handoff,
    RunFolder,
)
from gatewright.workspace import Workspace

Work = Callable[[Workspace, RunFolder, Progress], Handoff]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: its command's name, the hand-off it leaves, and what it does."""

    name: str
    handoff: str
    work: Work


STAGES = (
    Stage(name="validate", handoff=VALIDATION, work=validate.validate),
    Stage(name="train", handoff=CANDIDATE, work=train.train),
    Stage(name="evaluate", handoff=REPORT, work=evaluate.evaluate),
    Stage(name="gate", handoff=VERDICT, work=gate.gate),
    Stage(name="register", handoff=VERSION, work=register.register),
    Stage(name="canary", handoff=ROLLOUT, work=canary.canary),
    Stage(name="rollout finish", handoff=RECORD, work=finish.finish),
)


def run_all(
    workspace: Workspace, run: RunFolder, progress: Progress, *, skip: frozenset[GateName] = frozenset()
) -> Handoff:
    """Every stage of `run` that is not proven done; returns the last hand-off.

    A stage that fails for good ends the run with its one terminal record. Anything else leaves it open for
    `run --resume`: a training command that failed, a service that was down, Ctrl-C.
    """
    with run.hold():
        if ended := already_ended(workspace, run):
            return ended
        for stage in STAGES:
            if proven(run, stage):
                _attested(workspace, run, stage, progress)  # a kill between hand-off and statement leaves none
                progress.stage(stage.name, "skipped", "proven done")
                if stage.name == "gate":
                    confirm(workspace, run)
            else:
                last = run_stage(workspace, run, with_skip(stage, skip), progress)
            if ended := already_ended(workspace, run):
                if ended.status == "confirmed":
                    progress.stage("rollout finish", "skipped", ended.body["record"]["why"])
                return ended
        return last


def run_stage(workspace: Workspace, run: RunFolder, stage: Stage, progress: Progress) -> Handoff:
    """One stage, told to `progress`; a final failure ends the run with a record."""
    progress.stage(stage.name, "started")
    try:
        handoff = stage.work(workspace, run, progress)
    except (KeyboardInterrupt, Interrupted) as error:
        progress.stage(stage.name, "failed", "interrupted")
        raise Interrupted(
            f"interrupted in stage {stage.name}", fix=f"go on with: gatewright run --resume {run.id}"
        ) from error
    except StageFailed as error:
        progress.stage(stage.name, "failed", error.what)
        if error.final:
            end_run(workspace, run, kind="stopped", why=f"{stage.name}: {error.what}")
        raise
    except Pending as error:
        progress.stage(stage.name, "pending", error.what)
        raise
    except GatewrightError as error:
        progress.stage(stage.name, "failed", error.what)
        raise
    _attested(workspace, run, stage, progress)
    progress.stage(stage.name, "passed", summary(handoff))
    if stage.name == "gate":
        confirm(workspace, run)
    return handoff


def _attested(workspace: Workspace, run: RunFolder, stage: Stage, progress: Progress) -> None:
    """The statements of the hand-offs so far, beside them and with the version that they speak of."""
    attest(run)
    if stage.handoff in LATER:
        keep_later(workspace, run, progress)


def already_ended(workspace: Workspace, run: RunFolder) -> Handoff | None:
    """The terminal hand-off of a run that has ended; its record is the truth, its file is written again if lost."""
    record = workspace.records.terminal(run.id)
    if record is None:
        return None
    write_record(run, record)
    if EXIT_OF[record.kind]:
        raise StageFailed(f"run {run.id} has ended: {record.kind}, {record.why}", fix="start a new run: gatewright run")
    rollout = workspace.rollouts.of_run(run.id)
    if rollout is not None:
        workspace.traffic.finish(rollout)
    return run.need(RECORD, "rollout finish")


def proven(run: RunFolder, stage: Stage) -> bool:
    """Whether the stage's hand-off is there, passed, unedited, and made from what is still the same."""
    handoff = run.read(stage.handoff)
    if handoff is None or handoff.status != "passed":
        return False
    verify_chain(run, stage.handoff, handoff)
    return True


def with_skip(stage: Stage, skip: frozenset[GateName]) -> Stage:
    """The stage with gates left out by request; only the gate stage has any."""
    if stage.name != "gate" or not skip:
        return stage
    return Stage(name=stage.name, handoff=stage.handoff, work=partial(gate.gate, skip=skip))


def stage_named(name: str) -> Stage:
    """The stage with this command name."""
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise UnusableInput(f"there is no stage {name!r}", fix=f"stages: {', '.join(stage.name for stage in STAGES)}")


def summary(handoff: Handoff) -> str:
    """What a stage achieved, in one line."""
    body = handoff.body
    match handoff.stage:
        case "validate":
            return ", ".join(f"{check['check']} {check['status']}" for check in body["checks"])
        case "train" if "reused" in body:
            return f"not needed: {body['reused']['called']} ({handoff.outputs['artifact'][7:19]}) has the same inputs"
        case "train":
            return f"model {handoff.outputs['artifact'][7:19]} in {body['seconds']:.1f} s"
        case "evaluate":
            baseline, metric = body["baseline"], body["metric"]
            key = "overall_accuracy" if metric == "accuracy" else metric
            beside = f", baseline {baseline[key]:.4f}" if baseline else ", no baseline"
            return f"{metric} {body[key]:.4f}{beside} on {body['evidence']['overall']['rows']:,} rows"
        case "gate":
            return ", ".join(f"{result['gate']} {result['verdict']}" for result in body["results"]) or "no gate"
        case "register":
            return f"version {body['version']['number']}"
        case "canary":
            return str(body["why"])
        case _:
            return f"{handoff.status}: {body['record']['why']}" if "record" in body else handoff.status
