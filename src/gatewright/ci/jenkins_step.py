"""Jenkins: the pipeline as a file that a team's own Jenkinsfile loads, with one function for each way to start it."""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.ci.groovy import REPORT, below, block, label_of, quoted, steps_of
from gatewright.ci.identities import names_of, token_file
from gatewright.ci.pipeline import Job, Pipeline

_HEAD = (
    "// Written by `gatewright ci generate --target jenkins --form reusable`; `--check` tells when it differs.",
    "// In your Jenkinsfile: def gatewright = node {{ checkout scm; load('{path}') }}, then gatewright.stages({given})",
)


def step_file(pipeline: Pipeline, path: str) -> str:
    """The text of the file at `path`: `stages(given)` runs the pipeline, and each job of the clock has its own name."""
    takes = bool(pipeline.inputs) or not pipeline.head  # what `ci generate` has written is called with its parameters
    first = f"// {pipeline.head}" if pipeline.head else _HEAD[0]
    lines = [first, _HEAD[1].format(path=path, given="params" if takes else "")]
    for job in (*pipeline.jobs, *pipeline.scheduled):
        lines += ["", *block(f"void {_function(job)}()", _stage(pipeline, job))]
    calls = [f"{_function(job)}()" for job in pipeline.jobs]
    if takes:
        lines += ["", *block("void stages(Map given = [:])", [*_values(pipeline), *_guarded(pipeline, calls)])]
    else:
        lines += ["", *block("void stages()", calls)]
    for job in (job for job in pipeline.scheduled if not job.needs):
        later = [each for each in pipeline.scheduled if job.name in each.needs]
        calls = [f"{_function(each)}()" for each in (job, *later)]
        lines += [
            "",
            *block(f"void {job.name}(Map given = [:])", [*_values(pipeline), *block("withEnv(values)", calls)]),
        ]
    return "\n".join([*lines, "", "return this"]) + "\n"


def _function(job: Job) -> str:
    """The name of the function that runs a job; a job's name may have signs that Groovy takes for others."""
    words = job.name.replace("-", "_").split("_")
    return "stage" + "".join(word[:1].upper() + word[1:] for word in words)


def _values(pipeline: Pipeline) -> Iterator[str]:
    """What was said reaches a shell as variables of the environment, and nowhere else."""
    yield "List<String> values = ["
    for each in pipeline.inputs:
        yield f"    {quoted(f'{each.variable}=')} + (given.{each.variable} ?: {quoted(each.default)}),"
    yield "]"


def _guarded(pipeline: Pipeline, body: list[str]) -> Iterator[str]:
    inside = list(block("withEnv(values)", body))
    if pipeline.report is None:
        yield from inside
        return
    yield from [*block("try", inside)][:-1]
    reported = [*steps_of(pipeline, pipeline.report, scripted=True)]
    reported.append(f"archiveArtifacts(artifacts: {quoted(below(pipeline, REPORT))}, allowEmptyArchive: true)")
    told = block("if (env.CHANGE_ID != null)", block(_node(pipeline.report), reported))
    yield from block("} finally", told)


def _stage(pipeline: Pipeline, job: Job) -> Iterator[str]:
    work = [*_kept(pipeline, job, block(_timeout(job), steps_of(pipeline, job, scripted=True)))]
    if settings := list(_settings(pipeline, job)):
        work = [*block(f"withEnv([{', '.join(settings)}])", work)]
    if secrets := list(_secrets(pipeline, job)):
        work = [*block(f"withCredentials([{', '.join(secrets)}])", work)]
    work = [*block(_node(job), work)]
    if job.approval:
        question = quoted(f"Start the {job.name} of {pipeline.model}?")
        work = [*block("timeout(time: 1, unit: 'DAYS')", (f"input(message: {question})",)), *work]
    stage = [*block(f"stage({quoted(job.name)})", work)]
    yield from block(f"if ({condition})", stage) if (condition := _condition(pipeline, job)) else stage


def _condition(pipeline: Pipeline, job: Job) -> str:
    conditions = []
    if job.when == "deploying":
        branch = quoted(pipeline.branch)
        conditions.append(f"env.CHANGE_ID == null && (env.BRANCH_NAME == null || env.BRANCH_NAME == {branch})")
    elif not pipeline.pull_requests:
        conditions.append("env.CHANGE_ID == null")
    if job.only_if:
        conditions.append(f"env.{job.only_if} == 'true'")
    return " && ".join(conditions)


def _node(job: Job) -> str:
    label = label_of(job)
    return f"node({quoted(label)})" if label else "node"


def _timeout(job: Job) -> str:
    return f"timeout(time: {job.timeout}, unit: 'MINUTES')"


def _kept(pipeline: Pipeline, job: Job, lines: Iterator[str]) -> Iterator[str]:
    if job.image is not None:
        lines = block(f"docker.image({quoted(job.image)}).inside", lines)
    if not job.keeps:
        yield from lines
        return
    kept = ", ".join(below(pipeline, path) for path in job.keeps)
    yield from [*block("try", lines)][:-1]
    yield from block("} finally", (f"archiveArtifacts(artifacts: {quoted(kept)}, allowEmptyArchive: true)",))


def _settings(pipeline: Pipeline, job: Job) -> Iterator[str]:
    if job.stays:
        yield "'JENKINS_NODE_COOKIE=dontKillMe'"
    if job.trusted:
        for name, value in names_of(pipeline.credentials).items():
            yield quoted(f"{name}={value}")


def _secrets(pipeline: Pipeline, job: Job) -> Iterator[str]:
    if not job.trusted:
        return
    for name in pipeline.credentials.secrets:
        yield f"string(credentialsId: {quoted(name)}, variable: {quoted(name)})"
    for cloud in pipeline.credentials.clouds:
        yield f"file(credentialsId: {quoted(f'gatewright-{cloud}')}, variable: {quoted(token_file(cloud))})"
