"""The links of how a model came to its users: records, verdict, registration, approval, traffic."""

from __future__ import annotations

from gatewright.domain.documents import canonical_json, plain, sha256, short
from gatewright.domain.errors import UnusableInput
from gatewright.domain.gate import Verdict
from gatewright.domain.records import NOW_SERVES, TERMINAL_KINDS
from gatewright.domain.rollout import Rollout
from gatewright.effects.files import digest_file, measure_artifact
from gatewright.engine.cards import CARDS
from gatewright.engine.controller import evidence_of
from gatewright.engine.provenance.deployment import Deployment
from gatewright.engine.provenance.findings import Unproven, evidence, looked_at, model_here, same, taken
from gatewright.engine.signing import check_version, signature_path
from gatewright.store.runs import LOCK, RECORD, REPORT, ROLLOUT, VERDICT, VERSION


def records(deployment: Deployment) -> str:
    """The chain of records is whole, from the first to the last."""
    store = deployment.workspace.records
    broken = store.first_broken()
    if broken is not None:
        raise UnusableInput(f"record {broken[0]}: {broken[1]}", fix="gatewright records verify")
    chain = store.all()
    if not chain:
        raise Unproven("there is no record yet")
    return f"{len(chain)} records, head {short(chain[-1].digest)}"


def verdict(deployment: Deployment) -> str:
    """The gates passed, on that report of that model."""
    handoff = taken(deployment, VERDICT)
    found = deployment.run.digest(REPORT)
    same("the report that was judged", recorded=handoff.inputs["evaluation-report.json"], found=found)
    same("the model that was judged", recorded=handoff.body["artifact"], found=deployment.version.artifact.digest)
    same("the verdict", recorded=Verdict.PASS.value, found=handoff.body["verdict"])
    results = ", ".join(f"{result['gate']} {result['verdict']}" for result in handoff.body["results"])
    return results or "no gate was configured"


def registration(deployment: Deployment) -> str:
    """The registry holds what version.json says, byte for byte."""
    version = deployment.version
    handoff = taken(deployment, VERSION)
    recorded, found = handoff.body["version"], plain(version)
    for name in ("number", "artifact", "data", "commit", "report", "run"):
        same(f"{name} of version {version.number}", recorded=recorded[name], found=found[name])
    if version.run == deployment.run.id:
        same("the report of the version", recorded=version.report, found=deployment.run.digest(REPORT))
    measured = measure_artifact(model_here(deployment)).digest
    same(f"the model in {version.artifact.uri}", recorded=version.artifact.digest, found=measured)
    for name in CARDS:
        if name in handoff.outputs:
            card = evidence(deployment, deployment.run.path / name, name)
            same(name, recorded=handoff.outputs[name], found=sha256(card))
    with looked_at("its signature is not here"):
        signed = check_version(deployment.workspace, version)
    if signed and "signature" in handoff.outputs:
        path = signature_path(deployment.workspace.root, version.model, version.artifact.digest)
        same("the signature of the model", recorded=handoff.outputs["signature"], found="sha256:" + digest_file(path))
    if deployment.unasked:
        raise Unproven(f"what is here holds, but the registry could not be looked at: {deployment.unasked}")
    told = f"version {version.number}, {version.artifact.size:,} bytes ({short(version.artifact.digest)})"
    return f"{told}, {signed}" if signed else told


def approval(deployment: Deployment) -> str:
    """Who allowed a first deployment, and each step that needs somebody's word before it begins."""
    rollout = _rollout(deployment)
    told = []
    if rollout.stable is None:
        lock = taken(deployment, LOCK) if rollout.origin is None else None
        allowed = lock.body["bootstrap_by"] if lock else rollout.bootstrap_by
        started = next((record for record in deployment.records if record.kind == "started"), None)
        same("who allowed the first deployment", recorded=allowed, found=started.actor if started else None)
        told.append(f"first deployment allowed by {allowed}")
    if rollout.restored_by is not None:
        told.append(f"brought back by {rollout.restored_by}")
    needed = [index for index, step in enumerate(rollout.policy.steps) if step.approval] if rollout.compared else []
    for index in needed:
        told += _approved(deployment, rollout, index)
    return "; ".join(told) or "no step needs an approval"


def traffic(deployment: Deployment) -> str:
    """The records of the rollout speak of this model, its verdict and its evidence, to their end."""
    rollout = _rollout(deployment)
    chain = deployment.records
    for record in chain:
        if rollout.canary not in (record.before, record.after):
            raise UnusableInput(f"record {record.seq} speaks of another model", fix="restore the state database")
    ended = [record for record in chain if record.kind in TERMINAL_KINDS]
    if not ended:
        raise Unproven(f"the rollout has not ended: {rollout.phase} at {rollout.weight:g} %")
    last = ended[-1]
    evidence = sha256(canonical_json(evidence_of(rollout)))
    same(f"the evidence of record {last.seq}", recorded=last.evidence, found=evidence)
    for name, handoff in (("verdict", VERDICT), ("report", REPORT)):
        if name in last.details:
            found = deployment.run.digest(handoff)
            same(f"the {name} of record {last.seq}", recorded=last.details[name], found=found)
    if rollout.origin is None:
        taken(deployment, ROLLOUT) if last.kind in NOW_SERVES else None
        same(
            "deployment-record.json",
            recorded=plain(last),
            found=plain(taken(deployment, RECORD).body["record"]),
        )
    return f"{last.kind} by {last.actor}, record {last.seq} at {last.at:%Y-%m-%d %H:%M:%S} UTC: {last.why}"


def _rollout(deployment: Deployment) -> Rollout:
    if deployment.rollout is None:
        raise Unproven(f"version {deployment.version.number} was never brought to traffic")
    same("the model of the rollout", recorded=deployment.version.artifact.digest, found=deployment.rollout.canary)
    return deployment.rollout


def _approved(deployment: Deployment, rollout: Rollout, index: int) -> list[str]:
    """The order that let a step begin, given before it did; nothing to show for a step that was never reached."""
    weight = rollout.policy.steps[index].weight
    begun = [
        record.seq
        for record in deployment.records
        if record.kind in ("step", "resumed", "promoting", "promoted")
        and record.after == rollout.canary
        and float(record.details.get("weight", 0.0)) >= weight
    ]
    if not begun:
        return []
    orders = [
        record
        for record in deployment.records
        if record.kind == "approved"
        and record.details.get("step") == index
        and record.after == rollout.canary
        and record.seq <= begun[0]
    ]
    if not orders:
        raise UnusableInput(
            f"step {index + 1} ({weight:g} %) began with record {begun[0]}, and no record says that it was approved",
            fix="restore the records",
        )
    return [f"step {index + 1} ({weight:g} %) approved by {orders[-1].actor}"]
