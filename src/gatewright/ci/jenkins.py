"""Jenkins: a declarative Jenkinsfile. Every string is single-quoted, so that Groovy never puts a value into a shell."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.ci.groovy import REPORT, below, block, indented, label_of, quoted, steps_of
from gatewright.ci.identities import names_of, token_file
from gatewright.ci.jenkins_step import step_file
from gatewright.ci.pipeline import Form, Job, Pipeline

_HEAD = "// Written by `gatewright ci generate --target jenkins`; `--check` tells when it differs from gatewright.yaml."
_WHICH = "GATEWRIGHT_JOB"
_PIPELINE = "pipeline"


def jenkins_files(pipeline: Pipeline, form: Form, suffix: str = "") -> dict[str, str]:
    """Path below the root of the repository → text."""
    if form == "own":
        return {"Jenkinsfile": _declarative(pipeline)}
    path = f".jenkins/gatewright{suffix}.groovy"
    return {path: step_file(pipeline, path)}


def _declarative(pipeline: Pipeline) -> str:
    lines = [
        f"// {pipeline.head}" if pipeline.head else _HEAD,
        "pipeline {",
        *indented(_options()),
        *indented(_parameters(pipeline)),
        *indented(_triggers(pipeline)),
        *indented(_stages(pipeline)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _reported(pipeline: Pipeline, job: Job) -> Iterator[str]:
    """The report of a pull request, on the machine of the stage that was its last."""
    report = pipeline.report
    if report is None or job.name not in report.needs:
        return
    archive = f"archiveArtifacts(artifacts: {quoted(below(pipeline, REPORT))}, allowEmptyArchive: true)"
    _, *steps = steps_of(pipeline, report)  # checked out already
    told = block("script", block("if (env.CHANGE_ID != null)", (*steps, archive)))
    yield from block("always" if job.name == report.needs[-1] else "failure", told)


def _options() -> Iterator[str]:
    yield "agent none"
    yield from block(
        "options",
        (
            "// One build at a time: it finds the state of the one before, and is never cancelled by the next.",
            "disableConcurrentBuilds()",
            "skipDefaultCheckout()",
            "buildDiscarder(logRotator(numToKeepStr: '100'))",
        ),
    )


def _parameters(pipeline: Pipeline) -> Iterator[str]:
    lines = [
        f"string(name: {quoted(each.variable)}, defaultValue: {quoted(each.default)}, "
        f"description: {quoted(each.about)}, trim: true)"
        for each in pipeline.inputs
    ]
    if pipeline.scheduled:
        names = ", ".join(quoted(name) for name in (_PIPELINE, *_starters(pipeline)))
        lines.append(f"choice(name: '{_WHICH}', choices: [{names}], description: 'What to do now')")
    yield from block("parameters", lines)


def _starters(pipeline: Pipeline) -> Iterator[str]:
    return (job.name for job in pipeline.scheduled if not job.needs)


def _triggers(pipeline: Pipeline) -> Iterator[str]:
    crons = "\n".join(dict.fromkeys(job.cron for job in pipeline.scheduled if job.cron))
    lines = [f"cron({quoted(crons)})"] if crons else []
    if pipeline.after:
        names = quoted(", ".join(pipeline.after))
        lines.append(f"upstream(upstreamProjects: {names}, threshold: hudson.model.Result.SUCCESS)")
    yield from block("triggers", lines)


def _stages(pipeline: Pipeline) -> Iterator[str]:
    lines = list(_changes(pipeline))
    for job in (*pipeline.jobs, *pipeline.scheduled):
        lines += _stage(pipeline, job)
    yield from block("stages", lines)


def _changes(pipeline: Pipeline) -> Iterator[str]:
    """A checkout before any condition: until there was one, a build has no changes, and `changeset` fits none."""
    inside = [
        *_agent(pipeline.jobs[0]),
        *(block("when", ("beforeAgent true", *_by_hand_or_push(pipeline))) if pipeline.scheduled else ()),
        *block("steps", ("checkout scm",)),
    ]
    yield from block("stage('changes')", inside)


def _by_hand_or_push(pipeline: Pipeline) -> Iterator[str]:
    """Not by the clock, if there is one."""
    if pipeline.scheduled:
        yield "not { triggeredBy 'TimerTrigger' }"
        yield f"expression {{ params.{_WHICH} == '{_PIPELINE}' }}"


def _stage(pipeline: Pipeline, job: Job) -> Iterator[str]:
    inside = [
        *_agent(job),
        *block("when", _when(pipeline, job)),
        *_asked(pipeline, job),
        *block("environment", _environment(pipeline, job)),
        *block("steps", block(f"timeout(time: {job.timeout}, unit: 'MINUTES')", steps_of(pipeline, job))),
    ]
    inside += block("post", _afterwards(pipeline, job))
    yield from block(f"stage({quoted(job.name)})", inside)


def _afterwards(pipeline: Pipeline, job: Job) -> Iterator[str]:
    reported = list(_reported(pipeline, job))
    if job.keeps:
        kept = ", ".join(below(pipeline, path) for path in job.keeps)
        archive = f"archiveArtifacts(artifacts: {quoted(kept)}, allowEmptyArchive: true)"
        always = [line.removeprefix("    ") for line in reported[1:-1]]
        yield from block("always", (archive, *always))
    else:
        yield from reported


def _when(pipeline: Pipeline, job: Job) -> Iterator[str]:
    """Looked at before a machine is taken, or somebody is asked."""
    yield "beforeAgent true"
    if job.approval:
        yield "beforeInput true"
    yield from _conditions(pipeline, job)


def _asked(pipeline: Pipeline, job: Job) -> Iterator[str]:
    """Somebody allows it, within a day; no machine is held meanwhile."""
    if job.approval:
        yield from block("options", ("timeout(time: 1, unit: 'DAYS')",))
        yield from block("input", (f"message {quoted(f'Start the {job.name} of {pipeline.model}?')}",))


def _agent(job: Job) -> Iterator[str]:
    label = label_of(job)
    if job.image is None:
        yield f"agent {{ label {quoted(label)} }}" if label else "agent any"
        return
    lines = [f"image {quoted(job.image)}", *([f"label {quoted(label)}"] if label else [])]
    yield from block("agent", block("docker", lines))


def _conditions(pipeline: Pipeline, job: Job) -> Iterator[str]:
    branch = quoted(pipeline.branch)
    deploying = f"expression {{ env.CHANGE_ID == null && (env.BRANCH_NAME == null || env.BRANCH_NAME == {branch}) }}"
    if job.cron is not None:
        yield deploying
        starter = job.needs[0] if job.needs else job.name
        clock = ("triggeredBy 'TimerTrigger'", f"expression {{ params.{_WHICH} == {quoted(starter)} }}")
        yield from block("anyOf", clock)
        if job.only_if:
            yield f"expression {{ env.{job.only_if} == 'true' }}"
        return
    yield from _by_hand_or_push(pipeline)
    if job.when == "deploying":
        yield deploying
    elif not pipeline.pull_requests:
        yield "expression { env.CHANGE_ID == null }"
    changes = (f"changeset {quoted(path)}" for path in pipeline.paths)
    yield from block("anyOf", ("expression { currentBuild.changeSets.isEmpty() }", *changes))


def _environment(pipeline: Pipeline, job: Job) -> Iterator[str]:
    if job.stays:
        yield "JENKINS_NODE_COOKIE = 'dontKillMe'"
    if not job.trusted:
        return
    known = pipeline.credentials
    for name in known.secrets:
        yield f"{name} = credentials({quoted(name)})"
    for name, value in names_of(known).items():
        yield f"{name} = {quoted(value)}"
    for cloud in known.clouds:
        yield f"{token_file(cloud)} = credentials({quoted(f'gatewright-{cloud}')})"
