"""GitHub Actions: the workflow of the pipeline, and the one that a clock starts.

No `run:` holds an expression: what a person or an event says reaches a shell only as an environment variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gatewright.ci.actions import AWS, AZURE, CHECKOUT, GCP, PYTHON, UPLOAD, Action
from gatewright.ci.pipeline import REVIEW, Form, Input, Job, Pipeline, shell
from gatewright.ci.text import Flow, Noted, yaml_text

HOSTED = "ubuntu-24.04"
_HOSTED = ("ubuntu-", "windows-", "macos-")
_FOLDER = ".github/workflows"
_HEAD = "Written by `gatewright ci generate --target github`; `--check` tells when it differs from gatewright.yaml."
_SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
_NOT_A_PULL_REQUEST = "github.event_name != 'pull_request'"
_SELF_HOSTED = "zizmor: ignore[self-hosted-runner] no job of a fork runs here"
_LATE = "The clock of GitHub may be late; the lease of the canary's weight is the safety."
_GROUPS = (["rollout"], ["data"], ["evalset"], ["ci"])


def github_files(pipeline: Pipeline, form: Form, suffix: str = "") -> dict[str, str]:
    """Path below the root of the repository → text. A pipeline that waits for other jobs is always reusable."""
    reusable = form == "reusable" or bool(pipeline.after)
    main = f"gatewright-stages{suffix}.yml" if reusable else f"gatewright{suffix}.yml"
    files = {f"{_FOLDER}/{main}": _main(pipeline, reusable=reusable)}
    if pipeline.scheduled:
        files[f"{_FOLDER}/gatewright-tick{suffix}.yml"] = _scheduled(pipeline)
    return files


def github_call(pipeline: Pipeline, suffix: str = "") -> str:
    """What a workflow of the team's says to call the reusable form."""
    permissions = dict(_permissions(pipeline, pipeline.jobs))
    job: dict[str, Any] = {
        "needs": Flow(pipeline.after) if pipeline.after else None,
        "uses": f"./{_FOLDER}/gatewright-stages{suffix}.yml",
        "permissions": permissions,
        "secrets": {name: f"${{{{ secrets.{name} }}}}" for name in pipeline.credentials.secrets} or None,
    }
    return yaml_text({"jobs": {"gatewright": {key: item for key, item in job.items() if item is not None}}})


def _main(pipeline: Pipeline, *, reusable: bool) -> str:
    document: dict[str, Any] = {
        "name": f"gatewright {pipeline.model}",
        "on": _called(pipeline) if reusable else _events(pipeline),
        "permissions": {},
    }
    group = f"gatewright-{pipeline.model}-" + ("stages-" if reusable else "")
    document["concurrency"] = {
        "group": f"{group}${{{{ github.ref }}}}",
        "cancel-in-progress": Noted(
            "${{ github.event_name == 'pull_request' }}", "a run that may deploy is never cancelled"
        ),
    }
    document |= _surroundings(pipeline)
    jobs = (*pipeline.jobs, *([pipeline.report] if pipeline.report else []))
    document["jobs"] = {job.name: _job(pipeline, job) for job in jobs}
    return yaml_text(document, (pipeline.head or _HEAD,))


def _scheduled(pipeline: Pipeline) -> str:
    crons = dict.fromkeys(job.cron for job in pipeline.scheduled)
    names = [job.name for job in pipeline.scheduled if not job.needs]
    about = "What to do now, without waiting for the clock"
    document: dict[str, Any] = {
        "name": f"gatewright {pipeline.model} by the clock",
        "on": {
            "schedule": [{"cron": cron} for cron in crons],
            "workflow_dispatch": {
                "inputs": {"job": {"description": about, "type": "choice", "options": names, "default": names[0]}}
            },
        },
        "permissions": {},
        "concurrency": {
            "group": f"gatewright-{pipeline.model}-clock",
            "cancel-in-progress": Noted(False, "a tick that was begun is finished"),
        },
    }
    document |= _surroundings(pipeline)
    document["jobs"] = {job.name: _job(pipeline, job) for job in pipeline.scheduled}
    return yaml_text(document, (_HEAD, _LATE))


def _events(pipeline: Pipeline) -> dict[str, Any]:
    events: dict[str, Any] = {"push": {"branches": Flow((pipeline.branch,)), "paths": list(pipeline.paths)}}
    if pipeline.pull_requests:
        events["pull_request"] = {"branches": Flow((pipeline.branch,)), "paths": list(pipeline.paths)}
    asked = {"inputs": {each.name: _input(each) for each in pipeline.inputs}} if pipeline.inputs else {}
    return {**events, "workflow_dispatch": asked}


def _called(pipeline: Pipeline) -> dict[str, Any]:
    call: dict[str, Any] = {}
    if pipeline.inputs:
        call["inputs"] = {each.name: _input(each) for each in pipeline.inputs}
    if pipeline.credentials.secrets:
        call["secrets"] = {name: {"required": True} for name in pipeline.credentials.secrets}
    return {"workflow_call": call}


def _input(each: Input) -> dict[str, Any]:
    return {"description": each.about, "type": "string", "required": False, "default": each.default}


def _surroundings(pipeline: Pipeline) -> dict[str, Any]:
    """The folder of the workspace, when it is not the root."""
    shell_of: dict[str, Any] = {"shell": "bash"}
    if pipeline.folder:
        shell_of["working-directory"] = pipeline.folder
    return {"defaults": {"run": shell_of}}


def _job(pipeline: Pipeline, job: Job) -> dict[str, Any]:
    labels = job.runner or (HOSTED,)
    found: dict[str, Any] = {
        "name": job.name.capitalize(),
        "needs": Flow(job.needs) if job.needs else None,
        "if": _condition(pipeline, job),
        "runs-on": _runs_on(labels),
        "container": {"image": job.image} if job.image else None,
        "timeout-minutes": job.timeout,
        "permissions": dict(_permissions(pipeline, (job,))),
        "environment": job.environment,
        "outputs": _outputs(job),
        "env": dict(_env(pipeline, job)) or None,
        "steps": list(_steps(pipeline, job)),
    }
    return {key: item for key, item in found.items() if item is not None}


def _runs_on(labels: tuple[str, ...]) -> Any:
    value = labels[0] if len(labels) == 1 else Flow(labels)
    return Noted(value, _SELF_HOSTED) if "self-hosted" in labels else value


def _condition(pipeline: Pipeline, job: Job) -> str | None:
    """A pull request of a fork gets no machine of ours and no secret; a deployment starts on the branch only."""
    if job.cron is not None:
        return _clock(job)
    if job.when == "reviewing":
        return f"${{{{ always() && github.event_name == 'pull_request' && {_SAME_REPOSITORY} }}}}"
    if job.when == "deploying":
        return f"${{{{ {_NOT_A_PULL_REQUEST} && github.ref == 'refs/heads/{pipeline.branch}' }}}}"
    if (job.stage and job.stateful) or not all(label.startswith(_HOSTED) for label in job.runner):
        return f"${{{{ {_NOT_A_PULL_REQUEST} || {_SAME_REPOSITORY} }}}}"
    return None


def _clock(job: Job) -> str:
    if job.only_if:
        return f"${{{{ needs.{job.needs[0]}.outputs.{job.only_if} == 'true' }}}}"
    return f"${{{{ github.event.schedule == '{job.cron}' || inputs.job == '{job.name}' }}}}"


def _permissions(pipeline: Pipeline, jobs: tuple[Job, ...]) -> Iterator[tuple[str, Any]]:
    if pipeline.local or not any(job.stage for job in jobs):
        yield "contents", "read"
    else:
        yield "contents", Noted("write", "the state lies in a ref of this repository")
    if any(job.tells and job.when != "reviewing" for job in jobs):
        yield "deployments", Noted("write", "a rollout is shown as a deployment")
    if any(job.tells for job in jobs):
        yield "pull-requests", Noted("write", "one comment, kept up to date")
    if pipeline.credentials.clouds and any(job.trusted for job in jobs):
        yield "id-token", Noted("write", "the identity of this job, for a cloud")


def _outputs(job: Job) -> dict[str, str] | None:
    return {name: f"${{{{ steps.stage.outputs.{name} }}}}" for name in job.names} or None


def _env(pipeline: Pipeline, job: Job) -> Iterator[tuple[str, str]]:
    if job.inputs:
        for each in pipeline.inputs:
            if each.default:
                given = "" if job.cron else f"inputs.{each.name} || "
                yield each.variable, f"${{{{ {given}'{each.default}' }}}}" if given else each.default
            elif job.cron is None and each.variable != "REASON":
                yield each.variable, f"${{{{ inputs.{each.name} }}}}"
        if job.cron is None and pipeline.report is not None:
            yield REVIEW, "${{ github.event_name == 'pull_request' }}"
    for name in job.takes:
        source = job.needs[0]
        yield name, f"${{{{ needs.{source}.outputs.{name} }}}}"
    if job.trusted:
        for name in pipeline.credentials.secrets:
            yield name, f"${{{{ secrets.{name} }}}}"
    if job.stage and (job.tells or not pipeline.local):
        yield "GITHUB_TOKEN", "${{ github.token }}"
    if job.stage and not pipeline.local:
        yield from _git_login()
    if job.stays:
        yield "RUNNER_TRACKING_ID", ""


def _git_login() -> Iterator[tuple[str, str]]:
    """Git asks this for a password each time it needs one: none is kept in the checkout."""
    yield "GIT_CONFIG_COUNT", "1"
    yield "GIT_CONFIG_KEY_0", "credential.helper"
    yield "GIT_CONFIG_VALUE_0", '!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'


def _steps(pipeline: Pipeline, job: Job) -> Iterator[Any]:
    checkout: dict[str, Any] = {"persist-credentials": False}
    if job.stage and job.stateful and (pipeline.local or job.when == "deploying"):
        checkout["clean"] = Noted(False, "the state in .gatewright stays on this machine")
    yield _use(CHECKOUT, "Check out", checkout)
    if job.image is None and pipeline.python is not None:
        yield _use(PYTHON, "Python", {"python-version": pipeline.python, **_cached(pipeline, job)})
    for words in pipeline.install:
        yield {"name": "Install", "run": shell(words)}
    if job.trusted:
        yield from _identities(pipeline)
    for command in job.commands:
        step: dict[str, Any] = {"name": _title(command), "run": shell(command)}
        if not job.stage and pipeline.folder:
            step["working-directory"] = "."
        yield step
    if job.gives:
        yield {
            "name": "Tell the later jobs",
            "id": "stage",
            "if": "${{ always() }}",
            "run": f'test ! -f {job.gives} || cat {job.gives} >> "$GITHUB_OUTPUT"',
        }
    if job.keeps:
        yield _kept(pipeline, job)


def _cached(pipeline: Pipeline, job: Job) -> dict[str, str]:
    """What is deployed or released takes nothing out of a cache, which another branch may have filled."""
    if not pipeline.cache or job.when == "deploying" or pipeline.branch.startswith("release"):
        return {}
    return {"cache": "pip", "cache-dependency-path": pipeline.requirements}


def _title(command: tuple[Any, ...]) -> str:
    words = [word for word in command if isinstance(word, str)]
    verbs = [word for word in words if not word.startswith("-")]
    return " ".join(verbs[: 3 if verbs[1:2] in _GROUPS else 2])


def _kept(pipeline: Pipeline, job: Job) -> dict[str, Any]:
    paths = [_path(pipeline, path) for path in job.keeps]
    with_ = {
        "name": f"gatewright-{job.name}",
        "path": "\n".join(paths) if len(paths) > 1 else paths[0],
        "include-hidden-files": Noted(True, "JSON records only: models travel by digest"),
        "if-no-files-found": "ignore",
        "retention-days": 30,
    }
    return {**_use(UPLOAD, "Keep the records", with_), "if": "${{ always() }}"}


def _path(pipeline: Pipeline, path: str) -> str:
    return f"{pipeline.folder}/{path}" if pipeline.folder else path


def _identities(pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    known = pipeline.credentials
    if known.aws is not None:
        yield _use(AWS, "AWS", {"role-to-assume": known.aws.role, "aws-region": known.aws.region})
    if known.gcp is not None:
        provider = {"workload_identity_provider": known.gcp.provider, "service_account": known.gcp.service_account}
        yield _use(GCP, "Google Cloud", provider)
    if known.azure is not None:
        ids = {
            "client-id": known.azure.client,
            "tenant-id": known.azure.tenant,
            "subscription-id": known.azure.subscription,
        }
        yield _use(AZURE, "Azure", ids)


def _use(action: Action, title: str, with_: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": title, "uses": Noted(action.use, action.version), "with": dict(with_)}
