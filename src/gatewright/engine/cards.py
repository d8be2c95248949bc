"""The model card of a version, from its run: written when it is registered, and made again when it is asked for."""

from __future__ import annotations

from gatewright.domain.documents import sha256
from gatewright.domain.lineage import ModelVersion
from gatewright.effects.files import write_atomic
from gatewright.engine.attesting import FOLDER
from gatewright.engine.handover import Handover
from gatewright.ports import Attaching
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


def attach_cards(handover: Handover, version: ModelVersion) -> None:
    """Write the card in both forms into the run's folder, and to the version in registries that take files."""
    facts = facts_of(handover.workspace, handover.run, version)
    registry = handover.workspace.registry
    for name, form in CARDS.items():
        content = form(facts).encode()
        write_atomic(handover.run.path / name, content, called=FOLDER)
        handover.outputs[name] = sha256(content)
        if isinstance(registry, Attaching):
            registry.attach(version, name, content)
