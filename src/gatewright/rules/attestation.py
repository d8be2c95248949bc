"""What each stage did, as an in-toto statement: made from its hand-off alone, so that anybody can make it again.

Statement v1: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. Training is told as SLSA provenance
v1 (https://slsa.dev/spec/v1.0/provenance), the other stages have predicate types of their own.

Digests that are no sha256 over the bytes of one file have algorithm names of their own:
`gatewrightTreeV1` (model or data: sha256 over the sorted lines `path size sha256`), `gatewrightJsonV1` (sha256 over the
canonical JSON of a hand-off, a configuration, an environment), `gatewrightRecordV1` (a link in the chain of records).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
SLSA = "https://slsa.dev/provenance/v1"
TREE, JSON, RECORD = "gatewrightTreeV1", "gatewrightJsonV1", "gatewrightRecordV1"
OWN = {
    "lock": "urn:gatewright:inputs:v1",
    "validation": "urn:gatewright:checks:v1",
    "candidate": "urn:gatewright:reuse:v1",
    "evaluation-report": "urn:gatewright:evaluation:v1",
    "verdict": "urn:gatewright:gates:v1",
    "version": "urn:gatewright:registration:v1",
    "rollout": "urn:gatewright:canary:v1",
    "deployment-record": "urn:gatewright:deployment:v1",
}
"""Hand-off → type of its predicate; that of `candidate` where a known model stood in for training."""
_ALGORITHMS = {
    "config": JSON, "schema": JSON, "record": RECORD,
    **dict.fromkeys(("sbom", "sarif", "signature", "predictions", "latency"), "sha256"),
    **dict.fromkeys(("model-card.md", "model-card.html"), "sha256"),
}  # fmt: skip
_TOLD: dict[str, tuple[str, ...]] = {
    "lock": ("model", "commit", "train", "evaluation", "baseline", "golden", "bootstrap_by", "reasons"),
    "validation": ("checks", "warnings"),
    "candidate": ("candidate", "reused"),
    "evaluation-report": ("candidate_digest", "baseline_digest", "evaluation_digest", "metric_version", "warnings"),
    "verdict": ("verdict", "artifact", "results", "warnings"),
    "version": ("version",),
    "rollout": ("rollout", "phase", "why"),
    "deployment-record": ("record",),
}
"""What of the body of a hand-off goes into its own predicate."""


def statement_of(name: str, document: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """The statement about the hand-off `<name>.json`: its `document` as plain JSON, which has this `digest`.

    Its subjects are the hand-off itself and everything that the stage has made.
    """
    made = [descriptor(each, found) for each, found in document["outputs"].items()]
    trained = name == "candidate" and not document.get("reused")
    return {
        "_type": STATEMENT,
        "subject": [{"name": f"{name}.json", "digest": {JSON: _hex(digest)}}, *made],
        "predicateType": SLSA if trained else OWN[name],
        "predicate": _provenance(document) if trained else _own(name, document),
    }


def descriptor(name: str, digest: str) -> dict[str, Any]:
    """A resource by its digest, under the algorithm that made it."""
    algorithm = JSON if name.endswith(".json") else _ALGORITHMS.get(name, TREE)
    return {"name": name, "digest": {algorithm: _hex(digest)}}


def _own(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": document["run"],
        "stage": document["stage"],
        "status": document["status"],
        "startedOn": document["started_at"],
        "finishedOn": document["ended_at"],
        "materials": [descriptor(each, found) for each, found in document["inputs"].items()],
        "result": {each: document[each] for each in _TOLD[name] if each in document},
    }


def _provenance(document: Mapping[str, Any]) -> dict[str, Any]:
    candidate, environment = document.get("candidate", {}), document.get("environment", {})
    commit = str(candidate.get("commit", ""))
    head, _, dirty = commit.partition("-dirty.")
    code: dict[str, Any] = {"name": "code", "digest": {"gitCommit": head}}
    if dirty:
        code["annotations"] = {"differsFromCommit": dirty}
    pins = [{"name": name, "digest": {"sha256": _hex(digest)}} for name, digest in environment.get("pins", {}).items()]
    surroundings = [{"name": "environment", "digest": {JSON: _hex(environment["digest"])}}] if environment else []
    return {
        "buildDefinition": {
            "buildType": "urn:gatewright:train:v1",
            "externalParameters": {"model": candidate.get("model"), **candidate.get("params", {})},
            "internalParameters": {
                name: environment[name] for name in ("python", "implementation", "platform") if name in environment
            },
            "resolvedDependencies": [
                *(descriptor(name, digest) for name, digest in document["inputs"].items()),
                *([code] if head and head != "no-git" else []),
                *surroundings,
                *pins,
            ],
        },
        "runDetails": {
            "builder": {"id": "urn:gatewright:builder:local"},
            "metadata": {
                "invocationId": document["run"],
                "startedOn": document["started_at"],
                "finishedOn": document["ended_at"],
            },
        },
    }


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
