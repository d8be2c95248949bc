"""The model card of a version, from its run: written when it is registered, and made again when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.domain.documents import sha256
from gatewright.domain.lineage import ModelVersion
from gatewright.effects.files import write_atomic
from gatewright.engine.attesting import FOLDER
from gatewright.engine.handover import Handover
from gatewright.rules.model_card import Facts, markdown, page
from gatewright.store.runs import CANDIDATE, LOCK, REPORT, VERDICT, RunFolder
from gatewright.workspace import Workspace

CARDS = {"model-card.md": markdown, "model-card.html": page}


def facts_of(workspace: Workspace, run: RunFolder, version: ModelVersion) -> Facts:
    """All that the run of a version knows of it; UnusableInput when a hand-off is missing or was edited."""
    lock, trained = run.need(LOCK, "validate"), run.need(CANDIDATE, "train")
    candidate = trained.body["candidate"]
    train, evaluation = (
        workspace.data_versions.get(lock.body[role]["name"], lock.body[role]["version"])
        for role in ("train", "evaluation")
    )
    return Facts(
        model=version.model,
        number=version.number,
        digest=version.artifact.digest,
        commit=version.commit,
        trained_at=candidate["trained_at"],
        run=run.id,
        format=str(candidate["params"].get("format", "not recorded")),
        train=train,
        evaluation=evaluation,
        report=run.need(REPORT, "evaluate").body,
        verdict=run.need(VERDICT, "gate").body,
        environment=trained.body.get("environment") or {},
        words=workspace.project.card,
    )


def write_cards(handover: Handover, version: ModelVersion) -> Mapping[str, bytes]:
    """Write the card in both forms into the run's folder; what was written, by name."""
    facts = facts_of(handover.workspace, handover.run, version)
    written = {name: form(facts).encode() for name, form in CARDS.items()}
    for name, content in written.items():
        write_atomic(handover.run.path / name, content, called=FOLDER)
        handover.outputs[name] = sha256(content)
    return written
