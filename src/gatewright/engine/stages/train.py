"""Stage 2, train: run the team's own command on the pinned data and keep what it leaves, by digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gatewright.domain.documents import plain
from gatewright.domain.errors import DigestChanged, StageFailed
from gatewright.domain.lineage import Candidate
from gatewright.domain.project import Project
from gatewright.effects.files import measure_artifact, remove
from gatewright.effects.git import commit
from gatewright.engine.entry_code import carry_code, entry_code
from gatewright.engine.environment import recorded_environment
from gatewright.engine.handover import Handover
from gatewright.engine.left_model import check_model
from gatewright.engine.proofs import keep_model
from gatewright.engine.reuse import stand_in
from gatewright.ports import Job, JobResult, Progress
from gatewright.store.runs import CANDIDATE, Handoff, RunFolder
from gatewright.workspace import Workspace


def train(workspace: Workspace, run: RunFolder, progress: Progress) -> Handoff:
    """Run `train.command`; StageFailed (the run stays open) when it fails, runs too long or leaves no model.

    A model that is proven to be made from the same inputs stands in for it.
    """
    handover = Handover(workspace, run, "train", CANDIDATE)
    lock = handover.need("lock")
    handover.need("validation")
    if (standing := stand_in(handover)) is not None:
        return standing
    code = entry_code(workspace.root, workspace.project.train)
    version, data = handover.data("train", lock.body["train"], "train")
    output = run.path / "model"
    remove(output)
    output.mkdir(parents=True)
    command = _command(
        workspace.project,
        {
            "data.path": str(data),
            "data.version": version.version,
            "run.id": run.id,
            "output.dir": str(output),
            "model": workspace.project.model,
        },
    )
    started_commit = commit(workspace.root)
    result = workspace.executor.run(
        Job(
            argv=command,
            cwd=workspace.root,
            log=run.path / "logs" / "train.log",
            timeout_s=workspace.project.train.timeout.seconds,
        ),
        progress,
    )
    _check_result(result, run, workspace.project)
    check_model(output, workspace.project.train)
    _check_unchanged(handover, run, started_commit)
    if code is not None:
        carry_code(workspace.root, code, output)
        handover.outputs["code"] = code.digest
    artifact = replace(measure_artifact(output), uri=output.relative_to(workspace.root).as_posix())
    candidate = Candidate(
        model=workspace.project.model,
        artifact=artifact,
        data=version.digest,
        commit=lock.body["commit"],
        params=_params(workspace.project, command),
        trained_at=workspace.clock.now(),
    )
    handover.outputs["artifact"] = artifact.digest
    keep_model(workspace, artifact)
    environment = recorded_environment(handover, candidate)
    seconds = round(result.seconds, 3)
    return handover.finish("passed", {"candidate": plain(candidate), "seconds": seconds, "environment": environment})


def _command(project: Project, values: dict[str, str]) -> tuple[str, ...]:
    """The configured argv with its placeholders filled; each word stays one word."""
    words = []
    for word in project.train.command:
        for name, value in values.items():
            word = word.replace("{" + name + "}", value)
        words.append(word)
    return tuple(words)


def _params(project: Project, command: Sequence[str]) -> dict[str, Any]:
    told = {"command": list(command), "format": project.train.format}
    return told if project.train.entry is None else {**told, "entry": project.train.entry}


def _check_result(result: JobResult, run: RunFolder, project: Project) -> None:
    log = run.path / "logs" / "train.log"
    if result.ended == "timeout":
        raise StageFailed(
            f"the training command did not end within {project.train.timeout}; it and its children were ended",
            fix=f"see {log}, or raise train.timeout",
            final=False,
        )
    if result.code != 0:
        raise StageFailed(
            f"the training command failed with exit code {result.code}",
            fix=f"see {log}, mend it, then: gatewright run --resume {run.id}",
            final=False,
        )


def _check_unchanged(handover: Handover, run: RunFolder, started_commit: str) -> None:
    """What was trained on must be what was locked: bytes and commit may not have moved meanwhile."""
    lock = handover.need("lock")
    handover.data("train", lock.body["train"], "train")
    ended_commit = commit(handover.workspace.root)
    if ended_commit != started_commit:
        raise DigestChanged("the commit, while training ran", recorded=started_commit, found=ended_commit)
