"""What a stage takes over and hands on: every input is proven by its digest before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gatewright.domain.errors import DigestChanged, UnusableInput
from gatewright.domain.lineage import Artifact, DataVersion
from gatewright.engine.proofs import laid_out, proven_artifact
from gatewright.store.runs import Handoff, RunFolder
from gatewright.workspace import Workspace

STAGE_OF = {
    "lock": "validate",
    "validation": "validate",
    "candidate": "train",
    "evaluation-report": "evaluate",
    "verdict": "gate",
    "version": "register",
    "rollout": "canary",
    "deployment-record": "rollout finish",
}


class Handover:
    """One stage at work on one run."""

    def __init__(self, workspace: Workspace, run: RunFolder, stage: str, handoff: str) -> None:
        self.workspace = workspace
        self.run = run
        self.stage = stage
        self.handoff = handoff
        self.inputs: dict[str, str] = {}
        self.outputs: dict[str, str] = {}
        self.started_at: datetime = workspace.clock.now()

    def need(self, name: str) -> Handoff:
        """Take over `<name>.json`: it must have passed, be unedited, and rest on inputs that are still the same."""
        found = self.run.need(name, STAGE_OF[name])
        if found.status != "passed":
            raise UnusableInput(
                f"{name}.json of run {self.run.id} says {found.status!r}",
                fix=f"gatewright {STAGE_OF[name]} must pass first",
            )
        verify_chain(self.run, name, found)
        self.inputs[f"{name}.json"] = self.run.digest(name)
        return found

    def artifact(self, recorded: Artifact) -> Artifact:
        """The candidate's artifact, measured again; DigestChanged when a byte differs."""
        found = proven_artifact(self.workspace, recorded)
        self.inputs["artifact"] = found.digest
        return found

    def data(self, name: str, locked: Mapping[str, Any], into: str) -> tuple[DataVersion, Path]:
        """The locked data version, its bytes verified and laid below the run's folder."""
        version = self.workspace.data_versions.get(locked["name"], locked["version"])
        if version.digest != locked["digest"]:
            raise DigestChanged(
                f"data version {version.name} {version.version}",
                recorded=locked["digest"],
                found=version.digest,
            )
        path = laid_out(self.workspace, version, self.run.path / "data" / into)
        self.inputs[name] = version.digest
        return version, path

    def finish(self, status: str, body: Mapping[str, Any]) -> Handoff:
        """Write the hand-off of this stage."""
        handoff = Handoff(
            run=self.run.id,
            stage=self.stage,
            status=status,
            started_at=self.started_at,
            ended_at=self.workspace.clock.now(),
            inputs=self.inputs,
            outputs=self.outputs,
            body=body,
        )
        self.run.write(self.handoff, handoff)
        return handoff


def verify_chain(run: RunFolder, name: str, handoff: Handoff) -> None:
    """Every hand-off that `handoff` was made from must still carry the digest it had then."""
    for source, recorded in handoff.inputs.items():
        if source.endswith(".json"):
            found = run.digest(source.removesuffix(".json"))
            if found != recorded:
                raise DigestChanged(f"{source}, from which {name}.json was made", recorded=recorded, found=found)
