"""The links of how a model was made: data, code, checks, environment, training, report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gatewright.domain.documents import sha256, short
from gatewright.domain.errors import DigestChanged
from gatewright.domain.lineage import DataVersion
from gatewright.effects.environment import environment_digest
from gatewright.effects.files import digest_file, measure_artifact, safe_join
from gatewright.effects.git import NO_GIT, bytes_at
from gatewright.engine.entry_code import carried_files
from gatewright.engine.environment import BILL
from gatewright.engine.planning import code_at
from gatewright.engine.provenance.deployment import Deployment
from gatewright.engine.provenance.findings import Unproven, evidence, model_here, same, taken
from gatewright.store.runs import CANDIDATE, LOCK, REPORT, VALIDATION, Handoff, RunFolder

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def data(deployment: Deployment) -> str:
    """Both data versions: the pointer as in the commit, and every byte."""
    lock = taken(deployment, LOCK)
    told = []
    for role, folder in (("train", "train"), ("evaluation", "evaluation")):
        pin = lock.body[role]
        version = deployment.workspace.data_versions.get(pin["name"], pin["version"])
        same(f"data version {version.name} {version.version}", recorded=pin["digest"], found=version.digest)
        same(f"the {role} data of lock.json", recorded=lock.outputs[role], found=pin["digest"])
        _check_pointer(deployment, lock, version)
        _check_bytes(deployment, version, deployment.run.path / "data" / folder)
        told.append(f"{role} {version.name} {version.version} ({short(version.digest)})")
    return ", ".join(told) + "; every byte read"


def code(deployment: Deployment) -> str:
    """The commit is in git, and its files give the digest of the code that the run recorded."""
    lock = taken(deployment, LOCK)
    commit = _clean_commit(lock)
    found = code_at(deployment.workspace, commit, lock.body["schema_file"]["path"])
    if found is None:
        raise Unproven(f"git does not have commit {commit[:12]} here: fetch it")
    same(f"the code of commit {commit[:12]}", recorded=lock.body["inputs_of_run"]["code"], found=found)
    return f"commit {commit[:12]}, its files give code digest {found}"


def checks(deployment: Deployment) -> str:
    """Lint, dependencies and data passed, on the locked data."""
    lock, validation = taken(deployment, LOCK), taken(deployment, VALIDATION)
    for role in ("train", "evaluation"):
        same(f"the {role} data that was checked", recorded=lock.body[role]["digest"], found=validation.inputs[role])
    return ", ".join(f"{check['check']} {check['status']}" for check in validation.body["checks"])


def environment(deployment: Deployment) -> str:
    """What was installed when the model was trained, and the bill of materials that says so."""
    run, handoff = _trained(deployment)
    recorded = handoff.body.get("environment") or {}
    if "digest" not in recorded:
        raise Unproven("the run recorded no digest of its environment")
    same("the environment of training", recorded=recorded["digest"], found=environment_digest(recorded))
    bill = evidence(deployment, run.path / BILL, BILL)
    same(BILL, recorded=handoff.outputs["sbom"], found=sha256(bill))
    commit = str(handoff.body["candidate"]["commit"])
    pins = recorded["pins"]
    if _COMMIT.fullmatch(commit):
        for name, digest in pins.items():
            content = bytes_at(deployment.workspace.root, commit, name)
            if content is not None:
                same(f"{name} of commit {commit[:12]}", recorded=digest, found=sha256(content))
    pinned = f", pinned by {', '.join(pins)}" if pins else ""
    return f"Python {recorded['python']}, {len(recorded['packages'])} packages{pinned} ({short(recorded['digest'])})"


def training(deployment: Deployment) -> str:
    """The model was made from the locked data and commit, and is the one that was registered."""
    lock, handoff = taken(deployment, LOCK), taken(deployment, CANDIDATE)
    candidate = handoff.body["candidate"]
    digest = candidate["artifact"]["digest"]
    same("the model of candidate.json", recorded=handoff.outputs["artifact"], found=digest)
    same("the registered model", recorded=digest, found=deployment.version.artifact.digest)
    reused = handoff.body.get("reused")
    carried = _carried(deployment, handoff, str(lock.body["commit"]))
    if reused:
        run, original = _trained(deployment)
        same(f"the model of run {run.id}", recorded=digest, found=original.outputs["artifact"])
        return f"model {short(digest)}{carried}, trained by run {run.id} from the same inputs"
    same("the data that was trained on", recorded=lock.body["train"]["digest"], found=handoff.inputs["train"])
    same("the data of candidate.json", recorded=lock.body["train"]["digest"], found=candidate["data"])
    same("the commit that was trained", recorded=lock.body["commit"], found=candidate["commit"])
    folder = safe_join(deployment.workspace.root, candidate["artifact"]["uri"])
    if folder.is_dir():
        same(f"the model in {candidate['artifact']['uri']}", recorded=digest, found=measure_artifact(folder).digest)
    return f"model {short(digest)}{carried} in {handoff.body['seconds']:g} s"


def report(deployment: Deployment) -> str:
    """The report speaks of this model, this baseline and these rows, and its predictions are those it was made from."""
    lock, handoff = taken(deployment, LOCK), taken(deployment, REPORT)
    body = handoff.body
    baseline = lock.body["baseline"]["artifact"]["digest"] if lock.body["baseline"] else None
    for name, recorded, found in (
        ("the model of the report", deployment.version.artifact.digest, body["candidate_digest"]),
        ("the baseline of the report", baseline, body["baseline_digest"]),
        ("the evaluation set of the report", lock.body["evaluation"]["digest"], body["evaluation_digest"]),
    ):
        same(name, recorded=recorded, found=found)
    for name in ("predictions", "latency"):
        if name in handoff.outputs:
            path = deployment.run.path / "predictions" / f"{name}.parquet"
            if not path.is_file():
                raise Unproven(f"{name}.parquet is not here: it stays with the machine that evaluated the model")
            same(f"{name}.parquet", recorded=handoff.outputs[name], found="sha256:" + digest_file(path))
    return f"report {short(deployment.run.digest(REPORT))}, on {lock.body['evaluation']['rows']:,} rows"


def _carried(deployment: Deployment, handoff: Handoff, commit: str) -> str:
    """That the code which a model brings along is that of the commit, in words; empty where it brings none."""
    if handoff.body["candidate"]["params"].get("format") != "entry":
        return ""
    files = carried_files(model_here(deployment))
    if not _COMMIT.fullmatch(commit):
        return f" with {len(files)} files of code"  # the link `code` tells why nothing here can prove them
    for name, digest in files.items():
        content = bytes_at(deployment.workspace.root, commit, name)
        if content is None:
            raise Unproven(f"{name}, which the model carries, is not in commit {commit[:12]} here")
        same(f"{name} of commit {commit[:12]}, which the model carries", recorded=sha256(content), found=digest)
    return f" with {len(files)} files of code as in commit {commit[:12]}"


def _trained(deployment: Deployment) -> tuple[RunFolder, Handoff]:
    """The run that really trained the model, and its candidate.json."""
    handoff = taken(deployment, CANDIDATE)
    reused: dict[str, Any] | None = handoff.body.get("reused")
    if not reused:
        return deployment.run, handoff
    run = deployment.workspace.runs.find(reused["run"])
    found = run.read(CANDIDATE) if run is not None else None
    if run is None or found is None:
        raise Unproven(f"the model was trained by run {reused['run']}, which is not here")
    return run, found


def _clean_commit(lock: Handoff) -> str:
    commit = str(lock.body["commit"])
    if commit == NO_GIT:
        raise Unproven("the run was made outside of git: its code has a digest, and nothing here to compare it with")
    if not _COMMIT.fullmatch(commit):
        raise Unproven(f"the files differed from commit {commit[:12]} when the run began ({commit.partition('-')[2]})")
    return commit


def _check_pointer(deployment: Deployment, lock: Handoff, version: DataVersion) -> None:
    commit = str(lock.body["commit"])
    if not _COMMIT.fullmatch(commit):
        return  # the link `code` tells of it
    root, path = deployment.workspace.root, deployment.workspace.data_versions.path(version)
    name = path.relative_to(root).as_posix()
    committed = bytes_at(root, commit, name)
    if committed is not None:
        same(f"{name} of commit {commit[:12]}", recorded=sha256(committed), found=sha256(path.read_bytes()))


def _check_bytes(deployment: Deployment, version: DataVersion, laid: Path) -> None:
    """Every byte, where it lies: in the workspace, or else as the run had laid it out."""
    root = deployment.workspace.root
    if version.kind in ("file", "fileset"):
        base = safe_join(root, version.uri)
        base = base.parent if version.kind == "file" else base
    elif laid.is_dir():
        base = laid
    else:
        raise Unproven(f"the bytes of {version.name} {version.version} are at {version.uri}, which was not asked")
    for file in version.files:
        path = safe_join(base, file.path)
        found = f"sha256:{digest_file(path)}" if path.is_file() else "no file"
        if found != f"sha256:{file.sha256}":
            raise DigestChanged(
                f"{file.path} of {version.name} {version.version}", recorded=f"sha256:{file.sha256}", found=found
            )
