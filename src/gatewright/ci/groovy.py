"""Words of Groovy that both kinds of Jenkins pipelines are made of. In a single-quoted string nothing is replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatewright.ci.identities import google_file
from gatewright.ci.pipeline import REVIEW, STATE, Job, Pipeline, shell

VENV = f"{STATE}/ci-venv"
REPORT = "gatewright-report.md"
_GIT_LOGIN = "gatewright-git"
_ONLY_GITHUB = "self-hosted"


def quoted(text: str) -> str:
    """A Groovy string in which nothing is replaced."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def indented(lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    """The lines, one level deeper."""
    return (f"    {line}" if line else line for line in lines)


def block(head: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    """`head { … }`; nothing when there is nothing in it."""
    inside = list(lines)
    if inside:
        yield f"{head} {{"
        yield from indented(inside)
        yield "}"


def sh(line: str) -> str:
    """The step that hands one line to the shell."""
    return f"sh {quoted(line)}"


def label_of(job: Job) -> str:
    """The machines that may run a job; empty for any."""
    return " && ".join(name for name in job.runner if name != _ONLY_GITHUB)


def below(pipeline: Pipeline, path: str) -> str:
    """A path of the workspace, from the root of the repository."""
    return f"{pipeline.folder}/{path}" if pipeline.folder else path


def steps_of(pipeline: Pipeline, job: Job, *, scripted: bool = False) -> Iterator[str]:
    """What a job does on its machine. `scripted`: in a file that is loaded, not in a declarative pipeline."""
    yield "checkout scm"
    lines = [*_prepared(pipeline, job), *(sh(shell(command)) for command in job.commands)] if job.stage else []
    if not job.stage:
        yield from (sh(shell(command)) for command in job.commands)
        return
    if job.gives:
        lines += _given(job, scripted=scripted)
    if not pipeline.local:
        login = f"withCredentials([gitUsernamePassword(credentialsId: '{_GIT_LOGIN}')])"
        lines = list(block(login, lines))
    if known := list(_places(pipeline, job)):
        lines = list(block(f"withEnv([{', '.join(known)}])", lines))
    if pipeline.folder:
        lines = list(block(f"dir({quoted(pipeline.folder)})", lines))
    yield from lines


def _places(pipeline: Pipeline, job: Job) -> Iterator[str]:
    """Variables that name a place in the workspace, which only the machine knows: joined, never written into a text."""
    if pipeline.install:
        yield f"'PATH+GATEWRIGHT=' + env.WORKSPACE + {quoted(f'/{below(pipeline, VENV)}/bin')}"
    if job.inputs and job.cron is None and pipeline.report is not None:
        yield f"'{REVIEW}=' + (env.CHANGE_ID != null)"
    if job.trusted and pipeline.credentials.gcp is not None:
        place = quoted(f"/{below(pipeline, STATE)}/gcp.json")
        yield f"'GOOGLE_APPLICATION_CREDENTIALS=' + env.WORKSPACE + {place}"


def _prepared(pipeline: Pipeline, job: Job) -> Iterator[str]:
    if pipeline.install:
        yield sh(f"test -x {VENV}/bin/python || python3 -m venv {VENV}")
    for words in pipeline.install:
        yield sh(shell(words))
    if job.trusted and pipeline.credentials.gcp is not None:
        yield sh(google_file(pipeline.credentials))


def _given(job: Job, *, scripted: bool) -> Iterator[str]:
    """What the job wrote for the later ones becomes variables of the build."""
    for name in job.names:
        line = f"sed -n s/^{name}=//p {job.gives}"
        taken = f"env.{name} = sh(script: {quoted(line)}, returnStdout: true).trim()"
        yield taken if scripted else f"script {{ {taken} }}"
