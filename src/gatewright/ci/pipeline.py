"""The pipeline of a project, whatever CI runs it: jobs, what each waits for, and the same stage commands everywhere."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from gatewright.domain.ci import NEVER, CiCredentials, CiSection
from gatewright.domain.project import Project

STATE = ".gatewright"
RUN_FILE = f"{STATE}/run.env"
TICK_FILE = f"{STATE}/tick.env"
RUN = "GATEWRIGHT_RUN"
TERMINAL = "GATEWRIGHT_TERMINAL"
_RECORDS = (f"{STATE}/runs/*/*.json",)
When = Literal["always", "deploying", "reviewing"]
REVIEW = "GATEWRIGHT_REVIEW"
Form = Literal["own", "reusable"]


@dataclass(frozen=True, slots=True)
class Var:
    """An environment variable, which reaches a shell only as `"$NAME"`."""

    name: str


Command = tuple[str | Var, ...]
_OF_DATA = ("watch", "refresh")
_OF_RUN: Command = ("--run", Var(RUN))


def shell(command: Command) -> str:
    """The one line of a command; every word is quoted, and a variable stays one word whatever it holds."""
    return " ".join(f'"${word.name}"' if isinstance(word, Var) else shlex.quote(word) for word in command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What somebody who starts the pipeline by hand may say; `variable` is its only way to a shell."""

    name: str
    variable: str
    about: str
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job: its commands in order, the machine it needs, and what it is trusted with.

    `when`: on every event, only for a deployment (never for a pull request), or only for a pull request. `inputs`: the
    job reads what a person said. `gives` is a file of `NAME=value` lines that later jobs get as variables, `names`.
    `keeps` are kept as an artifact. `stays`: processes that it starts outlive it. `tells`: it writes to the pull
    request or the deployment. `stateful`: it needs the state of runs, so no stranger may start it.
    """

    name: str
    commands: tuple[Command, ...]
    runner: tuple[str, ...]
    timeout: int
    needs: tuple[str, ...] = ()
    when: When = "always"
    image: str | None = None
    environment: str | None = None
    approval: bool = False
    inputs: bool = False
    gives: str | None = None
    names: tuple[str, ...] = ()
    only_if: str | None = None
    takes: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    trusted: bool = False
    stays: bool = False
    tells: bool = False
    stage: bool = True
    stateful: bool = True
    cron: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Everything that a writer needs. `jobs` lead to the canary; `scheduled` are those that a clock starts.

    `report` comments on a pull request, whatever became of its jobs. `head` is the first line of each file, unless
    that says how `ci generate` writes it.
    """

    model: str
    folder: str
    branch: str
    paths: tuple[str, ...]
    after: tuple[str, ...]
    inputs: tuple[Input, ...]
    jobs: tuple[Job, ...]
    scheduled: tuple[Job, ...]
    report: Job | None
    python: str | None
    install: tuple[tuple[str, ...], ...]
    requirements: str
    cache: bool
    pull_requests: bool
    credentials: CiCredentials
    local: bool
    head: str = ""


def pipeline_of(project: Project, folder: str = "") -> Pipeline:
    """The pipeline of `project`, whose workspace is `folder` below the root of the repository (empty: the root)."""
    section = project.ci
    stages = _stages(project)
    own = tuple(_own_job(section, index) for index in range(len(section.jobs)))
    waiting = [replace(stage, needs=tuple(job.name for job in own)) for stage in stages[:1]]
    checks = project.checks.dependencies
    always = ("gatewright.yaml", project.data.schema)
    return Pipeline(
        model=project.model,
        folder=folder,
        branch=section.branch,
        paths=tuple(dict.fromkeys(_below(folder, path) for path in (*always, *section.paths))),
        after=section.after,
        inputs=_inputs(project) if stages else (),
        jobs=(*own, *waiting, *stages[1:]),
        scheduled=_scheduled(project),
        report=_report(project) if stages and section.pull_requests else None,
        python=None if section.python == NEVER else section.python,
        install=section.install,
        requirements=_below(folder, checks.requirements if checks else "requirements.txt"),
        cache=section.cache,
        pull_requests=section.pull_requests,
        credentials=section.credentials,
        local=project.state.kind == "local",
    )


def _below(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def _inputs(project: Project) -> tuple[Input, ...]:
    return (
        Input(
            name="model_name",
            variable="MODEL_NAME",
            about="Model of gatewright.yaml",
            default=project.model,
        ),
        Input(name="data_version", variable="DATA_VERSION", about="Version of the training data; empty: the latest"),
        Input(name="run_id", variable="RUN_ID", about="Id of the run to open, from data watch; empty: a new one"),
        Input(name="reason", variable="REASON", about="Why it was started; only shown"),
        Input(
            name="bootstrap_by",
            variable="BOOTSTRAP_BY",
            about="Who allows the first deployment, which has no baseline; empty otherwise",
        ),
    )


def _own_job(section: CiSection, index: int) -> Job:
    """A job of the team's; they wait for nothing, and stage validate for all of them."""
    job = section.jobs[index]
    labels = {"default": section.runners.default, "train": _training(section), "deploy": section.runners.deploy}
    return Job(
        name=job.name,
        commands=(job.run,),
        runner=labels[job.runner],
        timeout=job.timeout,
        image=None if section.image == NEVER or job.runner == "deploy" else section.image,
        stage=False,
    )


def _training(section: CiSection) -> tuple[str, ...]:
    return section.runners.train or section.runners.default


def _stages(project: Project) -> tuple[Job, ...]:
    """validate, train, evaluate with gate, register, canary: as far as `last` says."""
    jobs = (*_judged(project), *_deployed(project))
    return jobs[: {"jobs": 0, "gate": 3, "register": 4, "rollout": 5}[project.ci.last]]


def _guard(section: CiSection) -> str | None:
    """The environment that holds the secrets of a stage."""
    return section.environments.stages if section.credentials.secrets else None


def _judged(project: Project) -> tuple[Job, ...]:
    """From new data or code to a verdict; this much runs for a pull request too."""
    section, minutes, local = project.ci, project.ci.timeouts, project.state.kind == "local"
    anywhere = section.runners.deploy if local else section.runners.default
    stage = partial(
        Job,
        runner=anywhere,
        image=None if section.image == NEVER else section.image,
        environment=_guard(section),
        trusted=section.credentials.any,
    )
    which = ("--model", Var("MODEL_NAME"), "--data-version", Var("DATA_VERSION"))
    opening = (*which, "--run-id", Var("RUN_ID"), "--bootstrap-by", Var("BOOTSTRAP_BY"))
    return (
        stage(
            name="validate",
            commands=(("gatewright", "validate", *opening, "--env-file", RUN_FILE),),
            timeout=minutes.validate,
            inputs=True,
            gives=RUN_FILE,
            names=(RUN,),
        ),
        stage(
            name="train",
            commands=(("gatewright", "train", *_OF_RUN),),
            runner=anywhere if local else _training(section),
            timeout=minutes.train,
            needs=("validate",),
            takes=(RUN,),
        ),
        stage(
            name="evaluate",
            commands=(("gatewright", "evaluate", *_OF_RUN), ("gatewright", "gate", *_OF_RUN)),
            timeout=minutes.evaluate,
            needs=("validate", "train"),
            takes=(RUN,),
            keeps=_RECORDS,
        ),
    )


def _report(project: Project) -> Job:
    section = project.ci
    return Job(
        name="report",
        commands=(("gatewright", "ci", "report", *_OF_RUN),),
        runner=section.runners.deploy if project.state.kind == "local" else section.runners.default,
        timeout=section.timeouts.register,
        needs=("validate", "train", "evaluate"),
        when="reviewing",
        takes=(RUN,),
        tells=True,
    )


def _notifies(project: Project) -> bool:
    """Whether a rollout shows itself as a deployment on the forge."""
    return any(plugin.kind in ("github", "gitlab") for plugin in project.notify)


def _deployed(project: Project) -> tuple[Job, ...]:
    """From a verdict to the first share of live traffic."""
    section, minutes = project.ci, project.ci.timeouts
    stage = partial(Job, runner=section.runners.deploy, when="deploying", trusted=section.credentials.any, takes=(RUN,))
    return (
        stage(
            name="register",
            commands=(("gatewright", "register", *_OF_RUN),),
            timeout=minutes.register,
            needs=("validate", "evaluate"),
            environment=_guard(section),
        ),
        stage(
            name="canary",
            commands=(("gatewright", "canary", "--start", *_OF_RUN),),
            timeout=minutes.canary,
            needs=("validate", "register"),
            environment=section.environments.canary,
            approval=section.environments.approval,
            stays=True,
            tells=_notifies(project),
        ),
    )


def _scheduled(project: Project) -> tuple[Job, ...]:
    """What a clock starts: the tick, stage 6 behind it, the watch on the data, a new evaluation set when it is due."""
    section, minutes, cron = project.ci, project.ci.timeouts, project.ci.schedule
    which = ("--model", Var("MODEL_NAME"))
    job = partial(Job, runner=section.runners.deploy, when="deploying", trusted=section.credentials.any)
    guarded = partial(job, environment=_guard(section), inputs=True)
    found = (
        guarded(
            name="tick",
            commands=(("gatewright", "rollout", "tick", *which, "--if-active", "--env-file", TICK_FILE),),
            timeout=minutes.tick,
            stays=True,
            tells=_notifies(project),
            gives=TICK_FILE,
            names=(RUN, TERMINAL),
            cron=cron.tick,
        ),
        job(
            name="rollout",
            commands=(("gatewright", "rollout", "finish", "--if-ended", *_OF_RUN),),
            timeout=minutes.tick,
            needs=("tick",),
            environment=section.environments.rollout,
            stays=True,
            tells=_notifies(project),
            takes=(RUN,),
            only_if=TERMINAL,
            keeps=_RECORDS,
            cron=cron.tick,
        ),
        guarded(
            name="watch",
            commands=(("gatewright", "data", "watch", "--once", *which),),
            timeout=minutes.watch,
            cron=cron.watch,
        ),
        guarded(
            name="refresh",
            commands=(("gatewright", "evalset", "refresh", "--if-due", *which),),
            timeout=minutes.refresh,
            cron=cron.refresh,
        ),
    )
    allowed = {"jobs": (), "gate": _OF_DATA, "register": _OF_DATA}.get(section.last)
    return tuple(job for job in found if job.cron != NEVER and (allowed is None or job.name in allowed))
