"""Writing what was proposed: everything is checked before anything is written, and each file is whole or not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gatewright.domain.errors import UnusableInput
from gatewright.domain.lineage import Role
from gatewright.effects.files import safe_join, write_atomic
from gatewright.engine.adoption.kept_schema import judged_by, schema_there
from gatewright.engine.adoption.parts import after_parts, parts_of
from gatewright.engine.adoption.pipeline_file import gates_of_report, pipeline_of_text
from gatewright.engine.adoption.schema_file import schema_of
from gatewright.engine.data_kinds import kind_of
from gatewright.engine.intake import Addition, add_version
from gatewright.ports import DataSource
from gatewright.rules.adoption.config_text import config_text
from gatewright.rules.adoption.own_report import OwnReport
from gatewright.rules.adoption.proposal import Proposal
from gatewright.store.data_versions import DataVersions
from gatewright.store.schema_files import read_schema

CONFIG, SCHEMA, IGNORED = "gatewright.yaml", "data/schema.yaml", ".gitignore"
_STATE = ".gatewright/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file to write, below `top` (None: the workspace). `state` is what happens there."""

    path: str
    data: bytes
    what: str
    top: Path | None = None
    state: Literal["new", "changed", "same", "appended", "kept"] = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that `init` would do: files, and data versions of (name, file, role).

    `joint` is what a pipeline that is there has to say to use the new one; None when it need not. `judged` are reports
    on the data by a schema file that was kept.
    """

    drafts: tuple[Draft, ...]
    versions: tuple[tuple[str, str, Role], ...]
    joint: str | None = None
    judged: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What was decided and what is written; `report` is the evaluation report that the team writes already.

    `only_gates`: nothing is written but what asks the gates about that report.
    """

    proposal: Proposal
    files: Plan
    report: OwnReport | None = None
    only_gates: bool = False


def plan_files(root: Path, proposal: Proposal, extra: Sequence[Draft] = (), *, anew: bool = False) -> Plan:
    """Every file with its bytes; nothing is written. `extra` are files that the proposal does not know of.

    A schema file of the team's stays as it is; `anew`: not one of suggestions that nobody has reviewed.
    """
    parts = parts_of(root, proposal)
    drafts = [*extra, *(Draft(path=part.path, data=part.data, what=part.what) for part in parts)]
    config = config_text(proposal)
    drafts.append(Draft(path=CONFIG, data=config.encode(), what="the configuration"))
    train, evaluation = after_parts(proposal)
    reports: tuple[dict[str, Any], ...] = ()
    if train is not None and evaluation is not None:
        given = {draft.path: draft.data for draft in drafts}
        schema = schema_there(root, SCHEMA, anew=anew)
        if schema is not None:
            told = f"your schema file, {len(schema.columns)} columns"
            drafts.append(Draft(path=SCHEMA, data=(root / SCHEMA).read_bytes(), what=told, state="kept"))
            reports = judged_by(root, schema, (train, evaluation), given, proposal.label)
        else:
            text, told = schema_of(root, train, evaluation, given)
            drafts.append(Draft(path=SCHEMA, data=text.encode(), what=f"{told}: review it"))
    pipeline = pipeline_of_text(root, config, proposal.target)
    if pipeline is not None:
        for path, text in pipeline.files.items():
            drafts.append(Draft(path=path, data=text.encode(), what=pipeline.what, top=pipeline.top))
    if (ignored := _ignored(root)) is not None:
        drafts.append(ignored)
    versions: list[tuple[str, str, Role]] = []
    if train is not None:
        versions.append((proposal.train_name, train, "train"))
    if evaluation is not None:
        versions.append((proposal.evaluation_name, evaluation, "eval"))
    judged = tuple(_judged(root, draft) for draft in drafts)
    joint = pipeline.joint if pipeline else None
    return Plan(drafts=judged, versions=tuple(versions), joint=joint, judged=reports)


def plan_gates(root: Path, proposal: Proposal, report: OwnReport) -> Plan:
    """Only what runs the gates on the team's own report in CI; nothing where that would be a guess."""
    found = gates_of_report(root, proposal, report)
    if found is None:
        return Plan(drafts=(), versions=())
    drafts = [
        Draft(path=path, data=text.encode(), what=found.what, top=found.top) for path, text in found.files.items()
    ]
    return Plan(drafts=tuple(_judged(root, draft) for draft in drafts), versions=(), joint=found.joint)


def refuse_overwriting(plan: Plan) -> None:
    """UnusableInput with every file that is there already and would become another."""
    there = [draft.path for draft in plan.drafts if draft.state == "changed"]
    if there:
        raise UnusableInput(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already, with other content",
            fix="nothing was written; --dry-run shows what would be, --force writes over",
        )


def write_files(root: Path, plan: Plan) -> None:
    """Every draft that is not there as it should be; the configuration last, so that a crash leaves none."""
    for draft in sorted(plan.drafts, key=lambda draft: draft.path == CONFIG):
        if draft.state not in ("same", "kept"):
            write_atomic(safe_join(draft.top or root, draft.path), draft.data)


def add_versions(
    root: Path,
    plan: Plan,
    *,
    label: str | None,
    created_by: str,
    now: datetime,
    source_of: Callable[[str], DataSource],
) -> tuple[tuple[str, int, bool], ...]:
    """The first data versions: (path of the pointer file, rows, whether it is new); the same bytes change nothing."""
    versions = DataVersions(root)
    schema = read_schema(root / SCHEMA) if (root / SCHEMA).is_file() else None
    made = []
    for name, path, role in plan.versions:
        kind = kind_of(root, path)
        addition = Addition(name=name, kind=kind, uri=path, role=role, created_by=created_by, label=label)
        version, new = add_version(
            addition,
            source=source_of(kind),
            versions=versions,
            schema=schema,
            scratch=root / ".gatewright",
            now=now,
        )
        made.append((versions.path(version).relative_to(root).as_posix(), version.rows, new))
    return tuple(made)


def _judged(root: Path, draft: Draft) -> Draft:
    if draft.state in ("appended", "kept"):
        return draft
    place = safe_join(draft.top or root, draft.path)
    if not place.exists():
        return draft
    same = place.is_file() and place.read_bytes() == draft.data
    return replace(draft, state="same" if same else "changed")


def _ignored(root: Path) -> Draft | None:
    """The state of runs stays out of git: a line more in .gitignore, unless it is there."""
    place = root / IGNORED
    text = place.read_text(encoding="utf-8", errors="surrogateescape") if place.is_file() else ""
    if any(line.strip().strip("/") == _STATE.strip("/") for line in text.splitlines()):
        return None
    joint = "" if not text or text.endswith("\n") else "\n"
    data = f"{text}{joint}{_STATE}\n".encode("utf-8", errors="surrogateescape")
    state: Literal["new", "appended"] = "appended" if place.is_file() else "new"
    return Draft(path=IGNORED, data=data, what=f"{_STATE} stays out of git", state=state)
