"""Jenkins: a declarative Jenkinsfile. Every string is single-quoted, so that Groovy never puts a value into a shell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatewright.ci.identities import google_file, names_of, token_file
from gatewright.ci.pipeline import STATE, Form, Job, Pipeline, shell

VENV = f"{STATE}/ci-venv"
_HEAD = "// Written by `gatewright ci generate --target jenkins`; `--check` tells when it differs from gatewright.yaml."
_ONLY_GITHUB = "self-hosted"
_WHICH = "GATEWRIGHT_JOB"
_PIPELINE = "pipeline"


def jenkins_files(pipeline: Pipeline, form: Form, suffix: str = "") -> dict[str, str]:
    """Path below the root of the repository → text."""
    return {"Jenkinsfile" if form == "own" else f"Jenkinsfile.gatewright{suffix}": _declarative(pipeline)}


def quoted(text: str) -> str:
    """A Groovy string in which nothing is replaced."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _declarative(pipeline: Pipeline) -> str:
    lines = [
        _HEAD,
        "pipeline {",
        *_in(_options()),
        *_in(_parameters(pipeline)),
        *_in(_triggers(pipeline)),
        *_in(_stages(pipeline)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _in(lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    return (f"    {line}" if line else line for line in lines)


def _block(head: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    """`head { … }`; nothing when there is nothing in it."""
    inside = list(lines)
    if inside:
        yield f"{head} {{"
        yield from _in(inside)
        yield "}"


def _options() -> Iterator[str]:
    yield "agent none"
    yield from _block(
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
    yield from _block("parameters", lines)


def _starters(pipeline: Pipeline) -> Iterator[str]:
    return (job.name for job in pipeline.scheduled if not job.needs)


def _triggers(pipeline: Pipeline) -> Iterator[str]:
    crons = "\n".join(dict.fromkeys(job.cron for job in pipeline.scheduled if job.cron))
    lines = [f"cron({quoted(crons)})"] if crons else []
    if pipeline.after:
        names = quoted(", ".join(pipeline.after))
        lines.append(f"upstream(upstreamProjects: {names}, threshold: hudson.model.Result.SUCCESS)")
    yield from _block("triggers", lines)


def _stages(pipeline: Pipeline) -> Iterator[str]:
    lines: list[str] = []
    for job in (*pipeline.jobs, *pipeline.scheduled):
        if job.approval:
            lines += _approval(pipeline, job)
        lines += _stage(pipeline, job)
    yield from _block("stages", lines)


def _approval(pipeline: Pipeline, job: Job) -> Iterator[str]:
    """Somebody allows it; no machine is held meanwhile, because the pipeline has no agent of its own."""
    question = quoted(f"Start the {job.name} of {pipeline.model}?")
    asked = [
        *_block("when", _conditions(pipeline, job)),
        *_block("steps", _block("timeout(time: 1, unit: 'DAYS')", (f"input(message: {question})",))),
    ]
    yield from _block(f"stage('approve {job.name}')", asked)


def _stage(pipeline: Pipeline, job: Job) -> Iterator[str]:
    inside = [
        *_agent(job),
        *_block("when", ("beforeAgent true", *_conditions(pipeline, job))),
        *_block("environment", _environment(pipeline, job)),
        *_block("steps", _block(f"timeout(time: {job.timeout}, unit: 'MINUTES')", _steps(pipeline, job))),
    ]
    if job.keeps:
        kept = ", ".join(_below(pipeline, path) for path in job.keeps)
        archive = f"archiveArtifacts(artifacts: {quoted(kept)}, allowEmptyArchive: true)"
        inside += _block("post", _block("always", (archive,)))
    yield from _block(f"stage({quoted(job.name)})", inside)


def _agent(job: Job) -> Iterator[str]:
    label = " && ".join(name for name in job.runner if name != _ONLY_GITHUB)
    if job.image is None:
        yield f"agent {{ label {quoted(label)} }}" if label else "agent any"
        return
    lines = [f"image {quoted(job.image)}", *([f"label {quoted(label)}"] if label else [])]
    yield from _block("agent", _block("docker", lines))


def _conditions(pipeline: Pipeline, job: Job) -> Iterator[str]:
    branch = quoted(pipeline.branch)
    deploying = f"expression {{ env.CHANGE_ID == null && (env.BRANCH_NAME == null || env.BRANCH_NAME == {branch}) }}"
    if job.cron is not None:
        yield deploying
        starter = job.needs[0] if job.needs else job.name
        clock = ("triggeredBy 'TimerTrigger'", f"expression {{ params.{_WHICH} == {quoted(starter)} }}")
        yield from _block("anyOf", clock)
        if job.only_if:
            yield f"expression {{ env.{job.only_if} == 'true' }}"
        return
    if pipeline.scheduled:
        yield "not { triggeredBy 'TimerTrigger' }"
        yield f"expression {{ params.{_WHICH} == '{_PIPELINE}' }}"
    if job.when == "deploying":
        yield deploying
    elif not pipeline.pull_requests:
        yield "expression { env.CHANGE_ID == null }"
    changes = (f"changeset {quoted(path)}" for path in pipeline.paths)
    yield from _block("anyOf", ("expression { currentBuild.changeSets.isEmpty() }", *changes))


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


def _steps(pipeline: Pipeline, job: Job) -> Iterator[str]:
    yield "checkout scm"
    lines = [*_prepared(pipeline, job), *(_sh(shell(command)) for command in job.commands)] if job.stage else []
    if not job.stage:
        yield from (_sh(shell(command)) for command in job.commands)
        return
    if job.gives:
        lines += _given(job)
    if known := list(_places(pipeline, job)):
        lines = list(_block(f"withEnv([{', '.join(known)}])", lines))
    if pipeline.folder:
        lines = list(_block(f"dir({quoted(pipeline.folder)})", lines))
    yield from lines


def _places(pipeline: Pipeline, job: Job) -> Iterator[str]:
    """Variables that name a place in the workspace, which only the machine knows: joined, never written into a text."""
    if pipeline.install:
        yield f"'PATH+GATEWRIGHT=' + env.WORKSPACE + {quoted(f'/{_below(pipeline, VENV)}/bin')}"
    if job.trusted and pipeline.credentials.gcp is not None:
        place = quoted(f"/{_below(pipeline, STATE)}/gcp.json")
        yield f"'GOOGLE_APPLICATION_CREDENTIALS=' + env.WORKSPACE + {place}"


def _prepared(pipeline: Pipeline, job: Job) -> Iterator[str]:
    if pipeline.install:
        yield _sh(f"test -x {VENV}/bin/python || python3 -m venv {VENV}")
    for words in pipeline.install:
        yield _sh(shell(words))
    if job.trusted and pipeline.credentials.gcp is not None:
        yield _sh(google_file(pipeline.credentials))


def _given(job: Job) -> Iterator[str]:
    """What the job wrote for the later ones becomes variables of the build."""
    for name in job.names:
        line = f"sed -n s/^{name}=//p {job.gives}"
        yield f"script {{ env.{name} = sh(script: {quoted(line)}, returnStdout: true).trim() }}"


def _sh(line: str) -> str:
    return f"sh {quoted(line)}"


def _below(pipeline: Pipeline, path: str) -> str:
    return f"{pipeline.folder}/{path}" if pipeline.folder else path
