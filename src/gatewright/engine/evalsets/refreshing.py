"""`evalset refresh`: sample → export → labels → import → production on it → check. Each step is done once.

What is done stands in the sample's folder, so the next call goes on where the last one ended, whatever ended it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.domain.documents import plain
from gatewright.domain.errors import UnusableInput
from gatewright.domain.labelling import SampleFacts
from gatewright.domain.lineage import DataVersion
from gatewright.engine.evalsets.checking import Checked, Subject, check
from gatewright.engine.evalsets.exporting import export
from gatewright.engine.evalsets.importing import Terms, import_labels
from gatewright.engine.evalsets.rescoring import rescore, weighing
from gatewright.engine.evalsets.sampling import Request, take_sample
from gatewright.ports import Progress
from gatewright.rules.evalset import due
from gatewright.rules.fitness.likeness import Limits
from gatewright.rules.labelling.queue import Deal
from gatewright.store.samples import ANSWERS, CHECKED, RESCORED, SampleFolder, Samples
from gatewright.workspace import Workspace

_LABELLED = (".csv", ".jsonl", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How the steps are to be done."""

    request: Request
    deal: Deal
    terms: Terms
    skip: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """How far it is: `waiting` for labels, or `version` is there, with what was found of it."""

    folder: SampleFolder
    facts: SampleFacts
    waiting: bool
    exported: Sequence[str] = ()
    version: DataVersion | None = None
    answers: dict[str, Any] | None = None
    rescored: dict[str, Any] | None = None
    checked: dict[str, Any] | None = None


def not_due(workspace: Workspace, samples: Samples) -> str | None:
    """Why no newer set is wanted yet; None when one is, or when a sample is on its way."""
    name = workspace.project.data.evaluation
    if samples.waiting() or _unfinished(samples) or not workspace.data_versions.has(name):
        return None
    latest = workspace.data_versions.latest(name, "eval")
    moment = due(latest)
    if workspace.clock.now() >= moment:
        return None
    return f"not due until {moment:%Y-%m-%d}: {name} {latest.version} speaks until {latest.data_to:%Y-%m-%d}"


def refresh(workspace: Workspace, samples: Samples, order: Order, progress: Progress) -> Refreshed:
    """Do what can be done now; nothing that is done is done again."""
    folder = samples.waiting() or _unfinished(samples)
    if folder is None:
        folder, _, _ = take_sample(workspace, samples, order.request, progress)
    facts = folder.facts()
    if folder.read(ANSWERS) is None:
        files = labelled(folder)
        if not files:
            _, written = export(folder, order.deal)
            return Refreshed(folder=folder, facts=facts, waiting=True, exported=[batch.name for batch in written])
        import_labels(workspace, folder, files, order.terms)
    answers = folder.read(ANSWERS)
    assert answers is not None
    version = workspace.data_versions.get(answers["version"]["name"], answers["version"]["version"])
    if folder.read(RESCORED) is None:
        folder.keep(RESCORED, _rescored(workspace, version, progress))
    if folder.read(CHECKED) is None:
        found = check(
            weighing(workspace, version),
            Subject(source=order.request.source, limits=Limits(), evaluation=version.version, skip=order.skip),
            progress,
        )
        folder.keep(CHECKED, document(found))
    return Refreshed(
        folder=folder,
        facts=facts,
        waiting=False,
        version=version,
        answers=answers,
        rescored=folder.read(RESCORED),
        checked=folder.read(CHECKED),
    )


def labelled(folder: SampleFolder) -> list[Path]:
    """The files that somebody has laid into the sample's folder for labels."""
    if not folder.labels.is_dir():
        return []
    return sorted(path for path in folder.labels.iterdir() if path.suffix.lower() in _LABELLED)


def document(found: Checked) -> dict[str, Any]:
    """What was found, as it is kept and printed."""
    version = found.version
    return {
        "evaluation": {"name": version.name, "version": version.version, "digest": version.digest},
        "state": found.state,
        "findings": plain(found.findings),
        "leaked": list(found.leaked),
    }


def _unfinished(samples: Samples) -> SampleFolder | None:
    """The newest sample that was imported and not checked to the end."""
    return next((each for each in reversed(samples.all()) if each.read(CHECKED) is None), None)


def _rescored(workspace: Workspace, version: DataVersion, progress: Progress) -> dict[str, Any]:
    """Production on the new set and on the one before it; an empty document before anything serves."""
    if workspace.registry.serving(workspace.project.model) is None:
        return {"new": None, "old": None}
    new = rescore(workspace, version, progress)
    parent = version.lineage.get("parent_evaluation", "none")
    old = None
    if parent != "none":
        try:
            old = rescore(workspace, workspace.data_versions.get(version.name, str(parent)), progress)
        except UnusableInput as error:
            progress.warning(f"production was not scored on {parent}: {error.what}")
    return {"new": new, "old": old}
